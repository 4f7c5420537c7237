package provider

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
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
	// patience is how often it is looked whether a quick job is still the same one.
	patience = 5 * time.Millisecond
	// watchFor is how many looks without a quick job end the looking.
	watchFor = 200
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
	// quick jobs as a rule take no longer than a handover to another goroutine
	// would: they run on that of the submitter. yield lets the submitter's
	// caller go on when one takes longer after all; without it none is quick.
	quick bool
	yield func()
	seen  *seen // its end is told to it; nil when nobody watches
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
	active  []*flight        // in order of arrival
	pending int
	idle    chan struct{} // closed when pending becomes 0; nil while nobody waits
	unsent  int           // bytes of answers that wait in lanes
	most    int           // of them, as a rule
	left    chan struct{} // closed when an answer has left; nil while nobody waits
	moved   int           // bytes answered since the last trim
	trim    *time.Timer

	quick    atomic.Pointer[flight] // the quick job under way
	watching atomic.Bool
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
	job   *job
	frame []byte
	ready bool
}

// flight is a job under way. Its deadline counts once armed.
type flight struct {
	job
	place  answer
	ctx    context.Context
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when it ends; nil while nobody waits, guarded by the dispatcher's mu

	mu    sync.Mutex
	over  bool
	timer *time.Timer
}

func newDispatcher(ctx context.Context, send func([]byte) error) *dispatcher {
	d := &dispatcher{
		parent: ctx, send: send, slots: make(chan struct{}, maxConcurrent), lanes: map[string]*lane{},
		most:    maxUnsent,
		failure: func(v wire.Verb, id wire.ID, err error) ([]byte, error) { return v.Failure(id, err) },
		panics:  func(string, any, string) {},
	}
	d.ctx, d.cancel = context.WithCancelCause(ctx)
	return d
}

// submit takes a job. It returns at once, or after a quick job.
func (d *dispatcher) submit(j job) {
	f := &flight{job: j}
	f.place.job = &f.job
	before, full := d.enter(f)
	switch {
	case full:
		d.settle(&f.place, nil, wire.Errorf(wire.Unavailable, "%s: %d requests are waiting already; try again later", j.verb.Type, maxPending))
	case j.quick && j.yield != nil && len(before) == 0 && d.hasRoom(&f.place):
		d.quick.Store(f)
		d.watch()
		result, err := d.call(f)
		d.finish(f, result, err)
		d.quick.CompareAndSwap(f, nil)
	default:
		d.arm(f)
		go d.work(f, before)
	}
}

// enter gives a job its place and its claim, and tells what it has to wait for.
func (d *dispatcher) enter(f *flight) (before []<-chan struct{}, full bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	in := d.lanes[f.verb.Response]
	if in == nil {
		in = &lane{}
		d.lanes[f.verb.Response] = in
	}
	in.queue = append(in.queue, &f.place)
	if d.pending >= maxPending {
		return nil, true
	}
	d.pending++
	f.ctx, f.cancel = context.WithCancelCause(d.ctx)
	for _, other := range d.active {
		if (f.write || other.write) && overlap(f.paths, other.paths) {
			if other.done == nil {
				other.done = make(chan struct{})
			}
			before = append(before, other.done)
		}
	}
	d.active = append(d.active, f)
	return before, false
}

func (d *dispatcher) work(f *flight, before []<-chan struct{}) {
	var result any
	err := d.wait(f, before)
	if err == nil {
		result, err = d.call(f)
		<-d.slots
	}
	d.finish(f, result, err)
}

// arm has a job canceled at its deadline, and answered without its result when
// it does not return even then.
func (d *dispatcher) arm(f *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over || f.timer != nil {
		return
	}
	f.timer = time.AfterFunc(f.deadline, func() {
		f.cancel(context.DeadlineExceeded)
		f.mu.Lock()
		defer f.mu.Unlock()
		if !f.over {
			f.timer = time.AfterFunc(overdue, func() {
				d.settle(&f.place, nil, wire.Errorf(wire.Timeout, "%s: no result after %v; whether it took effect is unknown", f.verb.Type, f.deadline))
			})
		}
	})
}

// finish answers a job that has returned and ends its claim.
func (d *dispatcher) finish(f *flight, result any, err error) {
	d.settle(&f.place, result, err)
	f.mu.Lock()
	f.over = true
	if f.timer != nil {
		f.timer.Stop()
	}
	f.mu.Unlock()
	f.cancel(nil)
	d.release(f)
}

// watch sees to it that a quick job that takes long becomes one like others.
func (d *dispatcher) watch() {
	if !d.watching.Load() && d.watching.CompareAndSwap(false, true) {
		go d.watchman()
	}
}

func (d *dispatcher) watchman() {
	ticker := time.NewTicker(patience)
	defer ticker.Stop()
	var last *flight
	for quiet := 0; ; {
		select {
		case <-ticker.C:
		case <-d.parent.Done():
			d.watching.Store(false)
			return
		}
		f := d.quick.Load()
		switch {
		case f == nil:
			if quiet++; quiet < watchFor {
				break
			}
			d.watching.Store(false)
			if d.quick.Load() == nil || !d.watching.CompareAndSwap(false, true) {
				return
			}
		case f == last && d.quick.CompareAndSwap(f, nil):
			d.arm(f)
			f.yield()
		default:
			quiet = 0
		}
		last = f
	}
}

// wait waits for the jobs before this one, for room for its answer and for a
// slot.
func (d *dispatcher) wait(f *flight, before []<-chan struct{}) error {
	ctx := f.ctx
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
		left, ok := d.room(&f.place)
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
func (d *dispatcher) room(place *answer) (left <-chan struct{}, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	in := d.lanes[place.job.verb.Response]
	if d.unsent <= d.most || len(in.queue) > 0 && in.queue[0] == place {
		return nil, true
	}
	if d.left == nil {
		d.left = make(chan struct{})
	}
	return d.left, false
}

// hasRoom is room for one that does not wait.
func (d *dispatcher) hasRoom(place *answer) bool {
	_, ok := d.room(place)
	return ok
}

func (d *dispatcher) call(f *flight) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			d.panics(f.verb.Type, p, string(debug.Stack()))
			result, err = nil, wire.Errorf(wire.Internal, "%s: internal error: %v", f.verb.Type, p)
		}
	}()
	return f.run(f.ctx)
}

// settle puts the answer into its place and sends every answer of its lane whose
// turn has come. Only the first settling of a place counts.
func (d *dispatcher) settle(place *answer, result any, err error) {
	j := place.job
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
	j.seen.end(err)
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
		if d.left != nil {
			close(d.left)
			d.left = nil
		}
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
func (d *dispatcher) release(f *flight) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f.done != nil {
		close(f.done)
	}
	if i := slices.Index(d.active, f); i >= 0 {
		d.active = slices.Delete(d.active, i, i+1)
	}
	d.pending--
	if d.pending > 0 {
		return
	}
	if d.idle != nil {
		close(d.idle)
		d.idle = nil
	}
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
	if d.pending == 0 {
		d.mu.Unlock()
		return
	}
	if d.idle == nil {
		d.idle = make(chan struct{})
	}
	idle := d.idle
	d.mu.Unlock()
	select {
	case <-idle:
		return
	case <-ctx.Done():
	}
	d.mu.Lock()
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
