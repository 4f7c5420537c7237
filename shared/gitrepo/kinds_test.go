package gitrepo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// roundTrip makes a worktree, changes it, looks at it and takes it away.
func roundTrip(t *testing.T, r *Repo, spec AddSpec) {
	t.Helper()
	wt := spec.Worktree
	if err := r.Add(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if got := git(t, wt.Path, "status", "--porcelain"); got != "" {
		t.Errorf("not clean: %s", got)
	}
	write(t, wt.Path, "new", "n\n")
	res, err := r.Diff(t.Context(), wt, DiffSpec{})
	if err != nil || len(res.Files) != 1 || res.Files[0].Path != "new" {
		t.Errorf("diff %+v, %v", res, err)
	}
	if _, err := r.Snapshot(t.Context(), wt, SnapshotSpec{Ref: "refs/codebolt/snapshots/w/1"}); err != nil {
		t.Error(err)
	}
	if _, err := r.Holds(t.Context(), wt, HoldSpec{}); err != nil {
		t.Error(err)
	}
	if err := r.Attach(t.Context(), wt); err != nil {
		t.Error(err)
	}
	if _, err := r.Remove(t.Context(), wt, RemoveSpec{}); err != nil {
		t.Error(err)
	}
	if exists(wt.Path) {
		t.Error("it is still there")
	}
}

func TestEveryKindOfRepositoryWorks(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T) string{
		"plain":   func(t *testing.T) string { return newProject(t) },
		"SHA-256": func(t *testing.T) string { return newProject(t, "--object-format=sha256") },
		"bare": func(t *testing.T) string {
			bare := filepath.Join(t.TempDir(), "bare.git")
			git(t, newProject(t), "clone", "-q", "--bare", ".", bare)
			return bare
		},
		"shallow": func(t *testing.T) string {
			project := newProject(t)
			commitFile(t, project, "second", "2")
			shallow := filepath.Join(t.TempDir(), "shallow")
			git(t, project, "clone", "-q", "--depth=1", "file://"+project, shallow)
			return shallow
		},
		"detached": func(t *testing.T) string {
			project := newProject(t)
			git(t, project, "checkout", "-q", "--detach")
			return project
		},
		"inside a worktree": func(t *testing.T) string {
			linked := filepath.Join(t.TempDir(), "linked")
			git(t, newProject(t), "worktree", "add", "-q", "--detach", linked)
			return linked
		},
		"with LFS that is not installed": func(t *testing.T) string {
			project := newProject(t)
			write(t, project, ".gitattributes", "*.psd filter=lfs diff=lfs merge=lfs -text\n")
			commitFile(t, project, "x.psd", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
			for key, value := range map[string]string{"clean": "git-lfs-none clean -- %f", "smudge": "git-lfs-none smudge -- %f", "process": "git-lfs-none filter-process", "required": "true"} {
				git(t, project, "config", "filter.lfs."+key, value)
			}
			return project
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := open(t, prepare(t))
			if name == "with LFS that is not installed" {
				r.run.noLFS = true
				wt := plan(t, r, "w")
				if err := r.Add(t.Context(), AddSpec{Worktree: wt}); err != nil {
					t.Fatal(err)
				}
				write(t, wt.Path, "x.psd", "changed\n")
				res, err := r.Diff(t.Context(), wt, DiffSpec{})
				if err != nil || len(res.Files) != 1 {
					t.Errorf("%+v, %v", res, err)
				}
				return
			}
			roundTrip(t, r, AddSpec{Worktree: plan(t, r, "w")})
		})
	}
}

func TestSparseCheckoutsAreInheritedOrAsked(t *testing.T) {
	t.Parallel()
	project := newProject(t)
	write(t, project, "in/a", "a")
	write(t, project, "out/b", "b")
	git(t, project, "add", "-A")
	git(t, project, "commit", "-q", "-m", "dirs")
	r := open(t, project)
	asked := AddSpec{Worktree: plan(t, r, "asked"), SparsePaths: []string{"in"}}
	if err := r.Add(t.Context(), asked); err != nil {
		t.Fatal(err)
	}
	git(t, project, "sparse-checkout", "set", "--cone", "in")
	inherited := add(t, r, "inherited")
	for _, wt := range []Worktree{asked.Worktree, inherited} {
		if !exists(filepath.Join(wt.Path, "in", "a")) || exists(filepath.Join(wt.Path, "out", "b")) {
			t.Errorf("%s is not sparse", wt.Path)
		}
		res, err := r.Diff(t.Context(), wt, DiffSpec{})
		if err != nil || len(res.Files) > 0 {
			t.Errorf("%+v, %v", res, err)
		}
		snap, err := r.Snapshot(t.Context(), wt, SnapshotSpec{Ref: "refs/codebolt/snapshots/s/1"})
		if want := git(t, project, "rev-parse", "HEAD^{tree}"); err != nil || snap.Tree != want {
			t.Errorf("the snapshot's tree is %s, want %s; %v", snap.Tree, want, err)
		}
	}
}

