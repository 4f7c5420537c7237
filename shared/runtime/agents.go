package runtime

import (
	"encoding/json"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Agents are the rules for the agents of a runtime that connect and speak, as those with
// the SDK do. Nothing in them is secret: they stand in a command line.
type Agents struct {
	// Roots are folders where agents may lie, besides .codebolt/agents in the workspace.
	Roots []string `json:"roots,omitzero"`
	// DownloadHosts are those that agents may be fetched from.
	DownloadHosts []string `json:"downloadHosts,omitzero"`
	// Env names variables of the runtime's environment that agents see, besides those
	// that every program needs.
	Env []string `json:"env,omitzero"`
	// Policy says what agents may do without asking, as agentcall.ParsePolicy reads it.
	Policy wire.Raw `json:"policy,omitzero"`
	// Network lets agents push, pull and clone with git.
	Network bool `json:"network,omitzero"`
	// ProxyRules has the workspace's proxyExecution.json say who answers agents.
	ProxyRules bool `json:"proxyRules,omitzero"`
	// CommandTimeoutMS is how long a command of an agent may take that has an end.
	CommandTimeoutMS int64 `json:"commandTimeoutMs,omitzero"`
}

// Flags are the arguments with which codebolt-runtime starts for this Spec, with its
// private directory at dir and listening at listen, each as it is for the runtime.
func (s Spec) Flags(dir, listen string) []string {
	args := []string{
		"--workspace", s.Workspace, "--name", s.Name, "--dir", dir, "--instance", s.Instance,
		"--listen", listen, "--owner-timeout", s.OwnerTimeout.String(),
	}
	for _, name := range s.Protected {
		args = append(args, "--protect", name)
	}
	if rules, err := json.Marshal(s.Agents); err == nil && string(rules) != "{}" {
		args = append(args, "--agents", string(rules))
	}
	return args
}
