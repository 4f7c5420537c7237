package provider_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/codeboltai/codebolt-providers/shared/build"
	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
)

const (
	theManifest = "name: fake\nunique_id: codebolt-fake\nversion: 1.0.0\ndescription: a provider for tests\nauthor: tests\ntype: provider\nentrypoint: dist/index.js\nruntime: node\nsupportedSyncModes: [git]\ndefaultSyncMode: git\n"
	secret      = "hunter2hunter2"
)

// fake is a provider whose environments are a directory and nothing else.
type fake struct {
	open  func(ctx context.Context, req *provider.OpenRequest) error
	dir   string
	opens atomic.Int64
	env   fakeEnv
	wrap  func(*fakeEnv) provider.Environment // nil leaves the environment as it is
}

func (f *fake) environment() provider.Environment {
	if f.wrap == nil {
		return &f.env
	}
	return f.wrap(&f.env)
}

// fakeEnv counts what is done with it.
type fakeEnv struct {
	local              *workspace.Local
	detached, removals atomic.Int64
	policy             atomic.Value
	failRemove         atomic.Bool
}

func (f *fake) Open(ctx context.Context, req *provider.OpenRequest) (provider.Environment, error) {
	f.opens.Add(1)
	if f.open != nil {
		if err := f.open(ctx, req); err != nil {
			return nil, err
		}
	}
	var err error
	f.env.local, err = workspace.OpenLocal(f.dir, workspace.LocalOptions{})
	req.SetResource("fake:v1:one")
	return f.environment(), err
}

func (e *fakeEnv) Resource() resource.ID            { return "fake:v1:one" }
func (e *fakeEnv) Placement() wire.Placement        { return wire.Placement{ResolvedPath: e.local.Root()} }
func (e *fakeEnv) Workspace() workspace.FS          { return e.local }
func (e *fakeEnv) Runtime() *provider.RuntimeAccess { return nil }
func (e *fakeEnv) Health(context.Context) provider.Health {
	return provider.Health{Status: wire.Healthy}
}

func (e *fakeEnv) Detach(context.Context) error                   { e.detached.Add(1); return e.local.Close() }
func (e *fakeEnv) Patch(context.Context) (string, error)          { return "", nil }
func (e *fakeEnv) Diff(context.Context) (*wire.DiffResult, error) { panic("a bug in a provider") }
func (e *fakeEnv) Remove(_ context.Context, how provider.RemovePolicy) (provider.Removal, error) {
	if e.failRemove.Load() {
		return provider.Removal{}, wire.Errorf(wire.Unavailable, "the disk is busy")
	}
	e.removals.Add(1)
	e.policy.Store(how)
	return provider.Removal{Removed: true}, e.local.Close()
}

// stage is a server with one provider process's worth of base running.
type stage struct {
	t      *testing.T
	fake   *fake
	conns  chan *websocket.Conn
	conn   *websocket.Conn
	query  chan string
	stop   context.CancelFunc
	status chan int
	stderr *safeBuffer
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func play(t *testing.T, f *fake, env ...string) *stage {
	t.Helper()
	s := &stage{t: t, fake: f, conns: make(chan *websocket.Conn, 8), query: make(chan string, 8), status: make(chan int, 1), stderr: &safeBuffer{}}
	if f.dir == "" {
		f.dir = t.TempDir()
	}
	up := websocket.Upgrader{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		s.query <- r.URL.String()
		s.conns <- c
	}))
	t.Cleanup(server.Close)
	host, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	environ := append([]string{"CODEBOLT_SERVER_URL=" + host, "SOCKET_PORT=" + port, "agentId=a1", "MY_API_KEY=" + secret}, env...)
	done := make(chan struct{})
	go func() {
		s.status <- provider.Run(ctx, definition(f), provider.Process{Args: []string{"fake"}, Environ: environ, Stdout: s.stderr, Stderr: s.stderr})
		close(done)
	}()
	t.Cleanup(func() {
		stop()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			t.Error("the provider does not end")
		}
		if strings.Contains(s.stderr.String(), secret) {
			t.Error("a secret is in the log")
		}
	})
	s.accept()
	return s
}

func definition(f *fake) provider.Definition {
	return provider.Definition{
		Manifests: fstest.MapFS{
			"codeboltprovider.yaml": {Data: []byte(theManifest)},
			"providers.yaml":        {Data: []byte(theManifest)},
		},
		Provider: f, Environment: f.environment(),
	}
}