func TestSubmodulesComeFromThisMachine(t *testing.T) {
	t.Parallel()
	lib, project := newProject(t), newProject(t)
	git(t, project, "submodule", "--quiet", "add", lib, "lib")
	git(t, project, "commit", "-q", "-m", "lib")
	remove(t, lib) // whatever is needed has to be here already
	r := open(t, project)
	wt := plan(t, r, "w")
	var warnings []string
	if err := r.Add(t.Context(), AddSpec{Worktree: wt, Warn: func(m string) { warnings = append(warnings, m) }}); err != nil {
		t.Fatal(err)
	}
	if len(warnings) > 0 || !exists(filepath.Join(wt.Path, "lib", "afile")) {
		t.Fatalf("the submodule is not there: %v", warnings)
	}
	if res, err := r.Diff(t.Context(), wt, DiffSpec{}); err != nil || len(res.Files) > 0 {
		t.Errorf("%+v, %v", res, err)
	}
	for _, name := range []string{"afile", "new", "x.ignored"} {
		file := filepath.Join(wt.Path, "lib", name)
		was, rerr := os.ReadFile(file)
		write(t, filepath.Dir(file), name, "work")
		holds, err := r.Holds(t.Context(), wt, HoldSpec{})
		if err != nil || len(holds) != 1 || holds[0].Kind != HoldSubmodule || !strings.Contains(holds[0].Detail, name) {
			t.Errorf("%s: %v, %v", name, holds, err)
		}
		remove(t, file)
		if rerr == nil {
			write(t, filepath.Dir(file), name, string(was))
		}
	}
	git(t, filepath.Join(wt.Path, "lib"), "checkout", "-q", "-b", "work")
	commitFile(t, filepath.Join(wt.Path, "lib"), "in lib", "x")
	holds, err := r.Holds(t.Context(), wt, HoldSpec{})
	if err != nil || len(holds) != 2 || holds[0].Kind != HoldUncommitted || holds[1].Kind != HoldSubmodule {
		t.Errorf("%v, %v", holds, err)
	}
	if _, err := r.Remove(t.Context(), wt, RemoveSpec{}); err != nil {
		t.Error(err)
	}
}

func TestNestedRepositoriesAndLargeFilesAreLeftOutAndNamed(t *testing.T) {
	t.Parallel()
	project := newProject(t)
	r := open(t, project)
	wt := add(t, r, "w")
	git(t, wt.Path, "init", "-q", "nested")
	write(t, wt.Path, "nested/x", "x")
	write(t, wt.Path, "large", strings.Repeat("l", 2000))
	write(t, wt.Path, "afile", strings.Repeat("m", 2000))
	write(t, wt.Path, "small", "s")
	write(t, wt.Path, "x.ignored", "i")
	for n := range 4 {
		snap, err := r.Snapshot(t.Context(), wt, SnapshotSpec{Ref: fmt.Sprintf("refs/codebolt/snapshots/w/%d", n+9), MaxFile: 1000, KeepLast: 2, IncludeIgnored: true})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"afile", "large", "nested/"}, snap.Skipped); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		got := git(t, project, "diff", "--name-status", wt.BaseOID, snap.OID)
		if got != "A\tsmall\nA\tx.ignored" {
			t.Errorf("in the snapshot: %s", got)
		}
	}
	if got := git(t, project, "for-each-ref", "--format=%(refname)", "refs/codebolt"); got != "refs/codebolt/snapshots/w/11\nrefs/codebolt/snapshots/w/12" {
		t.Errorf("kept: %s", got)
	}
}

func TestADiffDuringAConflictShowsTheFiles(t *testing.T) {
	t.Parallel()
	project := newProject(t)
	r := open(t, project)
	wt := add(t, r, "w")
	commitFile(t, project, "afile", "theirs\n")
	commitFile(t, wt.Path, "afile", "ours\n")
	if out, err := tryGit(t, wt.Path, "merge", "main"); err == nil {
		t.Fatal(out)
	}
	res, err := r.Diff(t.Context(), wt, DiffSpec{})
	if err != nil || len(res.Files) != 1 || !strings.Contains(res.RawDiff, "+<<<<<<<") {
		t.Errorf("%+v, %v", res, err)
	}
	if _, err := r.Snapshot(t.Context(), wt, SnapshotSpec{Ref: "refs/codebolt/snapshots/w/1"}); err != nil {
		t.Error(err)
	}
}

