package gitrepo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func commitFile(t *testing.T, dir, name, content string) string {
	t.Helper()
	write(t, dir, name, content)
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-q", "-m", "write "+name)
	return git(t, dir, "rev-parse", "HEAD")
}

func TestHoldsNameWhatWouldBeLost(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(t *testing.T, project string, wt Worktree)
		want []string
	}{
		"nothing": {func(t *testing.T, _ string, wt Worktree) {}, nil},
		"a changed file": {func(t *testing.T, _ string, wt Worktree) {
			write(t, wt.Path, "afile", "changed")
		}, []string{HoldUncommitted}},
		"a new file": {func(t *testing.T, _ string, wt Worktree) { write(t, wt.Path, "new file", "n") }, []string{HoldUntracked}},
		"an ignored file": {func(t *testing.T, _ string, wt Worktree) {
			write(t, wt.Path, "env.ignored", "secret")
		}, []string{HoldIgnored}},
		"disposable files only": {func(t *testing.T, _ string, wt Worktree) {
			write(t, wt.Path, "a/node_modules/m/x", "x")
			write(t, wt.Path, "log.ignored", "x")
		}, nil},
		"a commit": {func(t *testing.T, _ string, wt Worktree) { commitFile(t, wt.Path, "c", "c") }, []string{HoldCommits}},
		"a commit on a user's branch": {func(t *testing.T, _ string, wt Worktree) {
			git(t, wt.Path, "checkout", "-q", "-b", "users")
			commitFile(t, wt.Path, "c", "c")
		}, nil},
		"a commit and another without a branch": {func(t *testing.T, _ string, wt Worktree) {
			commitFile(t, wt.Path, "c", "c")
			git(t, wt.Path, "checkout", "-q", "--detach", wt.BaseOID)
			commitFile(t, wt.Path, "d", "d")
		}, []string{HoldCommits, HoldCommits}},
		"a commit that was merged": {func(t *testing.T, project string, wt Worktree) {
			commitFile(t, wt.Path, "c", "c")
			git(t, project, "merge", "-q", "--no-ff", "-m", "m", wt.Branch)
		}, nil},
		"a commit that was picked": {func(t *testing.T, project string, wt Worktree) {
			commitFile(t, wt.Path, "c", "c")
			commitFile(t, project, "mine", "m")
			git(t, project, "cherry-pick", wt.Branch)
		}, nil},
		"commits that were squashed": {func(t *testing.T, project string, wt Worktree) {
			commitFile(t, wt.Path, "c", "c")
			commitFile(t, wt.Path, "c", "c2")
			commitFile(t, project, "mine", "m")
			git(t, project, "merge", "-q", "--squash", wt.Branch)
			git(t, project, "commit", "-q", "-m", "squashed")
			commitFile(t, project, "later", "l")
		}, nil},
		"a commit that was pushed": {func(t *testing.T, project string, wt Worktree) {
			commitFile(t, wt.Path, "c", "c")
			git(t, project, "update-ref", "refs/remotes/origin/x", "codebolt/w")
		}, nil},
		"a commit that only a snapshot has": {func(t *testing.T, project string, wt Worktree) {
			commitFile(t, wt.Path, "c", "c")
			git(t, project, "update-ref", "refs/codebolt/snapshots/w/1", "codebolt/w")
		}, []string{HoldCommits}},
		"a stash": {func(t *testing.T, _ string, wt Worktree) {
			write(t, wt.Path, "afile", "changed")
			git(t, wt.Path, "stash")
		}, nil},
		"a repository added like a file": {func(t *testing.T, _ string, wt Worktree) {
			git(t, wt.Path, "init", "-q", "inner")
			commitFile(t, filepath.Join(wt.Path, "inner"), "x", "x")
			git(t, wt.Path, "add", "inner")
			git(t, wt.Path, "commit", "-q", "-m", "inner")
			git(t, wt.Path, "branch", "users")
		}, []string{HoldSubmodule}},
		"a merge in conflict": {func(t *testing.T, project string, wt Worktree) {
			commitFile(t, project, "afile", "theirs")
			commitFile(t, wt.Path, "afile", "ours")
			if out, err := tryGit(t, wt.Path, "merge", "main"); err == nil {
				t.Fatalf("no conflict: %s", out)
			}
		}, []string{HoldInProgress, HoldUncommitted, HoldCommits}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			project := newProject(t)
			r := open(t, project)
			wt := add(t, r, "w")
			c.do(t, project, wt)
			holds, err := r.Holds(t.Context(), wt, HoldSpec{Disposable: []string{"node_modules/", "/log.*"}})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, h := range holds {
				got = append(got, h.Kind)
				if h.Detail == "" {
					t.Errorf("%s has no detail", h.Kind)
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s%v", diff, holds)
			}
		})
	}
}

