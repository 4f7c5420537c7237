//go:build linux

package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/shared/faultproxy"
	"github.com/codeboltai/codebolt-providers/shared/sshconn/sshtest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// A network that is cut for a minute carries nothing, answers nothing and refuses
// nothing; one in which the host moved has it at another address.
func TestAnAgentWorksOnWhateverBecomesOfTheNetwork(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		strike func(*play)
		away   time.Duration // for which the host is not to be reached
	}{
		"a minute without a network": {away: time.Minute, strike: func(s *play) {
			s.line.Hold(faultproxy.Both)
			time.AfterFunc(time.Minute, func() { s.line.Release(faultproxy.Both) })
		}},
		"sshd is restarted": {away: 2 * time.Second, strike: func(s *play) {
			s.line.Leave()
			s.sshd.Kill()
			time.AfterFunc(2*time.Second, func() { _ = s.line.Return() }) // what fails without it tells
		}},
		"the host has another address": {strike: func(s *play) {
			s.move("127.0.0.2")
			s.line.Leave()
			s.line.Cut(faultproxy.Reset)
		}},
		"the host has another address, and the old one is silent": {strike: func(s *play) {
			s.move("127.0.0.2")
			s.line.Hold(faultproxy.Both)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, sshtest.Options{}, nil)
			e, _ := s.Opened("network", nil)
			h := stage.Listen(e)
			s.Agent(e, "worker", counting)
			h.Until(t, "the agent works", func() bool { return strings.Count(h.Output["worker"], "\n") >= 5 })
			runtimes := s.runtimes()
			c.strike(s)
			begun := time.Now()
			time.Sleep(c.away)
			h.Mu.Lock()
			heard := len(h.Output["worker"])
			h.Mu.Unlock()
			h.Until(t, "the agent is heard again", func() bool { return len(h.Output["worker"]) > heard })
			t.Logf("heard again after %v", time.Since(begun).Round(time.Millisecond))
			if now := s.runtimes(); len(now) != 1 || now[0] != runtimes[0] || strings.Contains(s.Log.String(), "ended unexpectedly") {
				t.Errorf("the network was taken for the end of the runtime: %v, then %v", runtimes, now)
			}
			s.counted(e, h)
			if r := s.Stop(e, "snapshotAndRemove"); !r.Removed {
				t.Errorf("not removed: %+v", r)
			}
			s.none()
			s.Clean(0)
		})
	}
}

// move gives the host another address: what was known of the old one leads to it no
// more. The host's key stays what it was.
func (s *play) move(address string) {
	s.T.Helper()
	line, err := faultproxy.ListenOn(net.JoinHostPort(address, "0"), faultproxy.To(s.sshd.Addr))
	if err != nil {
		s.T.Fatal(err)
	}
	s.T.Cleanup(func() { _ = line.Close() })
	_, was, _ := net.SplitHostPort(s.line.Addr())
	_, port, _ := net.SplitHostPort(line.Addr())
	for _, name := range []string{"config", "known_hosts"} {
		file := filepath.Join(s.near, ".ssh", name)
		text := strings.NewReplacer("127.0.0.1", address, was, port).Replace(stage.Read(s.T, file))
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			s.T.Fatal(err)
		}
	}
}

func TestOverALongLineAFileIsOneRoundTripAndATreeOneCall(t *testing.T) {
	t.Parallel()
	s := newStage(t, sshtest.Options{}, nil)
	const files = 20_000
	for i := range files {
		stage.Write(t, filepath.Join(s.Project, fmt.Sprintf("d%03d", i/100), fmt.Sprintf("f%05d.txt", i)), "x")
	}
	stage.Git(t, s.Project, "add", "-A")
	stage.Git(t, s.Project, "commit", "-qm", "many")
	e, _ := s.Opened("long", nil)
	const roundTrip = 200 * time.Millisecond // so long that what this machine does beside it is little
	s.line.Shape(faultproxy.Shape{Latency: roundTrip / 2})
	least := time.Hour
	for range 5 {
		begun := time.Now()
		s.Call(e, map[string]any{"type": wire.TypeReadFile, "path": "README.md"}, nil)
		least = min(least, time.Since(begun))
	}
	if least > roundTrip*11/10 {
		t.Errorf("a file took %v, with a round trip of %v", least, roundTrip)
	}
	answer, err := e.Call(stage.Limit(t), map[string]any{"type": "providerGetFullProject", "recursive": true})
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(answer.Frame), `"isFolder":false`); n < files {
		t.Errorf("the tree has %d files, of %d", n, files)
	}
	s.line.Shape(faultproxy.Shape{})
	s.Stop(e, "removeIfClean")
	s.none()
	s.Clean(0)
}
