//go:build linux

package agenthost_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/codeboltai/codebolt-providers/shared/agenthost"
	"github.com/codeboltai/codebolt-providers/shared/link"
	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestMain(m *testing.M) {
	if role := os.Getenv(agentRole); role != "" {
		beAgent(role)
		return
	}
	goleak.VerifyTestMain(m)
}

const token = "a token only for tests"

// rig is a host that serves on a unix socket.
type rig struct {
	t         *testing.T
	workspace string
	socket    string
	ended     chan error
	stop      context.CancelFunc
}

func start(t *testing.T, o agenthost.Options) *rig {
	t.Helper()
	r := &rig{t: t, workspace: t.TempDir(), ended: make(chan error, 1)}
	dir, err := os.MkdirTemp("", "agenthost") // socket paths are short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // nothing in it matters
	r.socket = filepath.Join(dir, "s")
	o.Workspace, o.Token, o.InstanceID = r.workspace, token, "instance-of-this-test"
	host, err := agenthost.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", r.socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	r.stop = stop
	done := make(chan struct{})
	go func() { r.ended <- host.Serve(ctx, ln); close(done) }()
	t.Cleanup(func() {
		stop()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			t.Error("the host does not end")
		}
	})
	return r
}

func (r *rig) dial(ctx context.Context) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "unix", r.socket)
}

// peer is a connected provider that keeps what it hears.
type peer struct {
	*runtime.Client
	t     *testing.T
	heard chan heard
}

type heard struct {
	head  wire.Header
	frame []byte
}

func (r *rig) connect(dial func(context.Context) (net.Conn, error)) *peer {
	r.t.Helper()
	p := &peer{t: r.t, heard: make(chan heard, 100_000)}
	var err error
	p.Client, err = runtime.Connect(r.t.Context(), runtime.ClientOptions{
		Dial: dial, Token: token, AppID: "test", ProjectName: "p", CurrentProject: r.workspace, Resume: true,
		OnMessage: func(head wire.Header, m link.Message) { p.heard <- heard{head, m.Data} },
	})
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(p.leave)
	return p
}

func (p *peer) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = p.Close(ctx) // some tests have ended the other side
}

// prompt asks for a command to be run.
func (p *peer) prompt(id string, cmd wire.AgentCommand) {
	p.t.Helper()
	details, err := wire.Marshal(cmd)
	if err != nil {
		p.t.Fatal(err)
	}
	p.send(wire.MessageResponse{
		Header: wire.Header{Type: wire.TypeMessageResponse}, MessageID: "m-" + id,
		Message: wire.Prompt{ThreadID: "t-" + id, SelectedAgent: &wire.SelectedAgent{ID: id, AgentType: wire.AgentTypeCommand, AgentDetails: details}},
	})
}

