//go:build linux

package runtime_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/codeboltai/codebolt-providers/shared/link"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// program is codebolt-runtime, built for these tests.
var program string

func TestMain(m *testing.M) {
	if port := os.Getenv("TEST_UPSTREAM_PORT"); port != "" {
		upstream(port)
		return
	}
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "runtime-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "codebolt-runtime")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Dir = filepath.Join("..", "..", "cmd", "codebolt-runtime")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build codebolt-runtime: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// upstream is an agent server as npm packages have it: it says that it listens,
// answers /health, and here takes no notice of SIGTERM.
func upstream(port string) {
	signal.Ignore(syscall.SIGTERM)
	if os.Getenv("TEST_UPSTREAM_MUTE") != "" {
		select {}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/health", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"status":"ok"}`) })
	ln, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("Server started successfully on", port)
	_ = http.Serve(ln, mux) //nolint:gosec // loopback, for one test
}

func spec(t *testing.T) runtime.Spec {
	t.Helper()
	dir, err := os.MkdirTemp("", "rt") // socket paths are short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // nothing in it matters
	return runtime.Spec{Program: program, Workspace: t.TempDir(), Name: "env", Dir: filepath.Join(dir, "run"), Instance: uuid.NewString(), OwnerTimeout: time.Minute}
}

func start(t *testing.T, s runtime.Spec) *runtime.Process {
	t.Helper()
	p, err := runtime.Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, p) })
	return p
}

func stop(t *testing.T, p *runtime.Process) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := p.Stop(ctx, time.Second); err != nil {
		t.Errorf("stop: %v", err)
	}
}

