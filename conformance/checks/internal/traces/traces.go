// Package traces sees what environments leave on this machine: in the folders
// that a check gives its provider, in the project and in the project's
// repository.
package traces

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// Disk is what lies below some folders: for each path its type, and for a file
// its size.
type Disk map[string]entry

type entry struct {
	mode fs.FileMode
	size int64
}

// Homes are the folders in which a check's provider may leave something.
func Homes(t *suite.T) []string { return []string{t.Dir("home"), t.Dir("tmp")} }

// Look lists what lies below the folders.
func Look(dirs ...string) Disk {
	d := Disk{}
	for _, dir := range dirs {
		_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil { // else it went away while we looked
				d.add(path, e)
			}
			return nil
		})
	}
	return d
}

func (d Disk) add(path string, e fs.DirEntry) {
	info, err := e.Info()
	if err != nil {
		return
	}
	size := info.Size()
	if e.IsDir() {
		size = 0 // says how often it was written to
	}
	d[path] = entry{info.Mode().Type(), size}
}

// Since are the paths that were not there before, sorted. Caches are left out:
// what is in them serves the next environment.
func (d Disk) Since(before Disk) []string {
	var added []string
	for path := range d {
		if _, was := before[path]; !was && !strings.Contains(path, "/cache/") && !strings.HasSuffix(path, "/cache") {
			added = append(added, path)
		}
	}
	slices.Sort(added)
	return added
}

// Belongings are the paths of Since that belong to an environment: all but
// folders which do not have its name, as those in which a provider keeps all its
// environments.
func (d Disk) Belongings(before Disk, e *suite.Env) []string {
	return slices.DeleteFunc(d.Since(before), func(path string) bool {
		base := filepath.Base(path)
		return d[path].mode.IsDir() && !strings.Contains(base, e.Name()) && !strings.Contains(base, e.ID())
	})
}

// Naming are the files below a folder that name an environment, in their path or
// in their text. Logs are left out: they may tell what was.
func Naming(dir string, e *suite.Env) []string {
	var found []string
	for path, entry := range Look(dir) {
		if strings.HasSuffix(path, ".log") {
			continue
		}
		base := filepath.Base(path)
		names := strings.Contains(base, e.Name()) || strings.Contains(base, e.ID())
		if !names && entry.mode.IsRegular() {
			text, err := os.ReadFile(path)
			names = err == nil && (bytes.Contains(text, []byte(e.ID())) || bytes.Contains(text, []byte(`"`+e.Name()+`"`)))
		}
		if names {
			found = append(found, path)
		}
	}
	slices.Sort(found)
	return found
}

// Named are the paths below a folder whose last part is that name.
func Named(dir, name string) []string {
	var found []string
	for path := range Look(dir) {
		if filepath.Base(path) == name {
			found = append(found, path)
		}
	}
	return found
}

// Repository is what a person sees of a repository: a text for each question.
// The answers are compared, not read.
func Repository(t *suite.T, dir string) map[string]string {
	seen := map[string]string{}
	for what, args := range map[string][]string{
		"refs":      {"for-each-ref"},
		"worktrees": {"worktree", "list", "--porcelain"},
		"stashes":   {"stash", "list"},
		"status":    {"status", "--porcelain=v2", "--branch", "--ignored", "--untracked-files=all"},
		"HEAD":      {"rev-parse", "HEAD"},
		"settings":  {"config", "--local", "--list"},
	} {
		seen[what] = t.Git(dir, args...)
	}
	index, err := os.ReadFile(filepath.Join(dir, ".git", "index"))
	t.Try(err)
	seen["index"] = string(index)
	return seen
}

// Same notes a failure for each answer about a repository that is another than
// before.
func Same(t *suite.T, when string, now, before map[string]string) {
	for _, what := range []string{"HEAD", "refs", "worktrees", "stashes", "status", "settings"} {
		t.Equal("the project's "+what+" "+when, now[what], before[what])
	}
	if now["index"] != before["index"] {
		t.Errorf("the project's index is another file %s", when)
	}
}

// Helpers are the processes that a check's environments have beside their
// providers: runtimes, and what runs in them.
func Helpers(t *suite.T, envs ...*suite.Env) []suite.Process {
	return slices.DeleteFunc(t.Processes(), func(p suite.Process) bool {
		return slices.ContainsFunc(envs, func(e *suite.Env) bool { return e.IsProvider(p.PID) })
	})
}

// NoHelpers notes a failure unless soon no process but the providers is left.
func NoHelpers(t *suite.T, when string, envs ...*suite.Env) {
	var left []suite.Process
	if !t.Within(endLimit, func() bool { left = Helpers(t, envs...); return len(left) == 0 }) {
		t.Errorf("%s processes are left: %v", when, left)
	}
}

// endLimit is how long processes may take to end after what they served.
const endLimit = 10 * time.Second

// Workspaces are the directories with an environment's name in their path that
// hold a project of the suite.
func Workspaces(t *suite.T, e *suite.Env) []string {
	const part = "/src/lib/util.txt"
	var found []string
	for path := range Look(Homes(t)...) {
		if dir, is := strings.CutSuffix(filepath.ToSlash(path), part); is && strings.Contains(dir, e.Name()) {
			found = append(found, dir)
		}
	}
	slices.Sort(found)
	return found
}

// Type is the type of what lies at a path; 0 is a file.
func (d Disk) Type(path string) fs.FileMode { return d[path].mode }

// Bytes is the size of all files together, but for caches and the objects of
// repositories.
func (d Disk) Bytes() (sum int64) {
	for path, e := range d {
		if !strings.Contains(path, "/cache/") && !strings.Contains(path, "/objects/") {
			sum += e.size
		}
	}
	return sum
}
