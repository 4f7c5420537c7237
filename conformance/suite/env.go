package suite

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
)

// How long a provider may take.
const (
	// AnswerLimit is for one request and for a start.
	AnswerLimit = 30 * time.Second
	// ExitLimit is for a process to end by itself after providerStop or
	// closeSignal.
	ExitLimit = 10 * time.Second
)

// Spec describes an environment of a check. The zero value is an ordinary one.
type Spec struct {
	Name    string // default: one of its own
	ID      string // default: one of its own
	Project string // default: a new one
	// Config and Start are further settings, and further members of providerStart.
	Config map[string]any
	Start  map[string]any
	// Env holds further variables of the process.
	Env []string
	// Wrap changes what is executed; nil executes the program itself.
	Wrap func(program string, args []string) (string, []string)
}

// Env is an environment of a check, with the provider process that serves it.
type Env struct {
	*server.Environment

	Project string

	t         *T
	result    atomic.Pointer[Message] // of the last start
	abandoned atomic.Bool             // the process was ended by force
}

// Env makes an environment; nothing is started.
func (t *T) Env(spec Spec) *Env {
	if spec.Name == "" {
		spec.Name = t.name()
	}
	if spec.Project == "" {
		spec.Project = t.NewProject()
	}
	program, args := t.run.target.Program, t.run.target.Args
	if spec.Wrap != nil {
		program, args = spec.Wrap(program, args)
	}
	e := &Env{t: t, Project: spec.Project}
	var err error
	e.Environment, err = t.Server().Create(server.EnvironmentSpec{
		Name: spec.Name, ID: spec.ID, ProjectPath: spec.Project, Program: program, Args: args,
		Dir: t.run.target.Dir, Env: append(t.variables(), spec.Env...), Stderr: t.out, Manifest: t.run.target.Manifest,
		Config: manifest.Merge(t.run.target.Config, spec.Config), Start: spec.Start,
	})
	t.Try(err)
	t.mu.Lock()
	t.envs = append(t.envs, e)
	t.mu.Unlock()
	return e
}

// Open makes an environment and starts it.
func (t *T) Open(spec Spec) *Env {
	e := t.Env(spec)
	e.Start()
	return e
}

// Launch starts the provider's process and waits until it has connected, without
// saying anything to it.
func (e *Env) Launch() {
	ctx, cancel := e.t.limit(AnswerLimit)
	defer cancel()
	e.t.Logf("launch %s", e.Name())
	if err := e.Environment.Launch(ctx); err != nil {
		e.t.Fatalf("the provider did not connect: %v", err)
	}
}

// Start starts the environment, and the process if none runs, and returns the
// result. A start that fails ends the check.
func (e *Env) Start() Message {
	result, err := e.TryStart()
	if err != nil {
		e.t.Fatalf("the start failed: %v", err)
	}
	return result
}

