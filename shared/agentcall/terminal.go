package agentcall

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// The requests of a terminal have no action.
var terminalVerbs = map[string]map[string]verb{
	"executeCommand":                  {"": {need: needExec, apart: execute(once)}},
	"executeCommandRunUntilError":     {"": {need: needExec, apart: execute(lasting)}},
	"executeCommandRunUntilInterrupt": {"": {need: needExec, apart: execute(lasting)}},
	"executeCommandRunUnitlInterrupt": {"": {need: needExec, apart: execute(lasting)}}, // so spelt in types of the SDK
	"executeCommandWithStream":        {"": {need: needExec, apart: execute(stream)}},
	"sendInterruptToTerminal":         {"": {response: "terminalInterrupted", apart: interrupt}},
}

// maxCommands is how many commands of an agent may be at work at once, with those
// that wait and with what commands left running.
const maxCommands = 64

// envCommands marks all that the commands of a [Caller] start, by a value that no
// other Caller has.
const envCommands = "CODEBOLT_AGENT_COMMANDS"

// kind is a kind of command.
type kind int

const (
	once    kind = iota // has an end; the agent waits for it
	lasting             // runs until it fails or is interrupted; the agent waits for it
	stream              // the agent hears its output as it comes, and waits for nothing
)

// The types of what is said of commands.
const (
	typeFinish = "commandFinish"
	typeError  = "commandError"
	typeOutput = "commandOutput"
)

// terminal is what a [Caller] knows of its agent's commands.
type terminal struct {
	mark string      // the value of envCommands
	used atomic.Bool // something has it

	mu       sync.Mutex
	commands []*command    // at work, the latest last
	left     int           // commands of which something still runs
	last     chan struct{} // closed when the last once without a requestId is answered
	settled  chan struct{} // closed when a once is answered
}

// command is a request for a command.
type command struct {
	c    *Caller
	r    *request
	kind kind

	line           string // the command
	quiet          bool   // success without output has an empty message
	interrupted    chan struct{}
	over           bool          // it has ended, and only that is still to be said; under terminal.mu
	err            error         // why it failed, for Agent.Watch
	turn, answered chan struct{} // of commands without a requestId: when to begin; what ends the turn
}

// execute takes a command of a kind.
func execute(k kind) func(context.Context, *Caller, *request) {
	return func(ctx context.Context, c *Caller, r *request) {
		m := &command{c: c, r: r, kind: k, interrupted: make(chan struct{}, 1)}
		enough := m.enter()
		started := c.spawn(func() {
			defer m.leave()
			if !enough {
				m.fail(exitRefused, wire.Errorf(wire.Unavailable, "%d commands run or wait; that is as many as there may be at once", maxCommands), nil)
				return
			}
			m.carryOut(ctx)
		})
		if !started {
			m.leave()
		}
	}
}

// enter notes a command, before the agent's next request is looked at. It returns
// false when there are too many.
func (m *command) enter() bool {
	t := &m.c.terminal
	t.mu.Lock()
	defer t.mu.Unlock()
	enough := len(t.commands)+t.left < maxCommands
	t.commands = append(t.commands, m)
	if m.kind == once && m.r.RequestID == "" {
		// The agent takes any answer of the type for that of any such request.
		m.turn, m.answered = t.last, make(chan struct{})
		t.last = m.answered
	}
	return enough
}

// leave forgets a command that has been answered.
func (m *command) leave() {
	defer m.r.ended(m.err)
	t := &m.c.terminal
	t.mu.Lock()
	defer t.mu.Unlock()
	t.commands = slices.DeleteFunc(t.commands, func(other *command) bool { return other == m })
	if m.answered != nil {
		close(m.answered)
	}
	if m.kind == once && t.settled != nil {
		close(t.settled)
		t.settled = nil
	}
}

// Commands is how many commands of the agent are at work, wait, or have left something
// running.
func (c *Caller) Commands() int {
	t := &c.terminal
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.commands) + t.left
}

// keep counts the commands of which something still runs.
func (t *terminal) keep(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left += n
}

// awaitOnce waits until no command of the kind once is at work, and reports whether
// one that lasts is.
func (m *command) awaitOnce(ctx context.Context) (lasts bool) {
	t := &m.c.terminal
	for {
		var settled chan struct{}
		lasts = false
		t.mu.Lock()
		for _, other := range t.commands {
			switch other.kind {
			case once:
				if t.settled == nil {
					t.settled = make(chan struct{})
				}
				settled = t.settled
			case lasting:
				lasts = lasts || other != m
			default:
			}
		}
		t.mu.Unlock()
		if settled == nil {
			return lasts
		}
		select {
		case <-settled:
		case <-ctx.Done():
			return lasts
		}
	}
}

