// Command codebolt-provider-local opens environments that are a plain directory,
// copied from the project.
package main

import (
	"github.com/codeboltai/codebolt-providers/manifests"
	"github.com/codeboltai/codebolt-providers/shared/provider"
)

func main() { provider.Main(definition()) }

func definition() provider.Definition {
	return provider.Definition{
		Manifests:   manifests.Files("local"),
		Provider:    localProvider{},
		Environment: (*environment)(nil),
	}
}
