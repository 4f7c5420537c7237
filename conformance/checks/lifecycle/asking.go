package lifecycle

import (
	"fmt"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/checks/internal/traces"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// What these checks ask most.
func read(path string) suite.Message {
	return suite.Message{"type": "providerReadFile", "path": path}
}

func write(path, content string) suite.Message {
	return suite.Message{"type": "providerWriteFile", "path": path, "content": content}
}

func stop() suite.Message { return suite.Message{"type": "providerStop"} }

func closeSignal() suite.Message { return suite.Message{"type": "closeSignal"} }

// named matches the answers of a name, in either form.
func named(name string) func(suite.Message) bool {
	return func(m suite.Message) bool { return m.Type() == name || m.Text("action") == name }
}

// reply is what came of a request.
type reply struct {
	answer suite.Message
	err    error
}

// ask sends a request without waiting for its answer.
func ask(e *suite.Env, m suite.Message) <-chan reply {
	done := make(chan reply, 1)
	go func() {
		answer, err := e.TryAsk(m)
		done <- reply{answer, err}
	}()
	return done
}

// answered waits for a request's answer.
func answered(t *suite.T, what string, from <-chan reply) suite.Message {
	r := <-from
	if r.err != nil {
		t.Fatalf("%s was not answered: %v", what, r.err)
	}
	return r.answer
}

// begin sends a start and does not wait: what is sent next comes after it.
func begin(e *suite.Env) {
	e.Tell(e.StartMessage().With(suite.Message{"requestId": "start-" + e.ID()}))
}

// begun waits for the answer to a start that was sent with begin at a point.
func begun(e *suite.Env, from int) suite.Message {
	return e.Await(from, suite.AnswerLimit, "an answer to providerStart", named("providerStartResponse"))
}

// once notes a failure unless as many answers of a name come as were asked for.
// What comes twice comes together, so it is there when one more request is done.
func once(t *suite.T, e *suite.Env, from int, name string, times int) {
	t.Within(soon, func() bool { return len(e.Heard(from, named(name))) >= times })
	_, _ = e.TryAsk(read("README.md")) // it may be stopped, or on its way out
	if n := len(e.Heard(from, named(name))); n != times {
		t.Errorf("%s came %d times for %d requests", name, n, times)
	}
}

// works notes a failure unless the environment is a whole one of a project of
// the suite.
func works(t *suite.T, e *suite.Env, when string) {
	answer := e.Ask(read("README.md"))
	if problem := suite.Problem(answer); problem != "" {
		t.Errorf("%s a file cannot be read: %s", when, problem)
		return
	}
	t.Equal("README.md "+when, answer["message"], suite.ProjectFiles["README.md"])
}

// holds notes a failure unless a file of the environment has that text.
func holds(t *suite.T, e *suite.Env, when, path, text string) {
	answer := e.Ask(read(path))
	if problem := suite.Problem(answer); problem != "" {
		t.Errorf("%s %s cannot be read: %s", when, path, problem)
		return
	}
	t.Equal(path+" "+when, answer["message"], text)
}

// leave gives a process that has let go of its environment the time to end: what
// it is told in that instant it may not hear. One that stays is told then.
func leave(t *suite.T, e *suite.Env) {
	t.Within(suite.ExitLimit, func() bool { return e.PID() == 0 })
}

// done lets go of an environment before the check goes on with another.
func done(t *suite.T, e *suite.Env) { _ = e.Close(t.Context()) }

// removed reports whether an answer to providerStop says so.
func removed(answer suite.Message) bool {
	flag, _ := answer.Object("message")["removed"].(bool)
	return flag
}

// kinds are the kinds of errors that the protocol has, but for the one that says
// the provider did not expect what happened.
var kinds = []string{
	"not_found", "exists", "outside_workspace", "not_running", "unsupported", "conflict", "invalid",
	"permission", "unavailable", "too_large", "timeout",
}

// fails sends a start that cannot succeed and notes a failure unless it is
// refused with a kind, one of more or an ordinary one, and a reason, and nothing
// is left of it.
func fails(t *suite.T, e *suite.Env, what string, start suite.Message, more ...string) suite.Message {
	homes := append(traces.Homes(t), e.Project)
	before := traces.Look(homes...)
	answer := e.Refused(start, append(more, kinds...)...)
	if problem := suite.Problem(answer); problem != "" && len(problem) < 10 {
		t.Errorf("the reason why a start with %s fails is no sentence: %q", what, problem)
	}
	if left := traces.Look(homes...).Belongings(before, e); len(left) > 0 {
		t.Errorf("a start with %s failed and left %v", what, left)
	}
	traces.NoHelpers(t, fmt.Sprintf("after a start with %s failed,", what), e)
	return answer
}

// mended starts the environment as it should be.
func mended(t *suite.T, e *suite.Env, what string) {
	if problem := suite.Problem(e.Ask(e.StartMessage())); problem != "" {
		t.Errorf("a start after one with %s fails: %s", what, problem)
		return
	}
	works(t, e, "after a start that failed and one that did not")
}

// noConfig is for environments whose settings come with the start alone, so that
// another start in the same process can have others.
var noConfig = []string{"ENVIRONMENT_CONFIG={}"}

// soon is how long something may take that is under way.
const soon = 20 * time.Second

// atOnce runs functions at the same time, each with its number.
func atOnce(n int, f func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { f(i) })
	}
	all.Wait()
}
