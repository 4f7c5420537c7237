//go:build linux

package conformance_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/codeboltai/codebolt-providers/conformance"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// A provider in another language, with nothing of this project in it, is judged
// by the same contract.
func TestAProviderInPlainNodeKeepsTheContract(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/node-provider")); err != nil {
		t.Fatal(err)
	}
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("this test needs Node: ", err)
	}
	install := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	conformance.Run(t, conformance.Target{
		Program: node, Args: []string{filepath.Join(dir, "provider.mjs")}, Manifests: os.DirFS(dir),
		Options: suite.Options{Only: conformance.Sample(12)},
	})
}
