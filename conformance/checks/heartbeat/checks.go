// Package heartbeat holds the checks of group HB: heartbeats and health, as a
// server that watches over its providers needs them.
package heartbeat

import (
	"slices"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// Checks returns the group's checks.
func Checks() []suite.Check {
	return slices.Concat(beats(), contents(), faults(), burdens(), questions())
}

// Bounds of what is waited for. The periods are 10 and 15 seconds; the rest is
// what a busy machine takes.
const (
	atOnce          = 5 * time.Second
	providerGap     = 14 * time.Second
	environmentGap  = 20 * time.Second
	watchedFor      = 33 * time.Second
	statusLimit     = 40 * time.Second
	mostBeats       = 9 // in watchedFor
	nodeNoAlive     = "it drops environmentAlive"
	nodeNoIDs       = "it uses the environment's name for all ids"
	nodeNoReconnect = "it never connects again"
	nodeNoHandler   = "it answers no request that has no handler"
)

var (
	ofProvider    = suite.OfType("providerHeartbeat")
	ofEnvironment = suite.OfType("environmentHeartbeat")
)

// either matches either heartbeat.
func either(m suite.Message) bool { return ofProvider(m) || ofEnvironment(m) }
