package worktree

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// setupOutput is how much of a failed setup's output the error quotes, in bytes.
const setupOutput = 2000

// runSetup runs the configured command in a new worktree. The environment that
// it prepares is not open before it has ended well.
func runSetup(ctx context.Context, dir string, cfg Config) error {
	limit := cfg.SetupTimeout
	if limit <= 0 {
		limit = 10 * time.Minute
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var out bytes.Buffer
	cmd := exec.CommandContext(ctx, cfg.Setup[0], cfg.Setup[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	cmd.WaitDelay = 5 * time.Second
	inOwnGroup(cmd)
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); errors.Is(cause, context.DeadlineExceeded) {
		return wire.Errorf(wire.Timeout, "setup: %q took longer than %v (setupTimeout)", cfg.Setup[0], limit)
	}
	text := out.Bytes()
	if len(text) > setupOutput {
		text = text[len(text)-setupOutput:]
	}
	said := strings.TrimSpace(strings.ToValidUTF8(string(text), "?"))
	if said == "" {
		said = "it printed nothing"
	}
	return wire.Errorf(wire.Conflict, "setup: %q failed: %w: %s", cfg.Setup[0], err, said)
}
