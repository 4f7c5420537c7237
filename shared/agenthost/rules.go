package agenthost

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
)

// rulesFile says which requests of agents the platform answers, and which the
// environment. The server writes it.
const rulesFile = ".codebolt/proxyExecution.json"

// maxRules is how large the file may be, in bytes.
const maxRules = 1 << 20

// rules are by a type, by "type:action" or by "type:*": "proxy" is the platform's to
// answer, "local" the environment's.
type rules map[string]string

// rules are the workspace's, when they count.
func (h *Host) rules(ctx context.Context) rules {
	if !h.opt.Agents.ProxyRules {
		return nil
	}
	return readRules(ctx, h.files, h.log)
}

// readRules reads the workspace's rules. Without a file, or with one that is broken, which
// is logged, there are none.
func readRules(ctx context.Context, files workspace.FS, log *slog.Logger) rules {
	text, err := files.ReadFile(ctx, rulesFile, maxRules)
	if wire.CodeOf(err) == wire.NotFound {
		return nil
	}
	found := rules{}
	if err == nil {
		found, err = parseRules(text)
	}
	if err != nil {
		log.Warn("the rules about who answers agents are left out", "file", rulesFile, "error", err)
		return nil
	}
	log.Info("rules say who answers agents", "file", rulesFile, "rules", len(found))
	return found
}

// parseRules reads an object of rules, which may stand under "rules". Keys with other
// values are not rules.
func parseRules(text []byte) (rules, error) {
	var outer map[string]json.RawMessage
	if err := json.Unmarshal(text, &outer); err != nil {
		return nil, wire.Errorf(wire.Invalid, "it is no JSON object: %w", err)
	}
	if inner, ok := outer["rules"]; ok {
		outer = nil
		if err := json.Unmarshal(inner, &outer); err != nil {
			return nil, wire.Errorf(wire.Invalid, `its "rules" are no JSON object: %w`, err)
		}
	}
	found := rules{}
	for key, raw := range outer {
		var value string
		if json.Unmarshal(raw, &value) != nil {
			continue
		}
		if value != "proxy" && value != "local" {
			return nil, wire.Errorf(wire.Invalid, "%s", fmt.Sprintf("%q is %q; write proxy or local", key, value))
		}
		found[strings.ToLower(key)] = value // as messages and documents write types differently
	}
	return found, nil
}

// of is the rule for a request; "" for none.
func (r rules) of(head wire.Header) string {
	if r == nil {
		return ""
	}
	for _, key := range []string{head.Type + ":" + head.Action, head.Type + ":*", head.Type} {
		if rule := r[strings.ToLower(key)]; rule != "" {
			return rule
		}
	}
	return ""
}