// lasts reports whether a command is at work that lasts.
func (t *terminal) lasts() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(t.commands, func(m *command) bool { return m.kind == lasting })
}

// carryOut does what a request for a command asks.
func (m *command) carryOut(ctx context.Context) {
	if m.turn != nil {
		select {
		case <-m.turn:
		case <-ctx.Done():
			return
		}
	}
	var want struct {
		Message string `json:"message"`
		Quiet   bool   `json:"returnEmptyStringOnSuccess"`
	}
	if err := wire.Unmarshal(m.r.frame, &want); err != nil {
		m.fail(exitNotRun, err, nil)
		return
	}
	m.line, m.quiet = want.Message, want.Quiet
	switch {
	case strings.TrimSpace(m.line) == "":
		m.fail(exitNotRun, wire.Errorf(wire.Invalid, "run a command: the command is missing"), nil)
		return
	case strings.ContainsRune(m.line, 0):
		m.fail(exitNotRun, wire.Errorf(wire.Invalid, "run a command: the command has a NUL character"), nil)
		return
	}
	if err := m.c.allow(ctx, m.r); err != nil {
		m.fail(exitRefused, err, nil)
		return
	}
	m.run(ctx)
}

// commandEnd is what is said of the end of a command.
type commandEnd struct {
	Type      string  `json:"type"`
	RequestID wire.ID `json:"requestId,omitzero"`
	Success   bool    `json:"success"`
	// Message is the output, or what is wrong.
	Message      string `json:"message"`
	ExitCode     int    `json:"exitCode"`
	Stdout       string `json:"stdout"`
	Stderr       string `json:"stderr"`
	Output       string `json:"output"` // both, as they came
	Truncated    bool   `json:"truncated,omitzero"`
	Timestamp    string `json:"timestamp"`
	wire.Problem `json:",embed"`
}

// finish tells of a command that has ended by itself. One whose status is not 0 has
// no error: the SDK would then show that in place of the output.
func (m *command) finish(status int, out *capture) {
	end := commandEnd{Type: typeFinish, Success: status == 0, ExitCode: status}
	out.describe(&end)
	if m.kind != stream { // whose output was said already
		end.Message = end.Output
	}
	switch {
	case end.Message != "":
	case status != 0:
		end.Message = fmt.Sprintf("The command ended with exit code %d", status)
	case m.kind == stream:
		end.Message = "Command finished"
	case !m.quiet:
		end.Message = "Command executed successfully"
	}
	m.end(&end)
}

// fail tells of a command that did not run or not to its end. Its status is what a
// shell would give it.
func (m *command) fail(status int, err error, out *capture) {
	m.err = err
	end := commandEnd{Type: typeError, ExitCode: status, Problem: wire.ProblemOf(err)}
	end.Message = end.Error
	out.describe(&end)
	m.end(&end)
}

// end sends the end of a command. Where the SDK finds the request by the type of what
// it gets, no other request may be waiting for that type: it takes what ends a stream
// for the answer of an executeCommand, whatever id it has, and an error for that of a
// command that lasts.
func (m *command) end(end *commandEnd) {
	m.c.terminal.mu.Lock()
	m.over = true // whoever hears of it may interrupt the next one at once
	m.c.terminal.mu.Unlock()
	switch {
	case m.kind == stream:
		if m.awaitOnce(m.c.ctx) {
			end.Type = typeFinish
		}
	case m.r.RequestID != "":
	case m.kind == lasting:
		m.awaitOnce(m.c.ctx)
		end.Type = typeError // by which it is known
	case m.c.terminal.lasts():
		end.Type = typeFinish
	}
	if m.c.ctx.Err() != nil {
		return // nobody waits for it
	}
	end.RequestID, end.Timestamp = m.r.RequestID, time.Now().UTC().Format(time.RFC3339Nano)
	m.say(end)
}

func (m *command) say(message any) {
	frame, err := wire.Marshal(message)
	if err != nil {
		m.c.s.opt.Log.Error("answer of an agent's command", "type", m.r.Type, "error", err)
		return
	}
	m.c.agent.Say(frame)
}

// interrupt sends SIGINT to the latest command that lasts.
func interrupt(_ context.Context, c *Caller, r *request) {
	body := struct {
		Message     string `json:"message"`
		Interrupted bool   `json:"interrupted"`
	}{Message: "There is no command to interrupt"}
	t := &c.terminal
	t.mu.Lock()
	for _, m := range slices.Backward(t.commands) {
		if m.kind == once || m.over {
			continue
		}
		select {
		case m.interrupted <- struct{}{}:
		default: // it will be, already
		}
		body.Message, body.Interrupted = "The command was interrupted", true
		break
	}
	t.mu.Unlock()
	r.ended(nil)
	c.spawn(func() { c.answer(r, body, nil) })
}
