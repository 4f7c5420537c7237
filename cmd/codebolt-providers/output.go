package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// event is one line of run --json and logs --json.
type event struct {
	Event string `json:"event"` // phase, opened, started, output, ended, summary

	Phase       string            `json:"phase,omitzero"`
	State       string            `json:"state,omitzero"`
	MS          *int64            `json:"ms,omitzero"`
	Message     string            `json:"message,omitzero"`
	Environment string            `json:"environment,omitzero"`
	Path        string            `json:"path,omitzero"`
	ResourceID  string            `json:"resourceId,omitzero"`
	Attached    bool              `json:"attached,omitzero"`
	PID         int               `json:"pid,omitzero"`
	Stream      string            `json:"stream,omitzero"`
	Data        string            `json:"data,omitzero"`
	Encoding    string            `json:"encoding,omitzero"`
	ExitCode    *int              `json:"exitCode,omitzero"`
	Signal      string            `json:"signal,omitzero"`
	Error       string            `json:"error,omitzero"`
	Diff        *wire.DiffResult  `json:"diff,omitzero"`
	Outcome     string            `json:"outcome,omitzero"` // kept, applied or removed
	Removal     *removal          `json:"removal,omitzero"`
	Next        map[string]string `json:"next,omitzero"`
}

// printJSON prints one value on a line of its own.
func (a *app) printJSON(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s\n", data)
	return err
}

// jsonLines prints what is written to it as events, one a line of text.
type jsonLines struct {
	app    *app
	stream string
	rest   []byte // a line that has begun
}

func (l *jsonLines) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		line, rest, ended := bytes.Cut(l.rest, []byte("\n"))
		if !ended {
			return len(p), nil
		}
		if err := l.app.printJSON(event{Event: "output", Stream: l.stream, Data: string(line) + "\n"}); err != nil {
			return 0, err
		}
		l.rest = rest
	}
}

// end prints a last line that was not ended. It is idempotent.
func (l *jsonLines) end() error {
	if len(l.rest) == 0 {
		return nil
	}
	last := string(l.rest)
	l.rest = nil
	return l.app.printJSON(event{Event: "output", Stream: l.stream, Data: last})
}

// phases shows the steps of a start with their durations.
func (a *app) phases() *phases { return &phases{app: a} }

type phases struct {
	app  *app
	mu   sync.Mutex
	over bool
	note *time.Timer // shows what takes longer than a second
}

// noteAfter is how long a step may take before it is told of while it lasts.
const noteAfter = time.Second

// frame shows what a frame of the provider tells, if it tells of progress.
func (p *phases) frame(head wire.Header, frame []byte) {
	if head.Type != wire.TypeNotification {
		return
	}
	var n struct {
		Action string        `json:"action"`
		Data   wire.Progress `json:"data"`
	}
	if wire.Unmarshal(frame, &n) != nil || n.Action != wire.ActionProgress {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over {
		return
	}
	if p.app.json {
		_ = p.app.printJSON(event{Event: "phase", Phase: n.Data.Phase, State: n.Data.State, MS: &n.Data.Elapsed, Message: n.Data.Message})
		return
	}
	if p.note != nil {
		p.note.Stop()
		p.note = nil
	}
	switch n.Data.State {
	case "done":
		fmt.Fprintf(p.app.stderr, "  %-10s %s\n", n.Data.Phase, millis(n.Data.Elapsed))
	case "failed":
		fmt.Fprintf(p.app.stderr, "  %-10s failed after %s\n", n.Data.Phase, millis(n.Data.Elapsed))
	default:
		text := n.Data.Phase
		if n.Data.Message != "" {
			text += ": " + n.Data.Message
		}
		p.note = time.AfterFunc(noteAfter, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			if !p.over && !p.app.asker.stands() { // which would be torn by it
				fmt.Fprintf(p.app.stderr, "  %s …\n", text)
			}
		})
	}
}

func (p *phases) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	if p.note != nil {
		p.note.Stop()
	}
}

// opened tells where the environment is.
func (p *phases) opened(name string, r wire.StartResult, took time.Duration) {
	if p.app.json {
		ms := took.Milliseconds()
		_ = p.app.printJSON(event{Event: "opened", Environment: name, Path: r.WorkspacePath, ResourceID: r.ResourceID, Attached: r.Attached, MS: &ms})
		return
	}
	verb := "opened"
	if r.Attached {
		verb = "attached to"
	}
	fmt.Fprintf(p.app.stderr, "%s environment %s in %s: %s\n", verb, name, millis(took.Milliseconds()), r.WorkspacePath)
	for _, w := range r.Warnings {
		fmt.Fprintln(p.app.stderr, "warning:", w)
	}
}

func millis(ms int64) string {
	if ms >= 10_000 {
		return fmt.Sprintf("%.1f s", float64(ms)/1000)
	}
	return fmt.Sprintf("%d ms", ms)
}

// summary prints what changed, one line a file.
func summary(w io.Writer, d *wire.DiffResult) error {
	if len(d.Files) == 0 {
		_, err := fmt.Fprintln(w, "nothing changed")
		return err
	}
	letters := map[string]string{wire.Added: "A", wire.Modified: "M", wire.Deleted: "D", wire.Renamed: "R"}
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range d.Files {
		name := printable(f.Path)
		if f.OldPath != "" {
			name = printable(f.OldPath) + " → " + name
		}
		counts := fmt.Sprintf("+%d -%d", f.Changes.Additions, f.Changes.Deletions)
		if f.Binary {
			counts = "binary"
		}
		fmt.Fprintf(tw, "  %s\t%s\t%s\n", letters[f.Status], name, counts)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	s := d.Summary
	_, err := fmt.Fprintf(w, "%d files changed, %d insertions(+), %d deletions(-)\n", s.TotalFiles, s.TotalAdditions, s.TotalDeletions)
	return err
}

// printable quotes a name that could confuse a terminal.
func printable(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Sprintf("%q", name)
	}
	return name
}
