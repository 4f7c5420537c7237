// Package manifests holds the checks of group MF: the two manifest files and the launcher.
package manifests

import "github.com/codeboltai/codebolt-providers/conformance/suite"

// Checks returns the group's checks.
func Checks() []suite.Check { return nil }
