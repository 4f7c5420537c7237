package agenthost

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/agentfolder"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// nodeAgents starts agents that are folders with a script for Node.
type nodeAgents struct{ h *Host }

// Start implements Starter. Fetching an agent may take long: what comes of it is told
// later.
func (s nodeAgents) Start(ctx context.Context, prompt *wire.Prompt, r Report) (Agent, error) {
	return s.h.speak(ctx, r, func(ctx context.Context) (*launch, error) {
		rules := s.h.opt.Agents
		o := agentfolder.Options{
			Roots: append([]string{filepath.Join(r.Workspace, ".codebolt", "agents")}, rules.Roots...), Base: r.Workspace, Store: rules.Store,
			Progress: func(text string) { r.Output(wire.Stderr, []byte(text+"\n")) },
		}
		if len(rules.DownloadHosts) > 0 {
			o.Downloads = &agentfolder.Downloads{Hosts: rules.DownloadHosts}
		}
		folder, err := agentfolder.Find(ctx, prompt.SelectedAgent, o)
		if err != nil {
			return nil, err
		}
		environ := agentEnviron(r, rules.Env, s.h.opt.Name, s.h.opt.InstanceID)
		node, err := lookUp("node", folder.Dir, environ)
		if err != nil {
			return nil, wire.Errorf(wire.CodeOf(err), "start the agent: its runtime is Node, which is not in this environment: %w", err)
		}
		return &launch{node, []string{"node", folder.Entry}, folder.Dir, environ}, nil
	})
}

// everyProgram are variables that agents see in any case, by their names or, where these
// end in an underscore, by how they begin.
var everyProgram = []string{
	"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_", "TZ", "TMPDIR", "TEMP", "TMP", "NODE_", "SSL_CERT_FILE", "SSL_CERT_DIR",
	"SystemRoot", "SystemDrive", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "ComSpec", "PATHEXT",
	"GIT_CEILING_DIRECTORIES", "GIT_OPTIONAL_LOCKS", "CODEBOLT_PORT_BASE", "PORT",
}

// agentEnviron is the environment of an agent that may say all it sees to its platform,
// as the SDK does: nothing of the runtime's own that it has no use for.
func agentEnviron(r Report, more []string, name, instance string) []string {
	allowed := slices.Concat(everyProgram, more)
	var env []string
	for _, pair := range r.Environ {
		key, _, _ := strings.Cut(pair, "=")
		if !withheld[key] && slices.ContainsFunc(allowed, func(a string) bool { return key == a || strings.HasSuffix(a, "_") && strings.HasPrefix(key, a) }) {
			env = append(env, pair)
		}
	}
	return append(env, own(r, name, instance)...)
}
