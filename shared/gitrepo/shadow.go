package gitrepo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// shadowBase keeps what a plain directory held at first.
const shadowBase = "refs/codebolt/base"

// Shadow keeps the history of a plain directory in a repository beside it, so
// that [Repo.Diff], [Repo.Patch] and [Repo.Snapshot] work for it. Nothing is
// written into workTree. gitDir is made, outside of workTree, and what workTree
// holds now becomes the base; when it was made before, its base stays. It is
// idempotent, also after it was killed. Files are recorded byte for byte;
// ignored files and repositories within workTree are left out.
func Shadow(ctx context.Context, gitDir, workTree string, opts Options) (*Repo, Worktree, error) {
	repo, wt, err := shadow(ctx, gitDir, workTree, opts)
	if err != nil {
		return nil, Worktree{}, fmt.Errorf("record %s: %w", workTree, err)
	}
	return repo, wt, nil
}

func shadow(ctx context.Context, gitDir, workTree string, opts Options) (*Repo, Worktree, error) {
	var none Worktree
	r, err := newRunner(ctx, opts)
	if err != nil {
		return nil, none, err
	}
	if err := isDir(workTree); err != nil {
		return nil, none, err
	}
	if gitDir, err = filepath.Abs(gitDir); err != nil {
		return nil, none, err
	}
	if workTree, err = filepath.Abs(workTree); err != nil {
		return nil, none, err
	}
	if samePath(workTree, gitDir) || inside(workTree, gitDir) {
		return nil, none, wire.Errorf(wire.Invalid, "its repository %s must be outside of it", gitDir)
	}
	if err := os.MkdirAll(gitDir, 0o700); err != nil {
		return nil, none, wire.Errorf(wire.CodeOf(err), "%w", err)
	}
	repo := &Repo{run: r, common: gitDir, gitDir: gitDir}
	wt := Worktree{CommonDir: gitDir, Path: workTree, BaseRef: shadowBase, Shadow: true}
	err = repo.locked(ctx, func() error {
		wt.BaseOID, err = repo.shadowBase(ctx, workTree)
		return err
	})
	return repo, wt, err
}

// shadowBase returns the base, made if need be.
func (r *Repo) shadowBase(ctx context.Context, workTree string) (string, error) {
	if exists(filepath.Join(r.common, "HEAD")) && exists(filepath.Join(r.common, "objects")) {
		oid, err := r.refOID(ctx, shadowBase)
		if err != nil || oid != "" {
			return oid, err
		}
	}
	// The user's template may have hooks and settings meant for projects.
	start := call{dir: r.common, write: true, args: []string{"init", "--quiet", "--bare", "--template=", "--object-format=sha1", "."}}
	if _, err := r.run.run(ctx, start); err != nil {
		return "", err
	}
	// Its attributes outrank those of the directory: no filter, no conversion.
	info := filepath.Join(r.common, "info")
	if err := os.MkdirAll(info, 0o700); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(info, "attributes"), []byte("* -text -filter -ident -working-tree-encoding\n"), 0o600); err != nil {
		return "", err
	}
	if err := os.Remove(filepath.Join(r.common, "index.lock")); err != nil && !gone(err) {
		return "", err
	}
	co := &checkout{r.run, r.common, workTree}
	tree, _, err := co.writeTree(ctx, "", false, 0)
	if err != nil {
		return "", err
	}
	oid, err := co.commitTree(ctx, tree, "base")
	if err != nil {
		return "", err
	}
	_, err = r.run.run(ctx, call{dir: r.common, write: true, finish: true, args: []string{"update-ref", shadowBase, oid}})
	return oid, err
}
