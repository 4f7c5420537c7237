package agenthost

import (
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/codeboltai/codebolt-providers/shared/link"
	"github.com/codeboltai/codebolt-providers/shared/terminal"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
)

const (
	// terminalPiece is the most that one message of output has, in bytes.
	terminalPiece = 32 << 10
	// maxTerminalInput is the most that one message of input may have, in bytes.
	maxTerminalInput = 256 << 10
)

// attachments are the terminals that one client looks at. They end with it; the
// terminals do not.
type attachments struct {
	mu     sync.Mutex
	closed bool
	all    map[string]*terminal.Reader
}

// close looks at nothing any more.
func (s *attachments) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, r := range s.all {
		r.Close()
	}
	s.all = nil
}

// hold says whether what the client is behind with holds programs up: not while it is
// away, which may be for ever.
func (s *attachments) hold(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.all {
		r.Hold(on)
	}
}

// set takes a reader's place; nil only ends the one before. It reports whether there was
// one.
func (s *attachments) set(id string, r *terminal.Reader) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.all[id]
	if before != nil {
		before.Close()
		delete(s.all, id)
	}
	switch {
	case r == nil:
	case s.closed:
		r.Close()
	default:
		if s.all == nil {
			s.all = map[string]*terminal.Reader{}
		}
		s.all[id] = r
	}
	return before != nil
}

// drop forgets a reader that is at its end.
func (s *attachments) drop(id string, r *terminal.Reader) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[id] == r {
		delete(s.all, id)
	}
	r.Close()
}

// terminals carries a request about terminals out, and answers it. Requests are carried
// out one after another, so that what is typed stays in order; only to close one may
// take a while.
func (c *client) terminals(head wire.Header, frame []byte) {
	m := &wire.TerminalRequest{}
	reply := &wire.TerminalReply{Header: wire.Header{Type: head.Type + "Response", RequestID: head.RequestID}}
	if err := wire.Unmarshal(frame, m); err != nil {
		c.answerTerminal(reply, err)
		return
	}
	reply.TerminalID = m.TerminalID
	if head.Type == wire.TypeTerminalClose {
		t, err := c.h.terminals.Get(m.TerminalID)
		if err != nil {
			c.answerTerminal(reply, err)
			return
		}
		c.h.wg.Go(func() {
			t.Close()
			c.answerTerminal(reply, nil)
		})
		return
	}
	then, err := c.terminal(m, reply)
	c.answerTerminal(reply, err)
	if then != nil { // after the answer
		c.h.wg.Go(then)
	}
}

// terminal carries a request out. then, when it is not nil, is to be run after the answer.
func (c *client) terminal(m *wire.TerminalRequest, reply *wire.TerminalReply) (then func(), err error) {
	switch m.Type {
	case wire.TypeTerminalOpen:
		t, err := c.h.openTerminal(m)
		if err != nil {
			return nil, err
		}
		reply.TerminalID, reply.PID = t.ID(), t.PID()
		if m.Attach != nil && !*m.Attach {
			return nil, nil
		}
		return c.attach(t, 0, reply), nil
	case wire.TypeTerminalList:
		reply.Terminals = []wire.TerminalRow{}
		for _, t := range c.h.terminals.List() {
			reply.Terminals = append(reply.Terminals, rowOf(t))
		}
		return nil, nil
	}
	t, err := c.h.terminals.Get(m.TerminalID)
	if err != nil {
		return nil, err
	}
	switch m.Type {
	case wire.TypeTerminalAttach:
		return c.attach(t, m.After, reply), nil
	case wire.TypeTerminalDetach:
		if !c.attached.set(t.ID(), nil) {
			return nil, wire.Errorf(wire.NotFound, "%s: it is not attached", m.Type)
		}
		return nil, nil
	case wire.TypeTerminalInput:
		if len(m.Data) > maxTerminalInput {
			return nil, wire.Errorf(wire.TooLarge, "%s: there are more than %d bytes; send them in pieces", m.Type, maxTerminalInput)
		}
		return nil, t.Input(m.Data)
	case wire.TypeTerminalResize:
		return nil, t.Resize(terminal.Size{Cols: m.Cols, Rows: m.Rows})
	case wire.TypeTerminalSignal:
		return nil, t.Signal(m.Signal)
	default:
		return nil, wire.Errorf(wire.Unsupported, "there is no request %s", strings.ToValidUTF8(m.Type, "?"))
	}
}

