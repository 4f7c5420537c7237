package suite

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/conformance/server"
)

// T is the world of one check while it runs. Methods that end a check must be
// called on the goroutine that runs it; all others may be called from any.
type T struct {
	check *Check
	run   *runner
	ctx   context.Context
	mark  string
	dir   string
	begun time.Time
	log   *frameLog
	out   *tail

	options []func(*server.Options)
	met     sync.Map // pid of each process that connected: the []int it had started by then

	mu       sync.Mutex
	server   *server.Server
	failures []Failure
	story    []string
	reason   string  // of a skip or an error
	outcome  Outcome // "" until something ends the check
	cleanups []func()
	envs     []*Env
	projects int
	names    int
}

// ended is what a method that ends a check panics with.
type ended struct{}

// Context ends when the check's time is over.
func (t *T) Context() context.Context { return t.ctx }

// Profile is the profile of the run.
func (t *T) Profile() Profile { return t.run.options.Profile }

// Can reports whether the provider declares a capability.
func (t *T) Can(c Capability) bool { return t.run.target.Capabilities[c] }

// Target is the provider under test.
func (t *T) Target() *Target { return t.run.target }

// Logf notes a step of the check's story.
func (t *T) Logf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.story) < 500 {
		t.story = append(t.story, shorten(fmt.Sprintf(format, args...), shownBytes))
	}
}

// Errorf notes that the provider is wrong; the check goes on.
func (t *T) Errorf(format string, args ...any) {
	t.fail(Failure{Message: fmt.Sprintf(format, args...)})
}

// Fatalf notes that the provider is wrong and ends the check.
func (t *T) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	panic(ended{})
}

// Failed reports whether anything was wrong so far.
func (t *T) Failed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.failures) > 0
}

// Equal notes a failure unless the two values are the same JSON, and reports
// whether they are.
func (t *T) Equal(what string, got, want any) bool {
	g, w := plain(got), plain(want)
	if cmp.Equal(g, w) {
		return true
	}
	t.fail(Failure{Message: what + " is not as documented", Expected: show(w), Got: show(g)})
	return false
}

// plain turns a value into what its JSON decodes to.
func plain(v any) any {
	m, err := decode([]byte(`{"v":` + raw(v) + `}`))
	if err != nil {
		return v
	}
	return m["v"]
}

func (t *T) fail(f Failure) {
	f.Message, f.Frame = shorten(f.Message, shownBytes), t.log.next()-1
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.failures) < 50 {
		t.failures = append(t.failures, f)
	}
	if len(t.story) < 500 {
		t.story = append(t.story, "FAILED: "+f.Message)
	}
}

// Skipf ends the check without a verdict, with what this machine or provider
// lacks for it.
func (t *T) Skipf(format string, args ...any) {
	t.settle(Skipped, fmt.Sprintf(format, args...))
	panic(ended{})
}

// Need ends the check as skipped unless the provider declares a capability.
func (t *T) Need(c Capability) {
	if !t.Can(c) {
		t.Skipf("%s", lacks(c))
	}
}

func lacks(c Capability) string { return fmt.Sprintf("the provider does not declare %s", c) }

// Try ends the check as an error of the suite when err is not nil: something
// that is not the provider's did not work.
func (t *T) Try(err error) {
	if err != nil {
		t.settle(Errored, err.Error())
		panic(ended{})
	}
}

func (t *T) settle(outcome Outcome, reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.outcome == "" {
		t.outcome, t.reason = outcome, reason
	}
}

// Cleanup runs f when the check has ended, however it did, and before its
// environments are closed; the last one registered first.
func (t *T) Cleanup(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cleanups = append(t.cleanups, f)
}

// Rest waits, unless the check's time is over before.
func (t *T) Rest(d time.Duration) {
	select {
	case <-time.After(d):
	case <-t.ctx.Done():
		t.Fatalf("the check was not done in time")
	}
}

// Eventually waits until a condition holds, looking every few milliseconds, and
// ends the check with what was awaited when it does not within d.
func (t *T) Eventually(d time.Duration, what string, holds func() bool) {
	if !t.Within(d, holds) {
		t.Fatalf("within %v it did not come about that %s", d, what)
	}
}

// Within waits until a condition holds and reports whether it did within d.
func (t *T) Within(d time.Duration, holds func() bool) bool {
	until := time.Now().Add(d)
	for !holds() {
		if time.Now().After(until) || t.ctx.Err() != nil {
			return false
		}
		time.Sleep(10 * time.Millisecond)
	}
	return true
}

// Dir is a new folder of this check alone, below its own temporary folder.
func (t *T) Dir(name string) string {
	path := filepath.Join(t.dir, name)
	t.Try(os.MkdirAll(path, 0o755))
	return path
}

