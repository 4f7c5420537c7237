package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Options is how git is run.
type Options struct {
	// Timeout bounds one run of git and the wait for the repository's lock.
	// The default is 180 seconds.
	Timeout time.Duration
	Log     *slog.Logger // default: nothing is logged
}

// Repo is a git repository. It is safe for concurrent use, also by several
// processes: what adds or removes worktrees and branches excludes each other
// by a lock in the repository.
type Repo struct {
	run    *runner
	common string // the directory that all worktrees share
	gitDir string // of the checkout that was opened
	top    string // of the checkout that was opened; "" without one
}

// Open finds the repository that dir belongs to. dir is anywhere inside a
// checkout, a linked worktree, a bare repository or a .git directory. It fails
// with kind NotFound when dir is not there, Invalid when it is in no
// repository, and Unavailable when git is missing or older than 2.38.
func Open(ctx context.Context, dir string, opts Options) (*Repo, error) {
	r, err := findGit(opts)
	if err != nil {
		return nil, err
	}
	if err := isDir(dir); err != nil {
		return nil, fmt.Errorf("open repository: %w", err)
	}
	var (
		asking sync.WaitGroup // beside the other question, which takes git as long
		tooOld error
	)
	asking.Go(func() { tooOld = r.probe(ctx) })
	// The work tree is asked for last: git answers the rest before it complains
	// that there is none.
	out, err := r.text(ctx, call{dir: dir, args: []string{"rev-parse", "--path-format=absolute", "--git-common-dir", "--absolute-git-dir", "--show-toplevel"}})
	if asking.Wait(); tooOld != nil {
		return nil, tooOld
	}
	lines := strings.Split(out, "\n")
	if err != nil && !says(err, "must be run in a work tree") {
		if says(err, "not a git repository") {
			return nil, wire.Errorf(wire.Invalid, "open repository: %s is not in a git repository; run git init there first", dir)
		}
		return nil, fmt.Errorf("open repository %s: %w", dir, err)
	}
	if n := len(lines); n != 3 && (err == nil || n != 2) {
		return nil, wire.Errorf(wire.Unsupported, "open repository: the path of %q has a line break in it", dir)
	}
	repo := &Repo{run: r, common: filepath.FromSlash(lines[0]), gitDir: filepath.FromSlash(lines[1])}
	if err == nil {
		repo.top = filepath.FromSlash(lines[2])
	}
	return repo, nil
}

// CommonDir is the directory that the checkout and all its worktrees share:
// absolute, and what [Worktree.CommonDir] is to be.
func (r *Repo) CommonDir() string { return r.common }

// Top is the root of the checkout that was opened, "" when a bare repository or
// a .git directory was.
func (r *Repo) Top() string { return r.top }

// dir is where git is run when no particular checkout is meant.
func (r *Repo) dir() string {
	if r.top != "" {
		return r.top
	}
	return r.common
}

// Resolve returns the full id of the commit that rev names. It fails with kind
// Invalid when the repository has no commit yet or rev is no revision, and
// NotFound when there is no such commit.
func (r *Repo) Resolve(ctx context.Context, rev string) (string, error) {
	if rev == "" || rev[0] == '-' || strings.ContainsAny(rev, "\x00\n") {
		return "", wire.Errorf(wire.Invalid, "resolve: %q is no revision", rev)
	}
	oid, err := r.run.text(ctx, call{dir: r.dir(), args: []string{"rev-parse", "--verify", "--quiet", "--end-of-options", rev + "^{commit}"}})
	if err == nil {
		return oid, nil
	}
	if refused(err).status == 0 {
		return "", fmt.Errorf("resolve %s: %w", rev, err)
	}
	if _, err := r.run.text(ctx, call{dir: r.dir(), args: []string{"rev-parse", "--verify", "--quiet", "HEAD^{commit}"}}); err != nil && refused(err).status == 1 {
		if refs, err := r.run.text(ctx, call{dir: r.dir(), args: []string{"for-each-ref", "--count=1"}}); err == nil && refs == "" || rev == "HEAD" {
			return "", wire.Errorf(wire.Invalid, "resolve %s: the repository has no commit yet; make a first commit and try again", rev)
		}
	}
	return "", wire.Errorf(wire.NotFound, "resolve %s: the repository has no such commit", rev)
}

