package main

import (
	"context"
	"log/slog"
	"net"
	"net/url"
	"sync"

	"github.com/codeboltai/codebolt-providers/shared/sshconn"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// tunnel is the way to the socket of a daemon behind ssh. A connection that broke
// is replaced when the next one is needed.
type tunnel struct {
	host *url.URL
	log  *slog.Logger
	turn chan struct{} // to look after the connection; a host may be silent for long
	life context.Context
	end  context.CancelFunc

	mu   sync.Mutex
	open *sshconn.Client
}

func newTunnel(host *url.URL, log *slog.Logger) *tunnel {
	t := &tunnel{host: host, log: log, turn: make(chan struct{}, 1)}
	t.life, t.end = context.WithCancel(context.Background())
	return t
}

// client gives the connection, and connects when there is none. It waits for
// another call that connects, but not longer than ctx.
func (t *tunnel) client(ctx context.Context) (*sshconn.Client, error) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return nil, wire.Errorf(wire.CodeOf(ctx.Err()), "ssh: connecting to %s goes on: %w", t.host.Host, context.Cause(ctx))
	}
	t.mu.Lock()
	open := t.open
	t.mu.Unlock()
	if open != nil {
		select {
		case <-open.Done():
		default:
			return open, nil
		}
		t.log.Warn("the ssh connection to the Docker daemon broke; connecting again", "error", open.Err())
		_ = open.Close() // it has ended
	}
	target, err := sshconn.ParseURL(t.host)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.life, cancel)()
	client, err := sshconn.Dial(ctx, target, sshconn.Options{Log: t.log})
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open = client; t.life.Err() == nil {
		return client, err
	}
	if err == nil {
		_ = client.Close() // it came too late
	}
	return nil, wire.Errorf(wire.NotRunning, "the connection to %s is closed", t.host.Host)
}

func (t *tunnel) dial(ctx context.Context, socket string) (net.Conn, error) {
	client, err := t.client(ctx)
	if err != nil {
		return nil, err
	}
	return client.DialUnix(ctx, socket)
}

// close ends the connection, and one that is being made. It is idempotent.
func (t *tunnel) close() error {
	t.end()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		return nil
	}
	return t.open.Close()
}
