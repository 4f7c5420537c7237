package runtime

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"
)

const (
	fileJournal = "journal"
	// keptMessage is the largest message that stands in the journal whole, in
	// bytes.
	keptMessage = 64 << 10
)

// Event is what a journal entry tells.
type Event string

// The events.
const (
	Started Event = "started" // a process
	Ended   Event = "ended"   // a process, in good order
	Opened  Event = "opened"  // a connection
	Greeted Event = "greeted" // "registered" was sent
	Closed  Event = "closed"  // a connection
	Told    Event = "told"    // a message of the provider
)

// Entry is one line of a journal.
type Entry struct {
	Time       time.Time
	PID        int // of the process; each start has another
	Connection int // counts the process's connections from 1
	Event      Event
	Query      string          // of the URL; with Opened
	Bytes      int             // of the message
	Message    json.RawMessage `json:",omitempty"` // when it is JSON and not too large
	MessageID  string          // the message's member of that name, whatever its size
}

// note writes a line.
func (s *server) note(e Entry) {
	e.Time, e.PID = time.Now(), os.Getpid()
	line, err := json.Marshal(e)
	if err != nil {
		e.Message = nil
		line, _ = json.Marshal(e) // all the rest encodes
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	_, _ = s.journal.Write(append(line, '\n')) // a check misses what is not there
}

// Journal returns what the runtimes of the folder have noted so far, whichever
// process it was, and reads only what is new since the last call.
func (c *Control) Journal() ([]Entry, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, err := os.Open(filepath.Join(c.Dir, fileJournal))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, c.read, 1<<40))
	if err != nil {
		return nil, err
	}
	for {
		line, _, whole := bytes.Cut(text, []byte("\n"))
		if !whole {
			break
		}
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, err
		}
		c.entries = append(c.entries, e)
		c.read += int64(len(line)) + 1
		text = text[len(line)+1:]
	}
	return c.entries[:len(c.entries):len(c.entries)], nil
}
