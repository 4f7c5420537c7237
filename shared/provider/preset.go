package provider

import (
	"cmp"
	"slices"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// The values of the setting runtime.preset: how a runtime is started, and how it speaks.
const (
	// PresetOwn is codebolt-runtime, unless runtime.command names an agent server.
	PresetOwn = "codebolt-runtime"
	// PresetAgentServer is @codebolt/agentserver, whose script runtime.path names.
	PresetAgentServer = "agentserver"
	// PresetCodebolt is `codebolt --server`, which speaks as the direct execution
	// gateway does.
	PresetCodebolt = "codebolt"
)

var presets = []string{PresetOwn, PresetAgentServer, PresetCodebolt}

// check checks what the settings say of the runtime.
func (r *RuntimeSettings) check() error {
	switch {
	case r.Preset != "" && !slices.Contains(presets, r.Preset):
		return wire.Errorf(wire.Invalid, "configuration: runtime.preset is %q; write one of %s", r.Preset, strings.Join(presets, ", "))
	case r.Preset == PresetAgentServer && r.Path == "" && len(r.Command) == 0:
		return wire.Errorf(wire.Invalid, "configuration: runtime.preset is %s, and nothing says where it is; write the path of its server.mjs into runtime.path, or the whole command into runtime.command", r.Preset)
	case r.Preset == PresetOwn && len(r.Command) > 0:
		return wire.Errorf(wire.Invalid, "configuration: runtime.command is for another agent server, and runtime.preset says %s; leave one out", r.Preset)
	}
	return nil
}

// Upstream reports whether the runtime is another agent server than codebolt-runtime.
func (r *RuntimeSettings) Upstream() bool {
	return len(r.Command) > 0 || r.Preset == PresetAgentServer || r.Preset == PresetCodebolt
}

// Gateway reports whether it speaks as the direct execution gateway does.
func (r *RuntimeSettings) Gateway() bool { return r.Preset == PresetCodebolt }

// command is the argv of another agent server, with {port} and {workspace} in it.
func (r *RuntimeSettings) command() []string {
	switch {
	case len(r.Command) > 0:
		return r.Command
	case r.Preset == PresetAgentServer:
		return []string{"node", r.Path, "--noui", "--port", "{port}", "--project-path", "{workspace}"}
	case r.Preset == PresetCodebolt:
		return []string{cmp.Or(r.Path, "codebolt"), "--server", "--port", "{port}", "--project", "{workspace}"}
	default:
		return nil
	}
}

// Server is how another agent server is started; nil for codebolt-runtime.
func (r *RuntimeSettings) Server(host string, port int) *runtime.Upstream {
	if !r.Upstream() {
		return nil
	}
	return &runtime.Upstream{Command: r.command(), Host: host, Port: port, Gateway: r.Gateway()}
}
