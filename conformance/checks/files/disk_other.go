//go:build !linux

package files

import "github.com/codeboltai/codebolt-providers/conformance/suite"

// mountSmall would make a folder with a small file system of its own.
func mountSmall(t *suite.T, _ string) { t.Skipf("a small file system can be mounted on Linux only") }
