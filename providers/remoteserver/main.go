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
	"github.com/codeboltai/codebolt-providers/shared/worktree"
)

func main() { provider.Main(definition()) }

func definition() provider.Definition {
	return provider.Definition{
		Manifests:   manifests.Files("remoteserver"),
		Provider:    servers{},
		Environment: (*worktree.Environment)(nil),
	}
}

// kind is the first part of this provider's resource ids.
const kind = "server"

// providerID is the unique id in the manifest.
const providerID = "codebolt-remote-server"

// servers opens environments that are a folder of another machine.
type servers struct{}

// Open implements provider.Provider.
func (servers) Open(ctx context.Context, req *provider.OpenRequest) (provider.Environment, error) {
	cfg, err := configOf(req, os.Getenv)
	if err != nil {
		return nil, err
	}
	s := newSite(req, cfg)
	s.connect(ctx) // beside what is done here
	env, err := worktree.Open(ctx, req, worktree.Spec{Kind: kind, Launcher: s, Beside: s.beside()})
	if err != nil {
		return nil, err
	}
	if !req.Settings.HasRuntime() { // else the start of the runtime did
		if err := s.prepare(ctx); err != nil {
			return nil, err
		}
	}
	s.opened()
	return env, nil
}

// PlanPath implements provider.PathPlanner.
func (servers) PlanPath(_ context.Context, req *provider.PlanRequest) (wire.Placement, error) {
	return worktree.Plan(req, kind)
}
