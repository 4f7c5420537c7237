package gitrepo

import (
	"context"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Attach makes sure that the worktree is there and whole, and mends what can be
// mended without guessing: a moved directory or repository is repaired, a
// missing directory is checked out again from its branch, the lock file of a
// git that was killed in it and copies of its index are removed, so nobody else
// may be at work on it with this package. It is idempotent.
//
// It fails with kind Conflict, and has touched nothing, when what is at the
// path is not this worktree, and with kind NotFound when directory and branch
// are both gone.
func (r *Repo) Attach(ctx context.Context, wt Worktree) error {
	if wt.Shadow {
		_, err := r.checkout(&wt)
		return describe("attach worktree", &wt, err)
	}
	if !samePath(wt.CommonDir, r.common) {
		return wire.Errorf(wire.Conflict, "attach worktree %s: it is of repository %s, not %s", wt.Path, wt.CommonDir, r.common)
	}
	err := r.locked(ctx, func() error { return r.attach(ctx, &wt) })
	if err != nil {
		return describe("attach worktree", &wt, err)
	}
	co, err := r.checkout(&wt)
	if err != nil {
		return describe("attach worktree", &wt, err)
	}
	if err := co.dropTemp(); err != nil {
		return describe("attach worktree", &wt, err)
	}
	if exists(filepath.Join(co.gitDir, "index")) {
		return nil
	}
	// The directory was just made again, unless files tell otherwise: those are
	// someone's, and only the index is made anew.
	if left, rerr := os.ReadDir(wt.Path); rerr == nil && len(left) == 1 {
		err = r.fill(ctx, co, &AddSpec{Worktree: wt}, func(string) {})
	} else {
		read := co.call("read-tree", "HEAD")
		read.write = true
		_, err = r.run.run(ctx, read)
	}
	return describe("attach worktree", &wt, err)
}

func (r *Repo) attach(ctx context.Context, wt *Worktree) error {
	gitDir, err := dotGit(wt.Path)
	if gone(err) {
		if left, derr := os.ReadDir(wt.Path); derr == nil && len(left) > 0 {
			return wire.Errorf(wire.Conflict, "the directory has files but no .git")
		}
		return r.restore(ctx, wt)
	}
	if err != nil {
		return err
	}
	if samePath(gitDir, r.common) {
		return wire.Errorf(wire.Conflict, "it is the repository's main checkout")
	}
	if !exists(gitDir) {
		// The repository was moved away from under it.
		if e, err := r.entryOf(wt); err != nil || e.path == "" || !samePath(e.path, wt.Path) {
			return wire.Errorf(wire.Conflict, "its .git leads to %s, which is gone, and %s has no entry for it", gitDir, r.common)
		}
		return r.repair(ctx, wt)
	}
	if !r.ours(gitDir) {
		return wire.Errorf(wire.Conflict, "its .git leads to %s, not into %s", gitDir, r.common)
	}
	was, err := pointer(filepath.Join(gitDir, "gitdir"), "")
	if err != nil {
		return wire.Errorf(wire.Conflict, "its entry in the repository is damaged: %w", err)
	}
	if !samePath(filepath.Dir(was), wt.Path) {
		if back, err := dotGit(filepath.Dir(was)); err == nil && samePath(back, gitDir) {
			return wire.Errorf(wire.Conflict, "it is a copy of the worktree %s, which is still there", filepath.Dir(was))
		}
		if err := r.repair(ctx, wt); err != nil {
			return err
		}
	}
	r.dropStaleLock(ctx, filepath.Join(gitDir, "index.lock"), wt.Path)
	r.dropStaleLock(ctx, filepath.Join(gitDir, "HEAD.lock"), wt.Path)
	return nil
}

func (r *Repo) repair(ctx context.Context, wt *Worktree) error {
	_, err := r.run.run(ctx, call{dir: r.common, write: true, args: []string{"worktree", "repair", wt.Path}})
	return err
}

// restore checks the branch out again after the directory went away.
func (r *Repo) restore(ctx context.Context, wt *Worktree) error {
	if wt.Branch == "" {
		return wire.Errorf(wire.NotFound, "the directory is gone, and it had no branch")
	}
	oid, err := r.refOID(ctx, wt.ref())
	if err != nil {
		return err
	}
	if oid == "" {
		return wire.Errorf(wire.NotFound, "the directory is gone, and so is branch %s", wt.Branch)
	}
	e, err := r.entryOf(wt)
	if err != nil {
		return err
	}
	if e.dir != "" {
		if _, err := r.keepDetached(ctx, e.dir); err != nil {
			return err
		}
		if err := r.dropEntry(wt); err != nil {
			return err
		}
	}
	return explainAdd(r.worktreeAdd(ctx, wt), wt)
}

// keepDetached makes refs for the commits that only a worktree entry leads to: the
// one checked out without a branch, and what a rebase or merge has put aside. It
// returns the refs.
func (r *Repo) keepDetached(ctx context.Context, entryDir string) (refs []string, err error) {
	for _, name := range []string{"HEAD", "MERGE_AUTOSTASH", "rebase-merge/autostash", "rebase-apply/autostash"} {
		text, err := os.ReadFile(filepath.Join(entryDir, filepath.FromSlash(name)))
		if gone(err) {
			continue
		}
		if err != nil {
			return refs, err
		}
		oid := strings.TrimSpace(string(text))
		if raw, err := hex.DecodeString(oid); err != nil || len(raw) < 20 {
			continue // what is no commit's name is a branch's
		}
		held, err := r.reachable(ctx, oid, snapshotRefs)
		if err != nil {
			return refs, err
		}
		if held {
			continue
		}
		ref := fmt.Sprintf("refs/codebolt/kept/%s-%s", fingerprint(entryDir)[:8], oid[:12])
		if _, err = r.run.run(ctx, call{dir: r.common, write: true, finish: true, args: []string{"update-ref", ref, oid}}); err != nil {
			return refs, err
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

// snapshotRefs are left out where commits are to be kept for good: snapshots
// come and go.
const snapshotRefs = "refs/codebolt/snapshots/*"

// comingAndGoing is for what only asks which commits no ref leads to: a ref that others
// delete while refs are read counts as gone, at worst for one that leads nowhere. By
// default git gives up on it.
var comingAndGoing = []string{"GIT_REF_PARANOIA=0"}

// reachable reports whether some ref, of those not excluded, leads to a commit.
func (r *Repo) reachable(ctx context.Context, oid string, exclude ...string) (bool, error) {
	args := []string{"rev-list", "--max-count=1", oid, "--not"}
	for _, ref := range exclude {
		args = append(args, "--exclude="+ref)
	}
	// Not --all, which would count the HEADs of worktrees as well.
	out, err := r.run.text(ctx, call{dir: r.common, env: comingAndGoing, args: append(args, "--glob=refs/*")})
	return out == "", err
}