func TestRemoveKeepsEveryCommitReachable(t *testing.T) {
	t.Parallel()
	project := newProject(t)
	r := open(t, project)
	wt := add(t, r, "w")
	onOurs := commitFile(t, wt.Path, "a", "a")
	git(t, wt.Path, "checkout", "-q", "-b", "users")
	onUsers := commitFile(t, wt.Path, "b", "b")
	git(t, wt.Path, "checkout", "-q", "--detach")
	loose := commitFile(t, wt.Path, "c", "c")
	recovery, err := r.Remove(t.Context(), wt, RemoveSpec{ExpectedHead: loose})
	if err != nil {
		t.Fatal(err)
	}
	reachable := git(t, project, "rev-list", "--glob=refs/*")
	for _, oid := range []string{onOurs, onUsers, loose} {
		if !strings.Contains(reachable, oid) {
			t.Errorf("%s is reachable no more", oid)
		}
	}
	if exists(wt.Path) || exists(filepath.Join(r.CommonDir(), "worktrees")) {
		t.Error("the worktree is still there")
	}
	if len(recovery) != 2 {
		t.Fatalf("recovery %q, want two commands", recovery)
	}
	git(t, project, strings.Fields(recovery[0])[1:]...)
	if got := git(t, project, "branch", "--format=%(refname)", "--contains", loose); !strings.HasPrefix(got, "refs/heads/kept/") {
		t.Errorf("after %s the commit is on %q", recovery[0], got)
	}
	if again, err := r.Remove(t.Context(), wt, RemoveSpec{}); err != nil || len(again) > 1 {
		t.Errorf("the second time: %v, %v", again, err)
	}
}

