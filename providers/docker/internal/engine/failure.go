package engine

import (
	"context"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Failure explains why a container ended: nil while it runs, before it ran, and
// after exit code 0. Since a container's first process is its init, a program that
// is missing or for another machine does not fail the start; it is seen here.
//
// The kinds are Unavailable for a memory limit that was met (not retryable) and
// for any other exit code, Invalid when there is no such program, and Unsupported
// when the image is for another architecture. The end of what the container wrote
// is in the sentence. NotFound when there is no such container.
func (e *Engine) Failure(ctx context.Context, id string) error {
	c, err := e.Container(ctx, id)
	if err != nil || c.Running || c.ExitCode == 0 && !c.OOMKilled {
		return err
	}
	op := "container " + c.Name
	if c.OOMKilled {
		return verdict(wire.Unavailable, true, "docker: %s met its memory limit and was killed; raise the limit", op)
	}
	if c.Error != "" { // of a start that failed
		return e.fail(op, &said{text: c.Error})
	}
	written := tail{max: stderrMax}
	if err := e.Logs(ctx, id, LogOptions{Tail: 20}, &written, &written); err != nil && wire.CodeOf(err) != wire.Unsupported {
		return err
	}
	end := tidy(string(written.buf))
	if img, err := e.Image(ctx, c.ImageID); err == nil && img.Arch != "" && img.Arch != e.info.Arch {
		return wire.Errorf(wire.Unsupported, "docker: %s ended with exit code %d: its image is for %s and the daemon's machine is %s: %s; choose another image or platform, or install emulation (binfmt)",
			op, c.ExitCode, img.Arch, e.info.Arch, end)
	}
	if neverRan(c.ExitCode, end) {
		return e.fail(op, &said{text: end})
	}
	if c.ExitCode == 137 && end == "" { // the daemon can miss that it was the limit
		end = "it was killed; if nobody did so, raise its memory limit"
	}
	return wire.Errorf(wire.Unavailable, "docker: %s ended with exit code %d: %s", op, c.ExitCode, end)
}

// neverRan reports whether what was written is not a program's but the complaint
// of an init or runtime that could not start it.
func neverRan(code int, written string) bool {
	if code == 0 || ruleFor(written) == nil {
		return false
	}
	return strings.Contains(written, "[FATAL tini") || strings.Contains(written, "exec user process caused") ||
		strings.HasPrefix(written, "exec ") && strings.Contains(written, ": exec format error")
}
