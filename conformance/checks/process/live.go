package process

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// answers notes a failure unless the provider's process is the one it was and
// answers a request, on whatever connection.
func answers(t *suite.T, e *suite.Env, pid int) {
	question := map[string]any{"type": "providerReadFile", "path": "README.md"}
	held := t.Within(suite.AnswerLimit, func() bool {
		if e.PID() != pid {
			return true
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		answer, _ := e.Call(ctx, question)
		return answer != nil
	})
	switch {
	case e.PID() != pid:
		t.Errorf("the process ended")
	case !held:
		t.Errorf("the process does not answer any more")
	}
}

// launch is one that may never come to a connection.
type launch struct {
	over chan struct{} // closed when the provider has connected or will not
	err  error         // why not; only to be read when over is closed
}

// launching starts the process of an environment. The process is ended with the
// check.
func launching(t *suite.T, e *suite.Env) *launch {
	ctx, cancel := context.WithCancel(t.Context())
	l := &launch{over: make(chan struct{})}
	t.Logf("launch %s", e.Name())
	go func() {
		defer close(l.over)
		l.err = e.Environment.Launch(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-l.over
	})
	return l
}

// connects waits for the connection and returns why there is none.
func (l *launch) connects(d time.Duration) error {
	if !l.within(d) {
		return fmt.Errorf("no connection within %v", d)
	}
	return l.err
}

// within waits for the end of a launch and reports whether there was one.
func (l *launch) within(d time.Duration) bool {
	select {
	case <-l.over:
		return true
	case <-time.After(d):
		return false
	}
}

// recorder keeps all that a program prints.
type recorder struct {
	t    *suite.T
	file string
}

func newRecorder(t *suite.T) *recorder {
	return &recorder{t, filepath.Join(t.Dir("output"), "log")}
}

// wrap executes the program with its output going to the recorder.
func (r *recorder) wrap(program string, args []string) (string, []string) {
	return "/bin/sh", append([]string{"-c", `exec "$@" >>"$0" 2>&1`, r.file, program}, args...)
}

// text is what was printed so far.
func (r *recorder) text() string {
	text, err := os.ReadFile(r.file)
	if !os.IsNotExist(err) {
		r.t.Try(err)
	}
	r.t.Look("the output of a check", text)
	return string(text)
}

// needProcesses ends the check as skipped where processes cannot be looked at.
func needProcesses(t *suite.T, e *suite.Env) {
	if !runs(t, e.PID()) {
		t.Skipf("processes cannot be looked at on this system")
	}
}

// runs reports whether a process of the check with this pid runs.
func runs(t *suite.T, pid int) bool {
	return slices.ContainsFunc(t.Processes(), func(p suite.Process) bool { return p.PID == pid })
}