func (s *stage) accept() {
	s.t.Helper()
	select {
	case s.conn = <-s.conns:
	case status := <-s.status:
		s.status <- status
		s.t.Fatalf("the provider ended with %d:\n%s", status, s.stderr)
	case <-time.After(20 * time.Second):
		s.t.Fatal("the provider does not connect")
	}
}

type message map[string]any

func (s *stage) send(m message) {
	s.t.Helper()
	if err := s.conn.WriteJSON(m); err != nil {
		s.t.Fatal(err)
	}
}

// read gives the next message that want accepts; others are heartbeats and
// progress.
func (s *stage) read(want func(message) bool) message {
	s.t.Helper()
	for {
		if err := s.conn.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			s.t.Fatal(err)
		}
		var m message
		if err := s.conn.ReadJSON(&m); err != nil {
			s.t.Fatalf("read: %v\n%s", err, s.stderr)
		}
		if want(m) {
			return m
		}
	}
}

func withID(id string) func(message) bool {
	return func(m message) bool { return m["requestId"] == id }
}

func ofType(typ string) func(message) bool { return func(m message) bool { return m["type"] == typ } }

func (s *stage) call(m message) message {
	s.t.Helper()
	s.send(m)
	return s.read(withID(m["requestId"].(string)))
}

func startMessage(id string) message {
	return message{"type": "providerStart", "requestId": id, "environmentName": "e", "environmentId": "env-1", "providerId": "prov-1", "projectPath": "/tmp"}
}

func state(t *testing.T) {
	t.Helper()
	t.Setenv(resource.EnvStateDir, t.TempDir())
}

func TestAStartIsAnsweredOnceAndRepeatedWithTheSameResult(t *testing.T) {
	state(t)
	s := play(t, &fake{})
	first := s.call(startMessage("r1"))
	if first["type"] != "remoteProviderEvent" || first["action"] != "providerStartResponse" || first["error"] != nil {
		t.Fatalf("start: %v", first)
	}
	second := s.call(startMessage("r2"))
	if fmt.Sprint(first["message"]) != fmt.Sprint(second["message"]) || s.fake.opens.Load() != 1 {
		t.Errorf("repeated: %v after %v; opened %d times", second, first, s.fake.opens.Load())
	}
	other := startMessage("r3")
	other["environmentName"], other["environmentId"] = "another", "env-2"
	third := s.call(other)
	if third["type"] != "providerStartResponse" || third["code"] != "conflict" || third["success"] != false {
		t.Errorf("another start: %v", third)
	}
}

func TestTheServerHearsResourceAndHeartbeatsUnderItsOwnIds(t *testing.T) {
	state(t)
	s := play(t, &fake{})
	s.send(startMessage("r1"))
	if m := s.read(ofType("setResourceId")); m["resourceId"] != "fake:v1:one" || m["environmentId"] != "env-1" || m["providerId"] != "prov-1" {
		t.Errorf("resource: %v", m)
	}
	m := s.read(func(m message) bool { return m["type"] == "providerHeartbeat" && m["status"] == "healthy" })
	if m["providerId"] != "prov-1" || fmt.Sprint(m["connectedEnvironments"]) != "[env-1]" {
		t.Errorf("provider heartbeat: %v", m)
	}
	if m := s.read(ofType("environmentHeartbeat")); m["environmentId"] != "env-1" || m["environmentAlive"] != true {
		t.Errorf("environment heartbeat: %v", m)
	}
	if m := s.call(message{"type": "providerHeartbeatRequest", "requestId": "h", "providerId": "prov-1"}); m["type"] != "providerHeartbeat" || m["status"] != "healthy" {
		t.Errorf("asked: %v", m)
	}
}

func TestEveryKnownRequestIsAnsweredExactlyOnceBeforeAnythingIsOpen(t *testing.T) {
	state(t)
	s := play(t, &fake{})
	var want []string
	for _, verb := range wire.Verbs {
		if verb.OK == wire.None || verb.Kind == wire.Lifecycle {
			continue
		}
		want = append(want, verb.Type)
		s.send(message{"type": verb.Type, "requestId": verb.Type, "path": "x", "userMessage": message{"type": "messageResponse"}})
	}
	s.send(message{"type": "providerStop", "requestId": "stop"})
	answers := map[string]int{}
	waiting := len(want) + 1
	s.read(func(m message) bool {
		id, _ := m["requestId"].(string)
		if id != "stop" && !slices.Contains(want, id) {
			return false
		}
		if answers[id]++; answers[id] == 1 {
			waiting--
		}
		if strings.HasPrefix(id, "provider") && id != "providerHeartbeatRequest" && m["error"] == nil {
			t.Errorf("%s without an environment succeeds: %v", id, m)
		}
		return waiting == 0
	})
	for typ, n := range answers {
		if n != 1 {
			t.Errorf("%s was answered %d times", typ, n)
		}
	}
}

