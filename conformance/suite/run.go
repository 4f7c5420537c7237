package suite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/redact"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Options say how checks are run. The zero value runs them all, strictly.
type Options struct {
	Profile Profile // default Strict
	// Only and Skip select checks by id or group; an empty Only is all of them.
	// What Skip names does not run and is not reported.
	Only, Skip []string
	// Timeout is how long a check may take that says nothing else; default 60 s.
	Timeout time.Duration
	// Parallel is how many checks run at the same time; default four for each
	// processor, because most of them wait.
	Parallel int
	// Keep says which frames are kept for reports; default KeepFew.
	Keep Keep
	// Progress hears of every check that begins, with a Result without an
	// outcome, and of every one that ends. It is called by one goroutine at a
	// time.
	Progress func(Event)
}

// Event is a step of a run.
type Event struct {
	Result *Result
	Done   int // checks that have ended
	Total  int
}

type runner struct {
	ctx      context.Context
	target   *Target
	options  Options
	dir      string
	canaries *canaries

	templateOnce sync.Once
	template     string
	templateErr  error

	mu      sync.Mutex
	residue []Residue
	cleaned int
	done    int
	total   int
}

// Run runs checks against a target and reports on all it selected. It fails with
// kind Unavailable when the target is no provider at all, in a sentence that says
// what it did instead, and with Invalid when a pattern of the options names no
// check. What a failing run leaves, as what any run does, is nothing.
func Run(ctx context.Context, target *Target, checks []Check, options Options) (report *Report, err error) {
	options.Profile = cmp.Or(options.Profile, Strict)
	options.Timeout = cmp.Or(options.Timeout, time.Minute)
	options.Parallel = cmp.Or(options.Parallel, 4*runtime.NumCPU())
	options.Keep = cmp.Or(options.Keep, KeepFew)
	selected, err := selectChecks(checks, options)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "cbc-") // short: sockets are made below it
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	given := *target
	target = &given
	r := &runner{ctx: ctx, target: target, options: options, dir: dir, canaries: newCanaries(), total: len(selected)}
	report = &Report{Program: target.Program, Profile: options.Profile, Keep: options.Keep, Started: time.Now(), DeclaredBy: "the caller"}
	if m := target.Manifest; m != nil {
		report.Name, report.Version = cmp.Or(m.UniqueID, m.Name), m.Version
	}
	if target.Capabilities == nil {
		target.Capabilities, report.DeclaredBy = Discover(ctx, target)
	}
	target.Capabilities = maps.Clone(target.Capabilities)
	if len(target.RuntimeProgram) == 0 {
		target.Capabilities[RuntimeCommand] = false
	}
	if len(target.AgentProgram) == 0 {
		target.Capabilities[Agents] = false
	}
	if _, known := target.Capabilities[Local]; !known {
		if err := r.preflight(); err != nil {
			return nil, err
		}
	}
	if target.Elsewhere || target.Disk != nil {
		target.Capabilities[Local] = false
	}
	target.Capabilities[Disk] = target.Capabilities[Local] || target.Disk != nil
	target.Capabilities[Manifest] = target.Files != nil
	report.Capabilities = target.Capabilities.Sorted()
	report.Results = r.all(selected)
	report.Duration = time.Since(report.Started)
	return report, context.Cause(ctx)
}

func selectChecks(checks []Check, options Options) ([]Check, error) {
	for _, pattern := range slices.Concat(options.Only, options.Skip) {
		if !slices.ContainsFunc(checks, func(c Check) bool { return c.Selects(pattern) }) {
			return nil, wire.Errorf(wire.Invalid, "no check is called %q; codebolt-conformance list shows them all", pattern)
		}
	}
	var selected []Check
	for _, c := range checks {
		if (len(options.Only) == 0 || slices.ContainsFunc(options.Only, c.Selects)) && !slices.ContainsFunc(options.Skip, c.Selects) {
			selected = append(selected, c)
		}
	}
	Sort(selected)
	return selected, nil
}

// preflight opens one environment, to tell what is no provider from one that is
// wrong, and to see whether workspaces are directories of this machine.
func (r *runner) preflight() error {
	var problem error
	probe := Check{ID: "preflight", Title: "The program is a provider", Run: func(t *T) {
		e := t.Env(Spec{})
		ctx, cancel := t.limit(AnswerLimit)
		defer cancel()
		if err := e.Environment.Launch(ctx); err != nil {
			problem = t.stranger(e, err)
			return
		}
		if _, err := e.TryStart(); err == nil {
			_, err := os.Stat(filepath.Join(e.Workspace(), "README.md"))
			r.target.Capabilities[Local] = err == nil && filepath.IsAbs(e.Workspace())
		}
	}}
	result := r.one(probe, "0")
	if result.Outcome == Errored {
		problem = errors.Join(problem, wire.Errorf(wire.Internal, "the suite cannot run here: %s", result.Reason))
	}
	r.residue, r.cleaned = nil, 0
	return problem
}

// stranger is the error for a program that did not connect, with what it did
// instead.
func (t *T) stranger(e *Env, err error) error {
	why := "it could not be started: " + err.Error()
	state, gone := e.Wait(t.ctx)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		why = fmt.Sprintf("it did not connect to the server within %v", min(AnswerLimit, t.run.options.Timeout))
	case gone == nil && state != nil:
		why = fmt.Sprintf("it ended (%v) without connecting to the server", state)
	}
	text := strings.Join(strings.Fields(t.run.redactor().String(string(t.out.bytes()))), " ")
	if text != "" {
		why += "; the last it printed: " + text[max(0, len(text)-400):]
	}
	return wire.Errorf(wire.Unavailable, "%s is no environment provider: %s", t.run.target.Program, why)
}

