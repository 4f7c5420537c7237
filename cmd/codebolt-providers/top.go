package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/codeboltai/codebolt-providers/cmd/internal/cli"
	"golang.org/x/term"
)

const (
	// topEvery is how often top looks when nothing else is said.
	topEvery = 2 * time.Second
	// topFirst is the time between the two looks at the processor that the first table
	// needs.
	topFirst = 250 * time.Millisecond
)

func (a *app) topCommand() *cobra.Command {
	var (
		once, all bool
		interval  time.Duration
	)
	cmd := &cobra.Command{
		Use: "top", Short: "Show what runs now on this machine", Args: cli.NoArgs,
		Long: "top shows a line for each environment that is open: its provider and runtime with their share of\n" +
			"the processor and their memory, the agents at work, and the questions that nobody has answered yet.\n" +
			"On a terminal it looks again every two seconds until q or Ctrl-C; else it prints one table. It only\n" +
			"looks: it takes nothing over and stops nothing. Of runtimes on other machines and in containers it\n" +
			"knows what providers show that have metrics.listen set.\n\n" +
			"With --json it prints one document, and with --interval besides, one a line, until it is ended.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if interval < 0 || cmd.Flags().Changed("interval") && interval < topFirst {
				return fmt.Errorf("--interval %v is too short; the least is %v", interval, topFirst)
			}
			store, err := openStore()
			if err != nil {
				return err
			}
			g := &gatherer{store: store, all: all}
			if cmd.Flags().Changed("project") {
				if g.project, err = filepath.Abs(a.project); err == nil {
					g.project, err = filepath.EvalSymlinks(g.project)
				}
				if err != nil {
					return fmt.Errorf("the project %s: %w", a.project, err)
				}
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
			defer stop()
			screen, isTerminal := a.stdout.(*os.File)
			isTerminal = isTerminal && term.IsTerminal(int(screen.Fd()))
			switch repeated := cmd.Flags().Changed("interval"); {
			case a.json && repeated && !once:
				return a.topLines(ctx, g, interval)
			case a.json:
				found := g.first(ctx)
				a.tellProblems(found)
				return a.printJSON(found)
			case isTerminal && !once:
				return watchTop(ctx, g, screen, interval)
			}
			found := g.first(ctx)
			a.tellProblems(found)
			_, err = a.stdout.Write(table(found, 0))
			return err
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "print one table")
	cmd.Flags().BoolVar(&all, "all", false, "show environments that are not open too")
	cmd.Flags().DurationVar(&interval, "interval", topEvery, "time between two looks")
	return cmd
}

// tellProblems tells of records that could not be read.
func (a *app) tellProblems(found *snapshot) {
	for _, problem := range found.Problems {
		fmt.Fprintln(a.stderr, "codebolt-providers:", problem)
	}
}

// topLines prints a document a line until ctx ends.
func (a *app) topLines(ctx context.Context, g *gatherer, interval time.Duration) error {
	found := g.first(ctx)
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for ctx.Err() == nil {
		text, err := json.Marshal(found)
		if err == nil {
			_, err = fmt.Fprintf(a.stdout, "%s\n", text)
		}
		if err != nil {
			return err
		}
		select {
		case <-ticker.C:
			found = g.look(ctx)
		case <-ctx.Done():
		}
	}
	return nil
}

// What a terminal is told.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l" // another screen, without the cursor
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	toBegin     = "\x1b[H"
	clearLine   = "\x1b[K"
	clearRest   = "\x1b[J"
)

// watchTop shows the table on a terminal until a person has enough, and leaves the
// terminal as it was.
func watchTop(ctx context.Context, g *gatherer, screen *os.File, interval time.Duration) (err error) {
	ctx, enough := context.WithCancel(ctx)
	defer enough()
	if in := int(os.Stdin.Fd()); term.IsTerminal(in) {
		was, err := term.MakeRaw(in)
		if err != nil {
			return fmt.Errorf("top: the terminal: %w", err)
		}
		defer func() { _ = term.Restore(in, was) }() // it is gone
		go keys(os.Stdin, enough)                    // what reads a terminal ends with the process
	}
	restore, err := understands(screen)
	if err != nil {
		return fmt.Errorf("top: the terminal: %w", err)
	}
	defer restore()
	if _, err := io.WriteString(screen, enterScreen); err != nil {
		return err
	}
	defer func() {
		_, left := io.WriteString(screen, leaveScreen)
		err = errors.Join(err, left)
	}()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for found := g.first(ctx); ctx.Err() == nil; found = g.look(ctx) {
		width, height, err := term.GetSize(int(screen.Fd()))
		if err != nil || width <= 0 || height <= 0 { // a terminal need not know
			width, height = 80, 24
		}
		if _, err := screen.Write(frame(table(found, width), height)); err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
	return nil
}

// keys waits for the key that ends it.
func keys(from io.Reader, enough func()) {
	defer enough()
	key := make([]byte, 1)
	for {
		if _, err := from.Read(key); err != nil || key[0] == 'q' || key[0] == 'Q' || key[0] == 3 || key[0] == 4 {
			return
		}
	}
}

// frame is a table as it is drawn over the one before, in one write: nothing is blank in
// between.
func frame(table []byte, height int) []byte {
	lines := bytes.Split(bytes.TrimSuffix(table, []byte("\n")), []byte("\n"))
	if len(lines) > height {
		lines = lines[:height]
	}
	var out bytes.Buffer
	out.WriteString(toBegin)
	for i, line := range lines {
		if i > 0 {
			out.WriteString("\r\n")
		}
		out.Write(line)
		out.WriteString(clearLine)
	}
	out.WriteString(clearRest)
	return out.Bytes()
}
