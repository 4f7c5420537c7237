// Package containment holds the checks of group SC: that nothing outside the
// workspace is read, listed or changed, whatever a request names, whatever links
// lie in the workspace, and whatever others do to it meanwhile; and that no
// string of a request is ever run.
package containment

import (
	"slices"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// Checks returns the group's checks.
func Checks() []suite.Check {
	return slices.Concat(paths(), links(), linksInside(), swaps(), special(), protected(), commands(), places())
}
