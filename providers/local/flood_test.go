//go:build linux

package main

import (
	"crypto/sha256"
	"fmt"
	"hash"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

const (
	// roomForFlood is how much a process may grow, in KiB, however much an agent
	// prints.
	roomForFlood = 32 << 10
	// usual is how long an answer may take to come through a flood.
	usual = 3 * time.Second
)

// reader is a server that reads what agents say as slowly as it is told to.
type reader struct {
	t *testing.T

	mu      sync.Mutex
	paused  chan struct{} // nothing is read until it is closed; nil reads on
	rate    int           // bytes a second; 0 is as fast as it goes
	hash    hash.Hash     // of what the agent printed
	bytes   int64
	started chan wire.AgentStarted
	ended   chan wire.ProcessStopped
}

func readFrom(t *testing.T, e *server.Environment) *reader {
	t.Helper()
	r := &reader{t: t, hash: sha256.New(), started: make(chan wire.AgentStarted, 1), ended: make(chan wire.ProcessStopped, 1)}
	e.Subscribe(r.read)
	return r
}

func (r *reader) read(head wire.Header, frame []byte) {
	var err error
	switch head.Type {
	case wire.TypeAgentStarted:
		m := wire.AgentStarted{}
		err = wire.Unmarshal(frame, &m)
		r.mu.Lock()
		r.bytes = 0
		r.mu.Unlock()
		r.started <- m
	case wire.TypeProcessStopped:
		m := wire.ProcessStopped{}
		err = wire.Unmarshal(frame, &m)
		r.ended <- m
	case wire.TypeAgentOutput:
		m := wire.AgentOutput{}
		err = wire.Unmarshal(frame, &m)
		r.took(&m)
	}
	if err != nil {
		r.t.Error(err)
	}
}

// took notes some output, and takes its time.
func (r *reader) took(m *wire.AgentOutput) {
	r.mu.Lock()
	if m.Offset != r.bytes || m.Dropped != 0 || m.Replay || m.Encoding != "" {
		r.t.Errorf("output at %d comes after %d bytes: %d dropped, replay %v, %q", m.Offset, r.bytes, m.Dropped, m.Replay, m.Encoding)
	}
	r.bytes = m.Offset + int64(len(m.Data))
	_, _ = r.hash.Write([]byte(m.Data)) // a hash takes everything
	paused, rate := r.paused, r.rate
	r.mu.Unlock()
	if paused != nil {
		<-paused
	}
	if rate > 0 {
		time.Sleep(time.Second * time.Duration(len(m.Data)) / time.Duration(rate))
	}
}

// pause stops reading with the next output, until resume is called.
func (r *reader) pause() (resume func()) {
	paused := make(chan struct{})
	r.mu.Lock()
	defer r.mu.Unlock()
	r.paused = paused
	return sync.OnceFunc(func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.paused = nil
		close(paused)
	})
}

func (r *reader) slow(rate int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rate = rate
}

func (r *reader) seen() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bytes
}

// processes are the provider and the runtime of a stage, by name.
func (s *stage) processes() map[string]int {
	s.t.Helper()
	found := map[string]int{}
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, dir := range dirs {
		environ, err := os.ReadFile(filepath.Join(dir, "environ"))
		if err != nil || !strings.Contains(string(environ), resource.EnvStateDir+"="+s.state+"\x00") {
			continue
		}
		program, err := os.Readlink(filepath.Join(dir, "exe"))
		if err != nil || filepath.Dir(program) != programs {
			continue
		}
		if found[filepath.Base(program)], err = strconv.Atoi(filepath.Base(dir)); err != nil {
			s.t.Fatal(err)
		}
	}
	return found
}

// flood starts an agent that prints more than the server reads. It ends with the
// test.
func (s *stage) flood(e *server.Environment, argv ...string) {
	s.t.Helper()
	details, err := wire.Marshal(wire.AgentCommand{Argv: argv})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if pid := s.processes()["codebolt-runtime"]; pid != 0 {
			_ = syscall.Kill(pid, syscall.SIGTERM) // it may have ended just now
		}
	})
	if err := e.StartAgent(limit(s.t), wire.MessageResponse{
		Header: wire.Header{Type: wire.TypeMessageResponse}, MessageID: "m",
		Message: wire.Prompt{SelectedAgent: &wire.SelectedAgent{ID: "a", AgentType: wire.AgentTypeCommand, AgentDetails: details}},
	}); err != nil {
		s.t.Fatal(err)
	}
}

