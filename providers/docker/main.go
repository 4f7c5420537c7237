// Command codebolt-provider-docker opens environments that are a container: a git
// worktree of the project, or a volume filled from it, and an agent runtime in a
// Docker container that works there.
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
		Manifests:   manifests.Files("docker"),
		Provider:    containers{},
		Environment: (*worktree.Environment)(nil),
	}
}

// kind is the first part of this provider's resource ids.
const kind = "container"

// containers opens environments that are a container.
type containers struct{}

// Open implements provider.Provider.
func (containers) Open(ctx context.Context, req *provider.OpenRequest) (provider.Environment, error) {
	cfg, err := configOf(req)
	if err != nil {
		return nil, err
	}
	if err := cfg.spares(req.ProjectPath); err != nil {
		return nil, err
	}
	b := newBox(req, cfg)
	env, err := worktree.Open(ctx, req, worktree.Spec{Kind: kind, Launcher: b, Beside: b.beside()})
	if err != nil {
		return nil, err
	}
	b.opened()
	return env, nil
}

// PlanPath implements provider.PathPlanner.
func (containers) PlanPath(_ context.Context, req *provider.PlanRequest) (wire.Placement, error) {
	return worktree.Plan(req, kind)
}
