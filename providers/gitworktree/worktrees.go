package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/codeboltai/codebolt-providers/shared/gitrepo"
	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

const (
	// kind is the first part of this provider's resource ids.
	kind = "worktree"
	// mark begins the reason for which our worktrees are locked.
	mark = "codebolt environment "
)

// worktrees opens environments that are a branch and a worktree of a repository.
type worktrees struct{}

// details is what the ownership record keeps of an environment.
type details struct {
	gitrepo.Worktree `json:",embed"`
	ProjectTop       string `json:"projectTop"`
	// Snapshot is the ref that holds the work while the environment is being
	// removed.
	Snapshot string `json:"snapshot,omitzero"`
}

// Open implements provider.Provider.
func (worktrees) Open(ctx context.Context, req *provider.OpenRequest) (provider.Environment, error) {
	var cfg config
	if err := req.Decode(&cfg); err != nil {
		return nil, err
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if req.ProjectPath == "" {
		return nil, wire.Errorf(wire.Invalid, "open: projectPath is missing; name a directory in a git repository")
	}
	place, path, err := placement(cfg, req.ProjectPath, req.Start.Requested(), req.SafeName())
	if err != nil {
		return nil, err
	}
	env := &environment{cfg: cfg}
	git := gitrepo.Options{Timeout: req.Settings.Timeouts.GitOperations, Log: req.Log}
	maker := &maker{req: req, cfg: cfg, git: git, path: path, env: env}
	env.Host, err = provider.OpenHost(ctx, req, provider.HostSpec{
		Kind: kind, Path: path, Phase: "worktree", Placement: place, Protected: []string{".git"},
		Plan: maker.plan, Create: maker.create, Attach: maker.attach,
		Discard: func(ctx context.Context, rec *resource.Record) error { return discard(ctx, git, rec) },
		Resume:  func(ctx context.Context, rec *resource.Record) (bool, error) { return resume(ctx, git, rec) },
	})
	if err != nil {
		return nil, err
	}
	return env, nil
}

// PlanPath implements provider.PathPlanner.
func (worktrees) PlanPath(_ context.Context, req *provider.PlanRequest) (wire.Placement, error) {
	var cfg config
	if err := req.Decode(&cfg); err != nil {
		return wire.Placement{}, err
	}
	if req.ProjectPath == "" {
		return wire.Placement{}, wire.Errorf(wire.Invalid, "plan: projectPath is missing; name a directory in a git repository")
	}
	requested := req.Requested
	if at := req.Existing(kind); at != "" {
		requested = at
	}
	place, _, err := placement(cfg, req.ProjectPath, requested, req.SafeName())
	return place, err
}

// placement decides where a worktree goes.
func placement(cfg config, project, requested, name string) (wire.Placement, string, error) {
	host := provider.HostPath{Project: project, Requested: requested, Base: cfg.WorktreeBaseDir, Folder: "worktrees", Name: name}
	path, _, err := host.Resolve()
	if err != nil {
		return wire.Placement{}, "", err
	}
	folder := filepath.Base(filepath.Dir(path))
	if cfg.WorktreeBaseDir == "" && requested == "" {
		folder = "worktrees"
	}
	return host.Placed(path, wire.Placement{
		SyncMode: "git", MergeStrategy: "git", DefaultSyncMode: "git",
		SupportedSyncModes: []string{"git"}, SupportedMergeStrategies: []string{"git"},
		SyncPolicy: &wire.SyncPolicy{DefaultSyncMode: "git", Modes: []wire.SyncModeInfo{{
			Value: "git", Label: "Git worktree", Description: "A branch and a worktree of its own; changes come back by patch, merge or pull request.",
			PathFolder: folder, CreatesGitWorktree: true, Cleanup: "git_worktree",
		}}},
	}), path, nil
}

// maker makes and attaches one environment.
type maker struct {
	req  *provider.OpenRequest
	cfg  config
	git  gitrepo.Options
	path string
	env  *environment
	repo *gitrepo.Repo // of the project; set by plan
}

// plan looks at the project's repository and decides branch and base.
func (m *maker) plan(ctx context.Context) (any, error) {
	repo, err := gitrepo.Open(ctx, m.req.ProjectPath, m.git)
	if err != nil {
		return nil, err
	}
	m.repo = repo
	wt := gitrepo.Worktree{CommonDir: repo.CommonDir(), Path: m.path, Reason: mark + m.req.Key()}
	if m.cfg.ExistingBranch != "" {
		if err := repo.CheckBranchName(ctx, m.cfg.ExistingBranch); err != nil {
			return nil, err
		}
		wt.Branch, wt.BaseRef = m.cfg.ExistingBranch, "refs/heads/"+m.cfg.ExistingBranch
		wt.BaseOID, err = repo.Resolve(ctx, wt.BaseRef)
	} else {
		wt.BaseRef = m.cfg.BaseRef
		if wt.BaseRef == "" {
			wt.BaseRef = "HEAD"
		}
		wt.CreatedBranch = true
		var (
			naming sync.WaitGroup // beside the other question, which takes git as long
			named  error
		)
		naming.Go(func() {
			if wt.Branch, named = freeBranch(ctx, repo, m.cfg.BranchPrefix+m.req.SafeName()); named == nil {
				named = repo.CheckBranchName(ctx, wt.Branch)
			}
		})
		wt.BaseOID, err = repo.Resolve(ctx, wt.BaseRef)
		naming.Wait()
		err = cmp.Or(err, named)
	}
	return details{Worktree: wt, ProjectTop: repo.Top()}, err
}

// branchTries is how many names beside the first are tried for a branch.
const branchTries = 100

// freeBranch is the name, or the name with a number when a branch of that name is
// left from an earlier life, which is then kept.
func freeBranch(ctx context.Context, repo *gitrepo.Repo, name string) (string, error) {
	for n := 1; n <= branchTries; n++ {
		try := name
		if n > 1 {
			try = fmt.Sprintf("%s-%d", name, n)
		}
		taken, err := repo.HasBranch(ctx, try)
		if err != nil {
			return "", err
		}
		if !taken {
			return try, nil
		}
	}
	return "", wire.Errorf(wire.Exists, "the branches %s, %s-2, … exist already; delete some or set branchPrefix", name, name)
}

// create makes the worktree and prepares it.
func (m *maker) create(ctx context.Context, rec *resource.Record) error {
	d, err := detailsOf(rec)
	if err != nil {
		return err
	}
	m.env.repo, m.env.wt = m.repo, d.Worktree
	if err := m.exclude(ctx); err != nil {
		return err
	}
	err = m.repo.Add(ctx, gitrepo.AddSpec{
		Worktree: d.Worktree, ExistingBranch: m.cfg.ExistingBranch != "",
		SparsePaths: m.cfg.SparsePaths, Submodules: m.cfg.Submodules, LFS: m.cfg.LFS,
		Progress: func(step string) { m.req.Note("worktree", step) }, Warn: m.req.Warn,
	})
	if err != nil {
		return err
	}
	if m.cfg.CarryUncommitted {
		skipped, err := m.repo.CarryUncommitted(ctx, d.Worktree)
		if err != nil {
			return err
		}
		for _, path := range skipped {
			m.req.Warn("not carried along: " + path)
		}
	}
	if m.repo.Top() != "" {
		copied, err := m.repo.CopyIgnored(ctx, m.path, m.cfg.CopyFiles)
		if err != nil {
			return err
		}
		if len(copied) > 0 {
			m.req.Note("worktree", fmt.Sprintf("%d ignored files copied", len(copied)))
		}
	}
	return m.setup(ctx)
}

// exclude keeps a worktree inside the project out of the project's git status:
// the folder of all worktrees when there is nothing else in it, so that nothing
// of the project is hidden, else this one alone.
func (m *maker) exclude(ctx context.Context) error {
	top := m.repo.Top()
	if top == "" {
		return nil
	}
	base := filepath.Dir(m.path)
	if rel, err := filepath.Rel(top, base); err == nil && rel != "." && filepath.IsLocal(rel) && onlyWorktrees(base) {
		return m.repo.ExcludePath(ctx, base)
	}
	return m.repo.ExcludePath(ctx, m.path)
}

// onlyWorktrees reports whether a folder holds worktrees and nothing else.
func onlyWorktrees(folder string) bool {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return os.IsNotExist(err)
	}
	for _, e := range entries {
		info, err := os.Lstat(filepath.Join(folder, e.Name(), ".git"))
		if e.Name() != gitrepo.TrashName && (err != nil || !info.Mode().IsRegular()) {
			return false
		}
	}
	return true
}

