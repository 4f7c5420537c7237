// Package network holds the checks of group NT: that nothing is lost, doubled or
// reordered on links that break.
package network

import (
	"slices"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// Checks returns the group's checks.
func Checks() []suite.Check {
	return slices.Concat(slow(), cut(), halfOpen(), away(), flood(), begin(), forward(), broken(), volume())
}

// noReconnect is why a provider on the Node SDK fails what needs a second
// connection to the server.
const noReconnect = "it never connects to the server again"