func TestAFailedStartIsUndoneAndToldWithItsKindAndWithoutSecrets(t *testing.T) {
	state(t)
	var undone []string
	f := &fake{open: func(_ context.Context, req *provider.OpenRequest) error {
		req.Undo("first", func(context.Context) error { undone = append(undone, "first"); return nil })
		req.Undo("second", func(context.Context) error { undone = append(undone, "second"); return nil })
		return wire.Errorf(wire.Permission, "the key %s is refused", secret)
	}}
	s := play(t, f)
	m := s.call(startMessage("r1"))
	if m["type"] != "providerStartResponse" || m["action"] != "providerStartResponse" || m["success"] != false || m["code"] != "permission" || m["environmentId"] != "env-1" {
		t.Errorf("failed start: %v", m)
	}
	if text := fmt.Sprint(m["error"]); !strings.Contains(text, "is refused") || strings.Contains(text, secret) {
		t.Errorf("the error: %s", text)
	}
	if fmt.Sprint(undone) != "[second first]" {
		t.Errorf("undone: %v", undone)
	}
	f.open = nil
	if m := s.call(startMessage("r2")); m["error"] != nil {
		t.Errorf("the next start: %v", m)
	}
}

func TestAPanicInAProviderIsAnErrorAndUndone(t *testing.T) {
	state(t)
	var undone atomic.Bool
	f := &fake{open: func(_ context.Context, req *provider.OpenRequest) error {
		req.Undo("it", func(context.Context) error { undone.Store(true); return nil })
		panic("a bug")
	}}
	s := play(t, f)
	if m := s.call(startMessage("r1")); m["code"] != "internal" || !undone.Load() {
		t.Errorf("panic in open: %v, undone %v", m, undone.Load())
	}
	f.open = nil
	s.call(startMessage("r2"))
	if m := s.call(message{"type": "providerGetDiffFiles", "requestId": "d"}); m["code"] != "internal" || m["action"] != "providerDiffFilesResponse" {
		t.Errorf("panic in diff: %v", m)
	}
	if m := s.call(message{"type": "providerMergeAsPatch", "requestId": "p"}); m["error"] != nil || m["message"] != "" {
		t.Errorf("after the panic: %v", m)
	}
}

func TestAStopCancelsAStartAndLeavesNothing(t *testing.T) {
	state(t)
	var undone atomic.Bool
	begun := make(chan struct{})
	f := &fake{open: func(ctx context.Context, req *provider.OpenRequest) error {
		req.Undo("it", func(context.Context) error { undone.Store(true); return nil })
		close(begun)
		<-ctx.Done()
		return context.Cause(ctx)
	}}
	s := play(t, f)
	s.send(startMessage("start"))
	<-begun
	s.send(message{"type": "providerStop", "requestId": "stop"})
	if m := s.read(withID("start")); m["error"] == nil || m["code"] != "conflict" {
		t.Errorf("the cancelled start: %v", m)
	}
	if m := s.read(withID("stop")); m["error"] != nil || !undone.Load() {
		t.Errorf("the stop: %v, undone %v", m, undone.Load())
	}
	if status := <-s.status; status != 0 {
		t.Errorf("ended with %d", status)
	}
	s.status <- 0
}

func TestAMalformedStartIsRefusedInItsTurnAndDisturbsNothing(t *testing.T) {
	state(t)
	begun, goOn := make(chan struct{}), make(chan struct{})
	s := play(t, &fake{open: func(context.Context, *provider.OpenRequest) error {
		close(begun)
		<-goOn
		return nil
	}})
	s.send(startMessage("first"))
	<-begun
	bad := startMessage("malformed")
	bad["environmentName"] = 5
	s.send(bad)
	s.send(message{"type": "providerStop", "requestId": "bad stop", "onStop": "explode"})
	s.send(message{"type": "providerHeartbeatRequest", "requestId": "seen", "providerId": "prov-1"})
	early := s.read(func(m message) bool {
		return m["requestId"] == "seen" || m["action"] == "providerStartResponse" || m["action"] == "providerStopResponse"
	})
	close(goOn)
	if early["requestId"] != "seen" { // which tells that both have been read
		t.Fatalf("while the start is under way: %v", early)
	}
	for _, want := range []struct {
		id   string
		code any
	}{{"first", nil}, {"malformed", "invalid"}, {"bad stop", "invalid"}} {
		m := s.read(func(m message) bool {
			return slices.Contains([]any{"providerStartResponse", "providerStopResponse"}, m["action"])
		})
		if m["requestId"] != want.id || m["code"] != want.code {
			t.Errorf("answer to %s: %v", want.id, m)
		}
	}
}

