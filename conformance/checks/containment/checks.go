// Package containment holds the checks of group SC: that nothing outside the
// workspace is read, listed or changed, whatever a request names, whatever links
// lie in the workspace, and whatever others do to it meanwhile; and that no
// string of a request is ever run.
//
// A provider that fails does what it is asked. So nothing is asked for that would
// harm the machine or tell its secrets, whoever runs the checks: what is to be
// changed is always a file of the check, and what is read elsewhere is public.
package containment

import (
	"slices"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// Checks returns the group's checks.
func Checks() []suite.Check {
	return slices.Concat(paths(), links(), linksInside(), swaps(), special(), protected(), commands(), places())
}
