//go:build linux

package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/dockertest"
	"github.com/codeboltai/codebolt-providers/conformance/stage"
)

// slow stands before a daemon that takes so long to start a command in a container,
// and counts the commands.
func slow(t *testing.T, daemon *dockertest.Daemon, by time.Duration) (host string, commands *atomic.Int64) {
	t.Helper()
	commands = &atomic.Int64{}
	network, address, _ := strings.Cut(daemon.Host, "://")
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: "docker"})
	proxy.FlushInterval = -1
	proxy.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}}
	socket := filepath.Join(t.TempDir(), "slow.sock")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/exec/") && strings.HasSuffix(r.URL.Path, "/start") {
			commands.Add(1)
			time.Sleep(by)
		}
		proxy.ServeHTTP(w, r)
	})}
	go func() { _ = server.Serve(ln) }() // ends with Close
	t.Cleanup(func() { _ = server.Close() })
	return "unix://" + socket, commands
}

func TestADaemonThatIsSlowToStartCommandsIsWaitedForAndAgentsGoOn(t *testing.T) {
	t.Parallel()
	host, commands := slow(t, dockertest.Shared(t), 3*time.Second)
	s := newStage(t, stage.Settings{"dockerHost": host})
	e, path := s.Opened("slow", nil)
	// Asking again and again would make a busy daemon slower still.
	if n := commands.Load(); n > 3 {
		t.Errorf("a start took %d commands", n)
	}
	h := stage.Listen(e)
	s.Agent(e, "worker", `echo begun; until test -e enough; do sleep 0.1; done; echo over`)
	h.Until(t, "the agent works", func() bool { return h.Output["worker"] == "begun\n" })
	if err := e.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Wait(stage.Limit(t)); err != nil {
		t.Fatal(err)
	}
	_ = e.Close(stage.Limit(t)) // what was killed does not answer
	s.Start(e)
	stage.Write(t, filepath.Join(path, "enough"), "")
	h.Until(t, "the agent's end is told", func() bool { return h.Ends["worker"] != nil })
	if end := h.Ends["worker"]; end.ExitCode == nil || *end.ExitCode != 0 || h.Output["worker"] != "begun\nover\n" {
		t.Errorf("the agent ended with %+v and printed %q", end, h.Output["worker"])
	}
	if r := s.Stop(e, "snapshotAndRemove"); !r.Removed {
		t.Errorf("not removed: %+v", r)
	}
	s.none()
}
