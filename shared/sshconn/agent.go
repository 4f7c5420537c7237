package sshconn

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// agentLimit is how long an agent may take for an answer: it may be waiting for
// a person's consent.
const agentLimit = time.Minute

// openAgent returns the signers of the hop's agent. The connection to it lasts
// until the hop is made.
func (h *hop) openAgent(ctx context.Context) ([]ssh.Signer, error) {
	if h.host.agent == "" {
		return nil, nil
	}
	conn, err := dialAgent(ctx, h.host.agent)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	h.afterwards = append(h.afterwards, func() { stop(); _ = conn.Close() })
	return agent.NewClient(&agentConn{conn, h.patience}).Signers()
}

func dialAgent(ctx context.Context, path string) (io.ReadWriteCloser, error) {
	if strings.HasPrefix(path, `\\.\pipe\`) {
		return os.OpenFile(path, os.O_RDWR, 0)
	}
	conn, err := (&net.Dialer{Timeout: agentLimit}).DialContext(ctx, "unix", path)
	if opErr, ok := errors.AsType[*net.OpError](err); ok {
		return nil, opErr.Err // the path is said elsewhere
	}
	return conn, err
}

// agentConn keeps the hop's time from running out while the agent thinks.
type agentConn struct {
	io.ReadWriteCloser
	patience *patience
}

func (c *agentConn) Write(p []byte) (int, error) {
	c.patience.pause()
	c.limit(time.Now().Add(agentLimit))
	return c.ReadWriteCloser.Write(p)
}

// Read waits for the next answer all the time, also when nothing was asked.
func (c *agentConn) Read(p []byte) (int, error) {
	n, err := c.ReadWriteCloser.Read(p)
	c.patience.resume()
	c.limit(time.Time{})
	return n, err
}

func (c *agentConn) limit(t time.Time) {
	if limited, ok := c.ReadWriteCloser.(interface{ SetDeadline(t time.Time) error }); ok {
		_ = limited.SetDeadline(t) // a pipe of Windows may have none
	}
}
