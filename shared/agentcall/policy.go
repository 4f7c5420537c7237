package agentcall

import (
	"context"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// need is what a request takes.
type need int

const (
	needNothing need = iota
	needRead
	needWrite
	needExec
)

type approvals struct{}

// Policy says what agents may do without asking.
type Policy struct{}

// ParsePolicy reads a policy.
func ParsePolicy([]byte) (Policy, error) { return Policy{}, nil }

// Decide takes a confirmationResponse of the platform; false when none of the agent's
// requests waits for it.
func (c *Caller) Decide(wire.Header, []byte) bool { return false }

// allow returns nil when the request may be carried out.
func (c *Caller) allow(context.Context, *request) error { return nil }
