//go:build linux

package engine_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/providers/docker/internal/engine"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// fake is a daemon that answers as a test wants.
type fake struct {
	host    string
	api     string // its version
	answers map[string]http.HandlerFunc
}

// newFake starts a fake daemon; answers are by "METHOD /path" without the version.
func newFake(t *testing.T, answers map[string]http.HandlerFunc) *fake {
	t.Helper()
	dir, err := os.MkdirTemp("", "fake") // socket paths are short
	wantNil(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	f := &fake{host: "unix://" + dir + "/s", api: "1.41", answers: answers}
	ln, err := new(net.ListenConfig).Listen(t.Context(), "unix", strings.TrimPrefix(f.host, "unix://"))
	wantNil(t, err)
	server := &http.Server{Handler: f, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(ln) }()
	t.Cleanup(func() { server.Close() })
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	path := strings.TrimPrefix(q.URL.Path, "/v"+f.api)
	if answer := f.answers[q.Method+" "+path]; answer != nil {
		answer(w, q)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	switch path {
	case "/_ping":
		if f.api != "" {
			w.Header().Set("Api-Version", f.api)
		}
	case "/version":
		fmt.Fprintf(w, `{"Version":"1.2.3","ApiVersion":%q,"Os":"linux","Arch":"amd64"}`, f.api)
	case "/info":
		fmt.Fprint(w, `{"OSType":"linux","LoggingDriver":"journald","SecurityOptions":["name=seccomp,profile=default","name=rootless","name=userns"],"MemoryLimit":true,"Warnings":["careful"]}`)
	default:
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"message":"no such thing"}`)
	}
}

func says(status int, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"message":%q}`, message)
	}
}

// hangs never answers while the caller waits.
func hangs(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() }

// hangsUp closes the connection without an answer.
func hangsUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func TestADaemonsAbilitiesAreKnown(t *testing.T) {
	t.Parallel()
	f := newFake(t, nil)
	i := connect(t, engine.Options{Host: f.host}).Info()
	if i.Host != f.host || !i.Local || i.APIVersion != "1.41" || i.ServerVersion != "1.2.3" || i.OS != "linux" || i.Arch != "amd64" ||
		!i.Rootless || !i.UserNS || !i.MemoryLimit || i.PidsLimit || i.CPULimit || len(i.Warnings) != 1 {
		t.Errorf("%+v", i)
	}
}

func TestADaemonThatIsNoneOrTooOldIsRefused(t *testing.T) {
	t.Parallel()
	refused := func(f *fake, code wire.Code, words ...string) {
		t.Helper()
		_, err := engine.Connect(within(t, 20*time.Second), alone(t, engine.Options{Host: f.host}))
		want(t, err, code, words...)
	}
	old := newFake(t, nil)
	old.api = "1.39"
	refused(old, wire.Unsupported, "1.39", "1.40", "upgrade")
	none := newFake(t, nil)
	none.api = ""
	refused(none, wire.Unsupported, "no Docker daemon")
	absent := &fake{host: "unix:///nonexistent/docker.sock"}
	refused(absent, wire.Unavailable, "no Docker daemon answers at unix:///nonexistent/docker.sock", "start it", "DOCKER_HOST")
	windows := newFake(t, map[string]http.HandlerFunc{"GET /version": func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"Os":"windows"}`)
	}})
	refused(windows, wire.Unsupported, "linux containers")
}

func TestADaemonThatHangsHoldsNobodyLongerThanTheContext(t *testing.T) {
	t.Parallel()
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // takes connections and says nothing
	wantNil(t, err)
	defer silent.Close()
	f := newFake(t, map[string]http.HandlerFunc{
		"GET /containers/c/json": hangs, "POST /containers/c/exec": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"Id":"e"}`) },
		"POST /exec/e/start": hangs, "POST /images/create": func(w http.ResponseWriter, q *http.Request) {
			fmt.Fprint(w, `{"status":"Pulling"}`)
			_ = http.NewResponseController(w).Flush()
			hangs(w, q)
		},
		"GET /containers/c/logs": hangs,
	})
	e := connect(t, engine.Options{Host: f.host})
	for name, call := range map[string]func(context.Context) error{
		"connect": func(ctx context.Context) error {
			_, err := engine.Connect(ctx, alone(t, engine.Options{Host: "tcp://" + silent.Addr().String()}))
			return err
		},
		"look": func(ctx context.Context) error { _, err := e.Container(ctx, "c"); return err },
		"exec": func(ctx context.Context) error {
			_, err := e.ExecConn(ctx, "c", engine.ExecSpec{Argv: []string{"x"}})
			return err
		},
		"pull": func(ctx context.Context) error { _, err := e.EnsureImage(ctx, "x", "", "", nil); return err },
		"logs": func(ctx context.Context) error { return e.Logs(ctx, "c", engine.LogOptions{}, nil, nil) },
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			want(t, call(within(t, 100*time.Millisecond)), wire.Timeout, "did not answer in time")
			cancelled, cancel := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, cancel)
			want(t, call(cancelled), wire.Unavailable)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestADaemonThatRestartsIsWaitedForWhereThatIsSafe(t *testing.T) {
	t.Parallel()
	var looks, creates, starts atomic.Int32
	f := newFake(t, nil)
	f.answers = map[string]http.HandlerFunc{
		"GET /containers/c/json": func(w http.ResponseWriter, q *http.Request) {
			if looks.Add(1) < 3 {
				hangsUp(w, q)
			}
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"Id":"c"}`)
		},
		"POST /containers/c/start": func(w http.ResponseWriter, q *http.Request) {
			if starts.Add(1) < 2 {
				hangsUp(w, q)
			}
			w.WriteHeader(http.StatusNoContent)
		},
		"POST /containers/create": func(w http.ResponseWriter, q *http.Request) {
			if creates.Add(1) == 1 {
				hangsUp(w, q)
			}
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"Id":"c"}`)
		},
	}
	e := connect(t, engine.Options{Host: f.host})
	if c, err := e.Container(t.Context(), "c"); err != nil || c.ID != "c" || looks.Load() != 3 {
		t.Errorf("%+v, %v after %d tries", c, err, looks.Load())
	}
	if err := e.StartContainer(t.Context(), "c"); err != nil || starts.Load() != 2 {
		t.Errorf("%v after %d tries", err, starts.Load())
	}
	_, _, err := e.CreateContainer(t.Context(), engine.ContainerSpec{Image: "x"})
	want(t, err, wire.Unavailable, "connection", "broke")
	if creates.Load() != 1 {
		t.Errorf("what may have been done was done %d times", creates.Load())
	}
	// Nothing was sent to a daemon that is away, so even this may be tried again.
	wantNil(t, e.Close())
	socket := strings.TrimPrefix(f.host, "unix://")
	wantNil(t, os.Rename(socket, socket+".away"))
	time.AfterFunc(300*time.Millisecond, func() { _ = os.Rename(socket+".away", socket) })
	if id, _, err := e.CreateContainer(t.Context(), engine.ContainerSpec{Image: "x"}); err != nil || id != "c" {
		t.Errorf("%q, %v", id, err)
	}
}