// setup runs the configured command in the new worktree.
func (m *maker) setup(ctx context.Context) error {
	if len(m.cfg.Setup) == 0 {
		return nil
	}
	m.req.Note("worktree", "setup: "+strings.Join(m.cfg.Setup, " "))
	return runSetup(ctx, m.path, m.cfg)
}

// attach checks the worktree of a complete record.
func (m *maker) attach(ctx context.Context, rec *resource.Record) error {
	d, err := detailsOf(rec)
	if err != nil {
		return err
	}
	repo, err := gitrepo.Open(ctx, d.CommonDir, m.git)
	if err != nil {
		return err
	}
	m.env.repo, m.env.wt = repo, d.Worktree
	return repo.Attach(ctx, d.Worktree)
}

// discard takes back a worktree in which nobody has worked.
func discard(ctx context.Context, git gitrepo.Options, rec *resource.Record) error {
	d, err := detailsOf(rec)
	if err != nil {
		return err
	}
	if _, err := os.Stat(d.CommonDir); os.IsNotExist(err) {
		return nil // the repository is gone, and with it all that git knew
	}
	repo, err := gitrepo.Open(ctx, d.CommonDir, git)
	if err != nil {
		return err
	}
	return repo.Discard(ctx, d.Worktree)
}

// resume finishes a removal: what was to be kept is kept already.
func resume(ctx context.Context, git gitrepo.Options, rec *resource.Record) (gone bool, err error) {
	d, err := detailsOf(rec)
	if err != nil {
		return false, err
	}
	repo, err := gitrepo.Open(ctx, d.CommonDir, git)
	if err != nil {
		return false, err
	}
	if _, err = repo.Remove(ctx, d.Worktree, gitrepo.RemoveSpec{Snapshot: d.Snapshot}); err != nil {
		return false, err
	}
	return true, emptyTrash(ctx, d.Path)
}

func detailsOf(rec *resource.Record) (d details, err error) {
	if err = wire.Unmarshal(rec.Details, &d); err != nil {
		return d, wire.Errorf(wire.Internal, "the record %s has no usable details: %w", rec.Resource, err)
	}
	return d, nil
}

// Reap implements provider.Reaper.
func (worktrees) Reap(ctx context.Context, req provider.ReapRequest) ([]provider.Orphan, error) {
	return reap(ctx, req)
}