func (p *peer) send(message any) {
	p.t.Helper()
	frame, err := wire.Marshal(message)
	if err == nil {
		err = p.Send(frame)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// story is all that was heard of one agent.
type story struct {
	started        *wire.AgentStarted
	stdout, stderr []byte
	dropped        int64
	replayed       bool
	end            *wire.ProcessStopped
}

// follow listens until the agent has ended, or until says so.
func (p *peer) follow(id string, until func(*story) bool) *story {
	p.t.Helper()
	s := &story{}
	timeout := time.After(30 * time.Second)
	for {
		select {
		case h := <-p.heard:
			p.tell(s, id, h)
		case <-timeout:
			p.t.Fatalf("agent %s: nothing more after %+v", id, s)
		}
		if s.end != nil || (until != nil && until(s)) {
			return s
		}
	}
}

func (p *peer) tell(s *story, id string, h heard) {
	p.t.Helper()
	read := func(into any) {
		if err := wire.Unmarshal(h.frame, into); err != nil {
			p.t.Fatal(err)
		}
	}
	switch h.head.Type {
	case wire.TypeAgentStarted:
		m := &wire.AgentStarted{}
		if read(m); m.AgentID == id {
			s.started = m
		}
	case wire.TypeAgentOutput:
		m := &wire.AgentOutput{}
		if read(m); m.AgentID != id {
			return
		}
		data := []byte(m.Data)
		if m.Encoding == wire.Base64 {
			var err error
			if data, err = base64.StdEncoding.DecodeString(m.Data); err != nil {
				p.t.Fatal(err)
			}
		}
		into, dropped := &s.stdout, &s.dropped
		if m.Stream == wire.Stderr {
			into, dropped = &s.stderr, new(int64)
		}
		*dropped += m.Dropped
		if have := int64(len(*into)) + *dropped; m.Offset != have {
			p.t.Errorf("agent %s: %s continues at %d after %d bytes", id, m.Stream, m.Offset, have)
		}
		*into = append(*into, data...)
		s.replayed = s.replayed || m.Replay
	case wire.TypeProcessStopped:
		m := &wire.ProcessStopped{}
		if read(m); m.AgentID == id {
			s.end = m
		}
	}
}

func sh(script string) wire.AgentCommand {
	return wire.AgentCommand{Argv: []string{"sh", "-c", script}}
}

func TestACommandsStreamsComeApartWithItsExitStatus(t *testing.T) {
	t.Parallel()
	r := start(t, agenthost.Options{Name: "env"})
	p := r.connect(r.dial)
	cmd := sh(`echo "out $CODEBOLT_ENVIRONMENT_NAME $GREETING"; echo err >&2; pwd -P; exit 3`)
	cmd.Env = map[string]string{"GREETING": "hello"}
	p.prompt("a", cmd)
	s := p.follow("a", nil)
	root, err := filepath.EvalSymlinks(r.workspace)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(s.stdout), "out env hello\n"+root+"\n"; got != want {
		t.Errorf("stdout %q, want %q", got, want)
	}
	if string(s.stderr) != "err\n" {
		t.Errorf("stderr %q", s.stderr)
	}
	if s.end.ExitCode == nil || *s.end.ExitCode != 3 || s.end.Signal != "" || s.end.StdoutBytes != int64(len(s.stdout)) || s.end.StderrBytes != 4 {
		t.Errorf("end %+v", s.end)
	}
	if s.started == nil || s.started.ThreadID != "t-a" || s.end.MessageID != "m-a" || s.end.AgentInstanceID != s.started.InstanceID {
		t.Errorf("started %+v, end %+v", s.started, s.end)
	}
}

func TestWhatCannotBeStartedEndsWithAReason(t *testing.T) {
	t.Parallel()
	r := start(t, agenthost.Options{})
	if err := os.Symlink("/", filepath.Join(r.workspace, "out")); err != nil {
		t.Fatal(err)
	}
	p := r.connect(r.dial)
	for name, test := range map[string]struct {
		cmd  wire.AgentCommand
		code wire.Code
	}{
		"no program":          {wire.AgentCommand{Argv: []string{"no-such-command-anywhere"}}, wire.NotFound},
		"empty":               {wire.AgentCommand{}, wire.Invalid},
		"NUL":                 {wire.AgentCommand{Argv: []string{"echo", "a\x00b"}}, wire.Invalid},
		"directory outside":   {wire.AgentCommand{Argv: []string{"true"}, Dir: "../.."}, wire.OutsideWorkspace},
		"directory by a link": {wire.AgentCommand{Argv: []string{"true"}, Dir: "out/usr"}, wire.OutsideWorkspace},
		"no directory":        {wire.AgentCommand{Argv: []string{"true"}, Dir: "none"}, wire.NotFound},
	} {
		p.prompt(name, test.cmd)
		if s := p.follow(name, nil); s.end.Code != test.code || s.end.Error == "" || s.started != nil {
			t.Errorf("%s: %+v", name, s.end)
		}
	}
	p.send(map[string]any{"type": wire.TypeMessageResponse, "messageId": "m", "message": map[string]any{
		"selectedAgent": map[string]any{"id": "zip", "agentType": "spaceship", "agentDetails": "/a.zip"},
	}})
	if s := p.follow("zip", nil); s.end.Code != wire.Unsupported || s.end.MessageID != "m" {
		t.Errorf("an agent of another kind: %+v", s.end)
	}
}

func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func awaitDeath(t *testing.T, pid int) {
	t.Helper()
	for range 300 {
		if !alive(pid) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("process %d is still there", pid)
}

func TestStoppingAnAgentStopsItsWholeGroupAlsoWhenItIgnoresTheSignal(t *testing.T) {
	t.Parallel()
	r := start(t, agenthost.Options{})
	p := r.connect(r.dial)
	p.prompt("stubborn", sh(`trap "" TERM; sleep 1000 & echo $!; while :; do sleep 1000; done`))
	s := p.follow("stubborn", func(s *story) bool { return strings.HasSuffix(string(s.stdout), "\n") })
	child, err := strconv.Atoi(strings.TrimSpace(string(s.stdout)))
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	p.send(wire.StopProcess{Header: wire.Header{Type: wire.TypeStopProcess}, AgentID: "stubborn", GraceMS: 300})
	end := p.follow("stubborn", nil).end
	if end.Signal != "SIGKILL" || end.ExitCode != nil {
		t.Errorf("end %+v", end)
	}
	if took := time.Since(begun); took < 250*time.Millisecond || took > 6*time.Second {
		t.Errorf("it took %v", took)
	}
	awaitDeath(t, child)
}

func TestWhatACommandLeavesRunningIsStoppedWithIt(t *testing.T) {
	t.Parallel()
	r := start(t, agenthost.Options{})
	p := r.connect(r.dial)
	p.prompt("a", sh(`sleep 1000 & echo $!`))
	s := p.follow("a", nil)
	child, err := strconv.Atoi(strings.TrimSpace(string(s.stdout)))
	if err != nil {
		t.Fatal(err)
	}
	awaitDeath(t, child)
	if s.end.ExitCode == nil || *s.end.ExitCode != 0 {
		t.Errorf("end %+v", s.end)
	}
}

func TestAProviderThatComesLaterHearsTheBoundedHistory(t *testing.T) {
	t.Parallel()
	r := start(t, agenthost.Options{History: 64 << 10})
	first := r.connect(r.dial)
	first.prompt("a", sh(`i=0; while [ $i -lt 20000 ]; do echo "line $i"; i=$((i+1)); done; echo late >&2`))
	whole := first.follow("a", nil)
	if whole.dropped != 0 || strings.Count(string(whole.stdout), "\n") != 20000 {
		t.Fatalf("a provider that listens hears %d lines, %d bytes dropped", strings.Count(string(whole.stdout), "\n"), whole.dropped)
	}
	second := r.connect(r.dial)
	s := second.follow("a", nil)
	if !s.replayed || !s.started.Replay || !s.end.Replay {
		t.Errorf("the replay is not marked: %+v %+v", s.started, s.end)
	}
	if s.dropped == 0 || len(s.stdout) == 0 || len(s.stdout) > 64<<10 || !strings.HasSuffix(string(whole.stdout), string(s.stdout)) {
		t.Errorf("replayed %d bytes, dropped %d", len(s.stdout), s.dropped)
	}
	if string(s.stderr) != "late\n" || s.end.StdoutBytes != int64(len(whole.stdout)) {
		t.Errorf("stderr %q, end %+v", s.stderr, s.end)
	}
}

func TestOutputReachesAProviderThatReadsSlowlyWhole(t *testing.T) {
	t.Parallel()
	r := start(t, agenthost.Options{History: 32 << 10})
	p := r.connect(r.dial)
	// More than history, outbox and socket buffers hold together.
	p.prompt("a", sh(`head -c 20000000 /dev/zero | tr '\0' 'x'`))
	if s := p.follow("a", nil); len(s.stdout) != 20_000_000 || s.dropped != 0 {
		t.Errorf("heard %d bytes, %d dropped", len(s.stdout), s.dropped)
	}
}

func TestBytesThatAreNoTextAndTornCharactersArriveWhole(t *testing.T) {
	t.Parallel()
	r := start(t, agenthost.Options{})
	p := r.connect(r.dial)
	p.prompt("a", sh(`printf '\303'; sleep 0.2; printf '\244 ok\n'; printf '\377\376' >&2`))
	s := p.follow("a", nil)
	if string(s.stdout) != "ä ok\n" || string(s.stderr) != "\xff\xfe" {
		t.Errorf("stdout %q, stderr %q", s.stdout, s.stderr)
	}
}

func TestAHostWithoutAnOwnerEndsAndTakesItsAgentsAlong(t *testing.T) {
	t.Parallel()
	r := start(t, agenthost.Options{OwnerTimeout: 300 * time.Millisecond})
	p := r.connect(r.dial)
	p.prompt("a", sh(`echo $$; exec sleep 1000`))
	s := p.follow("a", func(s *story) bool { return strings.HasSuffix(string(s.stdout), "\n") })
	pid, err := strconv.Atoi(strings.TrimSpace(string(s.stdout)))
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond) // connected: it stays
	if !alive(pid) {
		t.Fatal("the agent ended while its owner was there")
	}
	p.leave()
	select {
	case err := <-r.ended:
		if err != nil {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(15 * time.Second):
		t.Fatal("it goes on without an owner")
	}
	awaitDeath(t, pid)
}

func TestOnlyWhoShowsTheTokenGetsIn(t *testing.T) {
	t.Parallel()
	r := start(t, agenthost.Options{})
	client := &http.Client{Transport: &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return r.dial(ctx) },
		DisableKeepAlives: true,
	}}
	get := func(path, bearer string) (int, wire.RuntimeHealth) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://runtime"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if bearer != "" {
			req.Header.Set("Authorization", "Bearer "+bearer)
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var h wire.RuntimeHealth
		buf := make([]byte, 4096)
		n, _ := resp.Body.Read(buf) // short answers come at once
		if resp.StatusCode == http.StatusOK {
			if err := wire.Unmarshal(buf[:n], &h); err != nil {
				t.Fatal(err)
			}
		}
		return resp.StatusCode, h
	}
	if status, h := get("/health", ""); status != 200 || h.Status != "ok" || h.InstanceID != "" || h.PID != 0 {
		t.Errorf("health for a stranger: %d %+v", status, h)
	}
	if status, h := get("/health", token); status != 200 || h.InstanceID != "instance-of-this-test" || h.PID != os.Getpid() {
		t.Errorf("health for the owner: %d %+v", status, h)
	}
	for _, wrong := range []string{"", "wrong", token + "x"} {
		if status, _ := get("/", wrong); status != http.StatusUnauthorized {
			t.Errorf("token %q: status %d", wrong, status)
		}
	}
	_, err := runtime.Connect(t.Context(), runtime.ClientOptions{Dial: r.dial, Token: "wrong", Resume: true})
	if err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("connect with a wrong token: %v", err)
	}
}