// all runs the checks and returns their results in the order of the checks.
func (r *runner) all(checks []Check) []Result {
	results := make([]Result, len(checks))
	for _, when := range []When{Beside, Alone, AtEnd} {
		var due []int
		for i := range checks {
			if checks[i].When == when || when == Beside && checks[i].When == Waiting {
				due = append(due, i)
			}
		}
		// The longest begin first, so that the run is over soon after; before them those
		// that wait for no turn.
		slices.SortStableFunc(due, func(a, b int) int {
			return cmp.Or(cmp.Compare(checks[b].When, checks[a].When), cmp.Compare(checks[b].Limit, checks[a].Limit))
		})
		slots := make(chan struct{}, r.options.Parallel)
		if when != Beside {
			slots = make(chan struct{}, 1)
		}
		var running sync.WaitGroup
		for _, i := range due {
			release := func() {}
			if checks[i].When != Waiting {
				slots <- struct{}{}
				release = func() { <-slots }
			}
			running.Go(func() {
				defer release()
				results[i] = r.judge(checks[i], fmt.Sprint(i+1))
			})
		}
		running.Wait()
	}
	return results
}

// judge runs a check if it can say something about the target.
func (r *runner) judge(c Check, number string) Result {
	r.tell(Result{ID: c.ID, Group: c.Group(), Title: c.Title, Level: c.Level}, false)
	result := Result{ID: c.ID, Group: c.Group(), Title: c.Title, Why: c.Why, Level: c.Level, Outcome: Skipped}
	switch missing := r.target.Capabilities.Missing(c.Needs); {
	case r.ctx.Err() != nil:
		result.Outcome, result.Reason = Errored, interrupted
	case missing != "":
		result.Reason, result.Missing = lacks(missing), missing
	case c.NodeSDK != "" && r.options.Profile == NodeCompat:
		result.Reason = "impossible on the Node SDK: " + c.NodeSDK
	default:
		result = r.one(c, number)
	}
	r.tell(result, true)
	return result
}

func (r *runner) tell(result Result, over bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if over {
		r.done++
	}
	if r.options.Progress != nil {
		r.options.Progress(Event{Result: &result, Done: r.done, Total: r.total})
	}
}

// interrupted is the reason of what an ended context has cut short.
const interrupted = "the run was interrupted"

// abandonAfter is how long after its time a check may take to notice.
const abandonAfter = 30 * time.Second

// one runs a check.
func (r *runner) one(c Check, number string) Result {
	limit := max(c.Limit, r.options.Timeout)
	ctx, cancel := context.WithTimeout(r.ctx, limit)
	defer cancel()
	t := &T{
		check: &c, run: r, ctx: ctx, dir: filepath.Join(r.dir, number), begun: time.Now(), log: newFrameLog(),
		out: &tail{}, mark: filepath.Base(r.dir) + "/" + number,
	}
	t.out.watch = func(p []byte) { r.canaries.look("the output of "+c.ID, p) }
	if err := t.prepare(); err != nil {
		t.settle(Errored, err.Error())
	} else {
		returned := make(chan struct{})
		go func() {
			defer close(returned)
			t.guard("check", func() { c.Run(t) })
		}()
		select {
		case <-returned:
		case <-time.After(limit + abandonAfter):
			t.settle(Errored, fmt.Sprintf("the check did not return within %v after its time of %v", abandonAfter, limit))
		}
		switch {
		case r.ctx.Err() != nil:
			t.settle(Errored, interrupted) // whatever it was waiting for
		case ctx.Err() != nil && !t.Failed():
			t.Errorf("the check was not done within %v", limit)
		}
	}
	result := t.verdict()
	t.finish()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.outcome == Errored && result.Outcome != Errored { // the clean-up failed
		result.Outcome, result.Reason = Errored, t.reason
	}
	result.Duration = time.Since(t.begun)
	return result
}

// verdict is the check's result, but for its duration.
func (t *T) verdict() Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.check
	result := Result{
		ID: c.ID, Group: c.Group(), Title: c.Title, Why: c.Why, Level: c.Level,
		Outcome: t.outcome, Reason: t.reason, Failures: t.failures, Story: t.story,
	}
	switch {
	case t.outcome == Errored:
	case len(t.failures) > 0:
		result.Outcome, result.Reason = Failed, ""
	case t.outcome == "":
		result.Outcome = Passed
	}
	screen := t.run.screen()
	if result.Outcome != Passed {
		result.Output = screen.text(string(t.out.bytes()))
	}
	for i := range result.Failures {
		f := &result.Failures[i]
		f.Message, f.Expected, f.Got = screen.text(f.Message), screen.text(f.Expected), screen.text(f.Got)
	}
	for i := range result.Story {
		result.Story[i] = screen.text(result.Story[i])
	}
	result.Reason = screen.text(result.Reason)
	frames, _ := t.log.since(0)
	t.keep(&result, frames, screen)
	return result
}

// redactor hides the bait, and the secrets that the provider was really given:
// reports are passed on.
func (r *runner) redactor() *redact.Redactor {
	hide := &redact.Redactor{}
	for _, value := range r.canaries.variables {
		hide.Add(value)
	}
	for _, variable := range slices.Concat(os.Environ(), r.target.Env) {
		if name, value, _ := strings.Cut(variable, "="); redact.SecretName(name) {
			hide.Add(value)
		}
	}
	hide.AddSecrets(r.target.Config)
	return hide
}
