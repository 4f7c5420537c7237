package gitrepo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// AddSpec says what worktree to make.
type AddSpec struct {
	Worktree
	// ExistingBranch checks out Branch, which is there, instead of making it. With
	// neither this nor CreatedBranch, HEAD is detached.
	ExistingBranch bool
	// SparsePaths limits the checkout to these directories (cone mode). Without
	// them the sparse checkout of the opened checkout, if any, is inherited.
	SparsePaths []string
	// Submodules is "off", "auto" (the default: the first level, as far as this
	// machine already has them) or "recursive". What cannot be had is warned of.
	Submodules string
	// LFS is "auto" (the default: contents where git-lfs can give them, else
	// pointers), "skip" (pointers) or "pull".
	LFS string

	Progress func(step string)    // may be nil
	Warn     func(message string) // may be nil
}

// Add makes the worktree, locked against git worktree prune and remove, and
// checks its files out. The repository's lock is held only until git has
// registered it, not for the checkout.
//
// It fails with kind Exists when the path or a branch that was to be made is
// there already, Conflict when the branch is checked out elsewhere (naming
// where), Invalid for a bad branch name, and NotFound when ExistingBranch is
// not there. After any failure Discard takes back what was made; it leaves
// alone what was there before. Not idempotent.
func (r *Repo) Add(ctx context.Context, spec AddSpec) error {
	wt := &spec.Worktree
	if err := r.checkSpec(&spec); err != nil {
		return fmt.Errorf("add worktree: %w", err)
	}
	progress, warn := spec.Progress, spec.Warn
	if progress == nil {
		progress = func(string) {}
	}
	if warn == nil {
		warn = func(string) {}
	}
	progress("registering the worktree")
	if err := r.locked(ctx, func() error { return r.register(ctx, &spec) }); err != nil {
		return fmt.Errorf("add worktree: %w", err)
	}
	co, err := r.checkout(wt)
	if err != nil {
		return fmt.Errorf("add worktree: %w", err)
	}
	progress("checking out files")
	if err := r.fill(ctx, co, &spec, warn); err != nil {
		return fmt.Errorf("add worktree: check out files: %w", err)
	}
	if spec.Submodules != "off" && exists(filepath.Join(wt.Path, ".gitmodules")) {
		progress("checking out submodules")
		if err := r.submodules(ctx, co, spec.Submodules); err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return fmt.Errorf("add worktree: check out submodules: %w", err)
			}
			warn(fmt.Sprintf("submodules are not all checked out: %v", err))
		}
	}
	return nil
}

func (r *Repo) checkSpec(spec *AddSpec) error {
	wt := &spec.Worktree
	switch {
	case !filepath.IsAbs(wt.Path):
		return wire.Errorf(wire.Invalid, "path %q is not absolute", wt.Path)
	case !samePath(wt.CommonDir, r.common):
		return wire.Errorf(wire.Invalid, "the worktree is of another repository, %s", wt.CommonDir)
	case wt.CreatedBranch && spec.ExistingBranch:
		return wire.Errorf(wire.Invalid, "branch %s cannot be both new and existing", wt.Branch)
	case wt.CreatedBranch != (wt.Branch != "") && !spec.ExistingBranch, spec.ExistingBranch && wt.Branch == "":
		return wire.Errorf(wire.Invalid, "branch %q must be new, existing or empty", wt.Branch)
	case strings.HasPrefix(wt.Branch, "-"), wt.Branch == "HEAD":
		return wire.Errorf(wire.Invalid, "branch name %q is not one that git allows", wt.Branch)
	case !isOID(wt.BaseOID):
		return wire.Errorf(wire.Invalid, "base %q is not the full id of a commit", wt.BaseOID)
	case !isOID(wt.start()):
		return wire.Errorf(wire.Invalid, "start %q is not the full id of a commit", wt.StartOID)
	}
	switch spec.Submodules {
	case "", "auto", "off", "recursive":
	default:
		return wire.Errorf(wire.Invalid, "submodules is %q, want auto, off or recursive", spec.Submodules)
	}
	switch spec.LFS {
	case "", "auto", "skip", "pull":
	default:
		return wire.Errorf(wire.Invalid, "lfs is %q, want auto, skip or pull", spec.LFS)
	}
	return nil
}

