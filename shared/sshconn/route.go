package sshconn

import (
	"slices"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// maxHops bounds a chain of jump hosts.
const maxHops = 16

// route returns the hops to a target, the target last. Each is resolved by its
// own name, and the first jump host may have jump hosts itself.
func route(t Target, o *Options) ([]*host, error) {
	var hops []*host // from the target backwards
	seen := map[string]bool{}
	var listed []string // the jump hosts that are left of the list in use
	for next := t; ; {
		h, err := resolve(next, o)
		if err != nil {
			if len(hops) > 0 {
				err = wire.Errorf(wire.CodeOf(err), "%w (as a jump host to %s)", err, t.Host)
			}
			return nil, err
		}
		if seen[h.String()] || len(hops) == maxHops {
			return nil, wire.Errorf(wire.Invalid,
				"ssh: the jump hosts to %s lead in a circle at %s; give it \"ProxyJump none\" in the configuration", t.Host, h.alias)
		}
		seen[h.String()] = true
		hops = append(hops, h)
		// Only where a list ends does the configuration of its first host go on.
		if len(listed) == 0 {
			if h.proxyCommand {
				return nil, wire.Errorf(wire.Unsupported,
					"ssh: the configuration reaches %s by a ProxyCommand, and no commands are run here; use ProxyJump for it", h.alias)
			}
			listed = h.jumps
		}
		if len(listed) == 0 {
			break
		}
		next, err = ParseTarget(strings.TrimSpace(listed[len(listed)-1]))
		if err != nil {
			return nil, rewrap(err, "ssh: ProxyJump: ")
		}
		listed = listed[:len(listed)-1]
	}
	slices.Reverse(hops)
	return hops, nil
}
