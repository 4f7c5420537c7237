package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/redact"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// EnvironmentSpec describes an environment and the provider that gives it.
type EnvironmentSpec struct {
	Name string // of the environment
	// ID defaults to a new one. With the ID of an environment that StateDir
	// knows, that environment is continued: its resourceId is passed on.
	ID           string
	ProjectPath  string
	ProviderName string // the server's id of the provider; default the manifest's unique id

	Program string // the provider's executable
	Args    []string
	Dir     string // the process's working directory; "" is the server's own
	// Env holds variables, as os.Environ, that win over the server's own. The
	// rest is inherited.
	Env    []string
	Stderr io.Writer // takes the provider's stdout and stderr; nil discards them

	// The layers of the configuration, later ones winning.
	Manifest  *manifest.Manifest
	Installed map[string]any
	Config    map[string]any

	// Start holds further members of providerStart, such as environmentPath; they
	// win over every other.
	Start map[string]any
}

// Environment is one environment with the provider process that serves it. All
// methods are safe for concurrent use.
type Environment struct {
	server  *Server
	spec    EnvironmentSpec
	config  map[string]any // merged
	token   string
	agentID string

	// busy is held by whoever starts, stops or closes.
	busy chan struct{}

	mu          sync.Mutex
	state       State
	err         error
	watchers    map[chan State]bool
	wanted      bool // it should run: its death is one
	process     *process
	conn        *connection
	connected   chan struct{} // closed when conn is set, or the process gone; then made anew
	connections []Connection
	resourceID  string
	lastBeat    time.Time
	runningFrom time.Time
	restarts    int                          // in a row
	interrupts  map[*context.CancelFunc]bool // end starts; true those of the restart policy
	record      record
	pending     []*pendingCall
	issued      map[wire.ID]bool // the newest requestIds of ours
	issuedOrder []wire.ID
	subscribers []*subscriber
}

// Connection tells of one connection a provider made.
type Connection struct {
	Time time.Time
	// Query holds the parameters of the URL; the values of secret names are
	// hidden.
	Query url.Values
}

// Create makes an environment and its record; nothing is started. It fails with
// Invalid when the spec is not complete and with Exists when this server runs an
// environment of that ID already.
func (s *Server) Create(spec EnvironmentSpec) (*Environment, error) {
	if spec.Name == "" || spec.Program == "" {
		return nil, wire.Errorf(wire.Invalid, "create environment: Name and Program must be given")
	}
	if spec.ProjectPath != "" && !filepath.IsAbs(spec.ProjectPath) {
		return nil, wire.Errorf(wire.Invalid, "create environment %s: ProjectPath %q is not absolute", spec.Name, spec.ProjectPath)
	}
	if spec.Manifest == nil {
		spec.Manifest = &manifest.Manifest{}
	}
	spec.ID = cmp.Or(spec.ID, string(wire.NewID()))
	spec.ProviderName = cmp.Or(spec.ProviderName, spec.Manifest.UniqueID, filepath.Base(spec.Program))
	e := &Environment{
		server: s, spec: spec, token: rand.Text(), agentID: "provider-" + spec.ID,
		config: manifest.Merge(spec.Manifest.Config, spec.Installed, spec.Config),
		busy:   make(chan struct{}, 1), state: Created, watchers: map[chan State]bool{},
		connected: make(chan struct{}), issued: map[wire.ID]bool{},
		interrupts: map[*context.CancelFunc]bool{},
	}
	// What a start message sets besides must not be undone by a lower layer that
	// the provider sees again in ENVIRONMENT_CONFIG.
	for key, value := range spec.Start {
		if _, has := e.config[key]; has {
			e.config = manifest.Merge(e.config, map[string]any{key: value})
		}
	}
	s.redactor.Add(e.token)
	s.redactor.AddSecrets(e.config)
	s.redactor.AddSecrets(spec.Start)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, wire.Errorf(wire.Unavailable, "create environment %s: the server is closed", spec.Name)
	}
	if s.environments[spec.ID] != nil {
		return nil, wire.Errorf(wire.Exists, "create environment %s: the id %s is taken", spec.Name, spec.ID)
	}
	var err error
	if e.record, e.resourceID, err = s.store.load(&spec); err != nil {
		return nil, err
	}
	if err := s.store.save(e.snapshot()); err != nil {
		return nil, err
	}
	s.environments[spec.ID] = e
	return e, nil
}