func dead(t *testing.T, pid int) {
	t.Helper()
	for range 500 {
		if _, alive := resource.ProcessStarted(pid); !alive {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %d is still there", pid)
}

// agent starts a command that prints its pid, and waits for that.
func agent(t *testing.T, p *runtime.Process, script string) (pid int, c *runtime.Client) {
	t.Helper()
	out := make(chan string, 100)
	c, err := runtime.Connect(t.Context(), runtime.ClientOptions{
		Dial: p.Dial, Token: p.Token(), Resume: true,
		OnMessage: func(head wire.Header, got link.Message) {
			m := wire.AgentOutput{}
			if head.Type == wire.TypeAgentOutput && wire.Unmarshal(got.Data, &m) == nil {
				out <- m.Data
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { leave(c) })
	details, err := wire.Marshal(wire.AgentCommand{Argv: []string{"sh", "-c", script}})
	if err != nil {
		t.Fatal(err)
	}
	frame, err := wire.Marshal(wire.MessageResponse{
		Header: wire.Header{Type: wire.TypeMessageResponse}, MessageID: "m",
		Message: wire.Prompt{SelectedAgent: &wire.SelectedAgent{ID: "a", AgentType: wire.AgentTypeCommand, AgentDetails: details}},
	})
	if err == nil {
		err = c.Send(frame)
	}
	if err != nil {
		t.Fatal(err)
	}
	text := ""
	for !strings.HasSuffix(text, "\n") {
		select {
		case more := <-out:
			text += more
		case <-time.After(20 * time.Second):
			t.Fatal("the agent says nothing")
		}
	}
	if pid, err = strconv.Atoi(strings.TrimSpace(text)); err != nil {
		t.Fatal(err)
	}
	return pid, c
}

func leave(c *runtime.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_ = c.Close(ctx) // some tests have ended the other side
}

func TestAStartedRuntimeProvesWhoItIsAndStopsWithItsAgents(t *testing.T) {
	t.Parallel()
	s := spec(t)
	p := start(t, s)
	h, err := p.Health(t.Context())
	if err != nil || h.InstanceID != s.Instance || h.PID != p.Record().PID {
		t.Fatalf("health %+v, %v", h, err)
	}
	if !strings.HasPrefix(p.URL(), "ws+unix://") {
		t.Errorf("URL %s", p.URL())
	}
	pid, c := agent(t, p, "echo $$; exec sleep 1000")
	if n, err := p.Agents(t.Context()); n != 1 || err != nil {
		t.Errorf("%d agents, %v", n, err)
	}
	leave(c)
	stop(t, p)
	select {
	case <-p.Done():
	default:
		t.Error("not done after stop")
	}
	dead(t, pid)
	left, err := os.ReadDir(s.Dir)
	if err != nil || len(left) != 3 || left[0].Name() != runtime.AuditFile || left[1].Name() != "log" || left[2].Name() != runtime.TokenFile {
		t.Errorf("left in the private directory: %v, %v", left, err)
	}
	stop(t, p) // again
}

func TestALongPathToThePrivateDirectoryIsNoHindrance(t *testing.T) {
	long := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	for _, c := range []struct{ tmp, want string }{
		{shortDir(t), "ws+unix://"},
		{long, "ws://127.0.0.1:"},
	} {
		t.Setenv("TMPDIR", c.tmp)
		s := spec(t)
		s.Dir = filepath.Join(long, "run")
		if err := os.MkdirAll(s.Dir, 0o700); err != nil {
			t.Fatal(err)
		}
		p := start(t, s)
		if !strings.HasPrefix(p.URL(), c.want) {
			t.Errorf("URL %s, want %s…", p.URL(), c.want)
		}
		pid, client := agent(t, p, "echo $$; exec sleep 1000")
		leave(client)
		stop(t, p)
		dead(t, pid)
	}
}

// shortDir is a temporary folder whose name is short enough for sockets.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestARunningRuntimeIsAdoptedByItsInstanceOnly(t *testing.T) {
	t.Parallel()
	s := spec(t)
	p := start(t, s)
	p.Release()
	rec := resource.RuntimeRecord{InstanceID: s.Instance, Dir: s.Dir} // all that is on record before it runs
	q, err := runtime.Adopt(t.Context(), s, rec)
	if err != nil {
		t.Fatal(err)
	}
	if !q.Adopted() || q.Record().PID != p.Record().PID || q.Record().Started != p.Record().Started || q.Record().Address != p.Record().Address {
		t.Errorf("adopted %+v, started %+v", q.Record(), p.Record())
	}
	other := rec
	other.InstanceID = uuid.NewString()
	if _, err := runtime.Adopt(t.Context(), s, other); wire.CodeOf(err) != wire.NotFound {
		t.Errorf("another instance was adopted: %v", err)
	}
	stop(t, q)
	<-p.Done()
	<-q.Done()
	if _, err := runtime.Adopt(t.Context(), s, rec); wire.CodeOf(err) != wire.NotFound {
		t.Errorf("a stopped one was adopted: %v", err)
	}
}

func TestWhatAKilledRuntimeLeftIsEndedByTheNextStart(t *testing.T) {
	t.Parallel()
	s := spec(t)
	p := start(t, s)
	// It leaves the group too, as daemons do.
	pid, _ := agent(t, p, `setsid sh -c 'echo $$; exec sleep 1000' & wait`)
	if err := syscall.Kill(p.Record().PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.Done()
	if _, err := runtime.Adopt(t.Context(), s, p.Record()); wire.CodeOf(err) != wire.NotFound {
		t.Errorf("a killed one was adopted: %v", err)
	}
	if _, alive := resource.ProcessStarted(pid); !alive {
		t.Fatal("the agent went by itself: this test shows nothing")
	}
	s.Instance = uuid.NewString()
	start(t, s)
	dead(t, pid)
}

func TestARuntimeThatIsStoppedLateSparesItsSuccessor(t *testing.T) {
	t.Parallel()
	first := spec(t)
	old := start(t, first)
	if err := syscall.Kill(old.Record().PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-old.Done()
	second := first
	second.Instance = first.Instance + "-next"
	next := start(t, second)
	stop(t, old)
	if _, err := next.Health(t.Context()); err != nil {
		t.Errorf("after its predecessor was stopped: %v", err)
	}
	stop(t, next)
}

func TestABusyPortGivesWay(t *testing.T) {
	t.Parallel()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	one, two := spec(t), spec(t)
	one.Listen = "tcp:" + ln.Addr().String()
	two.Listen = one.Listen
	p, q := start(t, one), start(t, two)
	if p.URL() == q.URL() || p.URL() == "ws://"+ln.Addr().String() || !strings.HasPrefix(p.URL(), "ws://127.0.0.1:") {
		t.Errorf("%s and %s, while %s is busy", p.URL(), q.URL(), ln.Addr())
	}
	for s, p := range map[string]*runtime.Process{one.Instance: p, two.Instance: q} {
		if h, err := p.Health(t.Context()); err != nil || h.InstanceID != s {
			t.Errorf("at %s: %+v, %v", p.URL(), h, err)
		}
	}
	bad := spec(t)
	bad.Listen = "tcp:0.0.0.0:0"
	if _, err := runtime.Start(t.Context(), bad); err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("listening for the network: %v", err)
	}
}

func TestAProgramThatNeverGetsReadyIsEndedInTime(t *testing.T) {
	t.Parallel()
	s := spec(t)
	script := filepath.Join(t.TempDir(), "never")
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho starting >&2\nexec sleep 1000\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.Program, s.StartTimeout = script, 300*time.Millisecond
	_, err := runtime.Start(t.Context(), s)
	if wire.CodeOf(err) != wire.Timeout || !strings.Contains(err.Error(), "starting") {
		t.Errorf("never ready: %v", err)
	}
	marked(t, s.Instance)
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho no such luck >&2\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.StartTimeout = 10 * time.Second
	if _, err = runtime.Start(t.Context(), s); wire.CodeOf(err) != wire.Unavailable || !strings.Contains(err.Error(), "no such luck") {
		t.Errorf("ended at once: %v", err)
	}
	s.Program = filepath.Join(t.TempDir(), "absent")
	if _, err = runtime.Start(t.Context(), s); wire.CodeOf(err) != wire.Invalid {
		t.Errorf("no such program: %v", err)
	}
}

// marked fails when a process of that instance is left.
func marked(t *testing.T, instance string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		environ, err := os.ReadFile(f)
		if err == nil && bytes.Contains(environ, []byte(wire.EnvRuntimeInstance+"="+instance)) {
			t.Errorf("%s is left", f)
		}
	}
}

func TestAnUpstreamServerThatIgnoresSIGTERMIsGoneInTime(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := spec(t)
	s.Upstream = &runtime.Upstream{Command: []string{"/usr/bin/env", "TEST_UPSTREAM_PORT={port}", self}}
	p, err := runtime.Start(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	q, err := runtime.Adopt(t.Context(), s, p.Record())
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := q.Stop(ctx, 4*time.Second); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took < 3*time.Second || took > 6*time.Second {
		t.Errorf("stopping took %v", took)
	}
	<-p.Done()
	marked(t, s.Instance)
	s.Upstream.Command = append([]string{"/usr/bin/env", "TEST_UPSTREAM_MUTE=1"}, s.Upstream.Command[1:]...)
	s.StartTimeout = 500 * time.Millisecond
	if _, err := runtime.Start(t.Context(), s); wire.CodeOf(err) != wire.Timeout {
		t.Errorf("a server that never says that it listens: %v", err)
	}
	marked(t, s.Instance)
}

func TestAnUpstreamServerWhoseAddressCannotBeNotedIsNotLeft(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := spec(t)
	// A folder stands where the address is to be written.
	script := `mkdir "$1" && exec /usr/bin/env TEST_UPSTREAM_PORT="$2" "$3"`
	s.Upstream = &runtime.Upstream{Command: []string{"/bin/sh", "-c", script, "sh", filepath.Join(s.Dir, runtime.AddressFile), "{port}", self}}
	if p, err := runtime.Start(t.Context(), s); err == nil || p != nil {
		t.Errorf("started as %v, %v", p, err)
	}
	marked(t, s.Instance)
}

func TestTheLogOfARunningRuntimeIsBounded(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for what, upstream := range map[string]*runtime.Upstream{
		"ours": nil, "another's": {Command: []string{"/usr/bin/env", "TEST_UPSTREAM_PORT={port}", self}, Port: 42300},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := spec(t)
			s.Upstream = upstream
			start(t, s)
			path := filepath.Join(s.Dir, "log")
			log, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			line := strings.Repeat("x", 1023) + "\n"
			if _, err := log.WriteString(strings.Repeat(line, 9<<10) + "the newest\n"); err != nil {
				t.Fatal(err)
			}
			for range 1000 {
				if info, err := os.Stat(path); err == nil && info.Size() < 2<<20 && info.Size() > 1<<19 {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			data, err := os.ReadFile(path)
			if err != nil || len(data) > 2<<20 || !bytes.Contains(data, []byte("earlier lines were dropped")) || !bytes.Contains(data, []byte("\nthe newest\n")) {
				t.Errorf("the log has %d bytes, %v", len(data), err)
			}
		})
	}
}
