package provider

import (
	"errors"
	"os"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/agentcall"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/runtime"
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
	Agents  AgentSettings   `config:"agents"`

	Telemetry TelemetrySettings `config:"telemetry"`
	Metrics   MetricsSettings   `config:"metrics"`

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
	// Preset is how the runtime is started and how it speaks; "" is PresetOwn, or an
	// agent server where Command names one.
	Preset string `config:"preset"`
	// Path of codebolt-runtime; "" looks beside the provider and in PATH.
	Path string `config:"path"`
	// Command starts an upstream agent server instead: argv, with {port} and
	// {workspace} replaced.
	Command []string `config:"command"`
	// OwnerTimeout is how long a runtime goes on when no provider is connected.
	OwnerTimeout time.Duration `config:"ownerTimeout"`
}

// TelemetrySettings say where spans go. Without them, the OTEL_ variables of the
// provider's environment do.
type TelemetrySettings struct {
	// Endpoint is the base URL of an OTLP/HTTP receiver, as seen from this machine.
	Endpoint string `config:"endpoint"`
	// RuntimeEndpoint is the same as seen from the runtime. A runtime on this machine has
	// Endpoint when it is ""; one elsewhere traces nothing then.
	RuntimeEndpoint string `config:"runtimeEndpoint"`
}

// MetricsSettings say where numbers are shown.
type MetricsSettings struct {
	// Listen is an address on loopback, such as 127.0.0.1:0; "" shows none.
	Listen string `config:"listen"`
}

// AgentSettings are the rules for agents that use the SDK. Paths are those of the
// environment, but for PolicyFile.
type AgentSettings struct {
	// Roots are folders where agents may lie that are started by their path, besides
	// .codebolt/agents of the environment's files.
	Roots []string `config:"roots"`
	// DownloadHosts are those that agents may be fetched from, over https.
	DownloadHosts []string `config:"downloadHosts"`
	// Env names variables of the environment that agents see, besides those that every
	// program needs.
	Env []string `config:"env"`
	// Policy is auto, the default, ask-write, ask-exec or read-only.
	Policy string `config:"policy"`
	// PolicyFile holds a policy with more to it; it is on this machine.
	PolicyFile string `config:"policyFile"`
	// Network lets agents push, pull and clone with git.
	Network bool `config:"network"`
	// ProxyRules has the workspace's .codebolt/proxyExecution.json say who answers agents.
	// What it gives to the platform, no policy here is about.
	ProxyRules bool `config:"proxyRules"`
	// CommandTimeout is how long a command of an agent may take that has an end; default
	// 2 min.
	CommandTimeout time.Duration `config:"commandTimeout"`

	policy wire.Raw
}

// check reads the policy.
func (a *AgentSettings) check() error {
	switch {
	case a.Policy != "" && a.PolicyFile != "":
		return wire.Errorf(wire.Invalid, "configuration: agents.policy and agents.policyFile are both set; leave one out")
	case a.PolicyFile != "":
		raw, err := os.ReadFile(a.PolicyFile)
		if err != nil {
			return wire.Errorf(wire.Invalid, "configuration: agents.policyFile: %w", err)
		}
		a.policy = raw
	case a.Policy != "":
		raw, err := wire.Marshal(map[string]string{"mode": a.Policy})
		if err != nil {
			return wire.Errorf(wire.Invalid, "configuration: agents.policy: %w", err)
		}
		a.policy = raw
	default:
		return nil
	}
	if _, err := agentcall.ParsePolicy(a.policy); err != nil {
		return wire.Errorf(wire.Invalid, "configuration: %s: %w", firstOf(a.PolicyFile, "agents.policy"), err)
	}
	return nil
}

// rules are the settings as a runtime is told of them.
func (a *AgentSettings) rules() runtime.Agents {
	return runtime.Agents{
		Roots: a.Roots, DownloadHosts: a.DownloadHosts, Env: a.Env, Policy: a.policy, Network: a.Network, ProxyRules: a.ProxyRules,
		CommandTimeoutMS: a.CommandTimeout.Milliseconds(),
	}
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
	if err := errors.Join(s.Runtime.check(), s.Agents.check()); err != nil {
		return err
	}
	if err := errors.Join(s.Telemetry.check(), s.Metrics.check()); err != nil {
		return err
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
		{&s.Agents.CommandTimeout, 2 * time.Minute},
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
