package sshconn

import (
	"context"
	"maps"
	"net"
	"sync"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Line is a way to a target that lasts: a connection that broke is replaced when the
// next one is needed. Passwords and passphrases by which a connection came about are kept
// in memory, and tried for the next one before anybody is asked again. Its methods are
// safe for concurrent use.
type Line struct {
	target  Target
	options Options
	turn    chan struct{} // to look after the connection; a host may be silent for long
	life    context.Context
	end     context.CancelFunc

	memory map[question]string // the holder of turn's

	mu   sync.Mutex
	open *Client
}

// question is what is asked of a person.
type question struct {
	kind      PromptKind
	host, key string
	text      string
}

// NewLine prepares a line. Nothing is connected before it is needed.
func NewLine(t Target, o Options) *Line {
	l := &Line{target: t, options: o, turn: make(chan struct{}, 1)}
	l.life, l.end = context.WithCancel(context.Background())
	return l
}

// Client gives the connection, and connects when there is none. It waits for another
// call that connects, but not longer than ctx. It fails as [Dial] does, and with kind
// NotRunning once the line is closed.
func (l *Line) Client(ctx context.Context) (*Client, error) {
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return nil, wire.Errorf(wire.CodeOf(ctx.Err()), "ssh: connecting to %s goes on: %w", l.target.Host, context.Cause(ctx))
	}
	l.mu.Lock()
	open := l.open
	l.mu.Unlock()
	if open != nil {
		if open.Err() == nil {
			return open, nil
		}
		if l.life.Err() == nil {
			l.options.log().Warn("the ssh connection broke; connecting again", "host", l.target.Host, "error", open.Err())
		}
		_ = open.Close() // it says again why it has ended
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.life, cancel)()
	client, err := l.connect(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open = client; l.life.Err() == nil {
		return client, err
	}
	if err == nil {
		_ = client.Close() // it came too late
	}
	return nil, wire.Errorf(wire.NotRunning, "ssh: the connection to %s is closed", l.target.Host)
}

// connect connects with what was answered before, and remembers the answers when they
// were right. A host that did not wait for an answer is tried again with it. The caller
// has the turn.
func (l *Line) connect(ctx context.Context) (*Client, error) {
	if l.options.Ask == nil {
		return Dial(ctx, l.target, l.options)
	}
	known := maps.Clone(l.memory)
	if known == nil {
		known = map[question]string{}
	}
	client, asked, err := l.dial(ctx, known)
	if err != nil && asked && wire.CodeOf(err) == wire.Unavailable && ctx.Err() == nil {
		client, _, err = l.dial(ctx, known)
	}
	if err == nil {
		l.memory = known
	}
	return client, err
}

// dial connects with the answers that are known, and adds those that are given to them.
// It tells whether somebody has answered.
func (l *Line) dial(ctx context.Context, known map[question]string) (_ *Client, asked bool, _ error) {
	var mu sync.Mutex // a question about a host's key may outlive its connection
	over, o := false, l.options
	o.Ask = func(ctx context.Context, p Prompt) (string, error) {
		q := question{p.Kind, p.Host, p.Key, p.Text}
		secret := p.Kind == AskPassphrase || (p.Kind == AskPassword || p.Kind == AskAnswer) && !p.Echo
		mu.Lock()
		answer, ok := known[q]
		mu.Unlock()
		if ok && secret && !p.Again {
			return answer, nil
		}
		answer, err := l.options.Ask(ctx, p)
		if err != nil {
			return "", err
		}
		mu.Lock()
		defer mu.Unlock()
		if over {
			return "", context.Canceled
		}
		if asked = true; secret {
			known[q] = answer
		}
		return answer, nil
	}
	client, err := Dial(ctx, l.target, o)
	mu.Lock()
	defer mu.Unlock()
	over = true
	return client, asked, err
}

// DialUnix is [Client.DialUnix] over the connection there is, or a new one.
func (l *Line) DialUnix(ctx context.Context, path string) (net.Conn, error) {
	client, err := l.Client(ctx)
	if err != nil {
		return nil, err
	}
	return client.DialUnix(ctx, path)
}

// Close ends the connection, and one that is being made. It is idempotent.
func (l *Line) Close() error {
	l.end()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open == nil {
		return nil
	}
	return l.open.Close()
}
