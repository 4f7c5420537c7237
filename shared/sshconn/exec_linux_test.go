package sshconn_test

import (
	"bytes"
	"context"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/faultproxy"
	"github.com/codeboltai/codebolt-providers/shared/sshconn"
	"github.com/codeboltai/codebolt-providers/shared/sshconn/sshtest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// said is what a program on the host said.
func said(t *testing.T, c *sshconn.Client, stdin io.Reader, argv ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, complaints bytes.Buffer
	status, err := c.Run(soon(t), sshconn.Command{Argv: argv, Stdin: stdin, Stdout: &out, Stderr: &complaints})
	if err != nil {
		t.Fatalf("%q: %v", argv, err)
	}
	return out.String(), complaints.String(), status
}

func TestAProgramGetsItsArgvAndGivesItsStreamsAndStatus(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	// A profile that says something in every shell, and traces what it does.
	write(t, filepath.Join(home, ".bashrc"), "echo 'Welcome to the host'; echo 'mind the step' >&2; set -x\n")
	server := sshtest.Start(t, sshtest.Options{Config: []string{"SetEnv HOME=" + home}})
	c := dial(t, server.Name, configured(t, "", server))
	hostile := []string{"", " ", "a b", "$(id)", "`id`", "it's", `"`, "~", "*", ";id", "|id", "-n", "--", "ünë", "$HOME", "#", "a=b", "&", "(", "{a,b}", "%1", "@x", "^x"}
	out, complaints, status := said(t, c, strings.NewReader("from here\n"), append([]string{"/bin/sh", "-c", `printf "<%s>" "$@"; cat; echo bad >&2; exit 3`, "sh"}, hostile...)...)
	if want := "<" + strings.Join(hostile, "><") + ">from here\n"; out != want || complaints != "bad\n" || status != 3 {
		t.Errorf("it printed %q, want %q, and complained %q, with status %d", out, want, complaints, status)
	}
	if out, _, status := said(t, c, nil, "cat"); out != "" || status != 0 {
		t.Errorf("without stdin: %q, %d", out, status)
	}
	if _, complaints, status := said(t, c, nil, "/not/there"); status != 127 || !strings.Contains(complaints, "/not/there") {
		t.Errorf("what is not there: %d, %q", status, complaints)
	}
	_, err := c.Run(soon(t), sshconn.Command{Argv: []string{"sh", "-c", "kill -TERM $$"}})
	refused(t, err, wire.Unavailable, "TERM")
	conn, err := c.Pipe(soon(t), "sh", "-c", "cat; echo no good >&2; exit 4")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "there and back"); err != nil {
		t.Fatal(err)
	}
	if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(conn)
	if string(data) != "there and back" {
		t.Errorf("the pipe gave %q", data)
	}
	refused(t, err, wire.Unavailable, "status 4", "no good")
}

func TestWhatShellsDoNotAgreeOnNeverReachesOne(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"a\\b", "a!b", "a\nb", "a\x00b", "a\x1bb", "\xff"} {
		if quoted, err := sshconn.Quote("echo", text); wire.CodeOf(err) != wire.Invalid {
			t.Errorf("%q became %q, %v", text, quoted, err)
		}
	}
	for _, shell := range []string{"sh", "bash", "dash", "ksh", "zsh", "fish", "csh", "tcsh"} {
		path, err := exec.LookPath(shell)
		if err != nil {
			continue // those that there are
		}
		argv := []string{"it's", "$(id) `id` $HOME", `"`, "~", "*", "", "a b;c|d&e", "{a,b}", "%x", "^x"}
		line, err := sshconn.Quote(append([]string{"printf", "<%s>"}, argv...)...)
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), path, "-c", line).CombinedOutput()
		if want := "<" + strings.Join(argv, "><") + ">"; err != nil || string(out) != want {
			t.Errorf("%s took %s for %q, %v", shell, line, out, err)
		}
	}
}

func TestAHostThatAllowsFewSessionsHasThemOneAfterTheOther(t *testing.T) {
	t.Parallel()
	server := sshtest.Start(t, sshtest.Options{Config: []string{"MaxSessions 2"}})
	c := dial(t, server.Name, configured(t, "", server))
	long, err := c.Pipe(soon(t), "cat")
	if err != nil {
		t.Fatal(err)
	}
	defer long.Close()
	var running sync.WaitGroup
	for range 6 {
		running.Go(func() {
			if status, err := c.Run(soon(t), sshconn.Command{Argv: []string{"sleep", "0.05"}}); err != nil || status != 0 {
				t.Errorf("status %d, %v", status, err)
			}
		})
	}
	running.Wait()
	other, err := c.Pipe(soon(t), "cat")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = c.Run(ctx, sshconn.Command{Argv: []string{"true"}})
	refused(t, err, wire.Timeout, "MaxSessions")
}

func TestAnAccountThatRunsNoProgramsIsTold(t *testing.T) {
	t.Parallel()
	for _, config := range []string{"ForceCommand echo 'only backups here'; cat > /dev/null", "ForceCommand internal-sftp"} {
		server := sshtest.Start(t, sshtest.Options{Config: []string{config}})
		c := dial(t, server.Name, configured(t, "", server))
		_, err := c.Run(soon(t), sshconn.Command{Argv: []string{"true"}})
		refused(t, err, wire.Unsupported, "ordinary shell")
	}
}

func TestAProgramThatIsGivenUpHoldsNobody(t *testing.T) {
	t.Parallel()
	server := sshtest.Start(t, sshtest.Options{})
	c := dial(t, server.Name, configured(t, "", server))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_, err := c.Run(ctx, sshconn.Command{Argv: []string{"sleep", "3"}})
	refused(t, err, wire.Timeout, "sleep")
	if took := time.Since(begun); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestWhoHearsThatTheConnectionIsLostGetsAnother(t *testing.T) {
	t.Parallel()
	server := sshtest.Start(t, sshtest.Options{})
	o, proxy := behind(t, server)
	line := sshconn.NewLine(sshconn.Target{Host: server.Name}, o)
	defer line.Close()
	for range 10 { // who notices first, the program that is fed or the connection, is chance
		c, err := line.Client(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		proxy.CutAfter(faultproxy.Up, 300_000, faultproxy.Reset)
		_, err = c.Run(soon(t), sshconn.Command{Argv: []string{"cat"}, Stdin: endless{}})
		refused(t, err, wire.Unavailable, "the connection was lost")
		if c.Err() == nil {
			t.Error("the connection does not know yet")
		}
		if next, err := line.Client(soon(t)); err != nil || next == c {
			t.Fatalf("no other connection: %v", err)
		}
	}
}

// endless is a stream of zeros.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestALineConnectsAgainWhenItsConnectionBroke(t *testing.T) {
	t.Parallel()
	server := sshtest.Start(t, sshtest.Options{})
	line := sshconn.NewLine(sshconn.Target{Host: server.Name}, configured(t, "", server))
	first, err := line.Client(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := line.Client(soon(t)); err != nil || again != first {
		t.Errorf("another connection while there is one: %v", err)
	}
	server.Kill()
	<-first.Done()
	second, err := line.Client(soon(t))
	if err != nil || second == first {
		t.Fatalf("no other connection: %v", err)
	}
	if out, _, _ := said(t, second, nil, "echo", "back"); out != "back\n" {
		t.Errorf("it says %q", out)
	}
	if err := line.Close(); err != nil {
		t.Error(err)
	}
	_, err = line.Client(soon(t))
	refused(t, err, wire.NotRunning)
}
