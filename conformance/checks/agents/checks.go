// Package agents holds the checks of group AG: that agents which connect and speak as
// those with the SDK do are served, in the environment and by the platform, and that people
// can look at what they do, at terminals and by watching files.
package agents

import (
	"slices"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// Checks returns the group's checks.
func Checks() []suite.Check {
	return slices.Concat(life(), ending(), asking(), files(), commands(), identity(), breaks(), terminals(), watching())
}

// needs of all checks.
var needs = []suite.Capability{suite.Agents, "providerAgentStart"}

// patience is how long an agent may take for what it is told to do, and an environment
// to start it.
const patience = 30 * time.Second

// quiet is how long nothing more must come.
const quiet = time.Second
