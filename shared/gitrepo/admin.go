package gitrepo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Worktree is one worktree of an environment: plain data for its record. Fill
// in everything before [Repo.Add] and write it down first, so that whatever
// happens [Repo.Discard] knows what to take back.
type Worktree struct {
	CommonDir string `json:"commonDir"` // [Repo.CommonDir]
	Path      string `json:"path"`      // absolute
	Branch    string `json:"branch"`    // short name, without refs/heads/
	BaseOID   string `json:"baseOid"`   // what changes are told against
	BaseRef   string `json:"baseRef,omitzero"`
	// StartOID is the commit that the new branch, or the detached HEAD, begins at;
	// "" is BaseOID.
	StartOID string `json:"startOid,omitzero"`
	// CreatedBranch tells that Branch is to be made by Add, and may be deleted.
	CreatedBranch bool `json:"createdBranch,omitzero"`
	// Reason is what git worktree list shows the worktree as locked for. It should
	// name the environment: an entry half made is known again by it.
	Reason string `json:"reason,omitzero"`
	// Shadow tells that Path is a plain directory and CommonDir a repository
	// beside it, see [Shadow].
	Shadow bool `json:"shadow,omitzero"`
}

func (wt *Worktree) ref() string { return "refs/heads/" + wt.Branch }

// start is where the branch begins.
func (wt *Worktree) start() string {
	if wt.StartOID != "" {
		return wt.StartOID
	}
	return wt.BaseOID
}

// isDir fails unless path is a directory.
func isDir(path string) error {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		err = wire.Errorf(wire.Invalid, "%s is not a directory", path)
	}
	return err
}

// resolved is path with the links of its directory followed, so that two names
// of one place compare equal even when nothing is there any more.
func resolved(path string) string {
	path = filepath.Clean(path)
	if p, err := filepath.EvalSymlinks(path); err == nil {
		return p
	}
	if dir := filepath.Dir(path); dir != path {
		return filepath.Join(resolved(dir), filepath.Base(path))
	}
	return path
}

func samePath(a, b string) bool {
	return a != "" && b != "" && (filepath.Clean(a) == filepath.Clean(b) || resolved(a) == resolved(b))
}

// inside reports whether path is strictly below dir.
func inside(dir, path string) bool {
	rel, err := filepath.Rel(resolved(dir), resolved(path))
	return err == nil && rel != "." && filepath.IsLocal(rel)
}

// pointer reads a file in which git keeps a path. A relative path is relative
// to the directory of the file.
func pointer(file, prefix string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	text := strings.TrimRight(string(data), "\r\n")
	path, ok := strings.CutPrefix(text, prefix)
	if !ok || path == "" {
		return "", wire.Errorf(wire.Conflict, "%s does not name a git directory", file)
	}
	path = filepath.FromSlash(path)
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(file), path)
	}
	return path, nil
}

// dotGit says where the .git of a checkout leads: to its git directory. It
// fails with kind NotFound when there is no .git.
func dotGit(path string) (string, error) {
	file := filepath.Join(path, ".git")
	info, err := os.Lstat(file)
	switch {
	case err != nil:
		return "", err
	case info.IsDir():
		return file, nil
	case !info.Mode().IsRegular():
		return "", wire.Errorf(wire.Conflict, "%s is neither a file nor a directory", file)
	}
	return pointer(file, "gitdir: ")
}

// entry is the directory in which the repository keeps one worktree's HEAD,
// index and the like.
type entry struct {
	dir string
	// path is the worktree's place as the entry has it, "" when it is half made.
	path   string
	reason string // "" when not locked
}

// entries reads the repository's worktree entries, half-made ones too.
func (r *Repo) entries() ([]entry, error) {
	root := filepath.Join(r.common, "worktrees")
	found, err := os.ReadDir(root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read worktree entries: %w", err)
	}
	var all []entry
	for _, d := range found {
		if !d.IsDir() {
			continue
		}
		e := entry{dir: filepath.Join(root, d.Name())}
		if p, err := pointer(filepath.Join(e.dir, "gitdir"), ""); err == nil {
			e.path = filepath.Dir(p)
		}
		if reason, err := os.ReadFile(filepath.Join(e.dir, "locked")); err == nil {
			e.reason = strings.TrimSpace(string(reason))
		}
		all = append(all, e)
	}
	return all, nil
}

// entryOf finds the entry of a worktree by its path, or by its reason when the
// entry was left half made. The zero entry is none.
func (r *Repo) entryOf(wt *Worktree) (entry, error) {
	all, err := r.entries()
	for _, e := range all {
		if e.path != "" && samePath(e.path, wt.Path) {
			return e, nil
		}
	}
	for _, e := range all {
		if e.path != "" {
			continue
		}
		if wt.Reason != "" && e.reason == strings.TrimSpace(wt.Reason) {
			return e, nil
		}
		// git was killed before it wrote why: the name is all there is.
		digits, named := strings.CutPrefix(filepath.Base(e.dir), filepath.Base(wt.Path))
		if e.reason == "" && named && strings.Trim(digits, "0123456789") == "" && !exists(filepath.Join(e.dir, "gitdir")) {
			return e, nil
		}
	}
	return entry{}, err
}

// ours reports whether a git directory is one of this repository's.
func (r *Repo) ours(gitDir string) bool {
	return samePath(gitDir, r.common) || samePath(filepath.Dir(gitDir), filepath.Join(r.common, "worktrees"))
}

// created is the file that proves that a branch was made by Add: a branch of
// the same name that someone else made must never be deleted.
func (r *Repo) created(branch string) string {
	return filepath.Join(r.common, "codebolt", "branches", fingerprint(branch))
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
