// Package manifests holds the checks of group MF: the two manifest files, the
// configuration and the requests that they declare, and the launcher.
package manifests

import (
	"slices"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// Checks returns the group's checks.
func Checks() []suite.Check {
	return slices.Concat(keys(), configuration(), declared(), launching())
}
