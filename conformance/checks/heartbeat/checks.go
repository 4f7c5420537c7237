// Package heartbeat holds the checks of group HB: heartbeats and the health they tell.
package heartbeat

import "github.com/codeboltai/codebolt-providers/conformance/suite"

// Checks returns the group's checks.
func Checks() []suite.Check { return nil }
