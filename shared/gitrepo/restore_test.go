package gitrepo

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// What one worktree holds, committed, staged, changed, new, ignored and deleted, a
// second one made of its snapshot holds as well, and tells it as the same diff.
func TestAWorktreeMadeOfASnapshotHoldsAllOfIt(t *testing.T) {
	t.Parallel()
	project := newProject(t)
	r := open(t, project)
	wt := add(t, r, "w")
	commitFile(t, wt.Path, "committed", "by the first")
	work(t, wt.Path)
	write(t, wt.Path, ".gitignore", "*.out\n")
	write(t, wt.Path, "build/x.out", "ignored")
	write(t, wt.Path, "staged", "staged")
	git(t, wt.Path, "add", "staged")
	write(t, wt.Path, "staged", "and changed again")
	snap, err := r.Snapshot(t.Context(), wt, SnapshotSpec{Ref: "refs/codebolt/snapshots/kept/1", IncludeIgnored: true})
	if err != nil {
		t.Fatal(err)
	}
	origin, err := r.Origin(t.Context(), snap.OID)
	if err != nil {
		t.Fatal(err)
	}
	fork := plan(t, r, "fork")
	fork.StartOID = origin.HEAD
	if err := r.Add(t.Context(), AddSpec{Worktree: fork}); err != nil {
		t.Fatal(err)
	}
	if err := r.Restore(t.Context(), fork, snap.OID); err != nil {
		t.Fatal(err)
	}
	if got := treeOf(t, fork.Path); got != treeOf(t, wt.Path) {
		t.Errorf("the files are\n%s\nwant\n%s", got, treeOf(t, wt.Path))
	}
	for _, ask := range [][]string{
		{"status", "--porcelain", "--ignored"}, {"diff", "--cached"}, {"diff"}, {"log", "--format=%H"},
	} {
		if got, want := git(t, fork.Path, ask...), git(t, wt.Path, ask...); got != want {
			t.Errorf("git %v says\n%s\nwant\n%s", ask, got, want)
		}
	}
	want, err := r.Patch(t.Context(), wt)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.Patch(t.Context(), fork); err != nil || got != want {
		t.Errorf("the patch differs: %v", err)
	}

	again := fork
	again.Path, again.Branch = plan(t, r, "again").Path, plan(t, r, "again").Branch
	if err := r.Add(t.Context(), AddSpec{Worktree: again}); err != nil {
		t.Fatal(err)
	}
	if err := r.Discard(t.Context(), again); err != nil {
		t.Fatal(err)
	}
	if has, err := r.HasBranch(t.Context(), again.Branch); err != nil || has {
		t.Errorf("a branch that nobody moved from where it began is still there: %v", err)
	}

	git(t, fork.Path, "commit", "-q", "--allow-empty", "-m", "moved")
	wantCode(t, r.Restore(t.Context(), fork, snap.OID), wire.Conflict, "the snapshot was taken at")
	for range 2 {
		if err := r.DropSnapshot(t.Context(), snap.Ref); err != nil {
			t.Fatal(err)
		}
	}
	if got := git(t, project, "for-each-ref", "refs/codebolt/"); got != "" {
		t.Errorf("refs left: %s", got)
	}
	wantCode(t, r.DropSnapshot(t.Context(), "refs/heads/main"), wire.Invalid)
	if _, err := os.Stat(filepath.Join(fork.Path, "build", "x.out")); err != nil {
		t.Error(err)
	}
}

func TestWhatIsNoSnapshotOfAWorktreeIsRefused(t *testing.T) {
	t.Parallel()
	r := open(t, newProject(t))
	_, err := r.Origin(t.Context(), "refs/codebolt/snapshots/kept/none")
	wantCode(t, err, wire.NotFound)
	root := git(t, r.Top(), "rev-list", "--max-parents=0", "HEAD")
	_, err = r.Origin(t.Context(), root)
	wantCode(t, err, wire.NotFound, "no parent")
}
