package provider

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/link"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// hung is an environment whose health check hangs, or has a bug.
type hung struct {
	Environment
	looks atomic.Int64
	end   chan struct{}
	bug   bool
}

func (e *hung) Health(context.Context) Health {
	e.looks.Add(1)
	if e.bug {
		panic("a bug in a provider")
	}
	<-e.end // whatever the context says, as a stat on a dead mount
	return Health{Status: wire.Healthy}
}

// watched is a heart that watches an environment without a server.
func watched(t *testing.T, env Environment) *heart {
	ctx, cancel := context.WithCancel(t.Context())
	s := &session{ctx: ctx, cancel: cancel, log: slog.New(slog.DiscardHandler)}
	s.ids.Store(&identity{})
	s.life, s.heart = newLifecycle(s), &heart{s: s}
	s.link = link.Dial(ctx, link.Dialer{URL: func(context.Context) (string, http.Header, error) {
		return "", nil, errors.New("there is no server")
	}}, link.Handler{}, link.Options{})
	s.life.current.Store(&opened{env: env})
	s.life.state.Store(int32(running))
	s.heart.start()
	t.Cleanup(func() {
		s.heart.end()
		s.heart.wg.Wait()
		cancel()
		<-s.link.Done()
	})
	return s.heart
}

func TestAHealthCheckThatHangsIsDegradedAndTheOnlyOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		env := &hung{end: make(chan struct{})}
		h := watched(t, env)
		time.Sleep(checkEvery + checkLimit + time.Second)
		if s := h.health().Status; s != wire.Degraded {
			t.Errorf("while it hangs: %s", s)
		}
		time.Sleep(time.Hour)
		if n := env.looks.Load(); n != 1 {
			t.Errorf("%d looks were under way at once", n)
		}
		close(env.end)
		synctest.Wait()
		if s := h.health().Status; s != wire.Healthy {
			t.Errorf("after it answered: %s", s)
		}
	})
}

func TestABugInAHealthCheckIsDegraded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := watched(t, &hung{bug: true})
		time.Sleep(checkEvery + time.Second)
		if s := h.health().Status; s != wire.Degraded {
			t.Errorf("status %s", s)
		}
	})
}
