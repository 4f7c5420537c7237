package agentfolder_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/shared/agentfolder"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// site is a server that the options allow.
func site(t *testing.T, handler http.HandlerFunc) (url string, o agentfolder.Options) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	_, o = place(t)
	o.Downloads = &agentfolder.Downloads{Hosts: []string{"127.0.0.1"}}
	return server.URL, o
}

func serve(data []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(data) }
}

func TestAnArchiveIsFetchedAndWithItsSumNotAgain(t *testing.T) {
	data := archive(t, item{name: "index.js", text: "x"})
	asked := 0
	url, o := site(t, func(w http.ResponseWriter, r *http.Request) {
		asked++
		serve(data)(w, r)
	})
	dir := filepath.Join(o.Store, "a-"+sum(data)[:16])
	want := agentfolder.Folder{ID: "a", Dir: dir, Entry: filepath.Join(dir, "index.js")}
	for _, agent := range []*wire.SelectedAgent{
		selected("a", "server-zip", url+"/agent.zip"),
		selected("a", "url", map[string]any{"url": url, "sha256": sum(data)}),
		selected("a", "url", map[string]any{"url": url}),
	} {
		if agent.AgentType == "url" { // a host with its port does as well
			o.Downloads.Hosts = []string{strings.TrimPrefix(url, "http://")}
		}
		got, err := agentfolder.Find(t.Context(), agent, o)
		if err != nil || got != want {
			t.Errorf("%v: %v", got, err)
		}
	}
	if asked != 2 {
		t.Errorf("the server was asked %d times, want 2: not when the sum says that it is here", asked)
	}
	if got := listing(t, o.Store); len(got) != 1 {
		t.Error("in the store there is", got)
	}
}

func TestNothingIsFetchedUnlessItIsAllowed(t *testing.T) {
	url, o := site(t, func(http.ResponseWriter, *http.Request) { t.Error("it was fetched") })
	port := url[strings.LastIndexByte(url, ':'):]
	for from, hosts := range map[string][]string{
		url:                                 nil,
		url + "/a":                          {"example.org", "127.0.0.1:1", "0.0.1", "*"},
		"http://localhost" + port:           {"127.0.0.1"},
		"http://example.invalid/a.zip":      {"example.invalid"},
		"ftp://127.0.0.1/a.zip":             {"127.0.0.1"},
		"file://127.0.0.1/etc/passwd":       {"127.0.0.1"},
		"https://127.0.0.1.example.invalid": {"127.0.0.1", "example.invalid"},
		"https://127.0.0.1@example.invalid": {"127.0.0.1"},
	} {
		o.Downloads = &agentfolder.Downloads{Hosts: hosts}
		_, err := agentfolder.Find(t.Context(), selected("a", "url", from), o)
		wantError(t, err, wire.Permission)
	}
	o.Downloads = nil
	_, err := agentfolder.Find(t.Context(), selected("a", "url", url), o)
	wantError(t, err, wire.Permission, "hosts")
	if left := listing(t, o.Store); left != nil {
		t.Error("in the store there is", left)
	}
}

func TestARedirectLeadsOnlyToHostsThatAreAllowed(t *testing.T) {
	data := archive(t, item{name: "index.js"})
	end := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Referer() != "" {
			t.Errorf("the next host is told %s", r.Referer())
		}
		serve(data)(w, r)
	}))
	t.Cleanup(end.Close)
	url, o := site(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusFound)
	})
	if _, err := agentfolder.Find(t.Context(), selected("a", "url", url+"?to="+end.URL), o); err != nil {
		t.Error(err)
	}
	asHost := strings.Replace(end.URL, "127.0.0.1", "localhost", 1)
	for to, code := range map[string]wire.Code{
		asHost + "/b%3Fkey=secret": wire.Permission,
		"http://example.invalid/":  wire.Permission,
		"file:///etc/passwd":       wire.Invalid,
		"/":                        wire.Unavailable, // without end: no "to"
		"http://127.0.0.1:secret":  wire.Unavailable,
	} {
		_, err := agentfolder.Find(t.Context(), selected("b", "url", url+"?to="+to), o)
		wantError(t, err, code)
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Error("the error tells the key:", err)
		}
	}
	if got := listing(t, o.Store); len(got) != 1 {
		t.Error("in the store there is", got)
	}
}

