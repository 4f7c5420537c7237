package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// connect makes stdin and stdout one connection to a listener of this machine.
func connect(ctx context.Context, args []string, stdin io.Reader, stdout *os.File, stderr io.Writer) int {
	flags := newFlags("connect", "connect ADDRESS joins stdin and stdout to unix:PATH, or to tcp:HOST:PORT on loopback.\n"+
		"It ends when the connection ends.", stderr)
	wait := flags.Duration("wait", 0, "try again for so long while nobody listens")
	if status, ok := parsed(flags.Parse(args)); !ok {
		return status
	}
	address := flags.Arg(0)
	if flags.NArg() > 1 { // flags may stand behind the address too
		if status, ok := parsed(flags.Parse(flags.Args()[1:])); !ok {
			return status
		}
		if flags.NArg() > 0 {
			address = ""
		}
	}
	if address == "" {
		fmt.Fprintln(stderr, "codebolt-runtime connect: one address is needed, unix:PATH or tcp:HOST:PORT")
		return 2
	}
	plainSignals()
	conn, err := dial(ctx, address, *wait)
	if err == nil {
		err = join(conn, stdin, stdout)
	}
	if err != nil {
		fmt.Fprintf(stderr, "codebolt-runtime connect: %v\n", err)
		return 1
	}
	return 0
}

// dial reaches a listener, trying for so long.
func dial(ctx context.Context, address string, wait time.Duration) (net.Conn, error) {
	network, where, _ := strings.Cut(address, ":")
	switch network {
	case "unix":
	case "tcp":
		host, _, err := net.SplitHostPort(where)
		if err != nil {
			return nil, wire.Errorf(wire.Invalid, "%w", err)
		}
		if !isLoopback(host) {
			return nil, wire.Errorf(wire.Invalid, "%q is not a loopback address; this reaches only what runs beside it", host)
		}
	default:
		return nil, wire.Errorf(wire.Invalid, "%q is neither unix:PATH nor tcp:HOST:PORT", address)
	}
	const pause = 50 * time.Millisecond
	var d net.Dialer
	for until := time.Now().Add(wait); ; {
		d.Deadline = time.Now().Add(max(time.Until(until), 10*time.Second))
		conn, err := d.DialContext(ctx, network, where)
		if err == nil {
			return conn, nil
		}
		if time.Until(until) < pause {
			return nil, wire.Errorf(wire.Unavailable, "nobody answers at %s: %w", address, err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// join copies both ways until the connection sends no more. When stdin ends, only
// the sending half of the connection is closed.
func join(conn net.Conn, stdin io.Reader, stdout io.Writer) error {
	defer conn.Close()
	go func() { // ends with the process at the latest
		_, _ = io.Copy(conn, stdin) // whether the connection is broken shows below
		if half, ok := conn.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
	}()
	_, err := io.Copy(stdout, conn)
	if errors.Is(err, syscall.ECONNRESET) { // it closed before it had read everything
		return nil
	}
	return err
}
