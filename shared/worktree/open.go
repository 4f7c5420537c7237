package worktree

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
	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
)

// mark begins the reason for which our worktrees are locked.
const mark = "codebolt environment "

// Spec says what kind of environment is opened around a worktree. The zero value
// of all but Kind is an environment that is a worktree and nothing else.
type Spec struct {
	// Kind is the first part of the resource ids, such as "worktree".
	Kind string
	// Launcher starts the runtime; nil starts it as a process of this machine.
	Launcher runtime.Launcher
	// Beside is what the environment has besides its worktree.
	Beside Beside
}

// Beside is what an environment has besides its worktree, such as a container.
// Every function may be nil. The facts are what Plan returned, from the record.
type Beside struct {
	// Plan decides what there will be, and returns it, any value that marshals. It
	// changes nothing; the record is written before anything is made. from is what
	// Snapshot returned, when the environment begins with that; else nil.
	Plan func(ctx context.Context, wt gitrepo.Worktree, from wire.Raw) (facts any, err error)
	// Attach takes up an environment that is on record.
	Attach func(ctx context.Context, wt gitrepo.Worktree, facts wire.Raw) error
	// Refresh brings the worktree up to date with what has the agents' work, when
	// that is elsewhere. It is called before the worktree is looked at.
	Refresh func(ctx context.Context) error
	// Files are the files of the agents, when they are not in the worktree, for when the
	// runtime does not serve them. It is called once, when the environment is open; nil
	// from it is the worktree.
	Files func() workspace.FS
	// Close lets go of what leads there, such as a connection: when an open fails, and
	// when the environment is left or has been removed. It is idempotent.
	Close func() error
	// Remove removes all of it that exists, made by a start that failed or by one
	// that did not. It is idempotent, and comes before the worktree goes.
	Remove func(ctx context.Context, rec *resource.Record, facts wire.Raw) error
	// Snapshot keeps what there is, under a name made with the request's Key, and
	// returns what Plan needs to begin with it, any value that marshals.
	Snapshot func(ctx context.Context, req *provider.SnapshotRequest, facts wire.Raw) (from any, err error)
	// DropSnapshot removes what Snapshot made, or half made. It gets what Snapshot
	// returned or, when it did not return, the environment's facts. It is idempotent,
	// and fails with kind Conflict while an environment needs the snapshot.
	DropSnapshot func(ctx context.Context, req *provider.SnapshotRequest, from wire.Raw) error
}

// details is what the ownership record keeps of an environment.
type details struct {
	gitrepo.Worktree `json:",embed"`
	ProjectTop       string `json:"projectTop"`
	// Snapshot is the ref that holds the work while the environment is being
	// removed.
	Snapshot string `json:"snapshot,omitzero"`
	// Beside is what Beside.Plan returned.
	Beside wire.Raw `json:"beside,omitzero"`
}

// Open opens the environment that req names: a worktree of the project on a
// branch of its own, and what spec adds to it. It is a [provider.Provider]'s
// Open.
func Open(ctx context.Context, req *provider.OpenRequest, spec Spec) (*Environment, error) {
	if done := spec.Beside.Close; done != nil {
		req.Undo("connection", func(context.Context) error { return done() })
	}
	var cfg Config
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
	env := &Environment{cfg: cfg, spec: spec}
	git := gitrepo.Options{Timeout: req.Settings.Timeouts.GitOperations, Log: req.Log}
	maker := &maker{req: req, cfg: cfg, git: git, path: path, env: env}
	hosted := hostSpec(spec, git)
	hosted.Path, hosted.Phase, hosted.Placement, hosted.Protected = path, "worktree", place, []string{".git"}
	hosted.Plan, hosted.Create, hosted.Attach = maker.plan, maker.create, maker.attach
	if env.Host, err = provider.OpenHost(ctx, req, hosted); err != nil {
		return nil, err
	}
	if files := spec.Beside.Files; files != nil {
		env.files = files()
	}
	return env, nil
}

// hostSpec is what is the same whether an environment is opened or reaped.
func hostSpec(spec Spec, git gitrepo.Options) provider.HostSpec {
	return provider.HostSpec{
		Kind: spec.Kind, Launcher: spec.Launcher,
		Discard: func(ctx context.Context, rec *resource.Record) error { return discard(ctx, spec, git, rec) },
		Resume:  func(ctx context.Context, rec *resource.Record) (bool, error) { return resume(ctx, spec, git, rec) },
	}
}

// Plan tells where an environment of that kind would be. It is a
// [provider.PathPlanner]'s PlanPath.
func Plan(req *provider.PlanRequest, kind string) (wire.Placement, error) {
	var cfg Config
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
func placement(cfg Config, project, requested, name string) (wire.Placement, string, error) {
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
	cfg  Config
	git  gitrepo.Options
	path string
	env  *Environment
	repo *gitrepo.Repo // of the project; set by plan

	from   *kept  // the snapshot that it begins with; nil for none
	origin string // the commit at which that was taken
}

// plan looks at the project's repository and decides branch and base.
func (m *maker) plan(ctx context.Context) (any, error) {
	repo, err := gitrepo.Open(ctx, m.req.ProjectPath, m.git)
	if err != nil {
		return nil, err
	}
	m.repo = repo
	if err := m.takeFrom(ctx); err != nil {
		return nil, err
	}
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
		if m.from != nil { // what changed is told against the same commit
			wt.BaseRef, wt.BaseOID, wt.StartOID = m.from.Of.BaseRef, m.from.Of.BaseOID, m.origin
		} else {
			wt.BaseOID, err = repo.Resolve(ctx, wt.BaseRef)
		}
		naming.Wait()
		err = cmp.Or(err, named)
	}
	if err != nil {
		return nil, err
	}
	d := details{Worktree: wt, ProjectTop: repo.Top()}
	if plan := m.env.spec.Beside.Plan; plan != nil {
		var from wire.Raw
		if m.from != nil {
			from = m.from.Beside
		}
		facts, err := plan(ctx, wt, from)
		if err != nil {
			return nil, err
		}
		if d.Beside, err = wire.Marshal(facts); err != nil {
			return nil, err
		}
	}
	return d, nil
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
	m.env.repo, m.env.details = m.repo, d
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
	if m.from != nil {
		m.req.Note("worktree", "restoring the snapshot")
		return m.repo.Restore(ctx, d.Worktree, m.from.Ref)
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
	m.env.repo, m.env.details = repo, d
	if err := repo.Attach(ctx, d.Worktree); err != nil {
		return err
	}
	if attach := m.env.spec.Beside.Attach; attach != nil {
		return attach(ctx, d.Worktree, d.Beside)
	}
	return nil
}

// removeBeside removes what an environment has besides its worktree.
func removeBeside(ctx context.Context, spec Spec, rec *resource.Record, d details) error {
	if spec.Beside.Remove == nil {
		return nil
	}
	return spec.Beside.Remove(ctx, rec, d.Beside)
}

// discard takes back a worktree in which nobody has worked.
func discard(ctx context.Context, spec Spec, git gitrepo.Options, rec *resource.Record) error {
	d, err := detailsOf(rec)
	if err != nil {
		return err
	}
	if err := removeBeside(ctx, spec, rec, d); err != nil {
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
func resume(ctx context.Context, spec Spec, git gitrepo.Options, rec *resource.Record) (gone bool, err error) {
	d, err := detailsOf(rec)
	if err != nil {
		return false, err
	}
	if err := removeBeside(ctx, spec, rec, d); err != nil {
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
