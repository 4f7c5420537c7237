package sshconn

import (
	"context"
	"net"
	"sync"

	"golang.org/x/crypto/ssh"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Client is an open connection. Its methods are safe for concurrent use.
type Client struct {
	hosts []*host
	hops  []*hop
	done  chan struct{}
	work  sync.WaitGroup
	life  context.Context // ends when Close is called
	end   context.CancelFunc

	sessions sessions

	mu   sync.Mutex
	base net.Conn // of the first hop; what goes over it ends with it
	err  error    // why it ended
}

// Dial connects to a target through its jump hosts. It fails with kind
//
//   - Invalid, when the target, the options or a configuration are wrong, or jump
//     hosts lead in a circle,
//   - Permission, when a host key is unknown, revoked or has changed, a host does
//     not let the user in, or a jump host forbids forwarding,
//   - Unavailable, when a host cannot be found or reached, or ends the connection,
//   - Timeout, when a hop takes longer than ConnectTimeout or ctx,
//   - Unsupported, for ProxyCommand and for hosts with which there is no
//     algorithm in common.
//
// The error names the hop and, for a refused login, the keys and methods that
// were tried. After an error nothing is left open.
func Dial(ctx context.Context, t Target, o Options) (*Client, error) {
	hosts, err := route(t, &o)
	if err != nil {
		return nil, err
	}
	c := &Client{hosts: hosts, done: make(chan struct{})}
	c.life, c.end = context.WithCancel(context.Background())
	unlocked := map[string]ssh.Signer{}
	var previous *hop
	for i, host := range hosts {
		h := &hop{host: host, jump: i < len(hosts)-1, ask: o.Ask, log: o.log(), unlocked: unlocked}
		if host.batch {
			h.ask = nil
		}
		if err := h.connect(ctx, previous, c.start, c.sever); err != nil {
			c.end()
			c.sever()
			for _, made := range c.hops {
				_ = made.client.Wait()
			}
			return nil, located(err, hosts, i)
		}
		c.hops = append(c.hops, h)
		previous = h
	}
	c.supervise()
	o.log().Debug("ssh: connected", "host", c.Describe(), "key", c.Fingerprint())
	return c, nil
}

func (c *Client) start(base net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.base = base
}

// sever ends everything at once by closing the first hop's connection.
func (c *Client) sever() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.base != nil {
		_ = c.base.Close()
	}
}

// fail ends the connection for a reason; the first reason counts.
func (c *Client) fail(err error) {
	c.mu.Lock()
	if c.ended() == nil {
		c.err = err
	}
	c.mu.Unlock()
	c.sever()
}

// supervise keeps every hop alive, and notices the end.
func (c *Client) supervise() {
	for i := range c.hops {
		c.work.Go(func() { c.keepAlive(i) })
	}
	c.work.Go(func() {
		err := c.last().client.Wait()
		c.fail(c.lost(err))
		for _, h := range c.hops {
			_ = h.client.Wait()
		}
		close(c.done)
	})
}

// lost is the error of a connection that ended by itself. The hop nearest to
// here that lost its stream is the one where it happened.
func (c *Client) lost(err error) error {
	at := len(c.hops) - 1
	for i, h := range c.hops {
		if end := h.conn.end(); end != nil {
			at, err = i, end
			break
		}
	}
	// It does not wrap the cause: to who reads a stream, io.EOF would be its end.
	return located(wire.Errorf(wire.Unavailable, "the connection was lost: %v", err), c.hosts, at)
}

func (c *Client) last() *hop { return c.hops[len(c.hops)-1] }

// SSH returns the connection to the target, for sessions and whatever else goes
// over it. It belongs to c.
func (c *Client) SSH() *ssh.Client { return c.last().client }

// Done is closed when the connection has ended: lost, dead or closed.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err returns why the connection ended, and nil while it has not: kind Timeout
// when a hop was silent for too long, else Unavailable, and never retryable
// after Close. Whoever was told by a stream or a program that the connection was
// lost gets an error here, too.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended()
}

// ended is Err. Streams may notice the end before supervise does. The caller holds
// c.mu.
func (c *Client) ended() error {
	if c.err == nil && c.last().conn.end() != nil {
		c.err = c.lost(nil)
	}
	return c.err
}

// Close ends the connection with everything that goes over it, and returns when
// nothing of it is at work any more. It is idempotent.
func (c *Client) Close() error {
	c.fail(wire.Permanent(wire.Errorf(wire.Unavailable, "ssh: %s: the connection was closed", c.Describe())))
	c.end()
	c.work.Wait()
	return nil
}

// Fingerprint returns the fingerprint of the target's host key as ssh-keygen
// prints it, beginning with SHA256.
func (c *Client) Fingerprint() string { return ssh.FingerprintSHA256(plain(c.last().key)) }

// Describe returns "user@host:port via jump1, jump2", for messages.
func (c *Client) Describe() string { return describe(c.hosts) }

// DialUnix connects to a unix socket on the target. The connection knows
// deadlines and CloseWrite, and it never ends with io.EOF when it was lost. It
// fails with kind Permission when the host forbids it, where that can be told
// from a socket that is not there or not for the user: OpenSSH does not tell,
// and then it is Unavailable.
func (c *Client) DialUnix(ctx context.Context, path string) (net.Conn, error) {
	return c.dial(ctx, "unix", path)
}

// DialTCP connects from the target to host:port, as DialUnix does to a socket.
func (c *Client) DialTCP(ctx context.Context, addr string) (net.Conn, error) {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return nil, wire.Errorf(wire.Invalid, "ssh: %q is not host:port: %w", addr, err)
	}
	return c.dial(ctx, "tcp", addr)
}

func (c *Client) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if err := c.Err(); err != nil {
		return nil, err
	}
	conn, err := c.SSH().DialContext(ctx, network, addr)
	if err != nil {
		return nil, c.openFailed(ctx, network, addr, err)
	}
	return c.stream(conn)
}
