//go:build linux

package main

import (
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/shared/sshconn/sshtest"
)

// sessions is how many programs a start runs on the host, by sshd's own log. Each is two
// or three ways there and back.
func (s *play) sessions(e *server.Environment) int {
	s.T.Helper()
	before := strings.Count(s.sshd.Log(), "Starting session: ")
	s.Start(e)
	return strings.Count(s.sshd.Log(), "Starting session: ") - before
}

func TestAStartGoesToTheHostNoMoreOftenThanItMust(t *testing.T) {
	t.Parallel()
	s := newStage(t, sshtest.Options{}, nil)
	first, _ := s.Opened("first", nil) // has put the program there
	s.Stop(first, "removeIfClean")
	e := s.Env("far", nil, nil)
	if n := s.sessions(e); n != 4 {
		t.Errorf("a new environment took %d programs, not 4: a look, the folder, its files, the runtime", n)
	}
	if err := e.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Wait(stage.Limit(t)); err != nil {
		t.Fatal(err)
	}
	_ = e.Close(stage.Limit(t)) // what was killed does not answer
	if n := s.sessions(e); n != 1 {
		t.Errorf("a runtime that was there took %d programs, not 1", n)
	}
	s.Close(e)
	if n := s.sessions(e); n != 2 {
		t.Errorf("an environment that was there took %d programs, not 2: a search for the runtime, and another one", n)
	}
	s.Stop(e, "removeIfClean")
	s.none()
	s.Clean(0)
}