func TestADownloadThatFailsLeavesNothing(t *testing.T) {
	data := archive(t, item{name: "index.js", text: "x"})
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		sum    string
		code   wire.Code
	}{
		"it announces too much": {func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Length", "5000") }, "", wire.TooLarge},
		"it sends too much": {func(w http.ResponseWriter, _ *http.Request) {
			for range 50 {
				_, _ = w.Write(make([]byte, 100))
				_ = http.NewResponseController(w).Flush()
			}
		}, "", wire.TooLarge},
		"it is cut": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write(data)
		}, "", wire.Unavailable},
		"it is another one":      {serve(data), sum(nil), wire.Conflict},
		"it is no archive":       {serve([]byte("<html>")), "", wire.Invalid},
		"it is not there":        {func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }, "", wire.NotFound},
		"it is not for everyone": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }, "", wire.Permission},
		"the server is broken":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, "", wire.Unavailable},
		"there is no content":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, "", wire.Invalid},
		"the connection breaks":  {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "", wire.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			url, o := site(t, c.answer)
			o.Downloads.MaxBytes = 4000
			url = strings.Replace(url, "//", "//user:hidden@", 1) + "/a.zip?key=secret#part"
			_, err := agentfolder.Find(t.Context(), selected("a", "server-zip", map[string]any{"url": url, "sha256": c.sum}), o)
			wantError(t, err, c.code)
			for _, secret := range []string{"hidden", "secret", "user"} {
				if err != nil && strings.Contains(err.Error(), secret) {
					t.Error("the error tells what is secret:", err)
				}
			}
			if left := listing(t, o.Store); left != nil {
				t.Error("in the store there is", left)
			}
		})
	}
}

func TestADownloadLastsNoLongerThanItsContext(t *testing.T) {
	for name, begin := range map[string]bool{"before the answer": false, "within the archive": true} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			url, o := site(t, func(w http.ResponseWriter, r *http.Request) {
				if begin {
					_, _ = w.Write([]byte("PK"))
					_ = http.NewResponseController(w).Flush()
				}
				cancel(errors.New("enough"))
				<-r.Context().Done()
			})
			_, err := agentfolder.Find(ctx, selected("a", "url", url+"?key=secret"), o)
			wantError(t, err, wire.Unavailable, "context canceled")
			if left := listing(t, o.Store); left != nil {
				t.Error("in the store there is", left)
			}
		})
	}
	url, o := site(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := agentfolder.Find(ctx, selected("a", "url", url), o)
	wantError(t, err, wire.Timeout)
}

func TestALongDownloadIsToldOf(t *testing.T) {
	data := archive(t, item{name: "index.js"})
	told := make(chan string, 100)
	url, o := site(t, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-told:
		case <-r.Context().Done():
		}
		_, _ = w.Write(data)
	})
	var texts []string
	o.Progress = func(text string) { texts = append(texts, text); told <- text }
	if _, err := agentfolder.Find(t.Context(), selected("a", "url", url), o); err != nil {
		t.Fatal(err)
	}
	if len(texts) == 0 || texts[0] != "fetching the agent a: 0.0 MB" {
		t.Error("it was told", texts)
	}
}

func TestWhatAKilledProcessHalfUnpackedGoesAndNothingElse(t *testing.T) {
	root, o := place(t)
	const prefix = ".agentfolder-new-"
	old := time.Now().Add(-25 * time.Hour)
	dead, young, other := prefix+strings.Repeat("A", 26), prefix+strings.Repeat("B", 26), prefix+"mine"
	for _, name := range []string{dead, young, other} {
		write(t, filepath.Join(o.Store, name, "tree", "index.js"), "")
		if name != young {
			if err := os.Chtimes(filepath.Join(o.Store, name), old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	data := archive(t, item{name: "index.js"})
	write(t, filepath.Join(root, "a.zip"), string(data))
	if _, err := agentfolder.Find(t.Context(), selected("a", "local-zip", filepath.Join(root, "a.zip")), o); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{young, other, "a-" + sum(data)[:16]}, listing(t, o.Store)); diff != "" {
		t.Error(diff)
	}
}