func TestCloseDetachesAndStopFollowsThePolicy(t *testing.T) {
	for _, test := range []struct {
		request, policy    string
		detached, removals int64
	}{
		{"closeSignal", "removeIfClean", 1, 0},
		{"providerStop", "keep", 1, 0},
		{"providerStop", "removeIfClean", 0, 1},
		{"providerStop", "snapshotAndRemove", 0, 1},
	} {
		t.Run(test.request+" "+test.policy, func(t *testing.T) {
			state(t)
			f := &fake{}
			s := play(t, f)
			start := startMessage("r1")
			start["onStop"] = test.policy
			if m := s.call(start); m["error"] != nil {
				t.Fatal(m)
			}
			for _, id := range []string{"once", "twice"} {
				m := s.call(message{"type": test.request, "requestId": id})
				if m["error"] != nil || (test.request == "closeSignal") != (m["type"] == "closeSignalResponse") {
					t.Errorf("%s: %v", id, m)
				}
			}
			if f.env.detached.Load() != test.detached || f.env.removals.Load() != test.removals {
				t.Errorf("detached %d, removed %d", f.env.detached.Load(), f.env.removals.Load())
			}
			if test.removals == 1 && string(f.env.policy.Load().(provider.RemovePolicy)) != test.policy {
				t.Errorf("removed under %v", f.env.policy.Load())
			}
			status := <-s.status // it leaves by itself
			if status != 0 {
				t.Errorf("ended with %d", status)
			}
			s.status <- status
		})
	}
}

func TestAStopThatFailsSaysSoAndCanBeRepeated(t *testing.T) {
	state(t)
	f := &fake{}
	s := play(t, f)
	start := startMessage("r1")
	start["onStop"] = "removeIfClean"
	s.call(start)
	f.env.failRemove.Store(true)
	if m := s.call(message{"type": "providerStop", "requestId": "s1"}); m["code"] != "unavailable" || m["retryable"] != true {
		t.Errorf("failed stop: %v", m)
	}
	f.env.failRemove.Store(false)
	if m := s.call(message{"type": "providerStop", "requestId": "s2"}); m["error"] != nil || f.env.removals.Load() != 1 {
		t.Errorf("second stop: %v", m)
	}
}

