package agentcall

import (
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/codeboltai/codebolt-providers/shared/procgroup"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

const (
	// maxOutput is how much of each output of a command is kept: its beginning and
	// its end.
	maxOutput = 1 << 20
	// maxWhole is up to where a commandOutput has all output so far, as the SDK
	// documents it, and not only what is new.
	maxWhole = 64 << 10
	// maxUntold is how much output of a stream waits to be said before the command
	// waits.
	maxUntold = 256 << 10
	// tellPause is between two commandOutput of a stream.
	tellPause = 50 * time.Millisecond
)

// capture is the output of a command.
type capture struct {
	mu                   sync.Mutex
	stdout, stderr, both spool
	sealed               bool // no more is taken

	// Of a stream.
	stream bool
	untold []byte
	hurry  bool          // the command is not to wait: it has ended
	moved  *sync.Cond    // untold was taken, or hurry set
	news   chan struct{} // has a token when there is something untold
	end    chan struct{} // closed when sealed
}

func newCapture(ofStream bool) *capture {
	c := &capture{stream: ofStream, news: make(chan struct{}, 1), end: make(chan struct{})}
	c.moved = sync.NewCond(&c.mu)
	return c
}

func (c *capture) takeStdout(b []byte) { c.take(&c.stdout, b) }
func (c *capture) takeStderr(b []byte) { c.take(&c.stderr, b) }

func (c *capture) take(into *spool, b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.stream && len(c.untold) > maxUntold && !c.hurry {
		c.moved.Wait()
	}
	if c.sealed {
		return
	}
	into.write(b)
	c.both.write(b)
	if c.stream {
		c.untold = append(c.untold, b...)
		select {
		case c.news <- struct{}{}:
		default:
		}
	}
}

// ended has the output that is left come without a wait.
func (c *capture) ended() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hurry = true
	c.moved.Broadcast()
}

// seal ends the taking.
func (c *capture) seal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sealed = true
	close(c.end)
}

// describe adds the output to the end of a command.
func (c *capture) describe(end *commandEnd) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	end.Stdout, end.Stderr, end.Output = c.stdout.text(), c.stderr.text(), c.both.text()
	end.Truncated = c.both.dropped > 0
}

// commandOutput is what a command has printed.
type commandOutput struct {
	Type      string  `json:"type"`
	RequestID wire.ID `json:"requestId,omitzero"`
	Success   bool    `json:"success"`
	Output    string  `json:"output"`         // all so far,
	Delta     bool    `json:"delta,omitzero"` // or what is new
}

// tell says what a stream prints, until its output is sealed and all of it said.
func (m *command) tell(c *capture) {
	message := commandOutput{Type: typeOutput, RequestID: m.r.RequestID, Success: true}
	whole := ""
	for over := false; !over; {
		select {
		case <-c.news:
		case <-c.end:
			over = true
		}
		c.mu.Lock()
		text := valid(string(c.untold))
		c.untold = nil
		c.moved.Broadcast()
		c.mu.Unlock()
		if text == "" || m.c.ctx.Err() != nil {
			continue
		}
		if !message.Delta && len(whole)+len(text) <= maxWhole {
			whole += text
			message.Output = whole
		} else {
			message.Delta, message.Output, whole = true, text, ""
		}
		m.say(&message)
		select {
		case <-time.After(tellPause):
		case <-c.end:
		}
	}
}

// spool keeps the beginning and the end of what is written to it.
type spool struct {
	head, tail []byte
	dropped    int // bytes between them
}

const half = maxOutput / 2

func (s *spool) write(b []byte) {
	n := min(half-len(s.head), len(b))
	s.head = append(s.head, b[:n]...)
	s.tail = append(s.tail, b[n:]...)
	// Cut seldom, so that each byte is moved about once.
	if len(s.tail) > 2*half {
		s.cut()
	}
}

func (s *spool) cut() {
	if over := len(s.tail) - half; over > 0 {
		s.dropped += over
		s.tail = append(s.tail[:0], s.tail[over:]...)
	}
}

// text is what was kept, and between its two parts how much was not.
func (s *spool) text() string {
	s.cut()
	if s.dropped == 0 {
		return valid(string(s.head) + string(s.tail))
	}
	head, tail, dropped := s.head, s.tail, s.dropped
	torn := procgroup.Torn(head)
	head, dropped = head[:len(head)-torn], dropped+torn
	for len(tail) > 0 && !utf8.RuneStart(tail[0]) {
		tail, dropped = tail[1:], dropped+1
	}
	return valid(fmt.Sprintf("%s\n[%d bytes are left out here]\n%s", head, dropped, tail))
}

// valid makes text of bytes that may be anything.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }
