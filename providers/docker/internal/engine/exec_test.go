//go:build linux

package engine_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/codeboltai/codebolt-providers/providers/docker/internal/engine"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestACommandHasItsStreamsUserFolderEnvironmentAndCode(t *testing.T) {
	t.Parallel()
	b := open(t)
	id := b.run(t, engine.ContainerSpec{Env: []string{"A=outer", "B=kept"}})
	var out, complaints bytes.Buffer
	code, err := b.Exec(within(t, time.Minute), id, engine.ExecSpec{
		Argv: []string{"sh", "-c", `id -u; pwd; echo "$A $B $1"; cat; echo bad >&2; exit 3`, "sh", "one two;$(x)"},
		User: "1000", WorkDir: "/tmp", Env: []string{"A=inner"},
	}, strings.NewReader("from stdin\n"), &out, &complaints)
	if err != nil || code != 3 {
		t.Fatalf("code %d, %v", code, err)
	}
	if got := out.String(); got != "1000\n/tmp\ninner kept one two;$(x)\nfrom stdin\n" {
		t.Errorf("stdout %q", got)
	}
	if got := complaints.String(); got != "bad\n" {
		t.Errorf("stderr %q", got)
	}
	// Without stdin a command meets its end at once, and streams nobody wants are dropped.
	if code, err := b.Exec(within(t, time.Minute), id, engine.ExecSpec{Argv: []string{"cat"}}, nil, nil, nil); err != nil || code != 0 {
		t.Errorf("code %d, %v", code, err)
	}
}

func TestACommandThatCannotRunIsTold(t *testing.T) {
	t.Parallel()
	b := open(t)
	id := b.run(t, engine.ContainerSpec{})
	exec := func(id string, s engine.ExecSpec) error {
		_, err := b.Exec(within(t, time.Minute), id, s, nil, nil, nil)
		return err
	}
	want(t, exec(id, engine.ExecSpec{Argv: []string{"nope"}}), wire.Invalid, "no such program", "nope")
	want(t, exec(id, engine.ExecSpec{Argv: []string{"/etc/passwd"}}), wire.Invalid, "not executable")
	want(t, exec(id, engine.ExecSpec{Argv: []string{"id"}, User: "nobody-here"}), wire.Invalid, "no such user")
	want(t, exec(id, engine.ExecSpec{Argv: []string{"id"}, WorkDir: "/none"}), wire.Invalid, "working directory")
	want(t, exec(id, engine.ExecSpec{}), wire.Invalid, "no command")
	want(t, exec("codebolt-none", engine.ExecSpec{Argv: []string{"id"}}), wire.NotFound)
	want(t, exec("../x", engine.ExecSpec{Argv: []string{"id"}}), wire.Invalid)

	conn, err := b.ExecConn(within(t, time.Minute), id, engine.ExecSpec{Argv: []string{"nope"}})
	wantNil(t, err)
	defer conn.Close()
	for range 2 { // it stays so
		_, err = conn.Read(make([]byte, 1))
		want(t, err, wire.Invalid, "no such program", "nope")
	}

	wantNil(t, b.StopContainer(t.Context(), id, 0))
	want(t, exec(id, engine.ExecSpec{Argv: []string{"id"}}), wire.NotRunning, "start it first")
}

func TestACommandThatSpeaksAsTheDaemonIsNotMistakenForIt(t *testing.T) {
	t.Parallel()
	b := open(t)
	id := b.run(t, engine.ContainerSpec{})
	conn, err := b.ExecConn(within(t, time.Minute), id, engine.ExecSpec{Argv: []string{"printf", `unable to find user: not really\r\n`}})
	wantNil(t, err)
	defer conn.Close()
	if got, err := io.ReadAll(conn); err != nil || string(got) != "unable to find user: not really\r\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestACommandsConnectionCarriesEveryByteBothWays(t *testing.T) {
	t.Parallel()
	b := open(t)
	echoes(t, b, b.run(t, engine.ContainerSpec{}))
}

// echoes sends megabytes through a command and wants them back.
func echoes(t *testing.T, b *box, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	conn, err := b.ExecConn(ctx, id, engine.ExecSpec{Argv: []string{"sh", "-c", "cat; echo complaint >&2"}})
	cancel() // the opening's only
	wantNil(t, err)
	defer conn.Close()
	wantNil(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	sent := make([]byte, 5<<20)
	_, _ = rand.Read(sent)
	go func() {
		_, _ = conn.Write(sent)
		if half, ok := conn.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
			conn.Close()
		}
	}()
	got, err := io.ReadAll(conn)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("%d of %d bytes came back, %v", len(got), len(sent), err)
	}
}

