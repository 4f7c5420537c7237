// Package containment holds the checks of group SC: that nothing outside the workspace is read or changed.
package containment

import "github.com/codeboltai/codebolt-providers/conformance/suite"

// Checks returns the group's checks.
func Checks() []suite.Check { return nil }
