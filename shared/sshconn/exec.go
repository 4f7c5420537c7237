package sshconn

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Command is a program to run on the host.
type Command struct {
	// Argv is what [Quote] takes, Argv[0] a path or a name to be found in PATH.
	Argv           []string
	Stdin          io.Reader // nil is empty
	Stdout, Stderr io.Writer // nil drops what is written
}

// Run runs a program on the host to its end and returns its exit status, 126 or 127
// when it cannot be run. What the user's shell prints by itself before the program
// begins is not passed on. A read from Stdin that still waits when the program has
// ended is not waited for. When ctx ends, the program loses its streams, and is not
// ended otherwise. A host that allows few sessions at once (MaxSessions) has them one
// after the other.
//
// It fails with kind Invalid for an argv that Quote refuses, Unsupported where the
// account runs no programs, and Unavailable when the connection is lost.
func (c *Client) Run(ctx context.Context, cmd Command) (status int, err error) {
	s, err := c.begin(ctx, cmd.Argv)
	if err != nil {
		return 0, err
	}
	defer s.close()
	if cmd.Stdin == nil {
		_ = s.channel.CloseWrite() // it may have ended
	} else {
		go func() { // ends with Stdin, or when the session does
			_, _ = io.Copy(struct{ io.Writer }{s.channel}, cmd.Stdin) // a program need not read it all
			_ = s.channel.CloseWrite()                                // it may have ended
		}()
	}
	stdout, stderr := &gate{w: cmd.Stdout}, &gate{w: cmd.Stderr}
	defer stdout.shut()
	defer stderr.shut()
	copied := make(chan error, 1)
	go func() { // a host that is silent holds it until the connection ends
		var complaints sync.WaitGroup
		complaints.Go(func() { _, _ = io.Copy(stderr, s.stderr) }) // what is missing of it is in no error
		_, err := io.Copy(stdout, s.stdout)
		if err == nil || errors.Is(err, errNoMark) {
			complaints.Wait()
			<-s.over
			err = nil
		}
		copied <- err
	}()
	select {
	case err = <-copied:
	case <-ctx.Done():
		return 0, s.givenUp(ctx, cmd.Argv)
	}
	if err != nil {
		return 0, err // of Stdout
	}
	return s.outcome()
}

// gate is a writer that takes nothing any more once it is shut.
type gate struct {
	mu   sync.Mutex
	w    io.Writer // nil drops
	done bool
}

func (g *gate) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.done:
		return 0, io.ErrClosedPipe
	case g.w == nil:
		return len(p), nil
	}
	return g.w.Write(p)
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.done = true
}

// Pipe runs a program on the host and gives its streams as a connection, with all
// that those of DialUnix know. A program that fails ends it with an error that says
// what the program said.
func (c *Client) Pipe(ctx context.Context, argv ...string) (net.Conn, error) {
	s, err := c.begin(ctx, argv)
	if err != nil {
		return nil, err
	}
	p := &pipe{session: s}
	p.complaints.Go(func() { _, _ = io.Copy(&p.said, s.stderr) }) // ends with the channel
	conn, err := c.stream(p)
	if err != nil {
		s.close()
	}
	return conn, err
}

// prologue is what the user's shell becomes, whatever it has printed by then: it
// prints the mark after which everything is the program's own.
const prologue = `echo "$0"; echo "$0" >&2; exec "$@"`

// session is a program that runs on the host.
type session struct {
	client  *Client
	channel ssh.Channel
	closing sync.Once

	stdout, stderr *marked

	over   chan struct{} // closed when the host has told all it had to tell
	status *int          // before over is closed
	signal string
}

// begin starts a program.
func (c *Client) begin(ctx context.Context, argv []string) (*session, error) {
	if len(argv) == 0 || argv[0] == "" {
		return nil, wire.Errorf(wire.Invalid, "ssh: run a program: none is named")
	}
	mark := "codebolt-" + rand.Text()
	line, err := Quote(append([]string{"exec", "/bin/sh", "-c", prologue, mark}, argv...)...)
	if err != nil {
		return nil, err
	}
	channel, requests, err := c.openSession(ctx)
	if err != nil {
		return nil, err
	}
	s := &session{client: c, channel: channel, over: make(chan struct{})}
	s.stdout = &marked{from: channel, mark: []byte(mark + "\n")}
	s.stderr = &marked{from: channel.Stderr(), mark: s.stdout.mark}
	go s.listen(requests)
	type answer struct {
		ok  bool
		err error
	}
	answered := make(chan answer, 1)
	go func() { // a host that is silent holds it until the connection ends
		ok, err := channel.SendRequest("exec", true, ssh.Marshal(struct{ Command string }{line}))
		answered <- answer{ok, err}
	}()
	select {
	case a := <-answered:
		switch {
		case a.err != nil:
			s.close()
			return nil, s.lost()
		case !a.ok:
			s.close()
			return nil, wire.Errorf(wire.Unsupported, "ssh: %s: the host runs no programs for this user; use an account that may", c.Describe())
		}
	case <-ctx.Done():
		s.close()
		return nil, s.givenUp(ctx, argv)
	}
	return s, nil
}

func (s *session) givenUp(ctx context.Context, argv []string) error {
	return wire.Errorf(wire.CodeOf(ctx.Err()), "ssh: %s: running %s was given up: %w", s.client.Describe(), argv[0], context.Cause(ctx))
}

// listen hears how the program ends.
func (s *session) listen(requests <-chan *ssh.Request) {
	for r := range requests {
		switch r.Type {
		case "exit-status":
			var told struct{ Status uint32 }
			if ssh.Unmarshal(r.Payload, &told) == nil {
				status := int(told.Status)
				s.status = &status
			}
		case "exit-signal":
			var told struct {
				Signal         string
				Core           bool
				Message, Speak string
			}
			if ssh.Unmarshal(r.Payload, &told) == nil {
				s.signal = clean(told.Signal)
			}
		}
		if r.WantReply {
			_ = r.Reply(false, nil) // the connection may have ended
		}
	}
	close(s.over)
	s.client.sessions.freed()
}

func (s *session) close() {
	s.closing.Do(func() { _ = s.channel.Close() }) // it may have ended
}

// farewell is how long a connection that says that it ends may take to do so.
const farewell = time.Second

// lost is the error of a session that ended without a word.
func (s *session) lost() error {
	if err := s.client.Err(); err != nil {
		return err
	}
	select { // the session may have ended with a connection that says farewell
	case <-s.client.Done():
		return s.client.Err()
	case <-time.After(farewell):
	}
	return wire.Errorf(wire.Unavailable, "ssh: %s: the host ended the session", s.client.Describe())
}

// outcome is how the program ended, once that is over.
func (s *session) outcome() (int, error) {
	switch {
	case s.status == nil && s.signal == "":
		return 0, s.lost()
	case !s.stdout.found:
		return 0, wire.Errorf(wire.Unsupported, "ssh: %s: this account runs no programs but what its shell or the host's ForceCommand allows%s; use an account with an ordinary shell",
			s.client.Describe(), cmp.Or(s.stdout.noise(), s.stderr.noise()))
	case s.signal != "":
		return 0, wire.Errorf(wire.Unavailable, "ssh: %s: the program was ended by signal %s", s.client.Describe(), s.signal)
	}
	return *s.status, nil
}

// errNoMark is the end of a stream in which nothing was the program's.
var errNoMark = errors.New("the program did not begin")

// marked reads what comes after the mark.
type marked struct {
	from  io.Reader
	mark  []byte
	found bool
	buf   []byte // what may hold the beginning of the mark, or comes behind it
}

func (m *marked) Read(p []byte) (int, error) {
	for !m.found {
		chunk := make([]byte, 4<<10)
		n, err := m.from.Read(chunk)
		m.buf = append(m.buf, chunk[:n]...)
		if at := bytes.Index(m.buf, m.mark); at >= 0 {
			m.found, m.buf = true, m.buf[at+len(m.mark):]
			break
		}
		const kept = 1 << 10 // for the error
		if over := len(m.buf) - kept - len(m.mark); over > 0 {
			m.buf = append(m.buf[:0], m.buf[over:]...)
		}
		if errors.Is(err, io.EOF) {
			err = errNoMark
		}
		if err != nil {
			return 0, err
		}
	}
	if len(m.buf) > 0 {
		n := copy(p, m.buf)
		m.buf = m.buf[n:]
		return n, nil
	}
	return m.from.Read(p)
}

// noise is what came instead of the program, for a sentence.
func (m *marked) noise() string {
	if text := clean(string(m.buf)); text != "" {
		return " (it says: " + text + ")"
	}
	return ""
}

// tail keeps the end of what is written.
type tail struct{ buf []byte }

func (e *tail) Write(p []byte) (int, error) {
	const kept = 800
	e.buf = append(e.buf, p...)
	if over := len(e.buf) - kept; over > 0 {
		e.buf = append(e.buf[:0], e.buf[over:]...)
	}
	return len(p), nil
}

// pipe is the streams of a program.
type pipe struct {
	*session
	said       tail
	complaints sync.WaitGroup
}

func (p *pipe) Read(b []byte) (int, error) {
	n, err := p.stdout.Read(b)
	if !errors.Is(err, io.EOF) && !errors.Is(err, errNoMark) {
		return n, err
	}
	p.complaints.Wait()
	<-p.over
	switch status, failed := p.outcome(); {
	case failed != nil:
		err = failed
	case status != 0:
		err = wire.Errorf(wire.Unavailable, "ssh: %s: the program ended with status %d: %s", p.client.Describe(), status, clean(string(p.said.buf)))
	}
	return n, err
}

func (p *pipe) Write(b []byte) (int, error) { return p.channel.Write(b) }
func (p *pipe) CloseWrite() error           { return p.channel.CloseWrite() }
func (p *pipe) Close() error                { p.close(); return nil }

func (p *pipe) LocalAddr() net.Addr  { return p.client.SSH().LocalAddr() }
func (p *pipe) RemoteAddr() net.Addr { return p.client.SSH().RemoteAddr() }

// The stream around it knows deadlines.
func (p *pipe) SetDeadline(time.Time) error      { return nil }
func (p *pipe) SetReadDeadline(time.Time) error  { return nil }
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }

// sessions counts those that are open: a host allows only so many, and does not say
// how many.
type sessions struct {
	mu    sync.Mutex
	open  int
	last  time.Time     // when one ended
	moved chan struct{} // closed when one ends; nil while nobody waits
}

func (s *sessions) freed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	s.last = time.Now()
	if s.moved != nil {
		close(s.moved)
		s.moved = nil
	}
}

// settling is how long a host may take to forget a session that has ended.
const settling = 2 * time.Second

// wait is for a host that refused a session: it returns when another may be allowed,
// and false when there is nothing to wait for.
func (s *sessions) wait(ctx context.Context) bool {
	s.mu.Lock()
	if s.open == 0 && time.Since(s.last) > settling {
		s.mu.Unlock()
		return false
	}
	if s.moved == nil {
		s.moved = make(chan struct{})
	}
	moved, pause := s.moved, time.Second
	if time.Since(s.last) < settling {
		pause = 20 * time.Millisecond
	}
	s.mu.Unlock()
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-moved:
	case <-timer.C:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// openSession opens a session, as soon as the host allows one.
func (c *Client) openSession(ctx context.Context) (ssh.Channel, <-chan *ssh.Request, error) {
	type opened struct {
		channel  ssh.Channel
		requests <-chan *ssh.Request
		err      error
	}
	for {
		result := make(chan opened)
		c.mu.Lock()
		if err := c.ended(); err != nil {
			c.mu.Unlock()
			return nil, nil, err
		}
		c.work.Go(func() {
			channel, requests, err := c.SSH().OpenChannel("session", nil)
			select {
			case result <- opened{channel, requests, err}:
			case <-ctx.Done(): // nobody waits for it
				if err == nil {
					go ssh.DiscardRequests(requests)
					_ = channel.Close()
				}
			}
		})
		c.mu.Unlock()
		var o opened
		select {
		case o = <-result:
		case <-ctx.Done():
			return nil, nil, c.openFailed(ctx, "session", "a session", ctx.Err())
		}
		if o.err == nil {
			c.sessions.mu.Lock()
			c.sessions.open++
			c.sessions.mu.Unlock()
			return o.channel, o.requests, nil
		}
		if _, refused := errors.AsType[*ssh.OpenChannelError](o.err); refused && c.sessions.wait(ctx) {
			continue
		}
		return nil, nil, c.openFailed(ctx, "session", "a session (MaxSessions of its sshd may be too low)", o.err)
	}
}
