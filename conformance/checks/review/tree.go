package review

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// base is a checkout of its own of what the environment began with.
func base(t *suite.T, e *suite.Env, name string) string {
	path := filepath.Join(t.Dir("bases"), name)
	t.Git(e.Project, "clone", "--quiet", "--no-hardlinks", "--no-local", e.Project, path)
	return path
}

// treeOf is what a checkout holds, as git sees it: content, whether a file is
// executable, and where a link leads.
func treeOf(t *suite.T, dir string) map[string]string {
	tree := map[string]string{}
	t.Try(filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		switch {
		case err != nil:
			return err
		case entry.Name() == ".git" && entry.IsDir():
			return fs.SkipDir
		case entry.Name() == ".git" || entry.IsDir():
			return nil
		case entry.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			tree[rel] = "-> " + target
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		tree[rel] = fmt.Sprintf("%v %d bytes %x", info.Mode()&0o100 != 0, len(data), sha256.Sum256(data))
		return nil
	}))
	return tree
}

// applies applies a patch with git to what the environment began with, and notes
// a failure unless that gives what the workspace holds.
func applies(t *suite.T, e *suite.Env, name, patch string) {
	at := base(t, e, name)
	file := filepath.Join(t.Dir("patches"), name)
	t.Try(os.WriteFile(file, []byte(patch), 0o600))
	if out, err := t.TryGit(at, "-c", "core.whitespace=nowarn", "apply", "--whitespace=nowarn", file); err != nil {
		t.Errorf("git does not apply the %s to what the environment began with: %v: %s", name, err, out)
		return
	}
	got, want := treeOf(t, at), treeOf(t, e.Path())
	for path := range want {
		t.Equal(fmt.Sprintf("%q after the %s was applied", path, name), got[path], want[path])
	}
	for path := range got {
		if _, there := want[path]; !there {
			t.Errorf("after the %s was applied there is %q, which is not in the workspace", name, path)
		}
	}
}

// numbers is what git itself counts: additions and deletions by path, of what
// the workspace holds against what it began with.
func numbers(t *suite.T, e *suite.Env) map[string][2]float64 {
	at := base(t, e, "counted")
	entries, err := os.ReadDir(at)
	t.Try(err)
	for _, entry := range entries {
		if entry.Name() != ".git" {
			t.Try(os.RemoveAll(filepath.Join(at, entry.Name())))
		}
	}
	t.Try(filepath.WalkDir(e.Path(), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(e.Path(), path)
		switch {
		case err != nil || rel == ".":
			return err
		case entry.Name() == ".git" && entry.IsDir():
			return fs.SkipDir
		case entry.Name() == ".git":
			return nil
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(at, rel), 0o755)
		case entry.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(target, filepath.Join(at, rel))
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(at, rel), data, info.Mode().Perm())
	}))
	t.Git(at, "add", "--all")
	counts := map[string][2]float64{}
	fields := strings.Split(t.Git(at, "diff", "--cached", "--numstat", "-z", "-M", "HEAD"), "\x00")
	for i := 0; i < len(fields); i++ {
		part := strings.SplitN(fields[i], "\t", 3)
		if len(part) != 3 {
			continue
		}
		path := part[2]
		if path == "" && i+2 < len(fields) { // a rename: old and new name follow
			path = fields[i+2]
			i += 2
		}
		var n [2]float64
		for k := range n {
			n[k], _ = strconv.ParseFloat(part[k], 64) // "-" of a binary file is 0
		}
		counts[path] = n
	}
	return counts
}
