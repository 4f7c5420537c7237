// Command codebolt-provider-docker opens environments that are a container: a git
// worktree of the project, or a volume filled from it, and an agent runtime in a
// Docker container that works there.
package main

import (
	"context"

	"github.com/codeboltai/codebolt-providers/manifests"
	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
	"github.com/codeboltai/codebolt-providers/shared/worktree"
)

func main() { provider.Main(definition()) }

func definition() provider.Definition {
	return provider.Definition{
		Manifests:   manifests.Files("docker"),
		Provider:    containers{},
		Environment: (*environment)(nil),
	}
}

// kind is the first part of this provider's resource ids.
const kind = "container"

// containers opens environments that are a container.
type containers struct{}

// environment is one open container environment.
type environment struct {
	*worktree.Environment
	box   *box
	files workspace.FS // of a volume; nil when the worktree has them
}

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
	req.Undo("connection to the daemon", func(context.Context) error { return b.close() })
	env := &environment{box: b}
	env.Environment, err = worktree.Open(ctx, req, worktree.Spec{Kind: kind, Launcher: b, Beside: b.beside()})
	if err != nil {
		return nil, err
	}
	b.opened()
	if b.facts.Work != "" {
		env.files = b.files()
	}
	return env, nil
}

// PlanPath implements provider.PathPlanner.
func (containers) PlanPath(_ context.Context, req *provider.PlanRequest) (wire.Placement, error) {
	return worktree.Plan(req, kind)
}

// Workspace implements provider.Environment. The files of a volume are on the
// daemon's machine, and the runtime's to serve; this is the way without it.
func (e *environment) Workspace() workspace.FS {
	if e.files != nil {
		return e.files
	}
	return e.Environment.Workspace()
}

// Runtime implements provider.Environment.
func (e *environment) Runtime() *provider.RuntimeAccess {
	access := e.Environment.Runtime()
	if access != nil {
		access.Files = e.files != nil && !access.Plain // another agent server knows nothing of such requests
	}
	return access
}

// Detach implements provider.Environment.
func (e *environment) Detach(ctx context.Context) error {
	err := e.Environment.Detach(ctx)
	if cerr := e.box.close(); err == nil {
		err = cerr
	}
	return err
}

// Remove implements provider.Environment.
func (e *environment) Remove(ctx context.Context, how provider.RemovePolicy) (provider.Removal, error) {
	removal, err := e.Environment.Remove(ctx, how)
	if err == nil {
		err = e.box.close()
	}
	return removal, err
}