func TestAReadDeadlinePassesAndReadingGoesOn(t *testing.T) {
	t.Parallel()
	b := open(t)
	id := b.run(t, engine.ContainerSpec{})
	conn, err := b.ExecConn(within(t, time.Minute), id, engine.ExecSpec{Argv: []string{"cat"}})
	wantNil(t, err)
	defer conn.Close()
	for range 2 {
		wantNil(t, conn.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
		_, err = conn.Read(make([]byte, 10))
		if timeout, ok := errors.AsType[net.Error](err); !ok || !timeout.Timeout() {
			t.Fatalf("%v is no timeout", err)
		}
	}
	wantNil(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
	if _, err := conn.Write([]byte("later")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(conn, got[:2]); err != nil { // parts of a frame are kept
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, got[2:]); err != nil || string(got) != "later" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestReadingSaysHowACommandFailed(t *testing.T) {
	t.Parallel()
	b := open(t)
	id := b.run(t, engine.ContainerSpec{})
	conn, err := b.ExecConn(within(t, time.Minute), id, engine.ExecSpec{Argv: []string{"sh", "-c", "echo out; echo first >&2; echo the reason >&2; exit 42"}})
	wantNil(t, err)
	defer conn.Close()
	got, err := io.ReadAll(conn)
	want(t, err, wire.Unavailable, "exit code 42", "the reason")
	if string(got) != "out\n" {
		t.Errorf("stdout %q", got)
	}
	if failed, ok := errors.AsType[*engine.ExitError](err); !ok || failed.Code != 42 || failed.Stderr != "first\nthe reason" {
		t.Errorf("%+v", failed)
	}
}

func TestAKilledContainerEndsItsCommandsConnections(t *testing.T) {
	t.Parallel()
	b := open(t)
	id := b.run(t, engine.ContainerSpec{})
	conn, err := b.ExecConn(within(t, time.Minute), id, engine.ExecSpec{Argv: []string{"cat"}})
	wantNil(t, err)
	defer conn.Close()
	wantNil(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
	_, err = conn.Write([]byte("x"))
	wantNil(t, err)
	_, err = conn.Read(make([]byte, 1)) // it runs
	wantNil(t, err)
	wantNil(t, b.KillContainer(t.Context(), id, ""))
	_, err = conn.Read(make([]byte, 1))
	want(t, err, wire.Unavailable)
}

func TestCommandsLeaveNoGoroutineBehind(t *testing.T) { // not parallel: it counts them
	b := open(t)
	id := b.run(t, engine.ContainerSpec{})
	wantNil(t, b.Close()) // its idle connections
	before := goleak.IgnoreCurrent()
	conn, err := b.ExecConn(within(t, time.Minute), id, engine.ExecSpec{Argv: []string{"cat"}})
	wantNil(t, err)
	read := make(chan error)
	go func() {
		_, err := conn.Read(make([]byte, 1))
		read <- err
	}()
	time.Sleep(50 * time.Millisecond) // most likely it reads by then
	conn.Close()
	if err := <-read; !errors.Is(err, net.ErrClosed) {
		t.Errorf("the read ended with %v", err)
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a read after Close ended with %v", err)
	}
	if _, err := b.Exec(within(t, 200*time.Millisecond), id, engine.ExecSpec{Argv: []string{"sleep", "600"}}, strings.NewReader("x"), nil, nil); wire.CodeOf(err) != wire.Timeout {
		t.Errorf("a command longer than its context ended with %v", err)
	}
	if _, err := b.WaitContainer(within(t, 200*time.Millisecond), id); wire.CodeOf(err) != wire.Timeout {
		t.Errorf("waiting ended with %v", err)
	}
	wantNil(t, b.Close())
	goleak.VerifyNone(t, before)
}

func TestTheCallersWriterEndsACommandsOutput(t *testing.T) {
	t.Parallel()
	b := open(t)
	id := b.run(t, engine.ContainerSpec{})
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	wantNil(t, err)
	defer full.Close()
	_, err = b.Exec(within(t, time.Minute), id, engine.ExecSpec{Argv: []string{"yes"}}, nil, full, nil)
	want(t, err, wire.Unavailable, "write the output")
}

func TestLogsAreReadByStreamTailAndTime(t *testing.T) {
	t.Parallel()
	b := open(t)
	id := b.run(t, engine.ContainerSpec{Command: []string{"sh", "-c", "echo one; echo bad >&2; sleep 1; echo two; echo three"}})
	var out, complaints bytes.Buffer
	wantNil(t, b.Logs(within(t, time.Minute), id, engine.LogOptions{Follow: true}, &out, &complaints))
	if out.String() != "one\ntwo\nthree\n" || complaints.String() != "bad\n" {
		t.Errorf("stdout %q, stderr %q", out.String(), complaints.String())
	}
	c, err := b.Container(t.Context(), id)
	wantNil(t, err)
	for _, test := range []struct {
		o    engine.LogOptions
		want string
	}{{engine.LogOptions{Tail: 1}, "three\n"}, {engine.LogOptions{Since: c.Started.Add(700 * time.Millisecond)}, "two\nthree\n"}} {
		out.Reset()
		wantNil(t, b.Logs(within(t, time.Minute), id, test.o, &out, nil))
		if out.String() != test.want {
			t.Errorf("%+v: %q, want %q", test.o, out.String(), test.want)
		}
	}
	want(t, b.Logs(t.Context(), "codebolt-none", engine.LogOptions{}, nil, nil), wire.NotFound)
	endless := b.run(t, engine.ContainerSpec{})
	want(t, b.Logs(within(t, 100*time.Millisecond), endless, engine.LogOptions{Follow: true}, nil, nil), wire.Timeout)
}
