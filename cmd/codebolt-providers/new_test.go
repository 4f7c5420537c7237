//go:build linux

package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/conformance"
	"github.com/codeboltai/codebolt-providers/manifests"
)

// checkout is this repository.
func checkout(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// runIn runs a program in a folder, where no workspace counts, with further variables.
func runIn(t *testing.T, dir string, env []string, argv ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, append(append(os.Environ(), "GOWORK=off"), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, out)
	}
}

// unnamed fails when a file of a folder has one of the words.
func unnamed(t *testing.T, dir string, words ...string) {
	t.Helper()
	files := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		for _, word := range words {
			if strings.Contains(string(text), word) {
				t.Errorf("%s has %s in it", path, word)
			}
		}
		return err
	})
	if err != nil || files < 10 {
		t.Errorf("%d files were looked at: %v", files, err)
	}
}

// TestANewProviderBuildsAloneAndConforms makes one from each of these, outside of this
// repository. The smallest is judged: by every check, or by some when a sample is asked
// for.
func TestANewProviderBuildsAloneAndConforms(t *testing.T) {
	t.Parallel()
	for _, entry := range manifests.All() {
		t.Run(entry.Folder, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "my-provider")
			runIn(t, t.TempDir(), nil, filepath.Join(programs, "codebolt-providers"), "new", dir, "--from", entry.Folder, "--checkout", checkout(t))
			unnamed(t, dir, entry.Manifest.UniqueID, entry.Manifest.Program(), "providers/"+entry.Folder+"/")
			runIn(t, dir, nil, "go", "vet", "./...")
			runIn(t, dir, nil, "go", "mod", "tidy", "-diff")
			if entry.Folder != "local" {
				return
			}
			var env []string
			if os.Getenv(conformance.EnvSample) != "" {
				env = append(env, conformance.EnvOnly+"=MF,LC-001,LC-017,FS-001,RS-001,SC-001")
			}
			runIn(t, dir, env, "go", "test", "-count=1", "-timeout", "30m", ".")
		})
	}
}
