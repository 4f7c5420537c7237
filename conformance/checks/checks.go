// Package checks is the contract: every check of the conformance suite. Each
// group has a package of its own below this one.
package checks

import (
	"slices"

	"github.com/codeboltai/codebolt-providers/conformance/checks/agents"
	"github.com/codeboltai/codebolt-providers/conformance/checks/containment"
	"github.com/codeboltai/codebolt-providers/conformance/checks/files"
	"github.com/codeboltai/codebolt-providers/conformance/checks/heartbeat"
	"github.com/codeboltai/codebolt-providers/conformance/checks/lifecycle"
	"github.com/codeboltai/codebolt-providers/conformance/checks/manifests"
	"github.com/codeboltai/codebolt-providers/conformance/checks/network"
	"github.com/codeboltai/codebolt-providers/conformance/checks/process"
	"github.com/codeboltai/codebolt-providers/conformance/checks/residue"
	"github.com/codeboltai/codebolt-providers/conformance/checks/review"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// All returns every check, in the order of groups and ids.
func All() []suite.Check {
	all := slices.Concat(
		process.Checks(), lifecycle.Checks(), files.Checks(), containment.Checks(), review.Checks(),
		heartbeat.Checks(), network.Checks(), agents.Checks(), manifests.Checks(), residue.Checks(),
	)
	suite.Sort(all)
	return all
}