func isOID(text string) bool {
	return (len(text) == 40 || len(text) == 64) && strings.Trim(text, "0123456789abcdef") == ""
}

var elsewhere = regexp.MustCompile(`'(.*)' is already (?:checked out|used by worktree) at '(.*)'`)

// register has git make the worktree without its files. It needs the lock.
func (r *Repo) register(ctx context.Context, spec *AddSpec) error {
	wt := &spec.Worktree
	if wt.CreatedBranch {
		if oid, err := r.refOID(ctx, wt.ref()); err != nil {
			return err
		} else if oid != "" {
			return wire.Errorf(wire.Exists, "branch %s exists already; use it as an existing branch or choose another name", wt.Branch)
		}
		proof := r.created(wt.Branch)
		if err := os.MkdirAll(filepath.Dir(proof), 0o777); err != nil {
			return wire.Errorf(wire.CodeOf(err), "%w", err)
		}
		if err := os.WriteFile(proof, []byte(wt.Branch+"\n"), 0o666); err != nil {
			return wire.Errorf(wire.CodeOf(err), "%w", err)
		}
	}
	if wt.CreatedBranch {
		// git worktree add -b leaves this to a child, which would outlive it when it
		// is killed, and make the branch after Discard has looked.
		err := r.retried(ctx, call{dir: r.common, write: true, args: []string{
			"update-ref", "-m", "branch: Created from " + wt.start(), "--no-deref", wt.ref(), wt.start(), strings.Repeat("0", len(wt.start())),
		}})
		if err != nil {
			return explainAdd(err, wt)
		}
	}
	return explainAdd(r.worktreeAdd(ctx, wt), wt)
}

// worktreeAdd makes the worktree for a branch that is there, or without one.
func (r *Repo) worktreeAdd(ctx context.Context, wt *Worktree) error {
	reason := wt.Reason
	if reason == "" {
		reason = "codebolt"
	}
	args := []string{"worktree", "add", "--quiet", "--no-checkout", "--lock", "--reason", reason}
	target := wt.Branch
	if target == "" {
		args = append(args, "--detach")
		target = wt.start()
	}
	return r.retried(ctx, call{dir: r.dir(), write: true, args: append(args, "--", wt.Path, target)})
}

// retried runs git again, a few times, while another git holds a lock file.
// That is not ours to remove.
func (r *Repo) retried(ctx context.Context, c call) error {
	for try := 1; ; try++ {
		_, err := r.run.run(ctx, c)
		if err == nil || !says(err, ".lock': File exists") || try == 9 {
			return err
		}
		if err := pause(ctx, time.Duration(try)*(20*time.Millisecond+rand.N(60*time.Millisecond))); err != nil {
			return err
		}
	}
}

func explainAdd(err error, wt *Worktree) error {
	stderr := refused(err).stderr
	switch m := elsewhere.FindStringSubmatch(stderr); {
	case m != nil:
		return wire.Errorf(wire.Conflict, "branch %s is checked out in %s; a branch can be in one worktree only", m[1], m[2])
	case says(err, "reference already exists", "; cannot create '"):
		return wire.Errorf(wire.Exists, "branch %s exists already; use it as an existing branch or choose another name", wt.Branch)
	case says(err, "already exists"):
		return wire.Errorf(wire.Exists, "%w", err)
	case says(err, "invalid ref format", "refusing to update ref with bad name", "is not a valid branch name"):
		return wire.Errorf(wire.Invalid, "%w", err)
	case says(err, "invalid reference", "nonexistent object", "non-commit object", "not a valid object name", "not a commit"):
		return wire.Errorf(wire.NotFound, "%w", err)
	}
	return err
}