func TestADaemonThatStaysAwayIsToldAfterAFewSeconds(t *testing.T) {
	t.Parallel()
	f := newFake(t, nil)
	e := connect(t, engine.Options{Host: f.host})
	wantNil(t, e.Close())
	wantNil(t, os.Remove(strings.TrimPrefix(f.host, "unix://")))
	start := time.Now()
	_, err := e.Containers(t.Context(), nil)
	want(t, err, wire.Unavailable, "no Docker daemon answers at "+f.host)
	if took := time.Since(start); took > 15*time.Second || !wire.Retryable(err) {
		t.Errorf("%v after %v", err, took)
	}
}

func TestTheDaemonsWordsGetTheirKind(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		status    int
		message   string
		code      wire.Code
		say       string
		retryable bool
	}{
		"a full disk":        {500, "write /var/lib/x: no space left on device", wire.Unavailable, "docker system prune", false},
		"an old daemon":      {400, "this requires API version 1.99", wire.Unsupported, "upgrade", false},
		"no init":            {500, `exec: "docker-init": executable file not found in $PATH`, wire.Unsupported, "tini", false},
		"another platform":   {404, "image was found but does not match the specified platform", wire.Unsupported, "another platform", false},
		"no addresses":       {500, "could not find an available, non-overlapping IPv4 address pool among the defaults", wire.Unavailable, "docker network prune", false},
		"two networks":       {400, "network n is ambiguous (2 matches found on name)", wire.Unavailable, "try again", true},
		"a stale task":       {500, "task 3f: already exists: unknown", wire.Exists, "crash", false},
		"a busy port":        {500, "listen tcp4 0.0.0.0:80: bind: address already in use", wire.Conflict, "another host port", false},
		"a paused container": {409, "Container c is paused, unpause the container before exec", wire.Conflict, "unpause", false},
		"what is not there":  {404, "No such container: c", wire.NotFound, "No such container", false},
		"what is forbidden":  {403, "authorization denied by plugin", wire.Permission, "denied by plugin", false},
		"not known":          {501, "not here", wire.Unsupported, "not here", false},
		"a busy daemon":      {503, "busy", wire.Unavailable, "busy", true},
		"a defect":           {500, "something", wire.Internal, "something", false},
		"credentials in it":  {500, "Get https://me:secret@example.com/: fails", wire.Internal, "https://example.com/", false},
	} {
		f := newFake(t, map[string]http.HandlerFunc{"POST /containers/c/start": says(test.status, test.message)})
		err := connect(t, engine.Options{Host: f.host}).StartContainer(t.Context(), "c")
		t.Run(name, func(t *testing.T) {
			want(t, err, test.code, test.say)
			if wire.Retryable(err) != test.retryable || strings.Contains(err.Error(), "secret") {
				t.Errorf("retryable %v: %v", wire.Retryable(err), err)
			}
		})
	}
}

