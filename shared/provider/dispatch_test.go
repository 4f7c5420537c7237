package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func verbOf(t *testing.T, typ string) wire.Verb {
	t.Helper()
	v, ok := wire.VerbOf(wire.Header{Type: typ})
	if !ok {
		t.Fatalf("%s is unknown", typ)
	}
	return v
}

// sent collects the frames a dispatcher sends, in order.
type sent struct {
	mu     sync.Mutex
	frames []string
}

func (s *sent) send(frame []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frames = append(s.frames, string(frame))
	return nil
}

func (s *sent) ids() (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.frames {
		head, _ := wire.Peek([]byte(f))
		ids = append(ids, string(head.RequestID))
	}
	return ids
}

func TestAnswersOfOneActionLeaveInTheOrderOfTheRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out sent
		d := newDispatcher(t.Context(), out.send)
		read := verbOf(t, wire.TypeReadFile)
		var want []string
		for i := range 50 {
			id := strconv.Itoa(i)
			want = append(want, id)
			d.submit(job{verb: read, id: wire.ID(id), deadline: time.Hour, run: func(context.Context) (any, error) {
				time.Sleep(time.Duration(50-i) * time.Second) // the first takes longest
				return "x", nil
			}})
		}
		d.drain(t.Context())
		synctest.Wait()
		if got := out.ids(); !slices.Equal(got, want) {
			t.Errorf("answers left as %v", got)
		}
	})
}

func TestASlowActionDoesNotHoldBackAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out sent
		d := newDispatcher(t.Context(), out.send)
		d.submit(job{verb: verbOf(t, wire.TypeGetDiffFiles), id: "slow", deadline: time.Hour, run: func(context.Context) (any, error) {
			time.Sleep(time.Minute)
			return "x", nil
		}})
		d.submit(job{verb: verbOf(t, wire.TypeReadFile), id: "fast", deadline: time.Hour, run: func(context.Context) (any, error) { return "x", nil }})
		synctest.Wait()
		if got := out.ids(); !slices.Equal(got, []string{"fast"}) {
			t.Errorf("sent %v", got)
		}
		d.drain(t.Context())
	})
}

func TestRequestsOnTheSamePathTakeEffectInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			out  sent
			mu   sync.Mutex
			done []string
		)
		d := newDispatcher(t.Context(), out.send)
		submit := func(name, typ string, write bool, takes time.Duration, paths ...string) {
			d.submit(job{verb: verbOf(t, typ), id: wire.ID(name), deadline: time.Hour, paths: paths, write: write, run: func(context.Context) (any, error) {
				time.Sleep(takes)
				mu.Lock()
				done = append(done, name)
				mu.Unlock()
				return nil, nil
			}})
		}
		submit("write a/b", wire.TypeWriteFile, true, 3*time.Second, "a/b")
		submit("read a/b", wire.TypeReadFile, false, 0, "a/b")             // after the write
		submit("delete a", wire.TypeDeleteFolder, true, time.Second, "a")  // after both
		submit("write a/c", wire.TypeWriteFile, true, 0, "a/c")            // inside a: after the delete
		submit("write ab", wire.TypeWriteFile, true, 0, "ab")              // another name: at once
		submit("tree", wire.TypeGetTreeChildren, false, 0, ".")            // everything: last
		submit("read x", wire.TypeReadFile, false, 10*time.Second, "x")    // another name
		submit("read x again", wire.TypeReadFile, false, time.Second, "x") // readers do not wait for each other
		d.drain(t.Context())
		want := []string{"write ab", "read x again", "write a/b", "read a/b", "delete a", "write a/c", "tree", "read x"}
		if !slices.Equal(done, want) {
			t.Errorf("took effect as\n%q, want\n%q", done, want)
		}
	})
}

func TestARequestThatDoesNotReturnIsAnsweredOnceAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out sent
		d := newDispatcher(t.Context(), out.send)
		stuck := make(chan struct{})
		d.submit(job{verb: verbOf(t, wire.TypeReadFile), id: "stuck", deadline: 30 * time.Second, run: func(context.Context) (any, error) {
			<-stuck // pays no attention to its context
			return "too late", nil
		}})
		time.Sleep(31 * time.Second)
		synctest.Wait()
		if len(out.frames) != 1 || !strings.Contains(out.frames[0], `"code":"timeout"`) || !strings.Contains(out.frames[0], `"requestId":"stuck"`) {
			t.Errorf("after the deadline: %v", out.frames)
		}
		close(stuck)
		d.drain(t.Context())
		if len(out.frames) != 1 {
			t.Errorf("answered %d times: %v", len(out.frames), out.frames)
		}
	})
}

