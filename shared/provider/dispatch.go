package provider

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Limits of the dispatcher.
const (
	// maxConcurrent is how many file and review requests run at once.
	maxConcurrent = 64
	// maxPending is how many may be under way or waiting; more are refused.
	maxPending = 4096
	// maxUnsent is how many bytes of answers may wait for the server to read
	// before no further request is carried out.
	maxUnsent = 32 << 20
	// overdue is how long after its deadline a request that still has not
	// returned is answered without it.
	overdue = 500 * time.Millisecond
	// trimAfter is how long the dispatcher must be idle before memory that a load
	// left behind goes back to the system.
	trimAfter = 2 * time.Second
	// trimAbove is the number of answered bytes that make trimming worth while.
	trimAbove = 4 << 20
)

// job is one file or review request.
type job struct {
	verb     wire.Verb
	id       wire.ID
	deadline time.Duration
	// paths are the workspace names it touches; a job waits for earlier ones that
	// touch the same when either of the two writes.
	paths []string
	write bool
	run   func(ctx context.Context) (any, error)
}

// dispatcher runs jobs concurrently under three rules: answers to one action
// leave in the order in which the requests came; requests that touch the same
// path take effect in the order in which they came; and every request is
// answered exactly once, at the latest when its deadline is over.
type dispatcher struct {
	ctx     context.Context // of the jobs
	cancel  context.CancelCauseFunc
	parent  context.Context
	send    func(frame []byte) error
	failure func(verb wire.Verb, id wire.ID, err error) ([]byte, error)
	panics  func(what string, p any, stack string)
	slots   chan struct{}

	mu      sync.Mutex
	lanes   map[string]*lane // by response name
	active  []*claim         // in order of arrival
	pending int
	idle    chan struct{} // closed while pending is 0
	unsent  int           // bytes of answers that wait in lanes
	most    int           // of them, as a rule
	left    chan struct{} // closed and replaced when an answer has left
	moved   int           // bytes answered since the last trim
	trim    *time.Timer
}

// lane holds the answers of one action that are still to be sent, in order of
// arrival. One goroutine at a time sends from it, without holding the lock: a
// send may take as long as the server takes to read.
type lane struct {
	queue   []*answer
	sending bool
}

// answer is a place in a lane.
type answer struct {
	job   job
	frame []byte
	ready bool
}

// claim is what a job touches while it is under way.
type claim struct {
	paths []string
	write bool
	done  chan struct{}
}

func newDispatcher(ctx context.Context, send func([]byte) error) *dispatcher {
	d := &dispatcher{
		parent: ctx, send: send, slots: make(chan struct{}, maxConcurrent), lanes: map[string]*lane{},
		idle:    make(chan struct{}),
		left:    make(chan struct{}),
		most:    maxUnsent,
		failure: func(v wire.Verb, id wire.ID, err error) ([]byte, error) { return v.Failure(id, err) },
		panics:  func(string, any, string) {},
	}
	d.ctx, d.cancel = context.WithCancelCause(ctx)
	close(d.idle)
	return d
}

// submit takes a job. It returns at once.
func (d *dispatcher) submit(j job) {
	place := &answer{job: j}
	mine := &claim{paths: j.paths, write: j.write, done: make(chan struct{})}
	var (
		before []chan struct{}
		full   bool
	)
	d.mu.Lock()
	in := d.lanes[j.verb.Response]
	if in == nil {
		in = &lane{}
		d.lanes[j.verb.Response] = in
	}
	in.queue = append(in.queue, place)
	under := d.ctx
	if full = d.pending >= maxPending; !full {
		if d.pending == 0 {
			d.idle = make(chan struct{})
		}
		d.pending++
		for _, other := range d.active {
			if (j.write || other.write) && overlap(j.paths, other.paths) {
				before = append(before, other.done)
			}
		}
		d.active = append(d.active, mine)
	}
	d.mu.Unlock()
	if full {
		d.settle(j, place, nil, wire.Errorf(wire.Unavailable, "%s: %d requests are waiting already; try again later", j.verb.Type, maxPending))
		return
	}
	go d.work(under, j, place, mine, before)
}

func (d *dispatcher) work(ctx context.Context, j job, place *answer, mine *claim, before []chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, j.deadline)
	defer cancel()
	late := time.AfterFunc(j.deadline+overdue, func() {
		d.settle(j, place, nil, wire.Errorf(wire.Timeout, "%s: no result after %v; whether it took effect is unknown", j.verb.Type, j.deadline))
	})
	defer late.Stop()
	var result any
	err := d.wait(ctx, j, place, before)
	if err == nil {
		result, err = d.call(ctx, j)
		<-d.slots
	}
	d.settle(j, place, result, err)
	d.release(mine)
}

