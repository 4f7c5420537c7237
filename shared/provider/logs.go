package provider

import (
	"context"
	"flag"
	"fmt"
	"io"

	"github.com/codeboltai/codebolt-providers/shared/resource"
)

// Logger is a Provider that can show what its environments print.
type Logger interface {
	// Logs writes the log of an environment that is on record: the last lines and,
	// with follow, what comes until ctx ends or the environment's place stops.
	// NotFound when there is nothing that could have a log.
	Logs(ctx context.Context, req LogsRequest) error
}

// LogsRequest says which log is wanted.
type LogsRequest struct {
	Store          *resource.Store
	Record         *resource.Record
	Follow         bool
	Tail           int // lines; 0 is all
	Stdout, Stderr io.Writer
}

// logs is the subcommand of that name.
func logs(ctx context.Context, def *Definition, p Process, args []string) int {
	l, ok := def.Provider.(Logger)
	if !ok {
		fmt.Fprintln(p.Stderr, "logs: environments of this provider have no log of their own")
		return exitUsage
	}
	flags := flag.NewFlagSet("logs", flag.ContinueOnError)
	flags.SetOutput(p.Stderr)
	follow := flags.Bool("follow", false, "go on until interrupted")
	tail := flags.Int("tail", 0, "begin with the last so many lines; 0: all")
	flags.Usage = func() {
		fmt.Fprintln(p.Stderr, "logs [flags] RESOURCE: show what an environment's place prints")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return exitUsage
	}
	if flags.NArg() != 1 || *tail < 0 {
		flags.Usage()
		return exitUsage
	}
	err := func() error {
		store, err := openStore()
		if err != nil {
			return err
		}
		id, err := resource.ParseID(flags.Arg(0))
		if err != nil {
			return err
		}
		rec, err := store.Get(id)
		if err != nil {
			return err
		}
		return l.Logs(ctx, LogsRequest{Store: store, Record: rec, Follow: *follow, Tail: *tail, Stdout: p.Stdout, Stderr: p.Stderr})
	}()
	if err != nil && ctx.Err() == nil {
		fmt.Fprintln(p.Stderr, "logs:", err)
		return exitError
	}
	return exitOK
}