func TestAPanicIsAnsweredAsAnInternalError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out sent
		d := newDispatcher(t.Context(), out.send)
		told := false
		d.panics = func(string, any, string) { told = true }
		d.submit(job{verb: verbOf(t, wire.TypeReadFile), id: "p", deadline: time.Second, run: func(context.Context) (any, error) { panic("boom") }})
		d.drain(t.Context())
		if !told || len(out.frames) != 1 || !strings.Contains(out.frames[0], `"code":"internal"`) {
			t.Errorf("told %v, sent %v", told, out.frames)
		}
	})
}

func TestAnAnswerTheLinkCannotTakeIsReplacedByTheReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out sent
		d := newDispatcher(t.Context(), func(frame []byte) error {
			if len(frame) > 1000 {
				return wire.Errorf(wire.TooLarge, "%d bytes are too many", len(frame))
			}
			return out.send(frame)
		})
		d.submit(job{verb: verbOf(t, wire.TypeReadFile), id: "big", deadline: time.Second, run: func(context.Context) (any, error) {
			return strings.Repeat("x", 2000), nil
		}})
		d.drain(t.Context())
		if len(out.frames) != 1 || !strings.Contains(out.frames[0], `"code":"too_large"`) {
			t.Errorf("sent %v", out.frames)
		}
	})
}

func TestMoreRequestsThanTheLimitAreRefusedInTheirPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out sent
		d := newDispatcher(t.Context(), out.send)
		hold := make(chan struct{})
		for i := range maxPending + 10 {
			d.submit(job{verb: verbOf(t, wire.TypeReadFile), id: wire.ID(fmt.Sprint(i)), deadline: time.Hour, run: func(context.Context) (any, error) {
				<-hold
				return "x", nil
			}})
		}
		close(hold)
		d.drain(t.Context())
		synctest.Wait()
		if len(out.frames) != maxPending+10 {
			t.Fatalf("%d answers", len(out.frames))
		}
		for i, id := range out.ids() {
			if id != fmt.Sprint(i) {
				t.Fatalf("answer %d is for request %s", i, id)
			}
			refused := strings.Contains(out.frames[i], `"code":"unavailable"`)
			if refused != (i >= maxPending) {
				t.Fatalf("request %d: %s", i, out.frames[i])
			}
		}
	})
}

func TestNoMoreThanTheLimitRunAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			out       sent
			mu        sync.Mutex
			now, most int
		)
		d := newDispatcher(t.Context(), out.send)
		for range 500 {
			d.submit(job{verb: verbOf(t, wire.TypeReadFile), deadline: time.Hour, run: func(context.Context) (any, error) {
				mu.Lock()
				now++
				most = max(most, now)
				mu.Unlock()
				time.Sleep(time.Second)
				mu.Lock()
				now--
				mu.Unlock()
				return "x", nil
			}})
		}
		d.drain(t.Context())
		if most != maxConcurrent {
			t.Errorf("%d ran at once", most)
		}
	})
}

func TestDrainEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out sent
		d := newDispatcher(t.Context(), out.send)
		hold := make(chan struct{})
		d.submit(job{verb: verbOf(t, wire.TypeReadFile), deadline: time.Hour, run: func(context.Context) (any, error) { <-hold; return nil, errors.New("x") }})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		d.drain(ctx)
		if ctx.Err() == nil {
			t.Error("drain returned while a request was under way")
		}
		close(hold)
		d.drain(t.Context())
	})
}

func TestNamesOverlapOnlyAtSeparators(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"a", "a", true},
		{"a", "a/b", true},
		{"a/b", "a", true},
		{"a", "ab", false},
		{"a/b", "a/c", false},
		{".", "x", true},
		{"x", ".", true},
	} {
		if got := overlap([]string{"zzz", c.a}, []string{c.b}); got != c.want {
			t.Errorf("overlap(%q, %q) = %v", c.a, c.b, got)
		}
	}
}

