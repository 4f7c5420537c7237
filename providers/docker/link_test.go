//go:build linux

package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// greeter listens on a socket and greets who connects.
func greeter(t *testing.T, path string) {
	t.Helper()
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("hello"))
			_ = conn.Close()
		}
	}()
}

func TestTheLinkLeadsToASocketInItsFolderAndNowhereElse(t *testing.T) {
	t.Parallel()
	folder, other := t.TempDir(), filepath.Join(t.TempDir(), "other")
	at := filepath.Join(folder, linkSocket)
	if _, err := dialLink(t.Context(), folder); !os.IsNotExist(err) {
		t.Errorf("nothing there: %v", err)
	}
	greeter(t, other)
	for what, make := range map[string]func() error{
		"a link to a socket elsewhere": func() error { return os.Symlink(other, at) },
		"a file":                       func() error { return os.WriteFile(at, nil, 0o666) },
		"a folder":                     func() error { return os.Mkdir(at, 0o777) },
	} {
		if err := make(); err != nil {
			t.Fatal(err)
		}
		if conn, err := dialLink(t.Context(), folder); err == nil {
			_ = conn.Close()
			t.Errorf("%s was followed", what)
		}
		if err := os.Remove(at); err != nil {
			t.Fatal(err)
		}
	}
	greeter(t, at)
	conn, err := dialLink(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if text, err := io.ReadAll(conn); string(text) != "hello" {
		t.Errorf("%q, %v", text, err)
	}
}

// connecting are the processes in the stage's containers that carry a connection.
func (s *play) connecting() (all []string) {
	s.T.Helper()
	for _, c := range s.containers() {
		var top struct{ Processes [][]string }
		if err := s.daemon.Call(stage.Limit(s.T), http.MethodGet, "/containers/"+c.ID+"/top", nil, &top); err != nil {
			s.T.Fatal(err)
		}
		for _, p := range top.Processes {
			if line := strings.Join(p, " "); strings.Contains(line, programIn+" connect") {
				all = append(all, line)
			}
		}
	}
	return all
}

// The runtime is reached without a process in the container; when the container
// spoils that way, it is reached through one, and nothing else is.
func TestARuntimeIsReachedOverTheLinkAndWithoutItAllTheSame(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	e, _ := s.Opened("linked", nil)
	if found := s.connecting(); len(found) > 0 {
		t.Errorf("processes carry the connection: %q", found)
	}
	trap := filepath.Join(t.TempDir(), "trap")
	greeter(t, trap)
	s.run(e, "rm "+linkIn+"/"+linkSocket+" && ln -s "+trap+" "+linkIn+"/"+linkSocket)
	// A provider that comes back has to find the runtime again.
	h := stage.Listen(e)
	s.Agent(e, "worker", "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done")
	h.Until(t, "the agent works", func() bool { return strings.Contains(h.Output["worker"], "3\n") })
	s.kill(e, killProvider)
	if _, err := e.Wait(stage.Limit(t)); err != nil {
		t.Fatal(err)
	}
	_ = e.Close(stage.Limit(t)) // what was killed does not answer
	if started := s.Start(e); !started.Attached {
		t.Errorf("%+v", started.StartResult)
	}
	h.Mu.Lock()
	before := len(h.Output["worker"])
	h.Mu.Unlock()
	h.Until(t, "the agent is heard again", func() bool { return len(h.Output["worker"]) > before })
	if found := s.connecting(); len(found) == 0 {
		t.Error("no process carries the connection; what does?")
	}
	stop := wire.StopProcess{Header: wire.Header{Type: wire.TypeStopProcess}, AgentID: "worker"}
	if err := e.Send(t.Context(), stop); err != nil {
		t.Fatal(err)
	}
	h.Until(t, "the agent ends", func() bool { return h.Ends["worker"] != nil })
	s.Close(e)
	s.Start(e) // another runtime has its own socket
	if found := s.connecting(); len(found) > 0 {
		t.Errorf("processes carry the connection: %q", found)
	}
	s.Stop(e, "snapshotAndRemove")
	s.none()
	s.Clean(0)
}