// CheckBranchName fails with kind Invalid when git would not take name for a
// branch.
func (r *Repo) CheckBranchName(ctx context.Context, name string) error {
	bad := wire.Errorf(wire.Invalid, "branch name %q is not one that git allows", name)
	if name == "" || name[0] == '-' || strings.ContainsAny(name, "\x00\n") {
		return bad
	}
	got, err := r.run.text(ctx, call{dir: r.dir(), args: []string{"check-ref-format", "--branch", name}})
	switch {
	case err != nil && refused(err).status == 0:
		return fmt.Errorf("check branch name: %w", err)
	case err != nil, got != name: // "@{-1}" and its like name a branch without being one's name
		return bad
	}
	return nil
}

// HasBranch tells whether there is a local branch of that name. One that git
// would not allow is none.
func (r *Repo) HasBranch(ctx context.Context, name string) (bool, error) {
	oid, err := r.refOID(ctx, "refs/heads/"+name)
	if err != nil {
		return false, fmt.Errorf("look for branch %s: %w", name, err)
	}
	return oid != "", nil
}

// refOID is what a ref points at, "" when there is none.
func (r *Repo) refOID(ctx context.Context, ref string) (string, error) {
	oid, err := r.run.text(ctx, call{dir: r.common, args: []string{"rev-parse", "--verify", "--quiet", "--end-of-options", ref}})
	if err != nil && refused(err).status == 1 {
		return "", nil
	}
	return oid, err
}

// locked runs f under the repository's lock.
func (r *Repo) locked(ctx context.Context, f func() error) (err error) {
	wait, cancel := context.WithTimeoutCause(ctx, r.run.timeout, wire.Errorf(wire.Timeout, "waited longer than %s", r.run.timeout))
	defer cancel()
	lock, err := resource.Acquire(wait, filepath.Join(r.common, "codebolt.lock"))
	if err != nil {
		return fmt.Errorf("repository %s: %w", r.common, err)
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	return f()
}

var probed struct {
	sync.Mutex
	git string
	ok  bool
}

// newRunner finds git and asks it how old it is.
func newRunner(ctx context.Context, opts Options) (*runner, error) {
	r, err := findGit(opts)
	if err == nil {
		err = r.probe(ctx)
	}
	return r, err
}

func findGit(opts Options) (*runner, error) {
	r := &runner{timeout: opts.Timeout, log: opts.Log}
	if r.timeout <= 0 {
		r.timeout = defaultTimeout
	}
	if r.log == nil {
		r.log = slog.New(slog.DiscardHandler)
	}
	git, err := exec.LookPath("git")
	if err != nil {
		return nil, wire.Errorf(wire.Unavailable, "the git program is not installed or not in PATH: %w", err)
	}
	r.git = git
	_, err = exec.LookPath("git-lfs")
	r.noLFS = err != nil
	return r, nil
}

// probe asks git, once, how old it is.
func (r *runner) probe(ctx context.Context) error {
	probed.Lock()
	defer probed.Unlock()
	if probed.ok && probed.git == r.git {
		return nil
	}
	text, err := r.text(ctx, call{args: []string{"version"}})
	if err != nil {
		return fmt.Errorf("ask git for its version: %w", err)
	}
	var major, minor int
	if _, err := fmt.Sscanf(text, "git version %d.%d", &major, &minor); err != nil {
		return wire.Errorf(wire.Unavailable, "%s is not git: it says %q", r.git, text)
	}
	if major < 2 || major == 2 && minor < 38 {
		return wire.Errorf(wire.Unavailable, "git %d.%d is too old; install 2.38 or newer", major, minor)
	}
	probed.git, probed.ok = r.git, true
	return nil
}