// memory is a figure of /proc/PID/status, in KiB.
func memory(t *testing.T, pid int, figure string) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "\n"+figure+":")
	fields := strings.Fields(rest)
	if len(fields) < 2 || fields[1] != "kB" {
		t.Fatalf("no %s in %s", figure, status)
	}
	kib, err := strconv.Atoi(fields[0])
	if err != nil {
		t.Fatal(err)
	}
	return kib
}

// promptly makes a request that must be answered in the usual time.
func (s *stage) promptly(e *server.Environment, message map[string]any) {
	s.t.Helper()
	begun := time.Now()
	_, err := e.Call(limit(s.t), message)
	if took := time.Since(begun); err != nil || took > usual {
		s.t.Errorf("%v during the flood took %v: %v", message["type"], took, err)
	} else {
		s.t.Logf("%v during the flood took %v", message["type"], took)
	}
}

func get[T any](t *testing.T, what string, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(60 * time.Second):
		t.Fatalf("no %s", what)
	}
	return v
}

func TestAnAgentThatPrintsFasterThanTheServerReadsCostsNoMemoryAndLosesNothing(t *testing.T) {
	s := newStage(t)
	e := s.env("e", nil, nil)
	s.start(e)
	pids := s.processes()
	idle := map[string]int{}
	for name, pid := range pids {
		idle[name] = memory(t, pid, "VmRSS")
	}
	if len(pids) != 2 {
		t.Fatalf("want a provider and a runtime: %v", pids)
	}

	r := readFrom(t, e)
	resume := r.pause()
	defer resume()
	argv := []string{"seq", "-f", "%0127.0f", fmt.Sprint(80 << 20 / 128)} // 80 MiB in lines of 128 bytes
	s.flood(e, argv...)
	get(t, "agentStarted", r.started)
	resumed := time.Now().Add(2 * time.Second)
	want := sha256.New()
	seq := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	seq.Stdout = want
	if err := seq.Run(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Until(resumed))
	r.slow(32 << 20)
	resume()
	for range 2 {
		s.promptly(e, map[string]any{"type": wire.TypeReadFile, "path": "a.txt"})
		s.promptly(e, map[string]any{"type": wire.TypeHeartbeatRequest})
	}
	if seen := r.seen(); seen > 64<<20 {
		t.Errorf("%d MiB had passed already: these times show nothing", seen>>20)
	}
	r.slow(0)
	end := get(t, "end of the agent", r.ended)
	for name, pid := range pids {
		grown := memory(t, pid, "VmHWM") - idle[name]
		t.Logf("%s: %d KiB idle, %d KiB more at most", name, idle[name], grown)
		if grown > roomForFlood {
			t.Errorf("%s grew by %d KiB", name, grown)
		}
	}
	if end.ExitCode == nil || *end.ExitCode != 0 || end.StdoutBytes != r.seen() {
		t.Errorf("%d bytes came, and the end: %+v", r.seen(), end)
	}
	if got := r.hash.Sum(nil); string(got) != string(want.Sum(nil)) {
		t.Error("what came is not what the agent printed")
	}
	if err := e.Close(limit(t)); err != nil {
		t.Error(err)
	}
}

func TestAnAgentIsStoppedAtOnceWhateverTheServerHasYetToRead(t *testing.T) {
	s := newStage(t)
	e := s.env("e", nil, nil)
	s.start(e)
	r := readFrom(t, e)
	resume := r.pause()
	defer resume()
	s.flood(e, "yes", "as fast as it goes")
	pid := get(t, "agentStarted", r.started).PID
	time.Sleep(time.Second) // the flood has come to a halt
	begun := time.Now()
	if err := e.Send(limit(t), map[string]any{"type": wire.TypeStopProcess, "agentId": "a"}); err != nil {
		t.Fatal(err)
	}
	for alive := true; alive; _, alive = resource.ProcessStarted(pid) {
		if time.Since(begun) > usual {
			t.Fatalf("the agent still runs %v after it was stopped", time.Since(begun))
		}
		time.Sleep(10 * time.Millisecond)
	}
	r.slow(32 << 20)
	resume()
	begun = time.Now()
	end := get(t, "end of the agent", r.ended)
	if took := time.Since(begun); took > usual || end.Signal == "" || end.StdoutBytes != r.seen() {
		t.Errorf("%v after the server reads on, with %d bytes: %+v", took, r.seen(), end)
	}

	// Letting go does not wait either.
	resume = r.pause()
	defer resume()
	s.flood(e, "yes", "as fast as it goes")
	time.Sleep(time.Second)
	resume()
	begun = time.Now()
	if err := e.Close(limit(t)); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > usual {
		t.Errorf("to let go during the flood took %v", took)
	}
}