func TestNonsenseFromTheServerDoesNoHarm(t *testing.T) {
	state(t)
	s := play(t, &fake{})
	s.call(startMessage("r1"))
	for _, text := range []string{"{", "[]", "null", `"text"`, `{"type":7}`, `{"no":"type"}`, ""} {
		if err := s.conn.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.conn.WriteMessage(websocket.BinaryMessage, []byte{0xff, 0, 1}); err != nil {
		t.Fatal(err)
	}
	s.send(message{"type": "nobodyKnowsThis", "requestId": "x"})
	if m := s.call(message{"type": "providerWriteFile", "requestId": "w", "path": "a", "content": "text"}); m["error"] != nil {
		t.Errorf("write after nonsense: %v", m)
	}
	if m := s.call(message{"type": "providerReadFile", "requestId": "r", "path": "a"}); m["message"] != "text" {
		t.Errorf("read after nonsense: %v", m)
	}
	if m := s.call(message{"type": "providerReadFile", "requestId": "bad", "path": 7}); m["code"] != "invalid" {
		t.Errorf("a path that is a number: %v", m)
	}
}

func TestALostServerIsFoundAgainWithTheEnvironmentOpen(t *testing.T) {
	state(t)
	f := &fake{}
	s := play(t, f)
	s.call(startMessage("r1"))
	if err := s.conn.Close(); err != nil {
		t.Fatal(err)
	}
	s.accept()
	s.read(func(m message) bool { return m["type"] == "providerHeartbeat" && m["status"] == "healthy" })
	if m := s.call(startMessage("r2")); m["error"] != nil || f.opens.Load() != 1 || f.env.detached.Load() != 0 {
		t.Errorf("after the reconnect: %v, opened %d times", m, f.opens.Load())
	}
}

func TestATerminatedProviderDetaches(t *testing.T) {
	state(t)
	f := &fake{}
	s := play(t, f)
	s.call(startMessage("r1"))
	s.stop()
	if status := <-s.status; status != 0 || f.env.detached.Load() != 1 || f.env.removals.Load() != 0 {
		t.Errorf("status %d, detached %d, removed %d", status, f.env.detached.Load(), f.env.removals.Load())
	}
	s.status <- 0
}

func TestOnlyWhatTheServerMayKnowIsInTheQuery(t *testing.T) {
	state(t)
	s := play(t, &fake{}, "threadToken=tok", "ENVIRONMENT_NAME=e", `ENVIRONMENT_CONFIG={"apiKey":"`+secret+`"}`, "HOME=/root")
	query := <-s.query
	if strings.Contains(query, secret) || strings.Contains(query, "HOME") || strings.Contains(query, "ENVIRONMENT_CONFIG") {
		t.Errorf("the query tells too much: %s", query)
	}
	for _, want := range []string{"/codebolt?", "agentId=a1", "threadToken=tok", "ENVIRONMENT_NAME=e", "id=ws_"} {
		if !strings.Contains(query, want) {
			t.Errorf("the query lacks %s: %s", want, query)
		}
	}
}

func TestARefusingServerIsNotAskedForEver(t *testing.T) {
	state(t)
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer server.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	var out safeBuffer
	status := provider.Run(t.Context(), definition(&fake{}), provider.Process{Args: []string{"fake"}, Environ: []string{"SOCKET_PORT=" + port, "CODEBOLT_SERVER_URL=127.0.0.1"}, Stdout: &out, Stderr: &out})
	if status == 0 || asked.Load() != 1 || !strings.Contains(out.String(), "401") {
		t.Errorf("status %d after %d tries: %s", status, asked.Load(), &out)
	}
}

func TestByHandItSaysWhatItIsFor(t *testing.T) {
	state(t)
	for args, want := range map[string]struct {
		status int
		text   string
	}{
		"":               {2, "is started by a Codebolt server"},
		"--help":         {0, "codebolt-providers run codebolt-fake"},
		"--version":      {0, "codebolt-fake " + build.Get().String() + "\n"},
		"version --json": {0, `"version": "` + build.Get().Version + `"`},
		"version --yaml": {2, "-yaml"},
		"--capabilities": {0, `"providerGetDiffFiles"`},
		"--nonsense":     {2, "nonsense"},
		"what":           {2, `unknown argument "what"`},
		"gc":             {2, "gc:"},
		"snapshot":       {2, "snapshot:"},
		"logs":           {2, "logs:"},
		"doctor":         {2, "doctor:"},
	} {
		var out safeBuffer
		begun := time.Now()
		status := provider.Run(t.Context(), definition(&fake{}), provider.Process{Args: append([]string{"fake"}, strings.Fields(args)...), Stdout: &out, Stderr: &out})
		if status != want.status || !strings.Contains(out.String(), want.text) || time.Since(begun) > 2*time.Second {
			t.Errorf("%q: status %d in %v: %s", args, status, time.Since(begun), &out)
		}
	}
	var out safeBuffer
	provider.Run(t.Context(), definition(&fake{}), provider.Process{Args: []string{"fake", "--capabilities"}, Stdout: &out, Stderr: &out})
	if strings.Contains(out.String(), "providerSendPR") || !strings.Contains(out.String(), "providerMergeAsPatch") {
		t.Errorf("capabilities are not those of the type: %s", &out)
	}
}

func TestHostileNamesAreSafeOrRefused(t *testing.T) {
	state(t)
	for name, accepted := range map[string]bool{
		"x$(touch pwned)": true, "../../x": true, "-f": true, "a b": true, "ü": true, ".": true, "a.lock": true,
		strings.Repeat("n", 255): true, strings.Repeat("n", 256): false, "": false, "a\x00b": false, "a\nb": false,
	} {
		safe := ""
		s := play(t, &fake{open: func(_ context.Context, req *provider.OpenRequest) error {
			safe = req.SafeName()
			return nil
		}})
		start := startMessage("r")
		start["environmentName"] = name
		m := s.call(start)
		if (m["error"] == nil) != accepted || (!accepted && m["code"] != "invalid") {
			t.Errorf("%q: %v", name, m)
		}
		const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
		if accepted && (strings.Trim(safe, letters) != "" || strings.HasPrefix(safe, "-") || strings.HasPrefix(safe, ".") || len(safe) > 60 || strings.Contains(safe, "..") || strings.HasSuffix(safe, ".lock")) {
			t.Errorf("%q became %q", name, safe)
		}
		s.stop()
	}
}