func TestARegistrysWordsGetTheirKind(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		message   string
		code      wire.Code
		say       string
		retryable bool
	}{
		"no such image or no login": {"pull access denied for x, repository does not exist or may require 'docker login'", wire.NotFound, "docker login docker.io", false},
		"no login":                  {"Head https://r/v2/x: unauthorized: authentication required", wire.Permission, "docker login docker.io", false},
		"no right":                  {"denied: requested access to the resource is denied", wire.Permission, "refuses", false},
		"no such tag":               {"manifest for x:9 not found: manifest unknown: manifest unknown", wire.NotFound, "name or tag", false},
		"no such platform":          {"no matching manifest for linux/s390x in the manifest list entries", wire.Unsupported, "platform", false},
		"too often":                 {"toomanyrequests: You have reached your pull rate limit", wire.Unavailable, "no more pulls for now", true},
		"no name service":           {"Get https://registry-1.docker.io/v2/: dial tcp: lookup registry-1.docker.io: no such host", wire.Unavailable, "cannot reach the registry docker.io", true},
		"no answer":                 {"net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)", wire.Unavailable, "cannot reach", true},
		"no trust":                  {"x509: certificate signed by unknown authority", wire.Unavailable, "does not trust", false},
		"a full disk":               {"failed to register layer: write /x: no space left on device", wire.Unavailable, "docker system df", false},
	} {
		t.Run(name, func(t *testing.T) {
			within := map[string]http.HandlerFunc{
				"in the answer": says(500, test.message),
				"in the stream": func(w http.ResponseWriter, _ *http.Request) {
					fmt.Fprintf(w, "{\"status\":\"Pulling\"}\n{\"errorDetail\":{\"message\":%q},\"error\":%q}\n", test.message, test.message)
				},
			}
			for place, answer := range within {
				f := newFake(t, map[string]http.HandlerFunc{"POST /images/create": answer})
				_, err := connect(t, engine.Options{Host: f.host}).EnsureImage(t.Context(), "x", engine.PullMissing, "", nil)
				want(t, err, test.code, test.say)
				if wire.Retryable(err) != test.retryable {
					t.Errorf("%s: retryable %v: %v", place, wire.Retryable(err), err)
				}
			}
		})
	}
}

func TestTheLoginOfARegistryGoesIntoTheHeader(t *testing.T) {
	t.Parallel()
	var header atomic.Value
	f := newFake(t, map[string]http.HandlerFunc{"POST /images/create": func(w http.ResponseWriter, q *http.Request) {
		header.Store(q.Header.Get("X-Registry-Auth"))
		says(404, "manifest unknown")(w, q)
	}})
	bin, dir := t.TempDir(), t.TempDir()
	wantNil(t, os.WriteFile(filepath.Join(bin, "docker-credential-token"), []byte("#!/bin/sh\necho '{\"Username\":\"<token>\",\"Secret\":\"tok\"}'"), 0o755)) //nolint:gosec // a program
	wantNil(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"auths":{"https://index.docker.io/v1/":{"auth":"bWU6cGFzczp3b3Jk"}},"credHelpers":{"example.com":"token"}}`), 0o600))
	e := connect(t, engine.Options{Host: f.host, ConfigDir: dir, Getenv: func(name string) string { return map[string]string{"PATH": bin}[name] }})
	for ref, wanted := range map[string]string{
		"alpine":            `{"username":"me","password":"pass:word","serveraddress":"https://index.docker.io/v1/"}`,
		"example.com/x:1":   `{"serveraddress":"example.com","identitytoken":"tok"}`,
		"example.org/x":     "",
		"docker.io/me/y:22": `{"username":"me","password":"pass:word","serveraddress":"https://index.docker.io/v1/"}`,
	} {
		_, err := e.EnsureImage(t.Context(), ref, "", "", nil)
		want(t, err, wire.NotFound)
		got, err := base64.URLEncoding.DecodeString(header.Load().(string))
		if err != nil || string(got) != wanted {
			t.Errorf("%s: %q, %v", ref, got, err)
		}
	}
}

func TestProgressIsOneLineWithCountsAndSizes(t *testing.T) {
	t.Parallel()
	f := newFake(t, nil)
	f.answers = map[string]http.HandlerFunc{"POST /images/create": func(w http.ResponseWriter, _ *http.Request) {
		for i, line := range []string{
			`{"status":"Pulling from library/alpine","id":"3.20"}`, `{"status":"Pulling fs layer","id":"a"}`, `{"status":"Already exists","id":"b"}`,
			`{"status":"Downloading","progressDetail":{"current":12300000,"total":40100000},"id":"a"}`,
		} {
			if i == 3 {
				time.Sleep(600 * time.Millisecond)
			}
			fmt.Fprintln(w, line)
			_ = http.NewResponseController(w).Flush()
		}
	}}
	var lines []string
	_, err := connect(t, engine.Options{Host: f.host}).EnsureImage(t.Context(), "alpine:3.20", "", "", func(line string) { lines = append(lines, line) })
	want(t, err, wire.NotFound) // this daemon has no images
	if got := strings.Join(lines, "\n"); got != "pulling alpine:3.20\npulling alpine:3.20: 1 of 2 layers, 12.3 of 40.1 MB" {
		t.Errorf("%q", got)
	}
}
