package runtime

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/faultproxy"
)

// command is what a Control asks of the process.
type command struct {
	Do        string
	Frames    []json.RawMessage
	First     int
	Count     int
	Size      int
	Pause     time.Duration
	Bytes     int64
	Direction faultproxy.Direction
	End       faultproxy.End
	After     time.Duration
	On        bool
	Status    int
}

// Control steers the runtime that a provider has started with a folder. Its
// methods are safe for concurrent use. They fail when no runtime runs.
type Control struct {
	Dir string // what the runtime's argv says

	mu      sync.Mutex
	read    int64 // bytes of the journal
	entries []Entry
}

// Send sends frames to the provider, in order, waiting for one to be registered.
// It returns when they are handed to the system.
func (c *Control) Send(ctx context.Context, frames ...any) error {
	cmd := command{Do: "send"}
	for _, frame := range frames {
		text, err := json.Marshal(frame)
		if err != nil {
			return err
		}
		cmd.Frames = append(cmd.Frames, text)
	}
	return c.do(ctx, cmd)
}

// Count sends frames {"type":"numbered","n":N,"pad":…} from one number on, each
// with so many bytes of padding and a pause after it, as Send does.
func (c *Control) Count(ctx context.Context, first, count, size int, pause time.Duration) error {
	return c.do(ctx, command{Do: "count", First: first, Count: count, Size: size, Pause: pause})
}

// Cut cuts all connections, and CutAfter the one over which the next n bytes in
// the direction have passed; see package faultproxy.
func (c *Control) Cut(ctx context.Context, end faultproxy.End) error {
	return c.do(ctx, command{Do: "cut", End: end})
}

// CutAfter is described at Cut.
func (c *Control) CutAfter(ctx context.Context, d faultproxy.Direction, n int64, end faultproxy.End) error {
	return c.do(ctx, command{Do: "cutAfter", Direction: d, Bytes: n, End: end})
}

// Hold stops a direction until Release, as a peer that does not read.
func (c *Control) Hold(ctx context.Context, d faultproxy.Direction) error {
	return c.do(ctx, command{Do: "hold", Direction: d})
}

// Release ends Hold.
func (c *Control) Release(ctx context.Context, d faultproxy.Direction) error {
	return c.do(ctx, command{Do: "release", Direction: d})
}

// Leave cuts all connections and refuses new ones until Return; the process
// goes on.
func (c *Control) Leave(ctx context.Context) error { return c.do(ctx, command{Do: "leave"}) }

// Return ends Leave.
func (c *Control) Return(ctx context.Context) error { return c.do(ctx, command{Do: "return"}) }

// GreetAfter lets "registered" come so late on connections to come; negative is
// never.
func (c *Control) GreetAfter(ctx context.Context, d time.Duration) error {
	return c.do(ctx, command{Do: "greetAfter", After: d})
}

// HangUp makes the runtime close every connection to come after its greeting.
func (c *Control) HangUp(ctx context.Context, on bool) error {
	return c.do(ctx, command{Do: "hangUp", On: on})
}

// Refuse answers every handshake to come with an HTTP status; 0 ends that.
func (c *Control) Refuse(ctx context.Context, status int) error {
	return c.do(ctx, command{Do: "refuse", Status: status})
}

// Die ends the process without a goodbye.
func (c *Control) Die(ctx context.Context) error { return c.do(ctx, command{Do: "die"}) }

func (c *Control) do(ctx context.Context, cmd command) error {
	body, err := json.Marshal(cmd)
	if err != nil {
		return err
	}
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(c.Dir, fileSocket))
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://agentserver/", bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("agent server: %s: %w", cmd.Do, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("agent server: %s: %s", cmd.Do, bytes.TrimSpace(text))
	}
	return err
}

// steer listens for commands.
func (s *server) steer(ctx context.Context, path string) (*listener, error) {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) { // of an earlier life
		return nil, err
	}
	return serveOn(ctx, "unix", path, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var cmd command
		err := json.NewDecoder(r.Body).Decode(&cmd)
		if err == nil {
			err = s.obey(r.Context(), cmd)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
}

func (s *server) obey(ctx context.Context, cmd command) error {
	switch cmd.Do {
	case "send":
		for _, frame := range cmd.Frames {
			if err := s.say(ctx, frame); err != nil {
				return err
			}
		}
	case "count":
		pad := bytes.Repeat([]byte("x"), cmd.Size)
		for n := cmd.First; n < cmd.First+cmd.Count; n++ {
			if err := s.say(ctx, fmt.Appendf(nil, `{"type":"numbered","n":%d,"pad":"%s"}`, n, pad)); err != nil {
				return err
			}
			select {
			case <-time.After(cmd.Pause):
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	case "cut":
		s.proxy.Cut(cmd.End)
	case "cutAfter":
		s.proxy.CutAfter(cmd.Direction, cmd.Bytes, cmd.End)
	case "hold":
		s.proxy.Hold(cmd.Direction)
	case "release":
		s.proxy.Release(cmd.Direction)
	case "leave":
		s.proxy.Leave()
		s.proxy.Cut(faultproxy.Reset)
	case "return":
		return s.proxy.Return()
	case "greetAfter", "hangUp", "refuse":
		s.mu.Lock()
		defer s.mu.Unlock()
		switch cmd.Do {
		case "greetAfter":
			s.greetAfter = cmd.After
		case "hangUp":
			s.hangUp = cmd.On
		default:
			s.refuse = cmd.Status
		}
	case "die":
		s.endOnce.Do(func() { time.AfterFunc(50*time.Millisecond, func() { os.Exit(3) }) }) // after the answer
	default:
		return fmt.Errorf("%q is no command", cmd.Do)
	}
	return nil
}
