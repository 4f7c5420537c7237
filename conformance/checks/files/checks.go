// Package files holds the checks of group FS: what the file requests do and
// answer.
package files

import (
	"slices"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// Checks returns the group's checks.
func Checks() []suite.Check {
	return slices.Concat(
		answering(), contents(), encoding(), naming(), refusing(), writing(), disk(),
		deleting(), copying(), moving(), listing(), projects(), ordering(),
	)
}
