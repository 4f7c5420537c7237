// Command codebolt-provider-remoteserver opens environments that are a folder of a
// machine reached over SSH, filled from a git worktree of the project here and read
// back into it, with an agent runtime beside the files there.
package main

import (
	"context"
	"os"

	"github.com/codeboltai/codebolt-providers/manifests"
	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
	"github.com/codeboltai/codebolt-providers/shared/worktree"
)

func main() { provider.Main(definition()) }

func definition() provider.Definition {
	return provider.Definition{
		Manifests:   manifests.Files("remoteserver"),
		Provider:    servers{},
		Environment: (*environment)(nil),
	}
}

const (
	kind       = "server" // the first part of this provider's resource ids
	providerID = "codebolt-remote-server"
)

// servers opens environments that are a folder of another machine.
type servers struct{}

// environment is one open environment.
type environment struct {
	*worktree.Environment
	site  *site
	files workspace.FS
}

// Open implements provider.Provider.
func (servers) Open(ctx context.Context, req *provider.OpenRequest) (provider.Environment, error) {
	cfg, err := configOf(req, os.Getenv)
	if err != nil {
		return nil, err
	}
	s := newSite(req, cfg)
	req.Undo("connection to the host", func(context.Context) error { return s.close() })
	s.connect(ctx) // beside what is done here
	env := &environment{site: s}
	env.Environment, err = worktree.Open(ctx, req, worktree.Spec{Kind: kind, Launcher: s, Beside: s.beside()})
	if err != nil {
		return nil, err
	}
	if !req.Settings.HasRuntime() { // else the start of the runtime did
		if err := s.prepare(ctx); err != nil {
			return nil, err
		}
	}
	s.opened()
	env.files = s.files()
	return env, nil
}

// PlanPath implements provider.PathPlanner.
func (servers) PlanPath(_ context.Context, req *provider.PlanRequest) (wire.Placement, error) {
	return worktree.Plan(req, kind)
}

// Workspace implements provider.Environment: the files on the host, for when the
// runtime there does not serve them.
func (e *environment) Workspace() workspace.FS { return e.files }

// Runtime implements provider.Environment.
func (e *environment) Runtime() *provider.RuntimeAccess {
	access := e.Environment.Runtime()
	if access != nil {
		access.Files = !access.Plain // another agent server knows nothing of such requests
	}
	return access
}

// Detach implements provider.Environment.
func (e *environment) Detach(ctx context.Context) error {
	err := e.Environment.Detach(ctx)
	if cerr := e.site.close(); err == nil {
		err = cerr
	}
	return err
}

// Remove implements provider.Environment.
func (e *environment) Remove(ctx context.Context, how provider.RemovePolicy) (provider.Removal, error) {
	removal, err := e.Environment.Remove(ctx, how)
	if err == nil {
		err = e.site.close()
	}
	return removal, err
}
