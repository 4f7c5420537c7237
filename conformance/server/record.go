package server

import (
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/redact"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// recorder writes the JSON lines of Options.Record. A nil recorder does nothing.
type recorder struct {
	redactor *redact.Redactor
	file     *os.File // to close

	mu  sync.Mutex
	out io.Writer
	err error
}

// line is one line of the record.
type line struct {
	Time        string     `json:"time"`
	Environment string     `json:"environment"`
	Connection  int        `json:"connection"`
	Direction   Direction  `json:"direction,omitempty"`
	Event       string     `json:"event,omitempty"` // open, close or refused
	Query       url.Values `json:"query,omitempty"`
	Bytes       int        `json:"bytes,omitempty"`
	Binary      bool       `json:"binary,omitempty"`
	// A frame is JSON, or else a text.
	Frame wire.Raw `json:"frame,omitempty"`
	Text  *string  `json:"text,omitempty"`
}

func newRecorder(out io.Writer, dir string, redactor *redact.Redactor) (*recorder, error) {
	if out == io.Discard || out == nil && dir == "" {
		return nil, nil //nolint:nilnil // a nil recorder is one that does nothing
	}
	r := &recorder{redactor: redactor, out: out}
	if out == nil {
		dir = filepath.Join(dir, "frames")
		err := os.MkdirAll(dir, 0o700)
		if err == nil {
			r.file, err = os.CreateTemp(dir, time.Now().UTC().Format("20060102-150405")+"-*.jsonl")
		}
		if err != nil {
			return nil, wire.Errorf(wire.CodeOf(err), "server: make the record of frames: %w", err)
		}
		r.out = r.file
	}
	return r, nil
}

func (r *recorder) frame(f Frame) {
	if r == nil {
		return
	}
	entry := line{
		Time: f.Time.UTC().Format(time.RFC3339Nano), Environment: f.EnvironmentID, Connection: f.Connection,
		Direction: f.Direction, Bytes: len(f.Data), Binary: f.Binary,
	}
	shown := wire.Raw(r.redactor.JSON(append([]byte(nil), f.Data...)))
	if shown.Compact() == nil {
		entry.Frame = shown
	} else {
		text := string(shown)
		entry.Text = &text
	}
	r.write(entry)
}

func (r *recorder) event(environment string, connection int, event string, query url.Values) {
	if r == nil {
		return
	}
	r.write(line{
		Time: time.Now().UTC().Format(time.RFC3339Nano), Environment: environment, Connection: connection,
		Event: event, Query: hideQuery(r.redactor, query),
	})
}

func (r *recorder) write(entry line) {
	text, err := json.Marshal(entry)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil && r.err == nil {
		_, err = r.out.Write(append(text, '\n'))
	}
	if r.err == nil {
		r.err = err
	}
}

// close returns the first error of writing the record.
func (r *recorder) close() error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	err := r.err
	if r.file != nil {
		err = errors.Join(err, r.file.Close())
	}
	if err != nil {
		return wire.Errorf(wire.CodeOf(err), "server: the record of frames is not complete: %w", err)
	}
	return nil
}
