package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/codeboltai/codebolt-providers/cmd/internal/cli"
	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// shell is one codebolt-providers shell.
type shell struct {
	*app
	attach string
	list   bool

	e    *server.Environment
	id   string // of the terminal
	next int64  // offset of what is shown next
}

// detachKeys leave the program running: Ctrl-P Ctrl-Q, as with docker.
const detachKeys = "\x10\x11"

func (a *app) shellCommand() *cobra.Command {
	s := &shell{app: a}
	cmd := &cobra.Command{
		Use: "shell NAME [-- COMMAND [ARGS…]]", Short: "Work in an environment at a terminal",
		Long: "shell opens a terminal in an environment that there is, with the command or the user's shell, and\n" +
			"connects it with this one. Ctrl-P Ctrl-Q leaves the program running; --attach comes back to it, and shows\n" +
			"what it has said meanwhile. A program ends with the environment's runtime. When the input is no terminal,\n" +
			"it is typed, and its end is the end of the input.\n\n" +
			"The exit status is the command's; 128+N when signal N ended it; 125 when something else failed.",
		Example: "  codebolt-providers shell fix-1\n" +
			"  codebolt-providers shell fix-1 -- vim src/main.go\n" +
			"  codebolt-providers shell fix-1 --attach terminal-1f0e",
		Args: func(cmd *cobra.Command, args []string) error {
			named := args
			if dash := cmd.ArgsLenAtDash(); dash >= 0 {
				named = args[:dash]
			}
			switch {
			case len(named) != 1:
				return errors.New("name one environment, and write the command after --, as in: codebolt-providers shell NAME -- COMMAND")
			case len(args) > 1 && (s.attach != "" || s.list):
				return errors.New("a command is for a new terminal; leave it out with --attach and --list")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return s.run(cmd.Context(), args[0], args[1:]) },
	}
	cmd.Flags().StringVar(&s.attach, "attach", "", "come back to a terminal, by its id")
	cmd.Flags().BoolVar(&s.list, "list", false, "list the environment's terminals")
	cli.Exclude(cmd, "attach", "list")
	return cmd
}

func (s *shell) run(ctx context.Context, name string, argv []string) error {
	own, err := s.open()
	if err != nil {
		return err
	}
	defer own.close()
	k, err := own.known(name)
	if err != nil {
		return err
	}
	if s.e, err = own.prepare(k, nil, nil); err != nil {
		return err
	}
	if _, err := s.e.Start(ctx); err != nil {
		return own.explain(err)
	}
	defer own.detach(ctx, s.e)
	if s.list {
		return s.showList(ctx)
	}
	return s.connect(ctx, argv)
}

// ask sends a request about terminals.
func (s *shell) ask(ctx context.Context, m wire.TerminalRequest) (*wire.TerminalReply, error) {
	answer, err := s.e.Call(ctx, m)
	if answer == nil {
		return nil, fmt.Errorf("%s: %w", m.Type, err)
	}
	reply := &wire.TerminalReply{}
	if err := wire.Unmarshal(answer.Frame, reply); err != nil {
		return nil, err
	}
	return reply, reply.Err()
}

func (s *shell) showList(ctx context.Context) error {
	reply, err := s.ask(ctx, wire.TerminalRequest{Header: wire.Header{Type: wire.TypeTerminalList}})
	if err != nil {
		return err
	}
	if s.json {
		if reply.Terminals == nil {
			reply.Terminals = []wire.TerminalRow{}
		}
		return s.printJSON(reply.Terminals)
	}
	if len(reply.Terminals) == 0 {
		_, err := fmt.Fprintln(s.stdout, "no terminals")
		return err
	}
	tw := tabwriter.NewWriter(s.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "ID\tSTATE\tSTARTED\tCOMMAND")
	for _, t := range reply.Terminals {
		state := "running"
		if t.ExitCode != nil {
			state = fmt.Sprintf("ended with %d", *t.ExitCode)
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", t.TerminalID, state, t.Started.Local().Format("15:04:05"), printable(strings.Join(t.Argv, " ")))
	}
	return tw.Flush()
}

// piece is what comes of the terminal.
type piece struct {
	output *wire.TerminalOutput
	exit   *wire.TerminalExit
}

// connect opens or finds the terminal, and connects it with ours until one of them ends.
func (s *shell) connect(ctx context.Context, argv []string) error {
	frames, over := make(chan piece, 1024), make(chan struct{})
	defer close(over)
	cancel := s.e.Subscribe(func(head wire.Header, frame []byte) {
		var one piece
		switch head.Type {
		case wire.TypeTerminalOutput:
			one.output = &wire.TerminalOutput{}
			if wire.Unmarshal(frame, one.output) != nil {
				return
			}
		case wire.TypeTerminalExit:
			one.exit = &wire.TerminalExit{}
			if wire.Unmarshal(frame, one.exit) != nil {
				return
			}
		default:
			return
		}
		select {
		case frames <- one:
		case <-over:
		}
	})
	defer cancel()
	m := wire.TerminalRequest{Header: wire.Header{Type: wire.TypeTerminalOpen}, Argv: argv}
	if s.attach != "" {
		m = wire.TerminalRequest{Header: wire.Header{Type: wire.TypeTerminalAttach}, TerminalID: s.attach}
	}
	at := int(os.Stdout.Fd())
	if cols, rows, err := term.GetSize(at); err == nil {
		m.Cols, m.Rows = uint16(cols), uint16(rows) //nolint:gosec // no window is larger
	}
	if kind := os.Getenv("TERM"); kind != "" {
		m.Env = map[string]string{"TERM": kind}
	}
	reply, err := s.ask(ctx, m)
	if err != nil {
		return err
	}
	s.id, s.next = reply.TerminalID, reply.Offset
	if reply.Lost > 0 {
		fmt.Fprintf(s.stderr, "[%d bytes from before are not kept]\n", reply.Lost)
	}
	if s.attach != "" && m.Cols > 0 {
		s.resize(ctx, at)
	}
	keys := int(os.Stdin.Fd())
	if term.IsTerminal(keys) {
		was, err := term.MakeRaw(keys)
		if err != nil {
			return fmt.Errorf("the terminal: %w", err)
		}
		defer func() { _ = term.Restore(keys, was) }() // it is gone
	}
	err = s.converse(ctx, frames, at)
	if status := (*statusError)(nil); err != nil && !errors.As(err, &status) && s.attach == "" {
		// Nobody is told of it, and it would go on for ever.
		_, closed := s.ask(context.WithoutCancel(ctx), wire.TerminalRequest{Header: wire.Header{Type: wire.TypeTerminalClose}, TerminalID: s.id})
		err = errors.Join(err, closed)
	}
	return err
}

// converse types what comes in and shows what comes out, until the end.
func (s *shell) converse(ctx context.Context, frames <-chan piece, at int) error {
	typing := make(chan error, 1)
	go func() { typing <- s.types(ctx, os.Stdin) }()
	resized := make(chan os.Signal, 1)
	notifyResize(resized)
	defer signal.Stop(resized)
	stops := make(chan os.Signal, 2)
	signal.Notify(stops, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(stops)
	ours := func(id string) bool { return id == s.id }
	for {
		select {
		case one := <-frames:
			switch {
			case one.output != nil && ours(one.output.TerminalID):
				s.show(one.output)
			case one.exit != nil && ours(one.exit.TerminalID):
				if one.exit.ExitCode != 0 {
					return &statusError{status: one.exit.ExitCode}
				}
				return nil
			}
		case err := <-typing:
			if errors.Is(err, errDetached) {
				fmt.Fprintf(s.stderr, "\r\nit goes on; come back with: %s\r\n", s.hint("shell --attach "+s.id, s.e.Name()))
				return nil
			}
			if err != nil {
				return err
			}
			typing = nil // nothing more is typed; the program may go on
		case <-resized:
			s.resize(ctx, at)
		case sig := <-stops:
			// A keyboard in raw mode sends none: these are from elsewhere.
			name := "INT"
			if sig == syscall.SIGTERM {
				name = "TERM"
			}
			if _, err := s.ask(ctx, wire.TerminalRequest{Header: wire.Header{Type: wire.TypeTerminalSignal}, TerminalID: s.id, Signal: name}); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// show prints a piece of output, but for what has been shown already.
func (s *shell) show(m *wire.TerminalOutput) {
	data := m.Data
	if known := s.next - m.Offset; known > 0 {
		data = data[min(known, int64(len(data))):]
	}
	s.next = max(s.next, m.Offset+int64(len(m.Data)))
	_, _ = s.stdout.Write(data) // a reader that left is no reason to end the program
}

func (s *shell) resize(ctx context.Context, at int) {
	cols, rows, err := term.GetSize(at)
	if err != nil {
		return
	}
	m := wire.TerminalRequest{Header: wire.Header{Type: wire.TypeTerminalResize}, TerminalID: s.id}
	m.Cols, m.Rows = uint16(cols), uint16(rows) //nolint:gosec // no window is larger
	_, _ = s.ask(ctx, m)                        // it may have ended
}

var errDetached = errors.New("detached")

// inputWait is how long what the program does not read yet waits before it is typed again.
const inputWait = 50 * time.Millisecond

// types passes input on until its end, which it types as Ctrl-D, or until the keys that
// detach, which only a person has.
func (s *shell) types(ctx context.Context, from io.Reader) error {
	person := term.IsTerminal(int(os.Stdin.Fd()))
	buf := make([]byte, 64<<10)
	var held []byte // the first of the keys that detach
	last := byte('\n')
	for {
		n, err := from.Read(buf)
		data := slices.Concat(held, buf[:n])
		held = nil
		before, _, detach := bytes.Cut(data, []byte(detachKeys))
		if detach = detach && person; detach {
			data = before
		} else if person && err == nil && bytes.HasSuffix(data, []byte(detachKeys[:1])) {
			held, data = data[len(data)-1:], data[:len(data)-1:len(data)-1]
		}
		if len(data) > 0 {
			last = data[len(data)-1]
		}
		if errors.Is(err, io.EOF) && !person {
			data = append(data, ctrlD)
			if last != '\n' { // the first one ends a line that has begun
				data = append(data, ctrlD)
			}
		}
		if len(data) > 0 {
			if err := s.typed(ctx, data); err != nil {
				return err
			}
		}
		switch {
		case detach:
			return errDetached
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read what is typed: %w", err)
		}
	}
}

// ctrlD is the end of the input at a terminal.
const ctrlD = 4

// typed types a piece, once the program has read enough of what came before.
func (s *shell) typed(ctx context.Context, data []byte) error {
	for {
		m := wire.TerminalRequest{Header: wire.Header{Type: wire.TypeTerminalInput}, TerminalID: s.id, Data: data}
		switch _, err := s.ask(ctx, m); wire.CodeOf(err) {
		case "", wire.NotRunning: // its end is told
			return nil
		case wire.Unavailable:
			select {
			case <-time.After(inputWait):
			case <-ctx.Done():
				return ctx.Err()
			}
		default:
			return err
		}
	}
}
