// Command codebolt-provider-gitworktree opens environments that are a branch and
// a linked worktree of the project's git repository.
package main

import (
	"github.com/codeboltai/codebolt-providers/manifests"
	"github.com/codeboltai/codebolt-providers/shared/provider"
)

func main() { provider.Main(definition()) }

func definition() provider.Definition {
	return provider.Definition{
		Manifests:   manifests.Files("gitworktree"),
		Provider:    worktrees{},
		Environment: (*environment)(nil),
	}
}