// TryStart is Start for one that may fail.
func (e *Env) TryStart() (Message, error) {
	ctx, cancel := e.t.limit(AnswerLimit)
	defer cancel()
	e.t.Logf("start %s", e.Name())
	started, err := e.Environment.Start(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := decode(started.Frame)
	if err != nil {
		return nil, err
	}
	result := answer.Object("message")
	e.result.Store(&result)
	return result, nil
}

// StartMessage is the providerStart that the server sends for this environment,
// for checks that send it themselves.
func (e *Env) StartMessage() Message {
	m := Message(e.Config()).With(Message{
		"type": "providerStart", "environmentName": e.Name(), "environmentId": e.ID(),
		"projectPath": e.Project, "projectName": filepath.Base(e.Project),
	})
	if id := e.ResourceID(); id != "" {
		m["resourceId"] = id
	}
	return m
}

// Ask sends a message and returns the answer, whatever it says. Without one the
// check ends.
func (e *Env) Ask(m Message) Message {
	answer, err := e.TryAsk(m)
	if err != nil {
		e.t.Fatalf("%s was not answered: %v", m.Type(), err)
	}
	return answer
}

// TryAsk is Ask for a message that may stay without an answer. It may be called
// from any goroutine.
func (e *Env) TryAsk(m Message) (Message, error) {
	ctx, cancel := e.t.limit(AnswerLimit)
	defer cancel()
	e.t.Logf("ask %s", shorten(show(m), 300))
	answer, err := e.Call(ctx, map[string]any(m))
	if answer == nil {
		return nil, err
	}
	return decode(answer.Frame)
}

// Result asks and returns the member "message" of an answer that reports no
// error; one that does ends the check.
func (e *Env) Result(m Message) any {
	answer := e.Ask(m)
	if problem := Problem(answer); problem != "" {
		e.t.Fatalf("%s failed: %s", shorten(show(m), 300), problem)
	}
	return answer["message"]
}

// Refused asks and notes a failure unless the answer reports an error, one of
// the given kinds if there are any and the provider tells kinds.
func (e *Env) Refused(m Message, codes ...string) Message {
	answer := e.Ask(m)
	problem := Problem(answer)
	switch code := answer.Text("code"); {
	case problem == "":
		e.t.fail(Failure{Message: shorten(show(m), 300) + " was not refused", Expected: "an error", Got: show(answer)})
	case len(codes) > 0 && e.t.Can(ErrorCodes) && !contains(codes, code):
		e.t.fail(Failure{Message: shorten(show(m), 300) + " was refused with another kind of error", Expected: strings.Join(codes, " or "), Got: show(answer)})
	}
	return answer
}

func contains(all []string, one string) bool {
	for _, s := range all {
		if s == one {
			return true
		}
	}
	return false
}

// Problem is the sentence of an answer that reports an error, or "".
func Problem(answer Message) string {
	if text, ok := answer["error"].(string); ok {
		if text == "" {
			return "an error without a sentence"
		}
		return text
	}
	if answer.Has("error") {
		return show(answer["error"])
	}
	for _, member := range []string{"success", "status"} {
		if flag, ok := answer[member].(bool); ok && !flag {
			return member + " is false: " + answer.Text("message")
		}
	}
	return ""
}

// Tell sends a message for which no answer is awaited.
func (e *Env) Tell(m Message) {
	text, err := json.Marshal(m)
	e.t.Try(err)
	e.TellText(string(text))
}

// TellText sends a text frame, whatever it holds.
func (e *Env) TellText(text string) {
	ctx, cancel := e.t.limit(AnswerLimit)
	defer cancel()
	e.t.Logf("tell %s", shorten(text, 300))
	if err := e.SendFrame(ctx, textFrame, []byte(text)); err != nil {
		e.t.Fatalf("the provider could not be told anything: %v", err)
	}
}

// The types of frames, as RFC 6455 numbers them.
const (
	textFrame   = 1
	binaryFrame = 2
)

// TellBytes sends a binary frame.
func (e *Env) TellBytes(data []byte) {
	ctx, cancel := e.t.limit(AnswerLimit)
	defer cancel()
	e.t.Logf("tell %d bytes in a binary frame", len(data))
	if err := e.SendFrame(ctx, binaryFrame, data); err != nil {
		e.t.Fatalf("the provider could not be told anything: %v", err)
	}
}

// Now is a point in the conversation, for Await, Never and Heard.
func (e *Env) Now() int { return e.t.log.next() }

// Await waits for a message of the provider after a point that matches, and ends
// the check with what was awaited when none comes within d.
func (e *Env) Await(from int, d time.Duration, what string, match func(Message) bool) Message {
	f := e.AwaitFrame(from, d, what, match)
	return f.Message()
}

// AwaitFrame is Await that returns the frame: the point after it is its Number plus one.
func (e *Env) AwaitFrame(from int, d time.Duration, what string, match func(Message) bool) Frame {
	f, ok := e.await(from, d, match)
	if !ok {
		e.t.Fatalf("within %v the provider did not send %s", d, what)
	}
	return f
}

// Never notes a failure when a message that matches comes within d.
func (e *Env) Never(from int, d time.Duration, what string, match func(Message) bool) {
	if f, ok := e.await(from, d, match); ok {
		e.t.fail(Failure{Message: "the provider sent " + what, Expected: "nothing of the kind", Got: show(f.Message())})
	}
}

func (e *Env) await(from int, d time.Duration, match func(Message) bool) (Frame, bool) {
	ctx, cancel := e.t.limit(d)
	defer cancel()
	f, err := e.t.log.await(ctx, from, func(f *Frame) bool { return e.heard(f, match) })
	return f, err == nil
}

// Heard returns the messages of the provider since a point that match, with
// their frames.
func (e *Env) Heard(from int, match func(Message) bool) []Frame {
	frames, _ := e.t.log.since(from)
	var found []Frame
	for i := range frames {
		if e.heard(&frames[i], match) {
			found = append(found, frames[i])
		}
	}
	return found
}

func (e *Env) heard(f *Frame, match func(Message) bool) bool {
	if !f.In || f.Environment != e.ID() {
		return false
	}
	m := f.Message()
	return m != nil && match(m)
}

// OfType matches messages by their type.
func OfType(typ string) func(Message) bool { return func(m Message) bool { return m.Type() == typ } }

// Answering matches the answer to the request with an id.
func Answering(requestID string) func(Message) bool {
	return func(m Message) bool { return m.Text("requestId") == requestID }
}

// Workspace is the directory that the last start named.
func (e *Env) Workspace() string {
	if result := e.result.Load(); result != nil {
		return result.Text("workspacePath")
	}
	return ""
}

// Path is a path inside the workspace, as files of this machine, of a provider that has
// [Disk]. It ends the check when there is none, lest anything be done to the suite's own
// folder.
func (e *Env) Path(elem ...string) string {
	at := e.Workspace()
	if disk := e.t.run.target.Disk; disk != nil {
		var err error
		if at, err = disk(e.ResourceID(), at); err != nil {
			e.t.Try(fmt.Errorf("find the files of the environment on this machine: %w", err))
		}
	}
	if !filepath.IsAbs(at) {
		e.t.Fatalf("the start named no absolute workspacePath, but %q", at)
	}
	return filepath.Join(append([]string{at}, elem...)...)
}

// Stop asks for the end of the environment and waits until the process has
// ended; onStop is sent when it is not "".
func (e *Env) Stop(onStop string) Message {
	ctx, cancel := e.t.limit(AnswerLimit)
	defer cancel()
	e.t.Logf("stop %s %s", e.Name(), onStop)
	answer, err := e.Environment.Stop(ctx, onStop)
	if answer == nil {
		e.t.Fatalf("providerStop was not answered: %v", err)
	}
	m, err := decode(answer.Frame)
	if err != nil {
		e.t.Fatalf("the answer to providerStop is no JSON object: %v", err)
	}
	return m
}

// Exit waits for the end of the process and returns its exit status, or -1 when
// a signal ended it.
func (e *Env) Exit(d time.Duration) int {
	ctx, cancel := e.t.limit(d)
	defer cancel()
	state, err := e.Wait(ctx)
	if err != nil {
		e.t.Fatalf("the process did not end within %v", d)
	}
	return state.ExitCode()
}

// IsProvider reports whether a process is the provider that runs now: the one that
// the server has started, or one that a launcher had started before the provider
// connected for the first time.
func (e *Env) IsProvider(pid int) bool {
	own := e.PID()
	if pid == own {
		return true
	}
	if behind, known := e.t.met.Load(own); known {
		pids, _ := behind.([]int)
		return slices.Contains(pids, pid)
	}
	return false
}

// Crash ends the process as SIGKILL does.
func (e *Env) Crash() {
	e.t.Logf("kill the provider of %s", e.Name())
	e.abandoned.Store(true)
	pid := e.PID()
	if pid == 0 {
		return
	}
	e.t.Try(e.Kill())
	ctx, cancel := e.t.limit(ExitLimit)
	defer cancel()
	_, err := e.Wait(ctx)
	e.t.Try(err)
}

// dispose ends the environment for good and reports whether the provider was
// asked to remove it and has.
func (e *Env) dispose() (removed bool) {
	ctx, cancel := context.WithTimeout(context.Background(), AnswerLimit)
	defer cancel()
	if e.PID() != 0 && e.State() == server.Running && e.t.Can(OnStop) {
		answer, err := e.Environment.Stop(ctx, "snapshotAndRemove")
		if err == nil && answer != nil {
			m, err := decode(answer.Frame)
			flag, _ := m.Object("message")["removed"].(bool)
			removed = err == nil && flag && !e.abandoned.Load()
		}
	}
	_ = e.Close(ctx) // it leaves no process, whatever it says
	return removed
}

// limit bounds a wait within the check.
func (t *T) limit(d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(t.ctx, d)
}

// raw is a value's JSON; null when it has none.
func raw(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "null"
	}
	return string(text)
}
