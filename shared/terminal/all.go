package terminal

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Limits bound the terminals. The zero value has sensible ones.
type Limits struct {
	Running int           // at the same time; default 16
	Ended   int           // that are kept to be looked at; default 16
	KeepFor time.Duration // how long those are kept; default 10 min
	Output  int           // bytes kept of each; default 1 MiB
}

// All are the terminals of one place. Its methods are safe for concurrent use.
type All struct {
	limits Limits

	mu     sync.Mutex
	closed bool
	all    []*Terminal // in the order of their beginning
	wg     sync.WaitGroup
}

// New makes an empty collection. The caller closes it.
func New(l Limits) *All {
	l.Running, l.Ended = cmp.Or(l.Running, 16), cmp.Or(l.Ended, 16)
	l.KeepFor, l.Output = cmp.Or(l.KeepFor, 10*time.Minute), cmp.Or(l.Output, 1<<20)
	return &All{limits: l}
}

// validID is what a terminal may be called.
var validID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$`)

// Open runs a program in a terminal. It fails with Invalid for options that make no
// sense, Exists when the id is taken, Unavailable when there are too many terminals,
// NotFound when there is no such program, and Unsupported where there are no terminals.
func (a *All) Open(o Options) (*Terminal, error) {
	o.ID = cmp.Or(o.ID, "terminal-"+uuid.NewString())
	o.Size.Cols, o.Size.Rows = cmp.Or(o.Size.Cols, 80), cmp.Or(o.Size.Rows, 24)
	switch {
	case !validID.MatchString(o.ID):
		return nil, wire.Errorf(wire.Invalid, "open a terminal: an id begins with a letter or a digit and goes on with those, dots, - and _")
	case len(o.Argv) == 0 || o.Argv[0] == "":
		return nil, wire.Errorf(wire.Invalid, "open a terminal: there is no program")
	}
	if !slices.ContainsFunc(o.Env, func(pair string) bool { return strings.HasPrefix(pair, "TERM=") }) {
		o.Env = append(slices.Clip(o.Env), "TERM=xterm-256color")
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil, wire.Errorf(wire.Unavailable, "open a terminal: this place is closing")
	}
	a.sweep()
	for _, t := range a.all {
		if t.id == o.ID {
			return nil, wire.Errorf(wire.Exists, "open a terminal: there is a terminal %s already", o.ID)
		}
	}
	if running := a.running(); running >= a.limits.Running {
		return nil, wire.Errorf(wire.Unavailable, "open a terminal: %d are open already; close one first", running)
	}
	t := &Terminal{
		id: o.ID, argv: slices.Clone(o.Argv), started: time.Now(), size: o.Size, out: ring{keep: a.limits.Output},
		readers: map[*Reader]bool{}, done: make(chan struct{}),
	}
	t.moved = sync.NewCond(&t.mu)
	if err := t.start(o, &a.wg); err != nil {
		return nil, err
	}
	a.all = append(a.all, t)
	return t, nil
}

// Running is how many programs run.
func (a *All) Running() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.running()
}

func (a *All) running() (n int) {
	for _, t := range a.all {
		if _, over := t.Exit(); !over {
			n++
		}
	}
	return n
}

// sweep forgets terminals that ended long ago, and the oldest when there are many.
func (a *All) sweep() {
	ended := 0
	for i := len(a.all) - 1; i >= 0; i-- {
		t := a.all[i]
		t.mu.Lock()
		over := t.exit != nil
		old := over && time.Since(t.ended) > a.limits.KeepFor
		t.mu.Unlock()
		if over {
			ended++
		}
		if old || over && ended > a.limits.Ended {
			a.all = slices.Delete(a.all, i, i+1)
		}
	}
}

// Get finds a terminal, also one that has ended. It fails with NotFound.
func (a *All) Get(id string) (*Terminal, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sweep()
	for _, t := range a.all {
		if t.id == id {
			return t, nil
		}
	}
	return nil, wire.Errorf(wire.NotFound, "there is no terminal %q", strings.ToValidUTF8(id, "?"))
}

// List are the terminals in the order of their beginning.
func (a *All) List() []*Terminal {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sweep()
	return slices.Clone(a.all)
}

// Forget takes a terminal that has ended off the list.
func (a *All) Forget(t *Terminal) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all = slices.DeleteFunc(a.all, func(one *Terminal) bool { return one == t })
}

// Close closes all terminals, at the same time, and lets no more be opened. It is
// idempotent.
func (a *All) Close() {
	a.mu.Lock()
	a.closed = true
	all := slices.Clone(a.all)
	a.mu.Unlock()
	var closing sync.WaitGroup
	for _, t := range all {
		closing.Go(t.Close)
	}
	closing.Wait()
	a.wg.Wait()
}