func rowOf(t *terminal.Terminal) wire.TerminalRow {
	size := t.Size()
	row := wire.TerminalRow{
		TerminalID: t.ID(), Argv: t.Argv(), PID: t.PID(), Started: wire.Time{Time: t.Started()}, Cols: size.Cols, Rows: size.Rows,
		Written: t.Written(), Attached: t.Attached(), Running: true,
	}
	if exit, over := t.Exit(); over {
		row.Running, row.ExitCode, row.Signal = false, &exit.Code, exit.Signal
	}
	return row
}

// openTerminal runs a program in a terminal, with the environment of agents' commands.
func (h *Host) openTerminal(m *wire.TerminalRequest) (*terminal.Terminal, error) {
	env := withoutServer(h.opt.Environ)
	env = append(env, "CODEBOLT_WORKSPACE="+h.opt.Workspace, "CODEBOLT_ENVIRONMENT_NAME="+h.opt.Name, wire.EnvRuntimeInstance+"="+h.opt.InstanceID)
	for _, name := range slices.Sorted(maps.Keys(m.Env)) {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.ContainsRune(m.Env[name], 0) {
			return nil, wire.Errorf(wire.Invalid, "%s: %q is no name of a variable, or its value has a NUL", m.Type, strings.ToValidUTF8(name, "?"))
		}
		env = append(env, name+"="+m.Env[name])
	}
	dir := h.files.Root()
	if m.Cwd != "" {
		name, err := workspace.Name(h.files, m.Type, m.Cwd)
		if err == nil {
			dir, err = h.folder(m.Type, name)
		}
		if err != nil {
			return nil, err
		}
	}
	argv := m.Argv
	if len(argv) == 0 {
		argv = shell(env)
	}
	return h.terminals.Open(terminal.Options{
		ID: m.TerminalID, Argv: argv, Dir: dir, Env: env, Size: terminal.Size{Cols: m.Cols, Rows: m.Rows},
	})
}

// folder is the path of a folder of the workspace, also after symbolic links.
func (h *Host) folder(op, name string) (string, error) {
	root, err := filepath.EvalSymlinks(h.files.Root())
	var dir string
	if err == nil {
		dir, err = filepath.EvalSymlinks(filepath.Join(root, filepath.FromSlash(name)))
	}
	if err != nil {
		return "", wire.Errorf(wire.CodeOf(err), "%s: %w", op, err)
	}
	if rel, err := filepath.Rel(root, dir); err != nil || !filepath.IsLocal(rel) {
		return "", wire.Errorf(wire.OutsideWorkspace, "%s: %q leads out of the workspace", op, name)
	}
	return dir, nil
}

// shell is the user's shell as it is when they log in, or another that is there.
func shell(env []string) []string {
	name := ""
	for _, pair := range env {
		if value, ok := strings.CutPrefix(pair, "SHELL="); ok {
			name = value
		}
	}
	for _, candidate := range []string{name, "/bin/bash", "/usr/bin/bash"} {
		if info, err := os.Stat(candidate); filepath.IsAbs(candidate) && err == nil && info.Mode().IsRegular() {
			return []string{candidate, "-l"}
		}
	}
	return []string{"sh", "-l"}
}

// attach has a terminal's output sent to the client, instead of what it was sent of it
// before, and returns what sends it.
func (c *client) attach(t *terminal.Terminal, after int64, reply *wire.TerminalReply) func() {
	r := t.Reader(after)
	reply.Offset, reply.Lost = r.Offset()
	c.attached.set(t.ID(), r)
	return func() {
		defer c.attached.drop(t.ID(), r)
		buf := make([]byte, terminalPiece)
		for {
			n, at, err := r.Next(c.h.ctx, buf)
			switch {
			case errors.Is(err, io.EOF):
				exit, _ := t.Exit()
				c.tell(wire.TerminalExit{Type: wire.TypeTerminalExit, TerminalID: t.ID(), ExitCode: exit.Code, Signal: exit.Signal, Timestamp: wire.Now()})
				return
			case err != nil:
				return // somebody else looks at it, or nobody
			case !c.tell(wire.TerminalOutput{Type: wire.TypeTerminalOutput, TerminalID: t.ID(), Offset: at, Data: buf[:n]}):
				return
			}
		}
	}
}

// tell sends a message of which there may be many, once there is room for it; false when
// the client has gone.
func (c *client) tell(message any) bool {
	frame, err := wire.Marshal(message)
	if err == nil {
		err = c.link.SendBulkWait(c.h.ctx, frame)
	}
	if err != nil && !errors.Is(err, link.ErrClosed) {
		c.h.log.Debug("not told", "error", err)
	}
	return err == nil
}

func (c *client) answerTerminal(reply *wire.TerminalReply, err error) {
	reply.Success, reply.Problem = err == nil, wire.ProblemOf(err)
	c.respond(reply.Type, reply)
}
