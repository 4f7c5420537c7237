//go:build unix

package terminal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/terminal"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func open(t *testing.T, l terminal.Limits, script string) (*terminal.All, *terminal.Terminal) {
	t.Helper()
	all := terminal.New(l)
	t.Cleanup(all.Close)
	one, err := all.Open(terminal.Options{Argv: []string{"sh", "-c", script}, Dir: t.TempDir(), Env: os.Environ(), Size: terminal.Size{Cols: 100, Rows: 30}})
	if err != nil {
		t.Fatal(err)
	}
	return all, one
}

// limited ends what hangs.
func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// all reads from an offset to the end.
func all(t *testing.T, one *terminal.Terminal, from int64) (text string, lost int64) {
	t.Helper()
	r := one.Reader(from)
	defer r.Close()
	_, lost = r.Offset()
	var out strings.Builder
	buf := make([]byte, 1000)
	for {
		n, _, err := r.Next(limited(t), buf)
		out.Write(buf[:n])
		if errors.Is(err, io.EOF) {
			return out.String(), lost
		}
		if err != nil {
			t.Fatalf("after %q: %v", out.String(), err)
		}
	}
}

// until reads until a text has come.
func until(t *testing.T, r *terminal.Reader, text string) string {
	t.Helper()
	var out strings.Builder
	buf := make([]byte, 1000)
	for !strings.Contains(out.String(), text) {
		n, _, err := r.Next(limited(t), buf)
		if err != nil {
			t.Fatalf("waiting for %q, after %q: %v", text, out.String(), err)
		}
		out.Write(buf[:n])
	}
	return out.String()
}

func TestAProgramHasATerminalWithASize(t *testing.T) {
	_, one := open(t, terminal.Limits{}, `test -t 0 && test -t 1 && test -t 2 && stty size && echo "$TERM" && read line && stty size && echo "<$line>" && exit 3`)
	r := one.Reader(0)
	defer r.Close()
	until(t, r, "30 100\r\n")
	if err := one.Resize(terminal.Size{Cols: 90, Rows: 20}); err != nil {
		t.Fatal(err)
	}
	if err := one.Input([]byte("hello\n")); err != nil {
		t.Fatal(err)
	}
	until(t, r, "20 90\r\n<hello>\r\n")
	<-one.Done()
	if exit, over := one.Exit(); !over || exit.Code != 3 || exit.Signal != "" {
		t.Errorf("it ended with %+v, %v", exit, over)
	}
	if err := one.Input([]byte("x")); wire.CodeOf(err) != wire.NotRunning {
		t.Errorf("input after the end: %v", err)
	}
	if err := one.Resize(terminal.Size{Cols: 1, Rows: 1}); wire.CodeOf(err) != wire.NotRunning {
		t.Errorf("a size after the end: %v", err)
	}
}

func TestWhoComesBackSeesWhatIsKeptFromWhereTheyLeft(t *testing.T) {
	const lines = 200_000 // over 1 MiB
	_, one := open(t, terminal.Limits{Output: 256 << 10}, fmt.Sprintf("stty -opost; seq %d", lines))
	<-one.Done()
	var want bytes.Buffer
	for i := 1; i <= lines; i++ {
		fmt.Fprintln(&want, i)
	}
	if one.Written() != int64(want.Len()) {
		t.Fatalf("the program wrote %d bytes, want %d", one.Written(), want.Len())
	}
	text, lost := all(t, one, 0)
	if lost != int64(want.Len()-256<<10) || text != want.String()[lost:] {
		t.Errorf("from the beginning: %d bytes lost and %d read of %d", lost, len(text), want.Len())
	}
	from := int64(want.Len() - 12_345)
	if text, lost := all(t, one, from); lost != 0 || text != want.String()[from:] {
		t.Errorf("from the middle: %d bytes lost and %d read", lost, len(text))
	}
	if text, lost := all(t, one, int64(want.Len())+5); lost != 0 || text != "" {
		t.Errorf("from behind the end: %q, %d lost", text, lost)
	}
}