func TestFileCallsGoThroughTheHost(t *testing.T) {
	t.Parallel()
	r := start(t, agenthost.Options{Protected: []string{".git"}})
	p := r.connect(r.dial)
	files := p.FS(r.workspace)
	ctx := t.Context()
	if err := files.WriteFile(ctx, "a/b.txt", []byte("text")); err != nil {
		t.Fatal(err)
	}
	if data, err := files.ReadFile(ctx, "a/b.txt", 1<<20); err != nil || string(data) != "text" {
		t.Errorf("read %q, %v", data, err)
	}
	if data, err := os.ReadFile(filepath.Join(r.workspace, "a/b.txt")); err != nil || string(data) != "text" {
		t.Errorf("on disk: %q, %v", data, err)
	}
	if err := files.WriteFile(ctx, ".git", []byte("x")); err == nil {
		t.Error("a protected name was written")
	}
	if _, err := files.ReadFile(ctx, "none", 1<<20); !errors.Is(err, wire.NotFound) {
		t.Errorf("a file that is not there: %v", err)
	}
}

func TestFramesThatCannotBeUsedAreAnswered(t *testing.T) {
	t.Parallel()
	r := start(t, agenthost.Options{})
	p := r.connect(r.dial)
	for _, frame := range []string{`{"requestId":"r1"}`, `{"type":"nobodyKnowsThis","requestId":"r2"}`, `{"type":"messageResponse","message":7,"requestId":"r3"}`} {
		if err := p.Send([]byte(frame)); err != nil {
			t.Fatal(err)
		}
		for {
			h := <-p.heard
			if h.head.Type == wire.TypeRegistered {
				continue
			}
			fault := wire.MessageFault{}
			if err := wire.Unmarshal(h.frame, &fault); err != nil || fault.Type != wire.TypeResponse || fault.Success || fault.Error == "" || !strings.Contains(frame, string(fault.RequestID)) {
				t.Errorf("%s: %s, %v", frame, h.frame, err)
			}
			break
		}
	}
}

func TestEndingTheHostEndsAgentsInOrderAndTellsOfIt(t *testing.T) {
	t.Parallel()
	r := start(t, agenthost.Options{})
	p := r.connect(r.dial)
	p.prompt("a", sh(`trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.05; done`))
	p.follow("a", func(s *story) bool { return len(s.stdout) > 0 })
	r.stop()
	s := &story{stdout: []byte("ready\n")}
	for s.end == nil {
		select {
		case h := <-p.heard:
			p.tell(s, "a", h)
		case <-time.After(20 * time.Second):
			t.Fatal("no end was told")
		}
	}
	if string(s.stdout) != "ready\nbye\n" || s.end.ExitCode == nil || *s.end.ExitCode != 7 {
		t.Errorf("stdout %q, end %+v", s.stdout, s.end)
	}
}
