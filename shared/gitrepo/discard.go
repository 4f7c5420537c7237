package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Discard takes back a worktree that Add made, or began to make, and that
// nobody has worked in: its directory, its entry in the repository and, when
// Add made it and it still is where it began, its branch. It works from every
// state that a killed Add leaves, and is idempotent.
//
// A directory that does not belong to the repository stays, as does one with
// files but without .git; then the error is of kind Conflict, and the rest is
// taken back all the same. It does not ask whether work would be lost: see
// [Repo.Holds] and [Repo.Remove] for a worktree that was used.
func (r *Repo) Discard(ctx context.Context, wt Worktree) error {
	if wt.Shadow || !samePath(wt.CommonDir, r.common) {
		return wire.Errorf(wire.Invalid, "discard worktree %s: it is not of repository %s", wt.Path, r.common)
	}
	err := r.locked(ctx, func() error {
		dirErr := r.discardDir(&wt)
		if dirErr == nil {
			dirErr = r.dropEntry(&wt)
		}
		return errors.Join(dirErr, r.discardBranch(ctx, &wt))
	})
	if err != nil {
		return wire.Errorf(wire.CodeOf(err), "discard worktree: %w", err)
	}
	return nil
}

// discardDir removes the directory if it is ours or empty.
func (r *Repo) discardDir(wt *Worktree) error {
	// A git that was killed may have made the .git without writing it yet.
	if file, err := os.Lstat(filepath.Join(wt.Path, ".git")); err == nil && file.Mode().IsRegular() && file.Size() == 0 {
		if left, err := os.ReadDir(wt.Path); err == nil && len(left) == 1 {
			if err := os.Remove(filepath.Join(wt.Path, ".git")); err != nil {
				return err
			}
		}
	}
	gitDir, err := dotGit(wt.Path)
	switch {
	case gone(err):
		if err := os.Remove(wt.Path); err != nil && !gone(err) {
			return wire.Errorf(wire.Conflict, "%s stays: it has no .git and is not empty", wt.Path)
		}
		return nil
	case err != nil:
		return err
	case samePath(gitDir, r.common) || !r.ours(gitDir):
		return wire.Errorf(wire.Conflict, "%s stays: its .git leads to %s, which is not a worktree of %s", wt.Path, gitDir, r.common)
	}
	trash := filepath.Join(filepath.Dir(wt.Path), TrashName)
	moved, err := resource.Trash(wt.Path, trash)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(moved); err != nil {
		r.run.log.Warn("a discarded worktree is still in the trash", "path", moved, "error", err)
	}
	_ = os.Remove(trash) // refused while something else is in it
	return nil
}

// TrashName is the directory beside worktrees in which they are put to be
// deleted.
const TrashName = ".codebolt-trash"

// dropEntry removes the worktree's entry from the repository in one step, and
// the halves of entries that were left with it.
func (r *Repo) dropEntry(wt *Worktree) error {
	// As git does, when it is empty; git that is stopped forgets it.
	defer os.Remove(filepath.Join(r.common, "worktrees"))
	trash := filepath.Join(r.common, "codebolt", "trash")
	defer os.Remove(trash) // refused while something is in it
	for {
		e, err := r.entryOf(wt)
		if err != nil || e.dir == "" {
			return err
		}
		moved, err := resource.Trash(e.dir, trash)
		if err != nil {
			return err
		}
		if err := os.RemoveAll(moved); err != nil {
			return err
		}
	}
}

// discardBranch deletes a branch that Add made and nobody moved.
func (r *Repo) discardBranch(ctx context.Context, wt *Worktree) error {
	if !wt.CreatedBranch || wt.Branch == "" || !exists(r.created(wt.Branch)) {
		return nil
	}
	oid, err := r.refOID(ctx, wt.ref())
	if err != nil {
		return err
	}
	if oid == wt.start() || oid == "" {
		r.dropStaleLock(ctx, filepath.Join(r.common, filepath.FromSlash(wt.ref())+".lock"), wt.Path)
	}
	if oid == wt.start() {
		if err := r.deleteBranch(ctx, wt, oid); err != nil {
			return err
		}
	}
	if oid == wt.start() || oid == "" {
		return r.dropProof(wt)
	}
	return nil // someone committed on it
}

func (r *Repo) dropProof(wt *Worktree) error {
	if err := os.Remove(r.created(wt.Branch)); err != nil && !gone(err) {
		return err
	}
	_ = os.Remove(filepath.Join(r.common, "codebolt", "branches"))
	_ = os.Remove(filepath.Join(r.common, "codebolt"))
	return nil
}

// deleteBranch deletes the branch if it is still at oid.
func (r *Repo) deleteBranch(ctx context.Context, wt *Worktree, oid string) error {
	err := r.retried(ctx, call{dir: r.common, write: true, finish: true, args: []string{"update-ref", "--no-deref", "-d", wt.ref(), oid}})
	if err != nil {
		if now, rerr := r.refOID(ctx, wt.ref()); rerr == nil && now == "" {
			return nil // the update of a process killed before us came first
		}
	}
	return err
}

// dropStaleLock removes a lock file that a killed git left in something that
// only the worktree at path uses. Not while a git may be alive that holds it:
// one that is just ending is waited for.
func (r *Repo) dropStaleLock(ctx context.Context, lock, path string) {
	for range 50 {
		info, err := os.Lstat(lock)
		if err != nil || !info.Mode().IsRegular() {
			return
		}
		if !gitAlive(path, r.common, time.Since(info.ModTime())) {
			if err := os.Remove(lock); err == nil {
				r.run.log.Info("removed a lock file of a git that was killed", "path", lock)
			}
			return
		}
		if pause(ctx, 20*time.Millisecond) != nil {
			return
		}
	}
}

// describe names a worktree in errors.
func describe(verb string, wt *Worktree, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", verb, wt.Path, err)
}