func TestAProgramWaitsForWhoReadsSlowlyAndForNobodyElse(t *testing.T) {
	_, one := open(t, terminal.Limits{Output: 64 << 10}, "stty -opost; seq 100000; echo over >over")
	over := func() bool {
		_, done := one.Exit()
		return done
	}
	r := one.Reader(0)
	buf := make([]byte, 100)
	if _, _, err := r.Next(limited(t), buf); err != nil {
		t.Fatal(err)
	}
	// It fills what is kept and then stands still.
	still := int64(-1)
	for {
		now := one.Written()
		if now == still && now > 32<<10 {
			break
		}
		still = now
		time.Sleep(50 * time.Millisecond) // that nothing comes has no event
	}
	if over() || one.Written() > 65<<10+100 {
		t.Errorf("the program did not wait: it wrote %d bytes", one.Written())
	}
	got, next := int64(100), int64(100)
	for got < 200_000 {
		n, at, err := r.Next(limited(t), buf)
		if err != nil || at != next {
			t.Fatalf("at %d, want %d: %v", at, next, err)
		}
		got, next = got+int64(n), at+int64(n)
	}
	r.Close()
	select {
	case <-one.Done():
	case <-time.After(20 * time.Second):
		t.Error("nobody reads, and the program does not go on")
	}
	if _, _, err := r.Next(limited(t), buf); err == nil {
		// What had been kept may still be read; then it says that it is closed.
		for err == nil {
			_, _, err = r.Next(limited(t), buf)
		}
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("a closed reader: %v", err)
		}
	}
}

func TestSignalsReachWhatIsInTheForeground(t *testing.T) {
	all, one := open(t, terminal.Limits{}, `trap 'echo outer' INT; sh -c "echo ready; exec sleep 60"; echo "status $?"; trap 'echo told; exit 5' TERM; echo again; while :; do sleep 0.05; done`)
	r := one.Reader(0)
	defer r.Close()
	until(t, r, "ready")
	for name, code := range map[string]wire.Code{"NONE": wire.Invalid, "": wire.Invalid} {
		if err := one.Signal(name); wire.CodeOf(err) != code {
			t.Errorf("signal %q: %v", name, err)
		}
	}
	if err := one.Input([]byte{3}); err != nil { // Ctrl-C
		t.Fatal(err)
	}
	if said := until(t, r, "again"); !strings.Contains(said, "status 130") {
		t.Errorf("it said %q", said)
	}
	if err := one.Signal("sigterm"); err != nil {
		t.Fatal(err)
	}
	until(t, r, "told")
	<-one.Done()
	if exit, _ := one.Exit(); exit.Code != 5 {
		t.Errorf("it ended with %+v", exit)
	}
	killed, err := all.Open(terminal.Options{Argv: []string{"sleep", "60"}, Dir: t.TempDir(), Env: os.Environ()})
	if err == nil {
		err = killed.Signal("KILL")
	}
	if err != nil {
		t.Fatal(err)
	}
	<-killed.Done()
	if exit, _ := killed.Exit(); exit.Code != 137 || exit.Signal != "SIGKILL" {
		t.Errorf("it ended with %+v", exit)
	}
}

// alive reports whether a process that a program has noted down runs.
func alive(t *testing.T, file string) bool {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(state), ") Z ")
}

func TestNothingOfAProgramOutlivesItsTerminal(t *testing.T) {
	dir := t.TempDir()
	// A child in its group, one that ignores the end, and one in a session of its own.
	script := `cd "$0"; sleep 600 & echo $! >a; sh -c 'trap "" HUP TERM; echo $$ >b; while :; do sleep 0.1; done' & setsid sh -c 'echo $$ >c; exec sleep 600' & trap '' HUP; while ! test -s c || ! test -s b; do sleep 0.01; done; echo ready; while :; do sleep 0.1; done`
	everything := terminal.New(terminal.Limits{})
	defer everything.Close()
	one, err := everything.Open(terminal.Options{Argv: []string{"sh", "-c", script, dir}, Dir: dir, Env: os.Environ()})
	if err != nil {
		t.Fatal(err)
	}
	r := one.Reader(0)
	defer r.Close()
	until(t, r, "ready")
	began := time.Now()
	one.Close()
	one.Close()
	if took := time.Since(began); took < 4*time.Second || took > 9*time.Second {
		t.Errorf("what ignores its end was given %v", took)
	}
	for _, name := range []string{"a", "b", "c"} {
		if alive(t, filepath.Join(dir, name)) {
			t.Errorf("process %s is alive", name)
		}
	}
	if exit, over := one.Exit(); !over || exit.Signal != "SIGKILL" {
		t.Errorf("it ended with %+v", exit)
	}
}

