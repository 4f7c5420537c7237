// Package residue holds the checks of group RS: that nothing is left behind.
package residue

import (
	"slices"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// Checks returns the group's checks.
func Checks() []suite.Check { return slices.Concat(removal(), cycles(), accidents(), atEnd()) }
