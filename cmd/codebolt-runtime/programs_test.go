//go:build linux

package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/programtest"
	"github.com/codeboltai/codebolt-providers/shared/transfer"
)

// programs is the folder with the program, built for these tests: it runs as
// providers run it.
var programs string

func TestMain(m *testing.M) {
	_ = os.Setenv("CGO_ENABLED", "0") // as releases are built
	os.Exit(programtest.Main(m, &programs, map[string]string{"codebolt-runtime": "."}))
}

// command is the program, which does not outlive a broken test.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, filepath.Join(programs, "codebolt-runtime"), args...)
	cmd.WaitDelay = time.Second
	return cmd
}

// said is what the program printed and how it ended.
type said struct {
	status         int
	stdout, stderr string
}

func run(t *testing.T, stdin io.Reader, args ...string) said {
	t.Helper()
	cmd := command(t, args...)
	var out, problem bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &problem
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return said{cmd.ProcessState.ExitCode(), out.String(), problem.String()}
}

func reported(t *testing.T, line string) transfer.Report {
	t.Helper()
	var r transfer.Report
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		t.Fatalf("%q is not a line of JSON: %v", line, err)
	}
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func put(t *testing.T, root, name, text string) {
	t.Helper()
	path := filepath.Join(root, name)
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(text), 0o644))
}

func get(root, name string) string {
	data, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		return err.Error()
	}
	return string(data)
}
