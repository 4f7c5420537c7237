// Package review holds the checks of group DF: what a provider tells of the work
// that was done, as a diff, as a patch and as a pull request. A diff is judged by
// what git itself makes of it: counted by git, and applied by git.
package review

import (
	"slices"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// Checks returns the group's checks.
func Checks() []suite.Check {
	return slices.Concat(shape(), kinds(), names(), amounts(), patches(), untouched(), requests(), failures())
}

const (
	diffVerb  = "providerGetDiffFiles"
	patchVerb = "providerMergeAsPatch"
)

// Needs of most checks.
var (
	diffing  = []suite.Capability{diffVerb, "providerWriteFile"}
	onDisk   = []suite.Capability{diffVerb, suite.Disk}
	patching = []suite.Capability{diffVerb, patchVerb, suite.Disk}
)
