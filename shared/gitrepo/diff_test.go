package gitrepo

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// git runs git as a user would, with an identity of its own.
func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := tryGit(t, dir, args...)
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSuffix(out, "\n")
}

func tryGit(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command("git", append([]string{"-c", "user.name=t", "-c", "user.email=t@t", "-c", "protocol.file.allow=always"}, args...)...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// newProject makes a repository with one commit.
func newProject(t *testing.T, initArgs ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "project")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	git(t, dir, append([]string{"init", "-q", "-b", "main"}, initArgs...)...)
	write(t, dir, "afile", "one\ntwo\nthree\n")
	write(t, dir, "gone", "to be deleted\n")
	write(t, dir, "old name", strings.Repeat("a line that stays\n", 20))
	write(t, dir, "script", "#!/bin/sh\n")
	write(t, dir, "link or file", "a file\n")
	write(t, dir, "staged", "1\n")
	write(t, dir, "bin", "\x00\x01\x02")
	write(t, dir, ".gitignore", "*.ignored\nnode_modules/\n")
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-q", "-m", "first")
	return dir
}

func open(t *testing.T, dir string) *Repo {
	t.Helper()
	r, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// plan is a worktree that is not there yet.
func plan(t *testing.T, r *Repo, name string) Worktree {
	t.Helper()
	base, err := r.Resolve(t.Context(), "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	return Worktree{
		CommonDir: r.CommonDir(), Path: filepath.Join(t.TempDir(), name), Branch: "codebolt/" + name,
		BaseOID: base, BaseRef: "refs/heads/main", CreatedBranch: true, Reason: "codebolt " + name,
	}
}

func add(t *testing.T, r *Repo, name string) Worktree {
	t.Helper()
	wt := plan(t, r, name)
	if err := r.Add(t.Context(), AddSpec{Worktree: wt}); err != nil {
		t.Fatal(err)
	}
	return wt
}

// work changes a worktree in every way there is.
func work(t *testing.T, dir string) {
	t.Helper()
	write(t, dir, "committed", "in a commit\n")
	git(t, dir, "add", "committed")
	git(t, dir, "commit", "-q", "-m", "work")
	write(t, dir, "staged", "1\n2\n")
	git(t, dir, "add", "staged")
	write(t, dir, "staged", "1\n2\n3\n")
	write(t, dir, "afile", "one\nTWO\nthree\n")
	git(t, dir, "mv", "old name", "new näme")
	write(t, dir, "sub/un tracked", "u\n")
	write(t, dir, " leading\nand newline", "n")
	write(t, dir, "x.ignored", "secret")
	write(t, dir, "bin", "\x00\x01\x03")
	write(t, dir, "big", strings.Repeat("0123456789abcde\n", 5<<20/16))
	noise := make([]byte, 100_000)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(rng.Uint32())
	}
	write(t, dir, "noise", string(noise))
	for _, err := range []error{
		os.Remove(filepath.Join(dir, "gone")),
		os.Chmod(filepath.Join(dir, "script"), 0o755),
		os.Remove(filepath.Join(dir, "link or file")),
		os.Symlink("afile", filepath.Join(dir, "link or file")),
		os.Symlink("nowhere/at all", filepath.Join(dir, "dangling")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// treeOf is the tree of all that is in a directory, made from scratch.
func treeOf(t *testing.T, dir string) string {
	t.Helper()
	cmd := func(args ...string) string {
		c := exec.Command("git", args...)
		c.Dir = dir
		c.Env = append(os.Environ(), "GIT_INDEX_FILE="+filepath.Join(dir, "..", "tree-index"))
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	defer os.Remove(filepath.Join(dir, "..", "tree-index"))
	cmd("add", "-A")
	return cmd("write-tree")
}

func TestADiffTellsEveryKindOfChange(t *testing.T) {
	t.Parallel()
	project := newProject(t)
	r := open(t, project)
	wt := add(t, r, "w")
	work(t, wt.Path)
	res, err := r.Diff(t.Context(), wt, DiffSpec{})
	if err != nil {
		t.Fatal(err)
	}
	type line struct {
		Status, Old, OldMode, NewMode string
		Add, Del                      int
		Binary, Truncated             bool
	}
	got := map[string]line{}
	for _, f := range res.Files {
		if f.Diff == "" {
			t.Errorf("%q has no diff", f.Path)
		}
		got[f.Path] = line{f.Status, f.OldPath, f.OldMode, f.NewMode, f.Changes.Additions, f.Changes.Deletions, f.Binary, f.Truncated}
	}
	want := map[string]line{
		"committed":             {Status: wire.Added, NewMode: "100644", Add: 1},
		"staged":                {Status: wire.Modified, Add: 2},
		"afile":                 {Status: wire.Modified, Add: 1, Del: 1},
		"new näme":              {Status: wire.Renamed, Old: "old name"},
		"sub/un tracked":        {Status: wire.Added, NewMode: "100644", Add: 1},
		" leading\nand newline": {Status: wire.Added, NewMode: "100644", Add: 1},
		"bin":                   {Status: wire.Modified, Binary: true},
		"big":                   {Status: wire.Added, NewMode: "100644", Add: 5 << 20 / 16, Truncated: true},
		"noise":                 {Status: wire.Added, NewMode: "100644", Binary: true},
		"gone":                  {Status: wire.Deleted, OldMode: "100644", Del: 1},
		"script":                {Status: wire.Modified, OldMode: "100644", NewMode: "100755"},
		"link or file":          {Status: wire.Modified, OldMode: "100644", NewMode: "120000", Add: 1, Del: 1},
		"dangling":              {Status: wire.Added, NewMode: "120000", Add: 1},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if res.Truncated || res.Base != wt.BaseOID {
		t.Errorf("truncated %v, base %s", res.Truncated, res.Base)
	}
	wantSum := wire.DiffSummary{TotalFiles: len(want), TotalAdditions: 8 + 5<<20/16, TotalDeletions: 3, TotalChanges: 11 + 5<<20/16}
	if diff := cmp.Diff(wantSum, res.Summary); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
}

func TestADiffAppliedElsewhereGivesTheSameTree(t *testing.T) {
	t.Parallel()
	for name, format := range map[string]string{"with SHA-1": "sha1", "with SHA-256": "sha256"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			project := newProject(t, "--object-format="+format)
			r := open(t, project)
			wt := add(t, r, "w")
			work(t, wt.Path)
			// Settings that change the form of a diff must not change ours.
			for key, value := range map[string]string{
				"diff.noprefix": "true", "diff.mnemonicPrefix": "true", "color.ui": "always", "diff.external": "false",
				"diff.renames": "copies", "diff.suppressBlankEmpty": "true", "diff.submodule": "log", "diff.relative": "true",
				"diff.orderFile": "nowhere", "core.quotePath": "false", "diff.context": "0", "diff.ignoreSubmodules": "all",
			} {
				git(t, project, "config", key, value)
			}
			res, err := r.Diff(t.Context(), wt, DiffSpec{})
			if err != nil {
				t.Fatal(err)
			}
			patch, err := r.Patch(t.Context(), wt)
			if err != nil {
				t.Fatal(err)
			}
			if patch != res.RawDiff {
				t.Error("Patch differs from RawDiff")
			}
			var joined strings.Builder
			whole, err := r.Diff(t.Context(), wt, DiffSpec{MaxFile: 50 << 20, MaxTotal: 50 << 20})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range whole.Files {
				joined.WriteString(f.Diff)
			}
			for what, text := range map[string]string{"RawDiff": res.RawDiff, "the files' Diffs": joined.String()} {
				fresh := filepath.Join(t.TempDir(), "fresh")
				git(t, project, "worktree", "add", "-q", "--detach", fresh, wt.BaseOID)
				file := filepath.Join(t.TempDir(), "patch")
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				git(t, fresh, "apply", file)
				if got, want := treeOf(t, fresh), treeOf(t, wt.Path); got != want {
					t.Errorf("%s: tree %s, want %s:\n%s", what, got, want, git(t, project, "diff", "--stat", want, got))
				}
			}
		})
	}
}

func TestDiffAndSnapshotTouchNothing(t *testing.T) {
	t.Parallel()
	project := newProject(t)
	r := open(t, project)
	wt := add(t, r, "w")
	write(t, wt.Path, "afile", "stashed\n")
	git(t, wt.Path, "stash")
	work(t, wt.Path)
	state := func() string {
		var b bytes.Buffer
		gitDir := git(t, wt.Path, "rev-parse", "--absolute-git-dir")
		for _, f := range []string{filepath.Join(gitDir, "index"), filepath.Join(gitDir, "HEAD"), filepath.Join(gitDir, "logs", "HEAD"), filepath.Join(r.CommonDir(), "logs", "refs", "stash")} {
			b.WriteString(read(t, f))
		}
		b.WriteString(git(t, wt.Path, "for-each-ref", "refs/heads", "refs/stash", "refs/tags"))
		return b.String()
	}
	before := state()
	if _, err := r.Diff(t.Context(), wt, DiffSpec{}); err != nil {
		t.Fatal(err)
	}
	snap, err := r.Snapshot(t.Context(), wt, SnapshotSpec{Ref: "refs/codebolt/snapshots/w/1"})
	if err != nil {
		t.Fatal(err)
	}
	if state() != before {
		t.Error("index, HEAD, stash or branches changed")
	}
	if want := treeOf(t, wt.Path); snap.Tree != want {
		t.Errorf("the snapshot's tree is %s, want %s", snap.Tree, want)
	}
	if got, want := git(t, project, "rev-parse", "refs/codebolt/snapshots/w/1^"), git(t, wt.Path, "rev-parse", "HEAD"); got != want {
		t.Errorf("the snapshot's parent is %s, want %s", got, want)
	}
}
