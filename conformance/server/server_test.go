package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// bounded is a context that ends a test that hangs.
func bounded(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-bounded(t).Done():
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func newServer(t *testing.T, options server.Options) *server.Server {
	t.Helper()
	s, err := server.New(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// create makes an environment with a fake provider that is odd in some way.
func create(t *testing.T, s *server.Server, odd string, change ...func(*server.EnvironmentSpec)) *server.Environment {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	spec := server.EnvironmentSpec{Name: "demo", Program: program, Env: []string{envFake + "=" + odd}}
	for _, f := range change {
		f(&spec)
	}
	e, err := s.Create(spec)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func start(t *testing.T, e *server.Environment) *server.Started {
	t.Helper()
	started, err := e.Start(bounded(t))
	if err != nil {
		t.Fatal(err)
	}
	return started
}

func inspect(t *testing.T, e *server.Environment) inspection {
	t.Helper()
	answer, err := e.Call(bounded(t), message{"type": "inspect"})
	if err != nil {
		t.Fatal(err)
	}
	var i inspection
	i.decode(t, answer.Frame)
	return i
}

func wantState(t *testing.T, e *server.Environment, want server.State) {
	t.Helper()
	if got := e.State(); got != want {
		t.Errorf("the state is %s, want %s (%v)", got, want, e.Err())
	}
}

func TestAStartIsAnsweredAndTheEnvironmentRuns(t *testing.T) {
	t.Parallel()
	s, project := newServer(t, server.Options{}), t.TempDir()
	var output lockedBuffer
	e := create(t, s, "", func(spec *server.EnvironmentSpec) {
		spec.ID, spec.ProjectPath, spec.Stderr = "env-1", project, &output
		spec.Manifest = &manifest.Manifest{UniqueID: "codebolt-fake", Config: map[string]any{
			"a": 1, "b": 1, "c": 1, "d": 1, "deep": map[string]any{"x": 1, "y": 1}, "type": "ignored",
		}}
		spec.Installed = map[string]any{"b": 2, "c": 2, "d": 2, "deep": map[string]any{"x": 2}}
		spec.Config = map[string]any{"c": 3, "d": 3, "apiKey": "swordfish"}
		spec.Start = map[string]any{"d": 4, "environmentPath": "/elsewhere"}
	})
	wantState(t, e, server.Created)
	started := start(t, e)
	wantState(t, e, server.Running)
	if started.WorkspacePath != "/w" || !started.Success || !bytes.Contains(started.Frame, []byte("providerStartResponse")) {
		t.Errorf("got %+v", started)
	}

	seen := inspect(t, e)
	if len(seen.Starts) != 1 {
		t.Fatalf("%d starts", len(seen.Starts))
	}
	delete(seen.Starts[0], "requestId")
	wantStart := message{
		"type": "providerStart", "environmentName": "demo", "environmentId": "env-1", "providerId": "codebolt-fake",
		"projectPath": project, "projectName": filepath.Base(project), "environmentPath": "/elsewhere",
		"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0, "deep": message{"x": 2.0, "y": 1.0}, "apiKey": "swordfish",
	}
	if diff := cmp.Diff(wantStart, seen.Starts[0]); diff != "" {
		t.Errorf("providerStart (-want +got):\n%s", diff)
	}
	environ := map[string]string{}
	for _, pair := range seen.Environ {
		name, value, _ := strings.Cut(pair, "=")
		environ[name] = value
	}
	address, err := url.Parse("tcp://" + s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"CODEBOLT_SERVER_URL": address.Hostname(), "SOCKET_PORT": address.Port(), "agentId": "provider-env-1",
		"providerId": "codebolt-fake", "PROVIDER_ID": "codebolt-fake", "environmentId": "env-1", "IS_PROVIDER": "true",
		"IS_REMOTE_PROVIDER": "true", "ENVIRONMENT_NAME": "demo", "PROJECT_PATH": project,
	} {
		if environ[name] != want {
			t.Errorf("%s is %q, want %q", name, environ[name], want)
		}
	}
	var config message
	if err := json.Unmarshal([]byte(environ["ENVIRONMENT_CONFIG"]), &config); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(message{
		"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0, "deep": message{"x": 2.0, "y": 1.0}, "apiKey": "swordfish", "type": "ignored",
	}, config); diff != "" {
		t.Errorf("ENVIRONMENT_CONFIG (-want +got):\n%s", diff)
	}
	if seen.PID != e.PID() {
		t.Errorf("PID is %d, want %d", e.PID(), seen.PID)
	}

	connections := e.Connections()
	if len(connections) != 1 || connections[0].Query.Get("environmentId") != "env-1" ||
		connections[0].Query.Get("threadToken") != "REDACTED" || environ["threadToken"] == "" {
		t.Errorf("connections %+v", connections)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := output.String(); got != "fake provider of demo\n" {
		t.Errorf("the output is %q", got)
	}
}

func TestWhatGreetsAProviderComesBeforeAllElse(t *testing.T) {
	t.Parallel()
	s := newServer(t, server.Options{
		Quiet: 50 * time.Millisecond,
		Greet: func(*server.Environment) [][]byte { return [][]byte{[]byte(`{"type":"echo","data":"first"}`)} },
	})
	e := create(t, s, "")
	echoes := make(chan any, 1)
	e.Subscribe(func(head wire.Header, frame []byte) {
		var m message
		if head.Type == "echoed" && json.Unmarshal(frame, &m) == nil {
			echoes <- m["data"]
		}
	})
	begun := time.Now()
	if err := e.Launch(bounded(t)); err != nil {
		t.Fatal(err)
	}
	if time.Since(begun) < 50*time.Millisecond {
		t.Error("there was no quiet")
	}
	if got := receive(t, echoes); got != "first" {
		t.Errorf("got %v", got)
	}
	wantState(t, e, server.Starting)
	start(t, e)
	wantState(t, e, server.Running)
	if err := e.Launch(bounded(t)); err != nil {
		t.Errorf("launching what runs: %v", err)
	}
	wantState(t, e, server.Running)
	if err := create(t, s, "exits").Launch(bounded(t)); wire.CodeOf(err) != wire.Unavailable {
		t.Errorf("launching what exits: %v", err)
	}
}

func TestAStartThatTheProviderRefusesFailsWithItsKind(t *testing.T) {
	t.Parallel()
	e := create(t, newServer(t, server.Options{Restart: server.RestartPolicy{Max: 3}}), "refuses")
	_, err := e.Start(bounded(t))
	if !errors.Is(err, wire.Conflict) || !strings.Contains(err.Error(), "the port is busy") {
		t.Errorf("got %v", err)
	}
	wantState(t, e, server.Failed)
	if !errors.Is(e.Err(), wire.Conflict) {
		t.Errorf("Err is %v", e.Err())
	}
	pid := e.PID()
	if _, err := e.Start(bounded(t)); !errors.Is(err, wire.Conflict) {
		t.Errorf("the second time: %v", err)
	}
	if e.PID() != pid || pid == 0 {
		t.Errorf("the process %d was not used again but %d", pid, e.PID())
	}
}

func TestASecondStartIsAskedOfTheSameProcess(t *testing.T) {
	t.Parallel()
	e := create(t, newServer(t, server.Options{}), "")
	start(t, e)
	pid := e.PID()
	start(t, e)
	wantState(t, e, server.Running)
	if seen := inspect(t, e); len(seen.Starts) != 2 || seen.PID != pid {
		t.Errorf("%d starts of process %d, want 2 of %d", len(seen.Starts), seen.PID, pid)
	}
}

func TestAProgramThatDoesNotServeIsSaid(t *testing.T) {
	t.Parallel()
	s := newServer(t, server.Options{Restart: server.RestartPolicy{Max: 3}})
	missing := create(t, s, "", func(spec *server.EnvironmentSpec) { spec.Program = filepath.Join(t.TempDir(), "none") })
	if _, err := missing.Start(bounded(t)); !errors.Is(err, wire.NotFound) {
		t.Errorf("a missing program: %v", err)
	}
	exits := create(t, s, "exits")
	if _, err := exits.Start(bounded(t)); !errors.Is(err, wire.Unavailable) || !strings.Contains(err.Error(), "exit status 7") {
		t.Errorf("a program that exits: %v", err)
	}
	hangs := create(t, s, "hangs")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := hangs.Start(ctx); !errors.Is(err, wire.Timeout) {
		t.Errorf("a program that hangs: %v", err)
	}
	for _, e := range []*server.Environment{missing, exits, hangs} {
		wantState(t, e, server.Failed)
		if e.PID() != 0 {
			t.Errorf("process %d is left", e.PID())
		}
	}
}

func TestAnswersFindTheirCallsWhateverTheirOrder(t *testing.T) {
	t.Parallel()
	e := create(t, newServer(t, server.Options{}), "")
	start(t, e)
	ctx := bounded(t)
	var group sync.WaitGroup
	held := make(chan struct{}, 5)
	e.Subscribe(func(wire.Header, []byte) { t.Error("an answer went to the subscribers") })
	for n := range 5 {
		group.Go(func() {
			held <- struct{}{}
			answer, err := e.Call(ctx, message{"type": "providerReadFile", "path": "hold", "n": n})
			if err != nil {
				t.Error(err)
				return
			}
			var got int
			if err := answer.Reply.Result(&got); err != nil || got != n || answer.ByName {
				t.Errorf("call %d got %d, by name %v, %v", n, got, answer.ByName, err)
			}
		})
	}
	for range 5 {
		<-held
	}
	// What is held is released until every call has been answered, since a call
	// may be sent after a release.
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	for released := false; !released; {
		if _, err := e.Call(ctx, message{"type": "providerReadFile", "path": "release"}); err != nil {
			t.Fatal(err)
		}
		select {
		case <-done:
			released = true
		default:
		}
	}
}

func TestAnAnswerWithAnIDOfItsOwnIsFoundByItsName(t *testing.T) {
	t.Parallel()
	e := create(t, newServer(t, server.Options{}), "node")
	start(t, e)
	answer, err := e.Call(bounded(t), message{"type": "providerReadFile", "path": "a"})
	if err != nil || !answer.ByName {
		t.Fatalf("got %+v, %v", answer, err)
	}
	var got string
	if err := answer.Reply.Result(&got); err != nil || got != "a" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestTheAnswerToACallThatWasGivenUpAnswersNoOther(t *testing.T) {
	t.Parallel()
	e := create(t, newServer(t, server.Options{}), "")
	start(t, e)
	late := make(chan wire.Header, 10)
	ctx, cancel := context.WithCancel(bounded(t))
	defer cancel()
	e.Subscribe(func(h wire.Header, _ []byte) {
		if h.Type == "holding" {
			cancel() // the call has arrived, and is given up
			return
		}
		late <- h
	})
	_, err := e.Call(ctx, message{"type": "providerReadFile", "path": "hold", "tell": true, "requestId": "given-up"})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	// The fake answers this one first, and then the one that was given up.
	answer, err := e.Call(bounded(t), message{"type": "providerReadFile", "path": "release"})
	if err != nil {
		t.Fatal(err)
	}
	var got string
	if err := answer.Reply.Result(&got); err != nil || got != "release" {
		t.Errorf("got %q, %v", got, err)
	}
	if head := receive(t, late); head.RequestID != "given-up" {
		t.Errorf("the subscriber got %+v", head)
	}
}

func TestAFailureIsAnErrorOfItsKind(t *testing.T) {
	t.Parallel()
	e := create(t, newServer(t, server.Options{}), "")
	start(t, e)
	for _, c := range []struct {
		message message
		kind    wire.Code
		text    string
	}{
		{message{"type": "providerReadFile", "path": "missing"}, wire.NotFound, "no such file"},
		{message{"type": "environmentRestartRequest"}, wire.Unsupported, "no runtime"},
	} {
		answer, err := e.Call(bounded(t), c.message)
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) || answer == nil || len(answer.Frame) == 0 {
			t.Errorf("%v: got %+v, %v", c.message, answer, err)
		}
	}
	if _, err := e.Call(bounded(t), []byte("[1]")); !errors.Is(err, wire.Invalid) {
		t.Errorf("no object: %v", err)
	}
	if _, err := e.Call(bounded(t), func() {}); !errors.Is(err, wire.Invalid) {
		t.Errorf("no JSON: %v", err)
	}
}

func TestAHeartbeatIsAnsweredAndAcknowledged(t *testing.T) {
	t.Parallel()
	e := create(t, newServer(t, server.Options{}), "")
	acks := make(chan []byte, 10)
	e.Subscribe(func(h wire.Header, frame []byte) {
		if h.Type == "acknowledged" {
			acks <- frame
		}
	})
	start(t, e)
	answer, err := e.Call(bounded(t), message{"type": "providerHeartbeatRequest"})
	if err != nil || answer.Reply.Type != "providerHeartbeat" || answer.ByName {
		t.Fatalf("got %+v, %v", answer, err)
	}
	var got struct{ Ack message }
	if err := json.Unmarshal(receive(t, acks), &got); err != nil {
		t.Fatal(err)
	}
	if at, ok := got.Ack["timestamp"].(string); !ok || at == "" {
		t.Errorf("the timestamp is %v", got.Ack["timestamp"])
	}
	delete(got.Ack, "timestamp")
	if diff := cmp.Diff(message{"type": "providerHeartbeatResponse", "providerId": "p", "received": true}, got.Ack); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if e.LastHeartbeat().IsZero() {
		t.Error("the heartbeat was not noted")
	}
}

func TestMessagesAreSeenInOrderAndUntilCanceled(t *testing.T) {
	t.Parallel()
	e := create(t, newServer(t, server.Options{}), "")
	start(t, e)
	const count = 2000
	var got []int
	cancel := e.Subscribe(func(h wire.Header, frame []byte) {
		var m struct{ Offset int }
		if err := json.Unmarshal(frame, &m); err != nil || h.Type != "agentOutput" {
			t.Errorf("got %s, %v", frame, err)
		}
		got = append(got, m.Offset)
	})
	if _, err := e.Call(bounded(t), message{"type": "say", "count": count}); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := e.Call(bounded(t), message{"type": "say", "count": 1}); err != nil {
		t.Fatal(err)
	}
	if len(got) != count || !slices.IsSorted(got) {
		t.Errorf("%d frames, sorted %v", len(got), slices.IsSorted(got))
	}
}

func TestWhatIsNoMessageIsSeenAndHarmsNothing(t *testing.T) {
	t.Parallel()
	e := create(t, newServer(t, server.Options{}), "")
	start(t, e)
	frames := make(chan string, 10)
	e.Subscribe(func(h wire.Header, frame []byte) {
		if h != (wire.Header{}) {
			t.Errorf("%s has the header %+v", frame, h)
		}
		frames <- string(frame)
	})
	for _, text := range []string{"not JSON", "[1]", `{"type":`} {
		if err := e.Send(bounded(t), message{"type": "raw", "text": text}); err != nil {
			t.Fatal(err)
		}
		if got := receive(t, frames); got != text {
			t.Errorf("got %q, want %q", got, text)
		}
	}
	inspect(t, e)
}

func TestAnAgentStartIsHandedOverUnchanged(t *testing.T) {
	t.Parallel()
	e := create(t, newServer(t, server.Options{}), "")
	start(t, e)
	taken := make(chan []byte, 1)
	e.Subscribe(func(_ wire.Header, frame []byte) { taken <- frame })
	if err := e.StartAgent(bounded(t), message{"type": "messageResponse", "message": message{"n": 1}}); err != nil {
		t.Fatal(err)
	}
	var got struct{ Data message }
	if err := json.Unmarshal(receive(t, taken), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(message{"type": "messageResponse", "message": message{"n": 1.0}}, got.Data); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestALargeFramePassesBothWays(t *testing.T) {
	t.Parallel()
	e := create(t, newServer(t, server.Options{}), "")
	start(t, e)
	data := strings.Repeat("x", 32<<20)
	answer, err := e.Call(bounded(t), message{"type": "echo", "data": data})
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.Frame) < len(data) {
		t.Errorf("the answer has %d bytes", len(answer.Frame))
	}
}

func TestALostConnectionIsTakenUpAgainWithoutAStart(t *testing.T) {
	t.Parallel()
	e := create(t, newServer(t, server.Options{}), "")
	start(t, e)
	pid := e.PID()
	lost, back := e.Expect(server.Disconnected), e.Expect(server.Running)
	e.Disconnect()
	if err := errors.Join(lost(bounded(t)), back(bounded(t))); err != nil {
		t.Fatal(err)
	}
	if seen := inspect(t, e); len(seen.Starts) != 1 || seen.PID != pid || len(e.Connections()) != 2 {
		t.Errorf("%d starts, process %d, %d connections", len(seen.Starts), seen.PID, len(e.Connections()))
	}
}

func TestAProviderThatDiesIsStartedAgainWithItsResource(t *testing.T) {
	t.Parallel()
	s := newServer(t, server.Options{Restart: server.RestartPolicy{Max: 2, Backoff: time.Millisecond}})
	e := create(t, s, "")
	start(t, e)
	pid, resource := e.PID(), e.ResourceID()
	if resource == "" {
		t.Fatal("there is no resourceId")
	}
	dying, again := e.Expect(server.Restarting), e.Expect(server.Running)
	if err := e.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(dying(bounded(t)), again(bounded(t))); err != nil {
		t.Fatal(err)
	}
	seen := inspect(t, e)
	if seen.PID == pid || len(seen.Starts) != 1 || seen.Starts[0]["resourceId"] != resource {
		t.Errorf("process %d after %d, starts %v, want resourceId %s", seen.PID, pid, seen.Starts, resource)
	}
	if e.ResourceID() != resource || e.Restarts() != 1 {
		t.Errorf("resourceId %s, %d restarts", e.ResourceID(), e.Restarts())
	}
}

func TestAProviderThatDiesTooOftenIsGivenUp(t *testing.T) {
	t.Parallel()
	s := newServer(t, server.Options{Restart: server.RestartPolicy{Max: 2, Backoff: time.Millisecond}})
	e := create(t, s, "dies-at-restart")
	start(t, e)
	failed := e.Expect(server.Failed)
	if err := e.Send(bounded(t), message{"type": "exit"}); err != nil {
		t.Fatal(err)
	}
	if err := failed(bounded(t)); err != nil {
		t.Fatal(err)
	}
	if e.Restarts() != 2 || e.Err() == nil || !strings.Contains(e.Err().Error(), "exit status 3") || e.PID() != 0 {
		t.Errorf("%d restarts, process %d: %v", e.Restarts(), e.PID(), e.Err())
	}
}

func TestWithoutAPolicyADeathIsAFailure(t *testing.T) {
	t.Parallel()
	e := create(t, newServer(t, server.Options{}), "")
	start(t, e)
	failed := e.Expect(server.Failed)
	_, err := e.Call(bounded(t), message{"type": "exit"})
	if !errors.Is(err, wire.Unavailable) || !strings.Contains(err.Error(), "exit status 5") {
		t.Errorf("the call got %v", err)
	}
	if err := failed(bounded(t)); err != nil {
		t.Fatal(err)
	}
	status, err := e.Wait(bounded(t))
	if err != nil || status.ExitCode() != 5 {
		t.Errorf("got %v, %v", status, err)
	}
	if err := e.Send(bounded(t), message{"type": "echo"}); !errors.Is(err, wire.Unavailable) {
		t.Errorf("a message to the dead: %v", err)
	}
	if err := e.Kill(); !errors.Is(err, wire.NotRunning) {
		t.Errorf("killed twice: %v", err)
	}
}

func TestAProviderWithoutHeartbeatsIsEndedAndStartedAgain(t *testing.T) {
	t.Parallel()
	s := newServer(t, server.Options{
		HeartbeatTimeout: 50 * time.Millisecond, TermGrace: 50 * time.Millisecond,
		Restart: server.RestartPolicy{Max: 1, Backoff: time.Millisecond},
	})
	e := create(t, s, "stubborn")
	again, failed := e.Expect(server.Restarting), e.Expect(server.Failed)
	start(t, e)
	if err := errors.Join(again(bounded(t)), failed(bounded(t))); err != nil {
		t.Fatal(err)
	}
	if e.PID() != 0 {
		t.Errorf("process %d is left", e.PID())
	}
}

func TestAStopIsAnsweredAndAStartAfterItServesAgain(t *testing.T) {
	t.Parallel()
	for _, odd := range []string{"", "exits-on-stop"} {
		e := create(t, newServer(t, server.Options{Restart: server.RestartPolicy{Max: 5}}), odd)
		start(t, e)
		resource := e.ResourceID()
		if _, err := e.Stop(bounded(t), "removeIfClean"); err != nil {
			t.Fatal(err)
		}
		wantState(t, e, server.Stopped)
		start(t, e)
		wantState(t, e, server.Running)
		seen := inspect(t, e)
		if last := seen.Starts[len(seen.Starts)-1]; last["resourceId"] != resource {
			t.Errorf("%q: started with resourceId %v, want %s", odd, last["resourceId"], resource)
		}
	}
}

func TestAStopThatFailsIsSaid(t *testing.T) {
	t.Parallel()
	e := create(t, newServer(t, server.Options{}), "keeps-stopped")
	if _, err := e.Stop(bounded(t), ""); err != nil {
		t.Errorf("stop before any start: %v", err)
	}
	start(t, e)
	if _, err := e.Stop(bounded(t), ""); !errors.Is(err, wire.Conflict) {
		t.Errorf("got %v", err)
	}
	wantState(t, e, server.Failed)
}

func TestClosingLeavesNoProcess(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ odd, want string }{
		{"", "exit status 0"},
		{"stays", "signal: terminated"},
		{"stubborn", "signal: killed"},
	} {
		s := newServer(t, server.Options{ExitGrace: 10 * time.Second, TermGrace: 10 * time.Second})
		if c.odd != "" {
			s = newServer(t, server.Options{ExitGrace: 20 * time.Millisecond, TermGrace: 200 * time.Millisecond})
		}
		e := create(t, s, c.odd)
		if err := e.Close(bounded(t)); err != nil {
			t.Errorf("%q: close before any start: %v", c.odd, err)
		}
		start(t, e)
		for range 2 {
			if err := e.Close(bounded(t)); err != nil {
				t.Errorf("%q: %v", c.odd, err)
			}
			wantState(t, e, server.Stopped)
		}
		status, err := e.Wait(bounded(t))
		if err != nil || e.PID() != 0 || (status.String() != c.want && runtime.GOOS != "windows") {
			t.Errorf("%q: process %d, %v, %v", c.odd, e.PID(), status, err)
		}
		start(t, e)
		wantState(t, e, server.Running)
	}
}

func TestAProviderThatWasStoppedNeedNotAnswerAClose(t *testing.T) {
	t.Parallel()
	for _, stopped := range []bool{true, false} {
		e := create(t, newServer(t, server.Options{ExitGrace: 10 * time.Second}), "leaves-unanswered")
		start(t, e)
		if stopped {
			if _, err := e.Stop(bounded(t), ""); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.Close(bounded(t)); (err == nil) != stopped {
			t.Errorf("stopped before: %v: %v", stopped, err)
		}
		wantState(t, e, server.Stopped)
	}
}

func TestClosingTheServerInterruptsAStart(t *testing.T) {
	t.Parallel()
	s := newServer(t, server.Options{TermGrace: time.Second})
	e := create(t, s, "hangs")
	starting, failed := e.Expect(server.Starting), make(chan error, 1)
	go func() {
		_, err := e.Start(bounded(t))
		failed <- err
	}()
	if err := starting(bounded(t)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; !errors.Is(err, wire.Unavailable) {
		t.Errorf("got %v", err)
	}
	if e.PID() != 0 {
		t.Errorf("process %d is left", e.PID())
	}
	if _, err := e.Start(bounded(t)); !errors.Is(err, wire.Unavailable) {
		t.Errorf("start on a closed server: %v", err)
	}
	if _, err := s.Create(server.EnvironmentSpec{Name: "n", Program: "p"}); !errors.Is(err, wire.Unavailable) {
		t.Errorf("create on a closed server: %v", err)
	}
}

func TestALaterServerGoesOnWithTheSameResource(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	identify := func(spec *server.EnvironmentSpec) {
		spec.ID, spec.Config = "../env 1", map[string]any{"apiKey": "swordfish"}
	}
	s := newServer(t, server.Options{StateDir: dir})
	e := create(t, s, "", identify)
	start(t, e)
	resource := e.ResourceID()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "environments.json")
	var records []message
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, &records)
	}
	if err != nil || len(records) != 1 || records[0]["id"] != "../env 1" || records[0]["state"] != "stopped" {
		t.Fatalf("environments.json holds %s (%v)", text, err)
	}
	if info, err := os.Stat(file); err != nil || (runtime.GOOS != "windows" && info.Mode().Perm() != 0o600) {
		t.Errorf("environments.json: %v, %v", info.Mode(), err)
	}
	created := records[0]["createdAt"]

	s = newServer(t, server.Options{StateDir: dir})
	e = create(t, s, "", identify)
	start(t, e)
	if seen := inspect(t, e); seen.Starts[0]["resourceId"] != resource || e.ResourceID() != resource {
		t.Errorf("started with %v, want %s", seen.Starts[0]["resourceId"], resource)
	}
	if err := e.Delete(bounded(t)); err != nil {
		t.Fatal(err)
	}
	if text, err = os.ReadFile(file); err != nil || strings.TrimSpace(string(text)) != "[]" {
		t.Errorf("after the deletion: %s, %v (created %v)", text, err, created)
	}
	if left, err := os.ReadDir(filepath.Join(dir, "provider-states")); err != nil || len(left) != 0 {
		t.Errorf("after the deletion: %v, %v", left, err)
	}
}

func TestEveryFrameIsRecordedWithoutSecrets(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var seen sync.Map
	s := newServer(t, server.Options{StateDir: dir, OnFrame: func(f server.Frame) { seen.Store(string(f.Direction), f.Connection) }})
	e := create(t, s, "", func(spec *server.EnvironmentSpec) { spec.Config = map[string]any{"apiKey": "swordfish"} })
	start(t, e)
	if err := e.Send(bounded(t), message{"type": "raw", "text": "not JSON but swordfish"}); err != nil {
		t.Fatal(err)
	}
	inspect(t, e)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "frames", "*.jsonl"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("swordfish")) {
		t.Errorf("the record holds a secret:\n%s", text)
	}
	var got []string
	for line := range bytes.Lines(text) {
		var m struct {
			Direction, Event, Text string
			Query                  url.Values
			Frame                  struct{ Type, Action string }
		}
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if m.Event == "open" && (m.Query.Get("environmentId") != e.ID() || m.Query.Get("threadToken") != "REDACTED") {
			t.Errorf("the query is %v", m.Query)
		}
		got = append(got, strings.TrimSpace(strings.Join([]string{m.Direction, m.Event, m.Text, m.Frame.Type, m.Frame.Action}, " ")))
	}
	want := []string{
		"open", "out   providerStart", "in   setResourceId", "in   remoteProviderEvent providerStartResponse",
		"out   raw", "out   inspect", "in  not JSON but REDACTED", "in   inspected", "out   closeSignal", "in   closeSignalResponse", "close",
	}
	// An answer may be recorded before the next question only.
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, direction := range []string{"in", "out"} {
		if number, ok := seen.Load(direction); !ok || number != 1 {
			t.Errorf("OnFrame saw %v as %s", number, direction)
		}
	}
}

func TestOnlyTheProviderOfAnEnvironmentIsLetIn(t *testing.T) {
	t.Parallel()
	s := newServer(t, server.Options{Admit: func(_ *server.Environment, r *http.Request) int {
		if r.URL.Query().Has("banned") {
			return http.StatusTeapot
		}
		return 0
	}})
	e := create(t, s, "", func(spec *server.EnvironmentSpec) { spec.ID = "env-1" })
	start(t, e)
	token := ""
	for _, pair := range inspect(t, e).Environ {
		if value, ok := strings.CutPrefix(pair, "threadToken="); ok {
			token = value
		}
	}
	for query, want := range map[string]int{
		"/codebolt?environmentId=env-1":                                            http.StatusUnauthorized,
		"/codebolt?environmentId=env-1&threadToken=x":                              http.StatusUnauthorized,
		"/codebolt?environmentId=other&threadToken=" + token:                       http.StatusForbidden,
		"/codebolt?threadToken=" + token:                                           http.StatusForbidden,
		"/plugin?environmentId=env-1&threadToken=" + token:                         http.StatusNotFound,
		"/codebolt?environmentId=env-1&banned=1&threadToken=" + token:              http.StatusTeapot,
		"/codebolt?agentId=provider-env-1&threadToken=" + token:                    http.StatusSwitchingProtocols,
		"/codebolt?environmentId=env-1&connectionId=old" + "&threadToken=" + token: http.StatusSwitchingProtocols,
	} {
		conn, response, err := websocket.DefaultDialer.DialContext(bounded(t), "ws://"+s.Addr()+query, nil)
		if response == nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("%s: status %d, want %d", query, response.StatusCode, want)
		}
		if conn == nil {
			continue
		}
		if strings.Contains(query, "connectionId=old") {
			if _, _, err := conn.ReadMessage(); err == nil {
				t.Error("a connection of an earlier process was served")
			}
		}
		_ = conn.Close()
	}
}

func TestAnIncompleteSpecIsRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t, server.Options{})
	for _, spec := range []server.EnvironmentSpec{
		{}, {Name: "n"}, {Program: "p"}, {Name: "n", Program: "p", ProjectPath: "relative"},
	} {
		if _, err := s.Create(spec); !errors.Is(err, wire.Invalid) {
			t.Errorf("%+v: %v", spec, err)
		}
	}
	create(t, s, "", func(spec *server.EnvironmentSpec) { spec.ID = "one" })
	if _, err := s.Create(server.EnvironmentSpec{Name: "n", Program: "p", ID: "one"}); !errors.Is(err, wire.Exists) {
		t.Errorf("the same id twice: %v", err)
	}
	e := create(t, s, "")
	if _, err := e.Call(bounded(t), message{"type": "echo"}); !errors.Is(err, wire.NotRunning) {
		t.Errorf("a call before any start: %v", err)
	}
	if _, err := e.Wait(bounded(t)); !errors.Is(err, wire.NotRunning) {
		t.Errorf("a wait before any start: %v", err)
	}
}

// lockedBuffer is a buffer that several processes may write to.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