func TestAProgramEndsThoughSomebodyElseHoldsItsTerminal(t *testing.T) {
	dir := t.TempDir()
	_, one := open(t, terminal.Limits{}, `env -i PATH="$PATH" setsid sh -c 'echo $$ >`+dir+`/pid; exec sleep 600' & while ! test -s `+dir+`/pid; do sleep 0.01; done; echo last words`)
	select {
	case <-one.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("it waits for a process that has nothing to do with it")
	}
	if text, _ := all(t, one, 0); !strings.Contains(text, "last words") {
		t.Errorf("it said %q", text)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "pid")); err == nil {
		if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

func TestThereIsAnEndToTerminals(t *testing.T) {
	everything := terminal.New(terminal.Limits{Running: 2, Ended: 2})
	defer everything.Close()
	dir := t.TempDir()
	sleep := func(id string) error {
		_, err := everything.Open(terminal.Options{ID: id, Argv: []string{"sleep", "600"}, Dir: dir, Env: os.Environ()})
		return err
	}
	for name, c := range map[string]struct {
		o    terminal.Options
		code wire.Code
	}{
		"no program":      {terminal.Options{}, wire.Invalid},
		"no such program": {terminal.Options{Argv: []string{"no-such-program"}}, wire.NotFound},
		"no such file":    {terminal.Options{Argv: []string{"./none"}}, wire.NotFound},
		"a bad id":        {terminal.Options{ID: "../x", Argv: []string{"sh"}}, wire.Invalid},
		"no such folder":  {terminal.Options{Argv: []string{"sh"}, Dir: filepath.Join(dir, "none")}, wire.NotFound},
	} {
		c.o.Env = os.Environ()
		if c.o.Dir == "" {
			c.o.Dir = dir
		}
		if _, err := everything.Open(c.o); wire.CodeOf(err) != c.code {
			t.Errorf("%s: kind %q, want %q: %v", name, wire.CodeOf(err), c.code, err)
		}
	}
	if err := errors.Join(sleep("a"), sleep("b")); err != nil {
		t.Fatal(err)
	}
	if err := sleep("a"); wire.CodeOf(err) != wire.Exists {
		t.Errorf("the same id: %v", err)
	}
	if err := sleep("c"); wire.CodeOf(err) != wire.Unavailable {
		t.Errorf("one too many: %v", err)
	}
	for _, id := range []string{"a", "b"} {
		one, err := everything.Get(id)
		if err != nil {
			t.Fatal(err)
		}
		one.Close()
	}
	for _, id := range []string{"c", "d"} {
		if err := sleep(id); err != nil {
			t.Errorf("after others have ended: %v", err)
		}
	}
	var ids []string
	for _, one := range everything.List() {
		ids = append(ids, one.ID())
	}
	if strings.Join(ids, "") != "abcd" {
		t.Errorf("the list is %v", ids)
	}
	one, err := everything.Get("c")
	if err != nil {
		t.Fatal(err)
	}
	one.Close()
	if _, err := everything.Get("a"); wire.CodeOf(err) != wire.NotFound {
		t.Errorf("the oldest of three that ended: %v", err)
	}
	everything.Close()
	if err := sleep("e"); wire.CodeOf(err) != wire.Unavailable {
		t.Errorf("after the end: %v", err)
	}
}

func TestInputThatIsNotReadIsBounded(t *testing.T) {
	_, one := open(t, terminal.Limits{}, "stty raw -echo; echo ready; sleep 600")
	r := one.Reader(0)
	defer r.Close()
	until(t, r, "ready")
	var err error
	for range 100 {
		if err = one.Input(make([]byte, 64<<10)); err != nil {
			break
		}
	}
	if wire.CodeOf(err) != wire.Unavailable {
		t.Errorf("six megabytes of input: %v", err)
	}
}