func TestASnapshotKeepsWhatWasStagedAndThenChangedAgain(t *testing.T) {
	t.Parallel()
	project := newProject(t)
	r := open(t, project)
	wt := add(t, r, "w")
	spec := SnapshotSpec{Ref: "refs/codebolt/snapshots/w/1"}
	write(t, wt.Path, "afile", "staged")
	git(t, wt.Path, "add", "afile")
	if snap, err := r.Snapshot(t.Context(), wt, spec); err != nil || snap.Staged != "" {
		t.Errorf("all that is staged is in the files: %+v, %v", snap, err)
	}
	write(t, wt.Path, "gone", "staged and deleted")
	git(t, wt.Path, "add", "gone")
	remove(t, filepath.Join(wt.Path, "gone"))
	write(t, wt.Path, "afile", "changed again")
	before := git(t, wt.Path, "status", "--porcelain")
	if snap, err := r.Snapshot(t.Context(), wt, spec); err != nil || snap.Staged == "" {
		t.Fatalf("%+v, %v", snap, err)
	}
	if got := git(t, wt.Path, "status", "--porcelain"); got != before {
		t.Errorf("status was %q, is %q", before, got)
	}
	for name, want := range map[string]string{
		":afile": "changed again", "^2:afile": "staged", "^2:gone": "staged and deleted", "^1^{commit}": wt.BaseOID,
	} {
		args := []string{"cat-file", "-p", spec.Ref + name}
		if strings.HasSuffix(name, "^{commit}") {
			args = []string{"rev-parse", spec.Ref + name}
		}
		if got := git(t, project, args...); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestRemoveKeepsWhatARebaseHasPutAside(t *testing.T) {
	t.Parallel()
	project := newProject(t)
	r := open(t, project)
	wt := add(t, r, "w")
	commitFile(t, project, "afile", "theirs")
	commitFile(t, wt.Path, "afile", "ours")
	commitFile(t, wt.Path, "other", "o")
	write(t, wt.Path, "other", "put aside")
	if out, err := tryGit(t, wt.Path, "rebase", "--autostash", "main"); err == nil {
		t.Fatalf("no conflict: %s", out)
	}
	recovery, err := r.Remove(t.Context(), wt, RemoveSpec{})
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range recovery {
		if ref := command[strings.LastIndexByte(command, ' ')+1:]; strings.HasPrefix(ref, "refs/codebolt/kept/") {
			if got := git(t, project, "cat-file", "-p", ref+":other"); got == "put aside" {
				return
			}
		}
	}
	t.Errorf("the autostash is lost: %q", recovery)
}

func TestRemoveDeletesOnlyABranchThatIsOursAndHeld(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(t *testing.T, r *Repo, wt *Worktree, spec *RemoveSpec)
		kept bool
	}{
		"untouched":    {func(*testing.T, *Repo, *Worktree, *RemoveSpec) {}, false},
		"with commits": {func(t *testing.T, r *Repo, wt *Worktree, _ *RemoveSpec) { commitFile(t, wt.Path, "c", "c") }, true},
		"with commits on a branch of the user's": {func(t *testing.T, r *Repo, wt *Worktree, _ *RemoveSpec) {
			commitFile(t, wt.Path, "c", "c")
			git(t, wt.Path, "branch", "users")
		}, false},
		"with commits in some snapshot": {func(t *testing.T, r *Repo, wt *Worktree, _ *RemoveSpec) {
			commitFile(t, wt.Path, "c", "c")
			git(t, wt.Path, "update-ref", "refs/codebolt/snapshots/w/1", "HEAD")
		}, true},
		"with commits in the snapshot that is kept": {func(t *testing.T, r *Repo, wt *Worktree, spec *RemoveSpec) {
			commitFile(t, wt.Path, "c", "c")
			snap, err := r.Snapshot(t.Context(), *wt, SnapshotSpec{Ref: "refs/codebolt/snapshots/w/1"})
			if err != nil {
				t.Fatal(err)
			}
			spec.Snapshot = snap.Ref
		}, false},
		"with commits that the snapshot lacks": {func(t *testing.T, r *Repo, wt *Worktree, spec *RemoveSpec) {
			snap, err := r.Snapshot(t.Context(), *wt, SnapshotSpec{Ref: "refs/codebolt/snapshots/w/1"})
			if err != nil {
				t.Fatal(err)
			}
			commitFile(t, wt.Path, "c", "c")
			spec.Snapshot = snap.Ref
		}, true},
		"checked out elsewhere": {func(t *testing.T, r *Repo, wt *Worktree, _ *RemoveSpec) {
			git(t, wt.Path, "checkout", "-q", "--detach")
			git(t, r.Top(), "checkout", "-q", wt.Branch)
		}, true},
		"not made by us": {func(t *testing.T, r *Repo, wt *Worktree, _ *RemoveSpec) { wt.CreatedBranch = false }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			project := newProject(t)
			r := open(t, project)
			wt := add(t, r, "w")
			var spec RemoveSpec
			c.do(t, r, &wt, &spec)
			tip := git(t, project, "rev-parse", wt.ref())
			recovery, err := r.Remove(t.Context(), wt, spec)
			if err != nil {
				t.Fatal(err)
			}
			now, err := r.refOID(t.Context(), wt.ref())
			if err != nil || (now != "") != c.kept {
				t.Errorf("the branch is at %q, want kept %v; %v", now, c.kept, err)
			}
			if !c.kept {
				if want := "git branch " + wt.Branch + " " + tip; len(recovery) != 1 || recovery[0] != want {
					t.Errorf("recovery %q, want %q", recovery, want)
				}
			}
		})
	}
}

func TestRemoveRefusesWhatChangedOrIsNotOurs(t *testing.T) {
	t.Parallel()
	r := open(t, newProject(t))
	wt := add(t, r, "w")
	commitFile(t, wt.Path, "c", "c")
	_, err := r.Remove(t.Context(), wt, RemoveSpec{ExpectedHead: wt.BaseOID})
	wantCode(t, err, wire.Conflict, "HEAD moved")
	foreign := wt
	foreign.Path = add(t, open(t, newProject(t)), "f").Path
	_, err = r.Remove(t.Context(), foreign, RemoveSpec{})
	wantCode(t, err, wire.Conflict)
	foreign.Path = r.Top()
	_, err = r.Remove(t.Context(), foreign, RemoveSpec{})
	wantCode(t, err, wire.Conflict)
	if git(t, wt.Path, "status", "--porcelain") != "" || !exists(filepath.Join(foreign.Path, "afile")) {
		t.Error("something was touched")
	}
}

func TestRemoveGoesOnFromWhereItWasKilled(t *testing.T) {
	t.Parallel()
	project := newProject(t)
	r := open(t, project)
	wt := add(t, r, "w")
	if err := os.Rename(wt.Path, wt.Path+"-in-trash"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Remove(t.Context(), wt, RemoveSpec{}); err != nil {
		t.Fatal(err)
	}
	if all, err := r.List(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("%v, %v", all, err)
	}
	if got := git(t, project, "for-each-ref", "--format=%(refname)"); got != "refs/heads/main" {
		t.Errorf("refs left: %s", got)
	}
}
