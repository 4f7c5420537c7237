package engine

import (
	"bufio"
	"context"
	"errors"
	"io"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// LogOptions choose among a container's logs.
type LogOptions struct {
	Follow bool      // go on until the container ends
	Tail   int       // the last so many lines; 0 is all
	Since  time.Time // zero is from the beginning
}

// Logs writes what a container wrote; nil writers drop it. It fails with kind
// NotFound when there is no such container, and Unsupported when the daemon keeps
// its logs where it cannot read them.
func (e *Engine) Logs(ctx context.Context, id string, o LogOptions, stdout, stderr io.Writer) error {
	if err := named("container", id); err != nil {
		return err
	}
	op := "read the logs of container " + id
	body, err := retry(ctx, e, op, broken, func() (io.ReadCloser, error) { return e.api.logs(ctx, id, o) })
	if err != nil {
		return err
	}
	defer body.Close()
	err = (&frames{src: bufio.NewReader(body)}).copy(stdout, stderr)
	if failed, ok := errors.AsType[*writeError](err); ok {
		return wire.Errorf(wire.CodeOf(failed.cause), "docker: %s: %w", op, failed)
	}
	return e.fail(op, err)
}
