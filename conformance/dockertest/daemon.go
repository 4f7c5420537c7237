package dockertest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// DefaultHost is where a machine's own daemon listens.
const DefaultHost = "unix:///var/run/docker.sock"

// ErrNoDaemon is in the error when there is no daemon and none can be started
// here: not on Linux, not as root, or without the programs.
var ErrNoDaemon = errors.New("there is no Docker daemon for the test")

// Daemon is a Docker daemon. Its methods may be called concurrently, except those
// that end or start it.
type Daemon struct {
	// Host is its address, as DOCKER_HOST has it.
	Host string

	api   *http.Client
	cell  *cell // nil when it is not ours
	alone bool  // it is for one test

	busybox sync.Mutex
	made    bool     // the image of [Daemon.Image] is there
	claim   *os.File // on that image, while the daemon is not ours
}

// Options are those of a daemon of our own. The zero value works.
type Options struct {
	// DataRoot is the folder for its images and containers, for instance the place
	// where a small file system is mounted; what the daemon leaves there is the
	// caller's. The default is a new one that is removed with the daemon.
	DataRoot string
	// Args are further arguments of dockerd.
	Args []string
}

// Open gives the daemon at DOCKER_HOST, else the one at [DefaultHost], and when
// neither answers starts one. The caller closes it.
func Open(ctx context.Context) (*Daemon, error) {
	for _, host := range []string{os.Getenv("DOCKER_HOST"), DefaultHost} {
		if host == "" {
			continue
		}
		d, err := reach(host)
		if err != nil {
			continue
		}
		if d.ping(ctx) == nil {
			return d, nil
		}
		d.api.CloseIdleConnections()
	}
	return Start(ctx, Options{})
}

// Start starts a daemon of our own and waits until it answers, which takes about a
// second. It ends with
// [Daemon.Close], at the latest with this process.
func Start(ctx context.Context, o Options) (*Daemon, error) {
	c, host, err := newCell(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("dockertest: %w", err)
	}
	d, err := reach(host)
	if err == nil {
		d.cell = c
		err = d.up(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return d, nil
}

// Close ends a daemon of our own with its containers, at once, and removes all
// that was its. Of another it removes the image of [Daemon.Image], unless that is
// in use, by another process too. It may be called twice.
func (d *Daemon) Close() error {
	defer d.api.CloseIdleConnections()
	if d.cell != nil {
		return d.cell.close()
	}
	return d.disown()
}

// up starts dockerd in its cell and waits until it answers.
func (d *Daemon) up(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	down, err := d.cell.start()
	if err != nil {
		return err
	}
	for {
		if d.ping(ctx) == nil {
			return nil
		}
		select {
		case <-down:
			return fmt.Errorf("dockertest: dockerd did not start; its log ends with:\n%s", d.cell.log(20))
		case <-ctx.Done():
			return fmt.Errorf("dockertest: dockerd does not answer: %w; its log ends with:\n%s", context.Cause(ctx), d.cell.log(20))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Listen listens on a free port of 127.0.0.1 as the daemon sees it: there a
// registry, say, is reached by a pull, and needs no TLS.
func (d *Daemon) Listen(ctx context.Context) (net.Listener, error) {
	listen := func() (net.Listener, error) { return new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0") }
	if d.cell == nil {
		return listen()
	}
	var ln net.Listener
	var err error
	if werr := d.cell.within(func() { ln, err = listen() }); werr != nil {
		return nil, werr
	}
	return ln, err
}

// Dial connects to an address as the daemon sees it, such as that of a listener
// from Listen.
func (d *Daemon) Dial(ctx context.Context, address string) (net.Conn, error) {
	dial := func() (net.Conn, error) { return new(net.Dialer).DialContext(ctx, "tcp", address) }
	if d.cell == nil {
		return dial()
	}
	var conn net.Conn
	var err error
	if werr := d.cell.within(func() { conn, err = dial() }); werr != nil {
		return nil, werr
	}
	return conn, err
}

// Enter is the beginning of a command line that runs a program in the daemon's
// network; empty when that is this process's own.
func (d *Daemon) Enter() []string {
	if d.cell == nil {
		return nil
	}
	return []string{"nsenter", "--net=" + d.cell.network(), "--"}
}
