package worktree

import (
	"bytes"
	"context"
	"io"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Hook is a configured command that runs where an environment's agents do, at a
// certain moment of its life.
type Hook struct {
	Name  string // as it is configured, such as postCreate
	Argv  []string
	Limit time.Duration
}

// Run runs a hook by run, which returns its exit status and writes all that it prints
// to out. note, unless it is nil, gets that line by line. It fails with kind Timeout
// when the hook takes longer than Limit, and Conflict when it does not end well.
func (h Hook) Run(ctx context.Context, note func(line string), run func(ctx context.Context, out io.Writer) (status int, err error)) error {
	ctx, cancel := context.WithTimeout(ctx, h.Limit)
	defer cancel()
	said := &lines{tell: note}
	status, err := run(ctx, said)
	switch {
	case ctx.Err() != nil && wire.CodeOf(err) == wire.Timeout:
		return wire.Errorf(wire.Timeout, "%s: %q took longer than %v (hookTimeout)", h.Name, h.Argv[0], h.Limit)
	case err != nil:
		return wire.Errorf(wire.CodeOf(err), "%s: %w", h.Name, err)
	case status != 0:
		return wire.Errorf(wire.Conflict, "%s: %q ended with status %d: %s", h.Name, h.Argv[0], status, said.end())
	}
	return nil
}

// lines passes on what a hook prints, line by line, and keeps the end of it. It is
// written to by one goroutine at a time.
type lines struct {
	tell func(line string)
	rest []byte
	last []byte
}

// maxLine is the longest line that is passed on, and hookOutput how much of the end an
// error quotes, in bytes.
const (
	maxLine    = 500
	hookOutput = 800
)

func (l *lines) Write(p []byte) (int, error) {
	l.last = append(l.last, p...)
	l.last = append(l.last[:0], l.last[max(0, len(l.last)-hookOutput):]...)
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
	text := strings.TrimSpace(strings.ToValidUTF8(string(l.last), "?"))
	if text == "" {
		return "it printed nothing"
	}
	return text
}
