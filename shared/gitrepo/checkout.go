package gitrepo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// checkout is a working tree and the git directory that goes with it. Both are
// named to git outright, so it does not matter whether the tree has a .git, and
// what an agent may have written into that has no effect.
type checkout struct {
	run      *runner
	gitDir   string
	workTree string
}

// checkout finds a worktree's git directory. It fails with kind NotFound when
// the directory is gone and Conflict when it is no longer this repository's.
func (r *Repo) checkout(wt *Worktree) (*checkout, error) {
	if wt.Shadow {
		if err := isDir(wt.Path); err != nil {
			return nil, err
		}
		return &checkout{r.run, wt.CommonDir, wt.Path}, nil
	}
	gitDir, err := dotGit(wt.Path)
	if errors.Is(err, fs.ErrNotExist) {
		if derr := isDir(wt.Path); derr != nil {
			return nil, wire.Errorf(wire.NotFound, "worktree %s is gone: %w", wt.Path, derr)
		}
		return nil, wire.Errorf(wire.Conflict, "%s is no worktree any more: its .git is gone", wt.Path)
	}
	if err != nil {
		return nil, err
	}
	if !r.ours(gitDir) {
		return nil, wire.Errorf(wire.Conflict, "%s belongs to another repository: its .git leads to %s, not into %s", wt.Path, gitDir, r.common)
	}
	if err := isDir(gitDir); err != nil {
		return nil, wire.Errorf(wire.Conflict, "worktree %s: its entry in the repository is gone: %w", wt.Path, err)
	}
	return &checkout{r.run, gitDir, wt.Path}, nil
}

// call makes a call that works on this checkout.
func (c *checkout) call(args ...string) call {
	return call{dir: c.workTree, args: args, env: []string{"GIT_DIR=" + c.gitDir, "GIT_WORK_TREE=" + c.workTree}}
}

// tempMark begins the names of directories with a copy of an index.
const tempMark = "codebolt-index-"

// tempIndex copies the index, so that what is done to the copy leaves the
// user's alone. Remove dir when done. A worktree's is in its own git directory,
// where dropTemp finds what a killed process left; another's is not, because
// nobody may write there.
func (c *checkout) tempIndex() (index, dir string, err error) {
	parent := ""
	if c.linked() {
		parent = c.gitDir
	}
	dir, err = os.MkdirTemp(parent, tempMark)
	if err != nil {
		return "", "", fmt.Errorf("copy index: %w", err)
	}
	index = filepath.Join(dir, "index")
	if err := copyIndex(filepath.Join(c.gitDir, "index"), index); err != nil {
		return "", "", errors.Join(fmt.Errorf("copy index: %w", err), os.RemoveAll(dir))
	}
	return index, dir, nil
}

// linked tells that the checkout is a linked worktree.
func (c *checkout) linked() bool { return exists(filepath.Join(c.gitDir, "commondir")) }

// dropTemp removes the copies of the index that a killed process left.
func (c *checkout) dropTemp() error {
	entries, err := os.ReadDir(c.gitDir)
	errs := []error{err}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), tempMark) {
			errs = append(errs, os.RemoveAll(filepath.Join(c.gitDir, e.Name())))
		}
	}
	return errors.Join(errs...)
}

func copyIndex(from, to string) (err error) {
	src, err := os.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // nothing was ever staged
	}
	if err != nil {
		return err
	}
	defer src.Close()
	info, err := src.Stat()
	if err != nil {
		return err
	}
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if err := errors.Join(err, dst.Close()); err != nil {
		return err
	}
	// git trusts an entry older than the index file. A younger copy would make it
	// trust entries that changed while the original was being written.
	return os.Chtimes(to, info.ModTime(), info.ModTime())
}

// head is the commit that HEAD is at, "" before the first one.
func (c *checkout) head(ctx context.Context) (string, error) {
	oid, err := c.run.text(ctx, c.call("rev-parse", "--verify", "--quiet", "HEAD^{commit}"))
	if err != nil && refused(err).status == 1 {
		return "", nil
	}
	return oid, err
}

// fingerprint is a name for a file that stands for text.
func fingerprint(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:10])
}
