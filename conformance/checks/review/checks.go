// Package review holds the checks of group DF: diff, patch and pull request.
package review

import "github.com/codeboltai/codebolt-providers/conformance/suite"

// Checks returns the group's checks.
func Checks() []suite.Check { return nil }
