package provider_test

import (
	"context"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// stubborn is an environment whose work takes until it is told to end.
type stubborn struct {
	*fakeEnv
	busy chan string // gets the name of what began
}

func (e stubborn) wait(ctx context.Context, what string) error {
	e.busy <- what
	<-ctx.Done()
	return context.Cause(ctx)
}

func (e stubborn) Patch(ctx context.Context) (string, error) { return "", e.wait(ctx, "patch") }
func (e stubborn) Restart(ctx context.Context) error         { return e.wait(ctx, "restart") }
func (e stubborn) Detach(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err // there was no time left
	}
	return e.fakeEnv.Detach(ctx)
}

func playStubborn(t *testing.T) (*stage, chan string) {
	t.Helper()
	state(t)
	busy := make(chan string, 1)
	f := &fake{wrap: func(e *fakeEnv) provider.Environment { return stubborn{e, busy} }}
	s := play(t, f)
	start := startMessage("r1")
	start["timeouts"] = message{"cleanup": 1500}
	if m := s.call(start); m["error"] != nil {
		t.Fatal(m)
	}
	return s, busy
}

func TestAStopAnswersWhatIsUnderWayAndStillHasTimeToLetGo(t *testing.T) {
	s, busy := playStubborn(t)
	s.send(message{"type": "providerMergeAsPatch", "requestId": "p1"})
	<-busy
	s.send(message{"type": "providerStop", "requestId": "s1"})
	if m := s.read(ofType("remoteProviderEvent")); m["requestId"] != "p1" || m["code"] != "unavailable" {
		t.Errorf("the patch: %v", m)
	}
	if m := s.read(withID("s1")); m["error"] != nil || s.fake.env.detached.Load() != 1 {
		t.Errorf("the stop: %v, detached %d times", m, s.fake.env.detached.Load())
	}
}

func TestAStopCancelsARestartThatDoesNotEnd(t *testing.T) {
	s, busy := playStubborn(t)
	s.send(message{"type": "environmentRestartRequest", "requestId": "x1"})
	<-busy
	s.send(message{"type": "providerStop", "requestId": "s1"})
	if m := s.read(withID("x1")); m["success"] != false || m["code"] != "conflict" {
		t.Errorf("the restart: %v", m)
	}
	if m := s.read(withID("s1")); m["error"] != nil || s.fake.env.detached.Load() != 1 {
		t.Errorf("the stop: %v, detached %d times", m, s.fake.env.detached.Load())
	}
}

// deaf is an environment that does not let go, whatever its context says.
type deaf struct {
	*fakeEnv
	held chan struct{}
}

func (e deaf) Detach(context.Context) error {
	<-e.held
	return nil
}

func TestAProviderThatDoesNotLetGoEndsAllTheSame(t *testing.T) {
	state(t)
	held := make(chan struct{})
	f := &fake{wrap: func(e *fakeEnv) provider.Environment { return deaf{e, held} }}
	s := play(t, f)
	start := startMessage("r1")
	start["timeouts"] = message{"cleanup": 100}
	if m := s.call(start); m["error"] != nil {
		t.Fatal(m)
	}
	s.stop()
	status := <-s.status
	close(held)
	if s.status <- status; status != 1 || !strings.Contains(s.stderr.String(), "was not let go of within") {
		t.Errorf("ended with %d:\n%s", status, s.stderr)
	}
}

func TestAStartAfterTheStopOfAStartIsCarriedOut(t *testing.T) {
	state(t)
	opening := make(chan struct{}, 1)
	f := &fake{}
	f.open = func(ctx context.Context, _ *provider.OpenRequest) error {
		if f.opens.Load() > 1 {
			return nil
		}
		opening <- struct{}{}
		<-ctx.Done()
		return context.Cause(ctx)
	}
	s := play(t, f)
	s.send(startMessage("r1"))
	<-opening
	s.send(message{"type": "providerStop", "requestId": "s1"})
	s.send(startMessage("r2"))
	if m := s.read(withID("r1")); m["code"] != "conflict" {
		t.Errorf("the first start: %v", m)
	}
	if m := s.read(withID("s1")); m["error"] != nil {
		t.Errorf("the stop: %v", m)
	}
	if m := s.read(withID("r2")); m["error"] != nil || f.opens.Load() != 2 {
		t.Errorf("the second start: %v", m)
	}
}

func TestAStartAfterAStopThatFailedOpensAnew(t *testing.T) {
	state(t)
	f := &fake{}
	s := play(t, f)
	start := startMessage("r1")
	start["onStop"] = "removeIfClean"
	s.call(start)
	f.env.failRemove.Store(true)
	s.call(message{"type": "providerStop", "requestId": "s1"})
	if m := s.call(startMessage("r2")); m["error"] != nil || f.opens.Load() != 2 || f.env.detached.Load() != 1 {
		t.Errorf("start: %v, opened %d times, detached %d times", m, f.opens.Load(), f.env.detached.Load())
	}
}

func TestTheVeryFirstHeartbeatHasTheIdsOfTheStart(t *testing.T) {
	state(t)
	open := make(chan struct{})
	s := play(t, &fake{open: func(context.Context, *provider.OpenRequest) error { <-open; return nil }})
	s.send(startMessage("r1"))
	for range 2 {
		if m := s.read(ofType("providerHeartbeat")); m["providerId"] != "prov-1" {
			t.Errorf("heartbeat while starting: %v", m)
		}
		s.send(message{"type": "providerHeartbeatRequest", "requestId": "h"})
	}
	close(open)
	s.read(withID("r1"))
}

func TestAProviderThatIsStoppedDoesNotBeatWhenItsServerComesBack(t *testing.T) {
	state(t)
	s := play(t, &fake{})
	start := startMessage("r1")
	start["keepRunning"] = true
	s.call(start)
	s.call(message{"type": "providerStop", "requestId": "s1"})
	if err := s.conn.Close(); err != nil {
		t.Fatal(err)
	}
	s.accept()
	s.send(message{"type": "providerReadFile", "requestId": "f1", "path": "a"})
	m := s.read(func(message) bool { return true })
	if m["requestId"] != "f1" || m["code"] != string(wire.NotRunning) {
		t.Errorf("after the reconnect: %v", m)
	}
}
