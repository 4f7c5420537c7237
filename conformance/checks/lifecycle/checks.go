// Package lifecycle holds the checks of group LC: how an environment is started, stopped and found again.
package lifecycle

import "github.com/codeboltai/codebolt-providers/conformance/suite"

// Checks returns the group's checks.
func Checks() []suite.Check { return nil }
