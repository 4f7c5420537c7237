package provider

import (
	"time"

	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Settings is the configuration that every provider has. A provider's own keys
// stand beside these; see [OpenRequest.Decode].
type Settings struct {
	// OnStop says what providerStop does with the environment; default Keep.
	OnStop RemovePolicy `config:"onStop"`

	// Snapshot is the id of a snapshot that a new environment begins with; "" is the
	// usual beginning. One that exists is not changed by it.
	Snapshot string `config:"snapshot"`

	// ExecutionMode "local_thread_pool" means that agents run in the server's
	// own pool: no runtime is started.
	ExecutionMode string `config:"executionMode"`

	// AgentServerHost and AgentServerPort are where the runtime listens. A port
	// of 0, the default, means a unix socket where the system has them.
	AgentServerHost string `config:"agentServerHost"`
	AgentServerPort int    `config:"agentServerPort"`

	Runtime RuntimeSettings `config:"runtime"`

	// ForwardFollowUps passes messageResponse messages of the server on to the
	// runtime; the Node SDK drops them.
	ForwardFollowUps bool `config:"forwardFollowUps"`
	// ForwardNarrative gives the runtime the narrativeContext of an agent start.
	ForwardNarrative bool `config:"forwardNarrative"`
	// LegacyDiffError answers a failed providerGetDiffFiles in the Node SDK's
	// form, {"type":"getDiffFiles","error":…}.
	LegacyDiffError bool `config:"legacyDiffError"`
	// KeepRunning keeps the process alive after providerStop and closeSignal.
	KeepRunning bool `config:"keepRunning"`

	Timeouts Timeouts `config:"timeouts"`
}

// RuntimeSettings chooses the runtime.
type RuntimeSettings struct {
	// Path of codebolt-runtime; "" looks beside the provider and in PATH.
	Path string `config:"path"`
	// Command starts an upstream agent server instead: argv, with {port} and
	// {workspace} replaced.
	Command []string `config:"command"`
	// OwnerTimeout is how long a runtime goes on when no provider is connected.
	OwnerTimeout time.Duration `config:"ownerTimeout"`
}

// Timeouts bound what a provider waits for; numbers in the configuration are
// milliseconds.
type Timeouts struct {
	AgentServerStartup time.Duration `config:"agentServerStartup"` // default 30 s
	WSConnection       time.Duration `config:"wsConnection"`       // default 10 s
	GitOperations      time.Duration `config:"gitOperations"`      // default 180 s
	Cleanup            time.Duration `config:"cleanup"`            // stop and rollback; default 15 s
	FileOperations     time.Duration `config:"fileOperations"`     // one file request; default 30 s
	Review             time.Duration `config:"review"`             // one diff, patch or pull request; default 110 s
}

func (s *Settings) check() error {
	if s.OnStop == "" {
		s.OnStop = Keep
	}
	if err := s.OnStop.check("configuration"); err != nil {
		return err
	}
	switch s.ExecutionMode {
	case "", localThreadPool:
	default:
		return wire.Errorf(wire.Invalid, "configuration: executionMode is %q; write %s or leave it out", s.ExecutionMode, localThreadPool)
	}
	if id, err := resource.ParseID(s.Snapshot); s.Snapshot != "" && (err != nil || id.Kind() != SnapshotKind) {
		return wire.Errorf(wire.Invalid, "configuration: snapshot is %q, which is no snapshot's id; codebolt-providers snapshots lists those there are", s.Snapshot)
	}
	if s.AgentServerPort < 0 || s.AgentServerPort > 65535 {
		return wire.Errorf(wire.Invalid, "configuration: agentServerPort is %d; write a port number, or 0 for a unix socket", s.AgentServerPort)
	}
	for _, t := range []struct {
		d   *time.Duration
		def time.Duration
	}{
		{&s.Timeouts.AgentServerStartup, 30 * time.Second},
		{&s.Timeouts.WSConnection, 10 * time.Second},
		{&s.Timeouts.GitOperations, 180 * time.Second},
		{&s.Timeouts.Cleanup, 15 * time.Second},
		{&s.Timeouts.FileOperations, 30 * time.Second},
		{&s.Timeouts.Review, 110 * time.Second},
		{&s.Runtime.OwnerTimeout, 10 * time.Minute},
	} {
		if *t.d < 0 {
			return wire.Errorf(wire.Invalid, "configuration: a timeout is negative; write milliseconds, or 0 for the default")
		}
		if *t.d == 0 {
			*t.d = t.def
		}
	}
	return nil
}

func (p RemovePolicy) check(where string) error {
	switch p {
	case Keep, RemoveIfClean, SnapshotAndRemove:
		return nil
	}
	return wire.Errorf(wire.Invalid, "%s: onStop is %q; write %s, %s or %s", where, p, Keep, RemoveIfClean, SnapshotAndRemove)
}

const localThreadPool = "local_thread_pool"

// HasRuntime reports whether the environment gets a runtime of its own.
func (s *Settings) HasRuntime() bool { return s.ExecutionMode != localThreadPool }
