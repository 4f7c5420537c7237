package gitrepo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// RemoveSpec says how a worktree is removed.
type RemoveSpec struct {
	// TrashDir is where the directory is moved, for [resource.EmptyTrash] to delete
	// later. It must be on the same file system. The default is .codebolt-trash
	// beside the worktree.
	TrashDir string
	// ExpectedHead is the commit that HEAD was at when the caller decided; when it
	// is elsewhere by now, Remove fails with kind Conflict. "" accepts any.
	ExpectedHead string
	// Snapshot is a ref that has the branch's commits and that the caller keeps.
	// The branch may then go even if no other ref leads to them; other snapshots
	// do not count.
	Snapshot string
}

// Remove removes the worktree: its directory, in one step, into the trash; its
// entry in the repository; and its branch if Add made it, it is checked out
// nowhere else and its commits are reachable without it, else the branch stays.
// Commits of a detached HEAD that nothing leads to get a ref below
// refs/codebolt/kept/. It returns the commands that bring back what there was.
//
// It does not ask whether uncommitted work is lost: that is for [Repo.Holds]
// and the caller. It is idempotent: killed half-way and called again, it
// finishes. It fails with kind Conflict, touching nothing, when what is at the
// path is not this worktree.
func (r *Repo) Remove(ctx context.Context, wt Worktree, spec RemoveSpec) (recovery []string, err error) {
	if wt.Shadow || !samePath(wt.CommonDir, r.common) {
		return nil, wire.Errorf(wire.Invalid, "remove worktree %s: it is not of repository %s", wt.Path, r.common)
	}
	err = r.locked(ctx, func() error {
		recovery, err = r.remove(ctx, &wt, spec)
		return err
	})
	return recovery, describe("remove worktree", &wt, err)
}

func (r *Repo) remove(ctx context.Context, wt *Worktree, spec RemoveSpec) (recovery []string, err error) {
	gitDir, err := dotGit(wt.Path)
	switch {
	case gone(err):
		if _, serr := os.Lstat(wt.Path); serr == nil {
			if rerr := os.Remove(wt.Path); rerr != nil {
				return nil, wire.Errorf(wire.Conflict, "the directory has files but no .git")
			}
		}
	case err != nil:
		return nil, err
	case samePath(gitDir, r.common) || !r.ours(gitDir):
		return nil, wire.Errorf(wire.Conflict, "its .git leads to %s, which is not a worktree of %s", gitDir, r.common)
	default:
		if was, perr := pointer(filepath.Join(gitDir, "gitdir"), ""); perr == nil && !samePath(filepath.Dir(was), wt.Path) && exists(was) {
			return nil, wire.Errorf(wire.Conflict, "it is a copy of the worktree %s", filepath.Dir(was))
		}
		if spec.ExpectedHead != "" {
			co := &checkout{r.run, gitDir, wt.Path}
			head, herr := co.head(ctx)
			if herr != nil {
				return nil, herr
			}
			if head != spec.ExpectedHead {
				return nil, wire.Errorf(wire.Conflict, "HEAD moved from %s to %s since it was looked at", spec.ExpectedHead, head)
			}
		}
	}
	e, err := r.entryOf(wt)
	if err != nil {
		return nil, err
	}
	if e.dir != "" {
		kept, err := r.keepDetached(ctx, e.dir)
		if err != nil {
			return nil, err
		}
		for _, ref := range kept {
			recovery = append(recovery, fmt.Sprintf("git branch %s %s", strings.TrimPrefix(ref, "refs/codebolt/"), ref))
		}
	}
	if gitDir != "" {
		trash := spec.TrashDir
		if trash == "" {
			trash = filepath.Join(filepath.Dir(wt.Path), TrashName)
		}
		if _, err := resource.Trash(wt.Path, trash); err != nil && wire.CodeOf(err) != wire.NotFound {
			return recovery, err
		}
	}
	if err := r.dropEntry(wt); err != nil {
		return recovery, err
	}
	branch, err := r.removeBranch(ctx, wt, spec.Snapshot)
	if branch != "" {
		recovery = append(recovery, branch)
	}
	return recovery, err
}

// removeBranch deletes the branch if that loses nothing, and tells how to get
// at its commits.
func (r *Repo) removeBranch(ctx context.Context, wt *Worktree, snapshot string) (recovery string, err error) {
	if wt.Branch == "" {
		return "", nil
	}
	tip, err := r.refOID(ctx, wt.ref())
	if err != nil || tip == "" {
		return "", err
	}
	again := "git worktree add -- " + Quote(wt.Path) + " " + Quote(wt.Branch)
	if !wt.CreatedBranch || !exists(r.created(wt.Branch)) {
		return again, nil
	}
	all, err := r.List(ctx)
	if err != nil {
		return "", err
	}
	for _, other := range all {
		if other.Branch == wt.Branch && !samePath(other.Path, wt.Path) {
			return "", nil // someone works on it
		}
	}
	held := tip == wt.BaseOID
	if !held {
		if held, err = r.reachable(ctx, tip, wt.ref(), snapshotRefs); err != nil {
			return "", err
		}
	}
	if !held && snapshot != "" {
		in, err := r.refOID(ctx, snapshot+"^{commit}")
		if err != nil {
			return "", err
		}
		if in != "" {
			_, err = r.run.run(ctx, call{dir: r.common, args: []string{"merge-base", "--is-ancestor", tip, in}})
			if err != nil && refused(err).status != 1 {
				return "", err
			}
			held = err == nil
		}
	}
	if !held {
		return again, nil
	}
	if err := r.deleteBranch(ctx, wt, tip); err != nil {
		return "", err
	}
	return "git branch " + Quote(wt.Branch) + " " + tip, r.dropProof(wt)
}

// Quote makes text one word in a command that a person pastes into a shell.
func Quote(text string) string {
	if text == "" || strings.ContainsAny(text, " \t\n'\"\\$`*?[]{}();&|<>#~!") {
		return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
	}
	return text
}
