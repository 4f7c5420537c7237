package server

import (
	"time"

	"github.com/codeboltai/codebolt-providers/shared/manifest"
)

// Known is an environment that StateDir knows, whether this server runs it or
// not.
type Known struct {
	ID           string
	Name         string
	ProviderName string // EnvironmentSpec.ProviderName it was made with
	// Config is the environment's own layer of the configuration.
	Config     map[string]any
	ResourceID string // "" when it was never started
	State      State  // when it was saved last
	Created    time.Time
}

// Known returns the environments that are on record, in the order of their
// creation; also those of earlier servers and of others that share StateDir.
// One is continued by giving its ID to [Server.Create].
func (s *Server) Known() ([]Known, error) {
	records, err := s.store.read()
	if err != nil {
		return nil, err
	}
	known := make([]Known, 0, len(records))
	for _, r := range records {
		id, err := s.store.resourceOf(r.ID)
		if err != nil {
			return nil, err
		}
		created, _ := time.Parse(time.RFC3339, r.CreatedAt) // a damaged stamp is no reason to hide the environment
		known = append(known, Known{
			ID: r.ID, Name: r.Name, ProviderName: r.Provider.ProviderID, Config: manifest.Merge(r.Config), ResourceID: id, State: r.State, Created: created,
		})
	}
	return known, nil
}
