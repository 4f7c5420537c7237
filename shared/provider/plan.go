package provider

import (
	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// PlanRequest asks where an environment would be.
type PlanRequest struct {
	// Asked is the message itself.
	Asked       *wire.ProspectivePath
	ProjectPath string // "" when none was named
	Requested   string // the path the caller asks for, if any
	// Store keeps the ownership records of this machine.
	Store *resource.Store

	key    string
	name   string
	config map[string]any
}

// Decode is [OpenRequest.Decode], for the same configuration.
func (r *PlanRequest) Decode(into any) error {
	_, err := manifest.Decode(r.config, into)
	return err
}

// SafeName is the [OpenRequest.SafeName] that the environment will have.
func (r *PlanRequest) SafeName() string { return SafeName(r.name, r.key) }

// Existing is where the environment is when it exists already, as a [Host] of
// that kind; "" when it does not.
func (r *PlanRequest) Existing(kind string) string {
	rec, err := r.Store.Get(resource.NewID(kind, r.key))
	if err != nil {
		return "" // whatever is wrong with the record, opening will tell
	}
	return rec.Path
}

// plan prepares a PlanRequest.
func (s *session) plan(asked *wire.ProspectivePath) (*PlanRequest, error) {
	spread := map[string]any{}
	if len(asked.Extra) > 0 {
		if err := wire.Unmarshal(asked.Extra, &spread); err != nil {
			return nil, err
		}
	}
	name := firstOf(asked.EnvironmentName, "environment")
	id := firstOf(asked.EnvironmentID, s.env[wire.EnvEnvironmentID], name)
	return &PlanRequest{
		Asked: asked, ProjectPath: asked.Parent(), Requested: asked.Requested(), Store: s.store,
		key: environmentKey(s.manifest.UniqueID, asked.Parent(), id), name: name,
		config: manifest.Merge(s.manifest.Config, spread, s.config),
	}, nil
}
