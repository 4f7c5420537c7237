// Command codebolt-provider-gitworktree opens environments that are a branch and
// a linked worktree of the project's git repository.
package main

import (
	"context"

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

// spec: the worktree is the environment, and its runtime is a process beside it.
var spec = worktree.Spec{Kind: "worktree"}

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
	return worktree.Plan(req, spec.Kind)
}

// Reap implements provider.Reaper.
func (worktrees) Reap(ctx context.Context, req provider.ReapRequest) ([]provider.Orphan, error) {
	return worktree.Reap(ctx, req, spec)
}