func TestADiffOverItsLimitsIsMarkedAndListsAllFiles(t *testing.T) {
	t.Parallel()
	project := newProject(t)
	r := open(t, project)
	wt := add(t, r, "w")
	for i := range 10 {
		write(t, wt.Path, fmt.Sprintf("f%d", i), strings.Repeat("line\n", 200))
	}
	for name, spec := range map[string]DiffSpec{"in total": {MaxTotal: 5000}, "of files": {MaxFiles: 3}} {
		res, err := r.Diff(t.Context(), wt, spec)
		if err != nil {
			t.Fatal(err)
		}
		cut := 0
		for _, f := range res.Files {
			if f.Truncated != (f.Diff == "") || f.Changes.Additions != 200 {
				t.Errorf("%s: %+v", name, f)
			}
			if f.Truncated {
				cut++
			}
		}
		if !res.Truncated || len(res.Files) != 10 || res.Summary.TotalAdditions != 2000 || cut == 0 || cut == 10 {
			t.Errorf("%s: truncated %v, %d files, %d cut", name, res.Truncated, len(res.Files), cut)
		}
	}
}

func TestTextInNoUnicodeEncodingIsABinaryPatch(t *testing.T) {
	t.Parallel()
	project := newProject(t)
	write(t, project, "latin", "caf\xe9\n")
	git(t, project, "add", "-A")
	git(t, project, "commit", "-q", "-m", "latin")
	r := open(t, project)
	wt := add(t, r, "w")
	write(t, wt.Path, "latin", "caf\xe9s\n")
	write(t, wt.Path, "afile", "changed\n")
	patch, err := r.Patch(t.Context(), wt)
	if err != nil || !strings.Contains(patch, "GIT binary patch") {
		t.Fatalf("%v:\n%s", err, patch)
	}
	if err := Apply(t.Context(), project, patch, ApplySpec{}); err != nil {
		t.Fatal(err)
	}
	if got, want := treeOf(t, project), treeOf(t, wt.Path); got != want {
		t.Errorf("tree %s, want %s", got, want)
	}
}

func TestAPlainDirectoryHasADiffThroughItsShadow(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "plain")
	write(t, dir, "a", "1\r\n")
	write(t, dir, ".gitattributes", "* text=auto\n*.z filter=none\n")
	write(t, dir, "sub/b", "2\n")
	gitDir := filepath.Join(t.TempDir(), "shadow.git")
	original := filepath.Join(t.TempDir(), "original")
	if err := os.CopyFS(original, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	_, first, err := Shadow(t.Context(), gitDir, dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "a", "1\r\n2\r\n")
	write(t, dir, "new", "n\n")
	remove(t, filepath.Join(dir, "sub"))
	r, wt, err := Shadow(t.Context(), gitDir, dir, Options{})
	if err != nil || wt != first {
		t.Fatalf("%+v, %+v, %v", first, wt, err)
	}
	if exists(filepath.Join(dir, ".git")) {
		t.Error("something was written into the directory")
	}
	res, err := r.Diff(t.Context(), wt, DiffSpec{})
	if err != nil || len(res.Files) != 3 {
		t.Fatalf("%+v, %v", res, err)
	}
	if err := Apply(t.Context(), original, res.RawDiff, ApplySpec{}); err != nil {
		t.Fatal(err)
	}
	if read(t, filepath.Join(original, "a")) != "1\r\n2\r\n" || exists(filepath.Join(original, "sub")) || read(t, filepath.Join(original, "new")) != "n\n" {
		t.Error("the patch does not give the same files")
	}
	if _, err := r.Snapshot(t.Context(), wt, SnapshotSpec{Ref: "refs/codebolt/snapshots/x/1"}); err != nil {
		t.Error(err)
	}
	if again, err := r.Diff(t.Context(), wt, DiffSpec{}); err != nil || again.RawDiff != res.RawDiff {
		t.Errorf("the snapshot changed the diff, or %v", err)
	}
	_, _, err = Shadow(t.Context(), filepath.Join(dir, "in"), dir, Options{})
	wantCode(t, err, wire.Invalid)
}