// NewProject is a git repository to work on, made for this check: README.md, a
// few sources, a .gitignore and two commits. Its path is absolute and without
// symbolic links.
func (t *T) NewProject() string {
	t.mu.Lock()
	t.projects++
	path := filepath.Join(t.dir, fmt.Sprintf("project%d", t.projects))
	t.mu.Unlock()
	template, err := t.run.project()
	t.Try(err)
	t.Try(os.CopyFS(path, os.DirFS(template)))
	return path
}

// Options changes the emulated server of this check. It must be called before
// the first environment is made.
func (t *T) Options(change func(*server.Options)) { t.options = append(t.options, change) }

// Server is the emulated server of this check.
func (t *T) Server() *server.Server {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.server != nil {
		return t.server
	}
	options := server.Options{OnFrame: t.sees, ExitGrace: 3 * time.Second, TermGrace: 10 * time.Second}
	if t.run.options.Profile == NodeCompat {
		options.Quiet = nodeQuiet
	}
	for _, change := range t.options {
		change(&options)
	}
	admit := options.Admit
	options.Admit = func(e *server.Environment, r *http.Request) int {
		t.meet(e.PID())
		if admit != nil {
			return admit(e, r)
		}
		return 0
	}
	var err error
	if t.server, err = server.New(options); err != nil {
		t.mu.Unlock()
		defer t.mu.Lock()
		t.Try(err)
	}
	return t.server
}

// nodeQuiet is how long a provider on the Node SDK needs after the accept until
// its handlers are attached.
const nodeQuiet = 300 * time.Millisecond

// meet notes what belongs to a provider that connects for the first time: its process
// may be a launcher, and the provider a child of that.
func (t *T) meet(pid int) {
	if _, known := t.met.Load(pid); !known {
		t.met.Store(pid, descendantsOf(pid))
	}
}

func (t *T) sees(f server.Frame) {
	if f.Direction == server.In {
		t.run.canaries.look("a frame of "+t.check.ID, f.Data)
	}
	t.log.add(f)
}

// name is a name no other environment has.
func (t *T) name() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.names++
	return fmt.Sprintf("%s-%d", strings.ToLower(t.check.ID), t.names)
}

// variables are what every process of this check has in its environment: places
// of its own for all that programs leave behind, and bait.
func (t *T) variables() []string {
	home := filepath.Join(t.dir, "home")
	all := map[string]string{
		"HOME": home, "TMPDIR": filepath.Join(t.dir, "tmp"), "XDG_STATE_HOME": filepath.Join(home, "state"),
		"XDG_CONFIG_HOME": filepath.Join(home, "config"), "XDG_CACHE_HOME": filepath.Join(home, "cache"),
		"XDG_DATA_HOME": filepath.Join(home, "data"), "XDG_RUNTIME_DIR": "", "CODEBOLT_STATE_DIR": "",
		envMark: t.mark, "GIT_CONFIG_NOSYSTEM": "1",
	}
	maps.Copy(all, t.run.canaries.variables)
	environ := make([]string, 0, len(all))
	for name, value := range all {
		environ = append(environ, name+"="+value)
	}
	slices.Sort(environ)
	return append(environ, t.run.target.Env...)
}

// Processes are those that this check started and that run still, but for
// whatever the check itself is made of.
func (t *T) Processes() []Process { return processesOf(t.mark, t.dir) }

// prepare makes the check's folders.
func (t *T) prepare() error {
	var errs []error
	for _, name := range []string{"home", "tmp"} {
		errs = append(errs, os.MkdirAll(filepath.Join(t.dir, name), 0o700))
	}
	errs = append(errs, os.WriteFile(filepath.Join(t.dir, "home", ".gitconfig"), []byte(gitConfig), 0o600))
	return errors.Join(errs...)
}

// finish takes everything back and notes what the provider itself left.
func (t *T) finish() {
	t.mu.Lock()
	cleanups, envs, srv := t.cleanups, t.envs, t.server
	t.mu.Unlock()
	for _, f := range slices.Backward(cleanups) {
		t.guard("clean up", f)
	}
	clean := !t.Failed()
	var closing sync.WaitGroup
	removed := make([]bool, len(envs))
	for i, e := range envs {
		closing.Go(func() { removed[i] = e.dispose() })
	}
	closing.Wait()
	if srv != nil {
		_ = srv.Close() // what a provider failed to answer is not this check's matter
	}
	if clean && len(envs) > 0 && !slices.Contains(removed, false) {
		t.run.left(t)
	}
	for _, p := range t.Processes() {
		if process, err := os.FindProcess(p.PID); err == nil {
			_ = process.Kill() // it may just have ended
		}
	}
	if err := os.RemoveAll(t.dir); err != nil {
		t.settle(Errored, "clean up: "+err.Error())
	}
}

// guard runs a part of a check and takes what it panics with for its end.
func (t *T) guard(what string, f func()) {
	defer func() {
		switch p := recover().(type) {
		case nil, ended:
		default:
			t.settle(Errored, fmt.Sprintf("%s: panic: %v", what, p))
		}
	}()
	f()
}
