// Package process holds the checks of group PR: how a provider's process starts,
// connects, answers, survives and ends.
package process

import (
	"slices"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// Checks returns the group's checks.
func Checks() []suite.Check {
	return slices.Concat(
		unconfigured(), address(), secrecy(), retrying(), reconnecting(), refusal(), parent(), signals(), crash(),
		frames(), ids(), envelopes(), unsupported(), ending(),
	)
}

// Why a provider on the Node SDK cannot pass (the SDK is given; its providers
// are what is judged).
const (
	nodeNoIDs       = "it answers with a requestId of its own"
	nodeNoReconnect = "it never connects again"
	nodeWholeEnv    = "it puts the whole environment into the query"
	nodeNoAnswer    = "it answers no request that has no handler"
	nodeUnordered   = "its handlers run all at once and in no order"
	nodeNoSignals   = "it has no signal handlers"
	nodeNoParent    = "it does not look after its parent"
	nodeNoExit      = "it never exits by itself"
)
