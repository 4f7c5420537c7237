// Command codebolt-provider-gitworktree opens environments that are a branch and
// a linked worktree of the project's git repository.
package main

import (
	"context"
	"errors"

	"github.com/codeboltai/codebolt-providers/manifests"
	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/worktree"
)

func main() { provider.Main(definition()) }

func definition() provider.Definition {
	return provider.Definition{
		Manifests:   manifests.Files("gitworktree"),
		Provider:    worktrees{},
		Environment: (*worktree.Environment)(nil),
	}
}

// providerID is the unique id in the manifest.
const providerID = "codebolt-git-worktree"

// kind is the first part of this provider's resource ids.
const kind = "worktree"

// spec: the worktree is the environment, and its runtime is a process beside it.
var spec = worktree.Spec{Kind: kind}

// worktrees opens environments that are a branch and a worktree of a repository.
type worktrees struct{}

// Open implements provider.Provider.
func (worktrees) Open(ctx context.Context, req *provider.OpenRequest) (provider.Environment, error) {
	env, err := worktree.Open(ctx, req, spec)
	if err != nil {
		return nil, err
	}
	return env, nil
}

// PlanPath implements provider.PathPlanner.
func (worktrees) PlanPath(_ context.Context, req *provider.PlanRequest) (wire.Placement, error) {
	return worktree.Plan(req, kind)
}

// Snapshot implements provider.Snapshotter.
func (worktrees) Snapshot(ctx context.Context, req *provider.SnapshotRequest) error {
	return worktree.Snapshot(ctx, req, spec)
}

// DropSnapshot implements provider.Snapshotter.
func (worktrees) DropSnapshot(ctx context.Context, req *provider.SnapshotRequest) error {
	return worktree.DropSnapshot(ctx, req, spec)
}

// Reap implements provider.Reaper.
func (worktrees) Reap(ctx context.Context, req provider.ReapRequest) ([]provider.Orphan, error) {
	found, err := worktree.Reap(ctx, req, spec)
	half, herr := provider.ReapSnapshots(ctx, req, worktrees{}, providerID)
	return append(found, half...), errors.Join(err, herr)
}
