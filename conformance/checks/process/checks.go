// Package process holds the checks of group PR: how a provider's process starts, connects, survives and ends.
package process

import "github.com/codeboltai/codebolt-providers/conformance/suite"

// Checks returns the group's checks.
func Checks() []suite.Check { return nil }
