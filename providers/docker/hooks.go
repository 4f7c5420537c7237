package main

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/providers/docker/internal/engine"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// postCreate runs the configured command in a container that was just made. The
// environment that it prepares is not open before it has ended well.
func (b *box) postCreate(ctx context.Context, eng *engine.Engine) error {
	if len(b.cfg.PostCreate) == 0 {
		return nil
	}
	return b.tell().Phase(ctx, "postCreate", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, b.cfg.HookTimeout)
		defer cancel()
		said := &lines{tell: func(line string) { b.tell().Note("postCreate", line) }}
		code, err := eng.Exec(ctx, b.facts.Container, b.hook(b.cfg.PostCreate), nil, said, said)
		switch {
		case ctx.Err() != nil && wire.CodeOf(err) == wire.Timeout:
			return wire.Errorf(wire.Timeout, "postCreate: %q took longer than %v (hookTimeout)", b.cfg.PostCreate[0], b.cfg.HookTimeout)
		case err != nil:
			return wire.Errorf(wire.CodeOf(err), "postCreate: %w", err)
		case code != 0:
			return wire.Errorf(wire.Conflict, "postCreate: %q ended with status %d: %s", b.cfg.PostCreate[0], code, said.end())
		}
		return nil
	})
}

// preStopLimit bounds preStop, which has a part of the time that a stop has.
const preStopLimit = 8 * time.Second

// preStop runs the configured command before the container stops. Whether it
// succeeds does not change that.
func (b *box) preStop(ctx context.Context, eng *engine.Engine) {
	if len(b.cfg.PreStop) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, min(preStopLimit, b.cfg.HookTimeout))
	defer cancel()
	said := &lines{}
	code, err := eng.Exec(ctx, b.facts.Container, b.hook(b.cfg.PreStop), nil, said, said)
	if err != nil || code != 0 {
		b.log.Warn("preStop failed; the container stops all the same", "status", code, "error", err, "said", said.end())
	}
}

func (b *box) hook(argv []string) engine.ExecSpec {
	spec := engine.ExecSpec{Argv: argv, WorkDir: b.path}
	for name, value := range b.cfg.environ {
		spec.Env = append(spec.Env, name+"="+value)
	}
	return spec
}

// lines passes on what a hook prints, line by line, and keeps the end of it. It is
// written to by one goroutine at a time.
type lines struct {
	tell func(line string)
	rest []byte
	last tailWriter
}

// maxLine is the longest line that is passed on, in bytes.
const maxLine = 500

func (l *lines) Write(p []byte) (int, error) {
	_, _ = l.last.Write(p) // it takes everything
	if l.tell == nil {
		return len(p), nil
	}
	l.rest = append(l.rest, p...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found && len(l.rest) < maxLine {
			return len(p), nil
		}
		if text := strings.TrimSpace(strings.ToValidUTF8(string(line[:min(len(line), maxLine)]), "?")); text != "" {
			l.tell(text)
		}
		l.rest = append(l.rest[:0], rest...)
		if !found {
			l.rest = l.rest[:0]
		}
	}
}

// end is the end of what was printed.
func (l *lines) end() string {
	text := strings.TrimSpace(strings.ToValidUTF8(l.last.String(), "?"))
	if text == "" {
		return "it printed nothing"
	}
	return text
}
