//go:build linux

package main_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// listenAt opens a listener whose address is as connect takes it.
func listenAt(t *testing.T, network string) (net.Listener, string) {
	t.Helper()
	where := "127.0.0.1:0"
	if network == "unix" {
		where = filepath.Join(t.TempDir(), "s")
	}
	ln, err := net.Listen(network, where)
	must(t, err)
	t.Cleanup(func() { ln.Close() })
	return ln, network + ":" + ln.Addr().String()
}

// accept serves one connection.
func accept(t *testing.T, ln net.Listener, serve func(conn net.Conn)) {
	t.Helper()
	done := make(chan struct{})
	t.Cleanup(func() { ln.Close(); <-done })
	go func() {
		defer close(done)
		conn, err := ln.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		serve(conn)
	}()
}

func noise(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, uint64(n)))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestAConnectionCarriesBytesBothWaysAndEachHalfEndsByItself(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"unix", "tcp"} {
		t.Run(network, func(t *testing.T) {
			t.Parallel()
			ln, address := listenAt(t, network)
			there, back := noise(3<<20), noise(5<<20)
			var got []byte
			accept(t, ln, func(conn net.Conn) {
				got, _ = io.ReadAll(conn) // until stdin ends
				_, _ = conn.Write(back)   // still possible then
			})
			answer := run(t, bytes.NewReader(there), "connect", address)
			if answer.status != 0 || answer.stderr != "" || !bytes.Equal([]byte(answer.stdout), back) {
				t.Errorf("status %d, %q, %d bytes back", answer.status, answer.stderr, len(answer.stdout))
			}
			if !bytes.Equal(got, there) {
				t.Errorf("%d bytes arrived", len(got))
			}
		})
	}
}

func TestBothDirectionsFlowAtTheSameTime(t *testing.T) {
	t.Parallel()
	ln, address := listenAt(t, "unix")
	accept(t, ln, func(conn net.Conn) { _, _ = io.Copy(conn, conn) })
	sent := noise(8 << 20)
	answer := run(t, bytes.NewReader(sent), "connect", address)
	if answer.status != 0 || !bytes.Equal([]byte(answer.stdout), sent) {
		t.Errorf("status %d, %q, %d bytes back", answer.status, answer.stderr, len(answer.stdout))
	}
}

func TestItEndsAtOnceWhenThePeerClosesThoughStdinIsOpen(t *testing.T) {
	t.Parallel()
	for _, network := range []string{"unix", "tcp"} {
		for name, serve := range map[string]func(conn net.Conn){
			"after reading": func(conn net.Conn) {
				_, _ = io.ReadFull(conn, make([]byte, 5))
				_, _ = conn.Write([]byte("bye"))
			},
			"without reading": func(conn net.Conn) {
				time.Sleep(50 * time.Millisecond) // what was sent has arrived, which makes closing a reset
			},
		} {
			t.Run(network+" "+name, func(t *testing.T) {
				t.Parallel()
				ln, address := listenAt(t, network)
				accept(t, ln, serve)
				cmd := command(t, "connect", address)
				stdin, w, err := os.Pipe()
				must(t, err)
				defer w.Close() // stays open meanwhile
				var out, problem bytes.Buffer
				cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &problem
				must(t, cmd.Start())
				stdin.Close()
				_, err = w.WriteString("hello")
				must(t, err)
				start := time.Now()
				if err := cmd.Wait(); err != nil || time.Since(start) > 20*time.Second || problem.Len() > 0 {
					t.Errorf("%v after %v: %q", err, time.Since(start), problem.String())
				}
				if want := map[string]string{"after reading": "bye"}[name]; out.String() != want {
					t.Errorf("got %q", out.String())
				}
			})
		}
	}
}

func TestWhatCannotBeReachedIsOneSentence(t *testing.T) {
	t.Parallel()
	ln, closed := listenAt(t, "tcp")
	ln.Close()
	for _, address := range []string{
		closed, "unix:" + filepath.Join(t.TempDir(), "none"), "tcp:192.0.2.1:80", "tcp:example.com:80", "tcp:0.0.0.0:80",
		"tcp:127.0.0.1", "udp:127.0.0.1:1", "nonsense",
	} {
		start := time.Now()
		got := run(t, nil, "connect", address)
		if got.status != 1 || strings.Count(got.stderr, "\n") != 1 || !strings.HasPrefix(got.stderr, "codebolt-runtime connect: ") || got.stdout != "" {
			t.Errorf("%s: %+v", address, got)
		}
		if strings.Contains(address, ":80") && !strings.Contains(got.stderr, "loopback") {
			t.Errorf("%s: %q", address, got.stderr)
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: it took %v", address, took)
		}
	}
}

func TestItWaitsForAListenerForAsLongAsItIsTold(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	start := time.Now()
	if got := run(t, nil, "connect", "--wait", "300ms", "unix:"+path); got.status != 1 || time.Since(start) < 250*time.Millisecond {
		t.Errorf("without a listener: %+v after %v", got, time.Since(start))
	}
	cmd := command(t, "connect", "unix:"+path, "--wait", "30s")
	var out bytes.Buffer
	cmd.Stdout = &out
	must(t, cmd.Start())
	time.Sleep(200 * time.Millisecond) // it has tried before
	ln, err := net.Listen("unix", path)
	must(t, err)
	accept(t, ln, func(conn net.Conn) { _, _ = conn.Write([]byte("here")) })
	must(t, cmd.Wait())
	if out.String() != "here" {
		t.Errorf("got %q", out.String())
	}
}
