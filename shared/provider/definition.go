package provider

import (
	"io/fs"
	"slices"

	"github.com/codeboltai/codebolt-providers/shared/build"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Definition is all that the base needs to know of a provider.
type Definition struct {
	// Manifests holds the provider's two manifest files, codeboltprovider.yaml
	// and providers.yaml; their defaults are the lowest layer of configuration.
	Manifests fs.FS
	// Provider opens the environments.
	Provider Provider
	// Environment is a value of the type that Provider.Open returns, which may
	// be a nil pointer: the optional interfaces that this type implements are
	// the provider's capabilities. Open must return no other type.
	Environment Environment
}

func (d *Definition) manifest() (*manifest.Manifest, error) { return manifest.Load(d.Manifests, ".") }

// Capabilities is what a provider can do, derived from the interfaces it
// implements. It is what --capabilities prints.
type Capabilities struct {
	Name     string   `json:"name"`
	UniqueID string   `json:"uniqueId"`
	Version  string   `json:"version"`  // of the manifest
	Build    string   `json:"build"`    // of the program
	Requests []string `json:"requests"` // inbound types answered with more than an error of kind unsupported
	// Features are abilities that no request type tells of: the extensions of the
	// protocol that the base has for every provider, "runtime", "runtime.command",
	// "agents", "terminal" and "watch" for one whose manifest configures a runtime, and
	// "git" for one whose workspaces are git checkouts.
	Features []string `json:"features"`
	Reaper   bool     `json:"gc"`        // has the subcommand gc
	Snapshot bool     `json:"snapshots"` // environments can begin with a snapshot of another
}

// features that every provider has through the base.
var baseFeatures = []string{"base64", "errorCodes", "onStop", "overwrite", "recursive"}

func (d *Definition) capabilities(m *manifest.Manifest) Capabilities {
	_, reaper := d.Provider.(Reaper)
	_, snapshotter := d.Provider.(Snapshotter)
	c := Capabilities{Name: m.Name, UniqueID: m.UniqueID, Version: m.Version, Build: build.Get().Version, Reaper: reaper, Snapshot: snapshotter}
	for _, verb := range wire.Verbs {
		if verb.OK != wire.None && d.supports(verb.Type) {
			c.Requests = append(c.Requests, verb.Type)
		}
	}
	slices.Sort(c.Requests)
	c.Features = slices.Clone(baseFeatures)
	if _, ok := m.Config["runtime"]; ok {
		c.Features = append(c.Features, "runtime", "runtime.command", "agents", "terminal", "watch")
	}
	if slices.Contains(m.Capabilities.SyncModes, "git") {
		c.Features = append(c.Features, "git")
	}
	slices.Sort(c.Features)
	return c
}

// supports reports whether the provider has the ability behind a request type.
func (d *Definition) supports(typ string) bool {
	ok := true
	switch typ {
	case wire.TypeGetDiffFiles:
		_, ok = d.Environment.(Differ)
	case wire.TypeMergeAsPatch, wire.TypeCreatePatchRequest:
		_, ok = d.Environment.(Patcher)
	case wire.TypeSendPR, wire.TypeCreatePullRequest:
		_, ok = d.Environment.(PullRequester)
	case wire.TypeEnvironmentRestart:
		_, ok = d.Environment.(Restarter)
	case wire.TypeProspectivePath:
		_, ok = d.Provider.(PathPlanner)
	}
	return ok
}
