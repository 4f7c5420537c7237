// Package lifecycle holds the checks of group LC: how an environment is started, stopped and found again.
package lifecycle

import (
	"slices"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// Checks returns the group's checks.
func Checks() []suite.Check {
	return slices.Concat(
		starting(), repeating(), outside(), stopping(), interrupting(),
		failing(), faults(), disks(), healing(), names(), crowds(), work(), removing(), others(), places(), agents(),
	)
}