// fill checks the files out.
func (r *Repo) fill(ctx context.Context, co *checkout, spec *AddSpec, warn func(string)) error {
	if len(spec.SparsePaths) > 0 {
		c := co.call("sparse-checkout", "set", "--cone", "--stdin")
		c.write, c.stdin = true, strings.NewReader(strings.Join(spec.SparsePaths, "\n")+"\n")
		// It may switch the repository to a configuration for each worktree.
		err := r.locked(ctx, func() error { _, err := r.run.run(ctx, c); return err })
		if err != nil {
			return err
		}
	}
	// Starting helpers takes longer than writing a few hundred files.
	reset := co.call("-c", "checkout.workers=0", "-c", "checkout.thresholdForParallelism=1000", "reset", "--hard", "--quiet", "--no-recurse-submodules")
	reset.write = true
	if spec.LFS == "skip" || spec.LFS == "pull" {
		reset.env = append(reset.env, "GIT_LFS_SKIP_SMUDGE=1")
	}
	_, err := r.run.run(ctx, reset)
	if err != nil && says(err, "filter", "smudge", "lfs") && context.Cause(ctx) == nil && spec.LFS != "skip" && spec.LFS != "pull" {
		warn(fmt.Sprintf("large files are left as pointers: %v", err))
		reset.env = append(reset.env, "GIT_LFS_SKIP_SMUDGE=1")
		_, err = r.run.run(ctx, reset)
	}
	if err != nil {
		return err
	}
	if spec.LFS == "pull" {
		if r.run.noLFS {
			warn("large files are left as pointers: git-lfs is not installed")
			return nil
		}
		pull := co.call("lfs", "pull")
		pull.write = true
		if _, err := r.run.run(ctx, pull); err != nil {
			if context.Cause(ctx) != nil {
				return err
			}
			warn(fmt.Sprintf("large files are left as pointers: %v", err))
		}
	}
	return nil
}

// submodules checks submodules out. Objects that this machine has are taken
// from the main checkout's submodules; only with "recursive" does git go and
// fetch what is missing.
func (r *Repo) submodules(ctx context.Context, co *checkout, mode string) error {
	list := co.call("config", "--file", ".gitmodules", "-z", "--get-regexp", `^submodule\..*\.path$`)
	out, err := r.run.run(ctx, list)
	if err != nil {
		return err
	}
	var errs []error
	for _, kv := range fields(out) {
		key, path, ok := strings.Cut(kv, "\n")
		name := strings.TrimSuffix(strings.TrimPrefix(key, "submodule."), ".path")
		if !ok || !filepath.IsLocal(filepath.FromSlash(name)) {
			continue
		}
		args := []string{"-c", "protocol.file.allow=always"}
		local := filepath.Join(r.common, "modules", filepath.FromSlash(name))
		update := []string{"submodule", "--quiet", "update", "--init"}
		switch {
		case isDir(local) == nil && mode != "recursive":
			// The copy's own remote would be the address in .gitmodules; for this one
			// command it is the repository next door.
			args = append(args, "-c", "submodule."+name+".url="+local)
		case isDir(local) == nil:
			update = append(update, "--reference", local, "--recursive")
		case mode == "recursive":
			update = append(update, "--recursive")
		default:
			errs = append(errs, fmt.Errorf("%s is not on this machine yet", path))
			continue
		}
		// git submodule is a script that does not work with GIT_WORK_TREE; the
		// worktree was made by us just now, so its .git is what we know it to be.
		c := call{dir: co.workTree, write: true, args: append(append(args, update...), "--", path)}
		if _, err := r.run.run(ctx, c); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", path, err))
		}
	}
	return errors.Join(errs...)
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// gone tells that there is nothing at a path.
func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) }