func TestAServerThatReadsNothingStopsRequestsAndLosesNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var (
			out   sent
			reads = make(chan struct{})
			ran   atomic.Int64
		)
		d := newDispatcher(t.Context(), func(frame []byte) error {
			<-reads
			return out.send(frame)
		})
		const jobs, size, most = 200, 10 << 10, 320 << 10
		d.most = most
		content := strings.Repeat("x", size)
		read := verbOf(t, wire.TypeReadFile)
		var want []string
		for i := range jobs {
			id := strconv.Itoa(i)
			want = append(want, id)
			d.submit(job{verb: read, id: wire.ID(id), deadline: time.Hour, run: func(context.Context) (any, error) {
				ran.Add(1)
				return content, nil
			}})
		}
		synctest.Wait()
		if n := ran.Load(); n > most/size+maxConcurrent+1 {
			t.Errorf("%d of %d requests were carried out while no answer was read", n, jobs)
		}
		close(reads)
		d.drain(t.Context())
		synctest.Wait()
		if got := out.ids(); !slices.Equal(got, want) {
			t.Errorf("answers left as %v", got)
		}
	})
}

func TestARequestThatWaitsForAServerToReadIsAnsweredAtItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out sent
		reads := make(chan struct{})
		d := newDispatcher(t.Context(), func(frame []byte) error {
			<-reads
			return out.send(frame)
		})
		d.most = 1 << 10
		content := strings.Repeat("x", d.most+1)
		read := verbOf(t, wire.TypeReadFile)
		for i := range 3 {
			d.submit(job{verb: read, id: wire.ID(strconv.Itoa(i)), deadline: time.Second, run: func(context.Context) (any, error) {
				return content, nil
			}})
			synctest.Wait()
		}
		time.Sleep(time.Minute)
		close(reads)
		d.drain(t.Context())
		synctest.Wait()
		if got := out.ids(); !slices.Equal(got, []string{"0", "1", "2"}) || !strings.Contains(out.frames[2], `"timeout"`) {
			t.Errorf("answers left as %v, the last one as %.200s", got, out.frames[len(out.frames)-1])
		}
	})
}

func TestAQuickRequestIsDoneWhenItsSubmitterGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out sent
		d := newDispatcher(t.Context(), out.send)
		for i := range 3 {
			d.submit(job{
				verb: verbOf(t, wire.TypeReadFile), id: wire.ID(strconv.Itoa(i)), deadline: time.Second, quick: true,
				yield: func() { t.Error("yielded for a request that was quick") },
				run:   func(context.Context) (any, error) { return "x", nil },
			})
			if got := len(out.ids()); got != i+1 {
				t.Errorf("after request %d there were %d answers", i, got)
			}
		}
		time.Sleep(time.Minute)
	})
}

func TestAQuickRequestThatTakesLongLetsOthersComeAndKeepsItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out sent
		d := newDispatcher(t.Context(), out.send)
		yielded, hold := make(chan struct{}), make(chan struct{})
		slow := job{
			verb: verbOf(t, wire.TypeReadFile), id: "slow", deadline: time.Second, quick: true,
			yield: func() { close(yielded) }, // a second time would panic
			run:   func(context.Context) (any, error) { <-hold; return "x", nil },
		}
		go d.submit(slow)
		<-yielded
		fast := slow
		fast.verb, fast.id, fast.yield = verbOf(t, wire.TypeGetTreeChildren), "fast", func() {}
		fast.run = func(context.Context) (any, error) { return "x", nil }
		d.submit(fast)
		if got := out.ids(); !slices.Equal(got, []string{"fast"}) {
			t.Errorf("while one was slow, %v were answered", got)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if got := out.ids(); !slices.Equal(got, []string{"fast", "slow"}) || !strings.Contains(out.frames[1], `"timeout"`) {
			t.Errorf("after the deadline: %v", out.frames)
		}
		close(hold)
		d.drain(t.Context())
		if got := len(out.ids()); got != 2 {
			t.Errorf("answered %d times: %v", got, out.frames)
		}
		time.Sleep(time.Minute)
	})
}
