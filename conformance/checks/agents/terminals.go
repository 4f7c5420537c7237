package agents

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/codeboltai/codebolt-providers/conformance/agent"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// terminalNeeds are those of the checks about terminals.
var terminalNeeds = []suite.Capability{suite.Terminal}

// theTerminal is the one that each check opens.
const theTerminal = "t1"

// typed types a text at the terminal.
func typed(e *suite.Env, text string) {
	done(e, suite.Message{"type": "terminal.input", "terminalId": theTerminal, "data": base64.StdEncoding.EncodeToString([]byte(text))})
}

// done asks for something of the runtime that must succeed; else the check ends.
func done(e *suite.Env, m suite.Message) { e.Result(m) }

// shown is what a terminal has shown since a point, from an offset on. It notes a failure
// when there is a hole in it, or something comes twice.
func shown(t *suite.T, e *suite.Env, from int, offset int64) (text string, next int64) {
	var all strings.Builder
	for _, f := range e.Heard(from, suite.OfType("terminal.output")) {
		m := f.Message()
		if m.Text("terminalId") != theTerminal {
			continue
		}
		at, _ := m["offset"].(float64)
		data, err := base64.StdEncoding.DecodeString(m.Text("data"))
		if err != nil {
			t.Errorf("the data of terminal.output is no base64: %v", err)
		}
		if int64(at) != offset {
			t.Errorf("the output goes on at %d, and what came before ends at %d", int64(at), offset)
		}
		all.Write(data)
		offset = int64(at) + int64(len(data))
	}
	return all.String(), offset
}

// shows waits until a terminal has shown a text since a point.
func shows(t *suite.T, e *suite.Env, from int, text string, offset int64) {
	t.Eventually(patience, fmt.Sprintf("the terminal shows %q", text), func() bool {
		return strings.Contains(quietly(e, from), text)
	})
	shown(t, e, from, offset)
}

// quietly is what a terminal has shown, whatever is wrong with it.
func quietly(e *suite.Env, from int) string {
	var all strings.Builder
	for _, f := range e.Heard(from, suite.OfType("terminal.output")) {
		if m := f.Message(); m.Text("terminalId") == theTerminal {
			if data, err := base64.StdEncoding.DecodeString(m.Text("data")); err == nil {
				all.Write(data)
			}
		}
	}
	return all.String()
}

// opened opens a terminal with a shell in it.
func opened(e *suite.Env) {
	done(e, suite.Message{"type": "terminal.open", "terminalId": theTerminal, "argv": []string{"sh"}, "cols": 90, "rows": 33})
}

func terminals() []suite.Check {
	return []suite.Check{
		{
			ID: "AG-019", Level: suite.Must, Needs: terminalNeeds,
			Title: "What is typed at a terminal is done in the environment, what it shows comes without a hole, and its end after that",
			Why:   "A person works with what they see; an end that comes first cuts off the last words.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				from := e.Now()
				opened(e)
				typed(e, "cat src/main.txt; seq 1 3000; echo made >made.txt; echo over$((40+2)); exit 3\n")
				end := e.Await(from, patience, "the end of the terminal", suite.OfType("terminal.exit"))
				t.Equal("the exit code", end["exitCode"], 3.0)
				text, _ := shown(t, e, from, 0)
				for _, want := range []string{strings.TrimSpace(suite.ProjectFiles["src/main.txt"]), "\n2999\r\n3000\r\n", "over42"} {
					if !strings.Contains(strings.ReplaceAll(text, "\r\n", "\n"), strings.ReplaceAll(want, "\r\n", "\n")) {
						t.Errorf("before its end the terminal did not show %q", want)
					}
				}
				t.Equal("the file that was made", e.Result(suite.Message{"type": "providerReadFile", "path": "made.txt"}), "made\n")
				e.Refused(suite.Message{"type": "terminal.input", "terminalId": theTerminal, "data": "eA=="}, "not_running")
			},
		},
		{
			ID: "AG-020", Level: suite.Must, Needs: terminalNeeds,
			Title: "A terminal has the size that it is given, and the next one",
			Why:   "Programs draw for a size; for another they draw nonsense.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				from := e.Now()
				opened(e)
				typed(e, "stty size\n")
				shows(t, e, from, "33 90", 0)
				done(e, suite.Message{"type": "terminal.resize", "terminalId": theTerminal, "cols": 77, "rows": 22})
				typed(e, "stty size\n")
				shows(t, e, from, "22 77", 0)
				e.Refused(suite.Message{"type": "terminal.resize", "terminalId": theTerminal, "cols": 0, "rows": 0}, "invalid")
				done(e, suite.Message{"type": "terminal.close", "terminalId": theTerminal})
			},
		},
		{
			ID: "AG-021", Level: suite.Must, Needs: append([]suite.Capability{suite.Local}, terminalNeeds...),
			Title: "A terminal goes on when its provider is killed, and who comes back is shown what came meanwhile",
			Why:   "A provider may be started anew at any time; hours of work at a terminal are not its to end.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				from := e.Now()
				opened(e)
				typed(e, "echo before$((40+2)); sleep 2; echo after$((40+2))\n")
				shows(t, e, from, "before42", 0)
				_, next := shown(t, e, from, 0)
				e.Crash()
				from = e.Now()
				e.Start()
				done(e, suite.Message{"type": "terminal.attach", "terminalId": theTerminal, "after": next})
				shows(t, e, from, "after42", next)
				typed(e, "exit 4\n")
				t.Equal("the exit code", e.Await(from, patience, "the end of the terminal", suite.OfType("terminal.exit"))["exitCode"], 4.0)
			},
		},
		{
			ID: "AG-022", Level: suite.Must, Needs: append(terminalNeeds, needs...),
			Title: "An agent gets no terminal",
			Why:   "No policy is about terminals, because they are a person's: an agent with one is bound by nothing.",
			Run: func(t *suite.T) {
				w := open(t, suite.Spec{})
				w.tell("one", "m1", agent.Say(`{"type":"terminal.open","requestId":"t-1","terminalId":"t1","argv":["sh","-c","echo x >of-an-agent.txt"],"cols":80,"rows":24}`), agent.Await("t-1"))
				w.done("m1")
				if answer := w.answer("one", "t-1"); answer["success"] != false || answer.Text("error") == "" {
					t.Errorf("the agent was answered %s", answer)
				}
				w.Refused(suite.Message{"type": "terminal.attach", "terminalId": theTerminal}, "not_found")
				w.Refused(suite.Message{"type": "providerReadFile", "path": "of-an-agent.txt"}, "not_found")
			},
		},
	}
}