// Delete closes the environment and forgets it: its record goes, and what it
// stands on stays. It returns what Close does.
func (e *Environment) Delete(ctx context.Context) error {
	err := e.Close(ctx)
	s := e.server
	s.mu.Lock()
	delete(s.environments, e.spec.ID)
	s.mu.Unlock()
	return errors.Join(err, s.store.remove(e.spec.ID))
}

// Name is the environment's name.
func (e *Environment) Name() string { return e.spec.Name }

// ID is the environment's id.
func (e *Environment) ID() string { return e.spec.ID }

// Config is a copy of the merged configuration.
func (e *Environment) Config() map[string]any { return manifest.Merge(e.config) }

// ResourceID is what the provider called its resource last, or "".
func (e *Environment) ResourceID() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.resourceID
}

// Restarts is how many starts in a row the restart policy has made.
func (e *Environment) Restarts() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.restarts
}

// Connections returns the connections made so far, oldest first.
func (e *Environment) Connections() []Connection {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.connections)
}

// Disconnect drops the provider's connection without a goodbye; the provider is
// expected to connect again. It does nothing when there is none.
func (e *Environment) Disconnect() {
	e.mu.Lock()
	conn := e.conn
	e.mu.Unlock()
	if conn != nil {
		conn.drop()
	}
}

// environ is the environment that the provider process gets.
func (e *Environment) environ(connectionID string) ([]string, error) {
	config, err := json.Marshal(e.config)
	if err != nil {
		return nil, wire.Errorf(wire.Invalid, "start %s: the configuration cannot be JSON: %w", e.spec.Name, err)
	}
	tcp, err := url.Parse("tcp://" + e.server.Addr())
	if err != nil {
		return nil, wire.Errorf(wire.Internal, "start %s: %w", e.spec.Name, err)
	}
	environ := append(os.Environ(),
		wire.EnvServerHost+"="+tcp.Hostname(),
		wire.EnvServerPort+"="+tcp.Port(),
		wire.EnvAgentID+"="+e.agentID,
		wire.EnvThreadToken+"="+e.token,
		wire.EnvProviderID+"="+e.spec.ProviderName,
		wire.EnvProviderIDUpper+"="+e.spec.ProviderName,
		wire.EnvEnvironmentID+"="+e.spec.ID,
		wire.EnvIsProvider+"=true",
		wire.EnvIsRemoteProvider+"=true",
		envConnectionID+"="+connectionID,
		"ENVIRONMENT_NAME="+e.spec.Name,
		"environmentName="+e.spec.Name,
		"PROJECT_PATH="+e.spec.ProjectPath,
		wire.EnvEnvironmentConfig+"="+string(config),
	)
	// A name stands once, and the last one counts, as exec does it. What an outer
	// server set for this very process says nothing of the new one.
	for _, name := range []string{wire.EnvParentID, wire.EnvParentInstance, wire.EnvAgentTask, wire.EnvDev, "storedTaskId", "threadId"} {
		environ = append(environ, name+"=")
	}
	return append(environ, e.spec.Env...), nil
}

// envConnectionID tells apart the processes an environment has one after the
// other.
const envConnectionID = "connectionId"

// hideQuery is the query as a record may hold it.
func hideQuery(r *redact.Redactor, query url.Values) url.Values {
	shown := maps.Clone(query)
	for name, values := range shown {
		values = slices.Clone(values)
		for i, value := range values {
			if redact.SecretName(name) && value != "" {
				values[i] = redact.Mask
			} else {
				values[i] = r.String(value)
			}
		}
		shown[name] = values
	}
	return shown
}