// wait waits for the jobs before this one, for room for its answer and for a
// slot.
func (d *dispatcher) wait(ctx context.Context, j job, place *answer, before []chan struct{}) error {
	for _, done := range before {
		select {
		case <-done:
		case <-ctx.Done():
			return fmt.Errorf("waiting for earlier requests on the same path: %w", context.Cause(ctx))
		}
	}
	for {
		select {
		case d.slots <- struct{}{}:
		case <-ctx.Done():
			return fmt.Errorf("waiting for a free slot: %w", context.Cause(ctx))
		}
		left, ok := d.room(j, place)
		if ok {
			return nil
		}
		<-d.slots
		select {
		case <-left:
		case <-ctx.Done():
			return fmt.Errorf("waiting for earlier answers to be read: %w", context.Cause(ctx))
		}
	}
}

// room reports whether one more answer may come into being, and otherwise gives
// what is closed when it may be so. What the next answer of a lane waits for
// nobody else would end.
func (d *dispatcher) room(j job, place *answer) (left <-chan struct{}, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	lane := d.lanes[j.verb.Response]
	return d.left, d.unsent <= d.most || len(lane.queue) > 0 && lane.queue[0] == place
}

func (d *dispatcher) call(ctx context.Context, j job) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			d.panics(j.verb.Type, p, string(debug.Stack()))
			result, err = nil, wire.Errorf(wire.Internal, "%s: internal error: %v", j.verb.Type, p)
		}
	}()
	return j.run(ctx)
}

// settle puts the answer into its place and sends every answer of its lane whose
// turn has come. Only the first settling of a place counts.
func (d *dispatcher) settle(j job, place *answer, result any, err error) {
	var frame []byte
	if err == nil {
		frame, err = j.verb.Success(j.id, result)
	}
	if err != nil {
		frame, _ = d.failure(j.verb, j.id, err) // an error's own text always encodes
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if place.ready {
		return
	}
	place.frame, place.ready = frame, true
	d.moved += len(frame)
	d.unsent += len(frame)
	from := d.lanes[j.verb.Response]
	if from.sending {
		return
	}
	from.sending = true
	for len(from.queue) > 0 && from.queue[0].ready {
		next := from.queue[0]
		from.queue[0] = nil
		from.queue = from.queue[1:]
		d.mu.Unlock()
		d.deliver(next)
		d.mu.Lock()
		d.unsent -= len(next.frame)
		close(d.left)
		d.left = make(chan struct{})
	}
	from.sending = false
}

// deliver sends one answer. What the link cannot take because of its size is
// answered with that fact.
func (d *dispatcher) deliver(a *answer) {
	err := d.send(a.frame)
	if wire.CodeOf(err) != wire.TooLarge {
		return // sent, or the link is gone and says so itself
	}
	if small, fail := d.failure(a.job.verb, a.job.id, fmt.Errorf("%s: the answer is too large: %w", a.job.verb.Type, err)); fail == nil {
		_ = d.send(small) // as above
	}
}

// release ends a job's claim on its paths.
func (d *dispatcher) release(mine *claim) {
	d.mu.Lock()
	defer d.mu.Unlock()
	close(mine.done)
	for i, c := range d.active {
		if c == mine {
			d.active = append(d.active[:i], d.active[i+1:]...)
			break
		}
	}
	d.pending--
	if d.pending > 0 {
		return
	}
	close(d.idle)
	if d.moved > trimAbove && d.trim == nil {
		d.trim = time.AfterFunc(trimAfter, d.trimMemory)
	}
}

// trimMemory gives memory back after a load. A provider idles most of its life
// beside hundreds of others; the collector alone would keep the peak.
func (d *dispatcher) trimMemory() {
	d.mu.Lock()
	d.trim = nil
	busy := d.pending > 0
	if !busy {
		d.moved = 0
	}
	d.mu.Unlock()
	if !busy {
		debug.FreeOSMemory()
	}
}

// drain waits until no job is under way. When ctx ends first, it cancels those
// that are, and gives them a moment to be answered.
func (d *dispatcher) drain(ctx context.Context) {
	d.mu.Lock()
	idle := d.idle
	d.mu.Unlock()
	select {
	case <-idle:
		return
	case <-ctx.Done():
	}
	d.mu.Lock()
	idle = d.idle
	d.cancel(wire.Errorf(wire.Unavailable, "the environment is being closed"))
	d.ctx, d.cancel = context.WithCancelCause(d.parent)
	d.mu.Unlock()
	moment := time.NewTimer(overdue)
	defer moment.Stop()
	select {
	case <-idle:
	case <-moment.C:
	}
}

// overlap reports whether two sets of names touch: equal, or one inside the
// other. "." is the whole workspace.
func overlap(a, b []string) bool {
	for _, x := range a {
		for _, y := range b {
			if x == y || x == "." || y == "." || strings.HasPrefix(x, y+"/") || strings.HasPrefix(y, x+"/") {
				return true
			}
		}
	}
	return false
}
