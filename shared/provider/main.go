package provider

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/codeboltai/codebolt-providers/shared/build"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/redact"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Exit statuses of a provider program.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// Main is the whole main function of a provider program: it runs the provider
// for the server that started this process and exits. SIGTERM and SIGINT let go
// of the environment and exit 0; a second one exits at once.
func Main(def Definition) {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	// A server that died takes the reader of our log along. To say so there must not
	// end us before we have let go. It is heard rather than ignored, which children
	// would inherit.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() {
		sig := <-signals
		cancel(fmt.Errorf("received %v", sig))
		<-signals
		os.Exit(exitError)
	}()
	os.Exit(Run(ctx, def, Process{Args: os.Args, Environ: os.Environ(), Stdout: os.Stdout, Stderr: os.Stderr}))
}

// Process is what a provider program is started with.
type Process struct {
	Args    []string // with the program's name
	Environ []string // as os.Environ
	Stdout  io.Writer
	Stderr  io.Writer
}

// Run is Main without the process: it returns the exit status instead of
// exiting and lets go of the environment when ctx ends. Many may run at once.
func Run(ctx context.Context, def Definition, p Process) int {
	m, err := def.manifest()
	if err != nil {
		fmt.Fprintln(p.Stderr, "the provider's own manifest is wrong:", err)
		return exitError
	}
	name := filepath.Base(p.Args[0])
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(p.Stderr)
	version := flags.Bool("version", false, "print the version of this program and exit")
	capabilities := flags.Bool("capabilities", false, "print what this provider can do, as JSON, and exit")
	flags.Usage = func() { usage(p.Stderr, name, m, &def, flags) }
	if err := flags.Parse(p.Args[1:]); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return exitOK
		}
		return exitUsage
	}
	switch {
	case *version:
		if err := build.Print(p.Stdout, m.UniqueID, false); err != nil {
			fmt.Fprintln(p.Stderr, err)
			return exitError
		}
		return exitOK
	case *capabilities:
		return printJSON(p, def.capabilities(m))
	case flags.Arg(0) == "version":
		return build.Subcommand(m.UniqueID, flags.Args()[1:], p.Stdout, p.Stderr)
	case flags.Arg(0) == "gc":
		return reap(ctx, &def, p, flags.Args()[1:])
	case flags.Arg(0) == "doctor":
		return doctor(ctx, &def, m, p, flags.Args()[1:])
	case flags.Arg(0) == "logs":
		return logs(ctx, &def, p, flags.Args()[1:])
	case flags.Arg(0) == "snapshot":
		return snapshot(ctx, &def, m.UniqueID, p, flags.Args()[1:])
	case flags.NArg() > 0:
		fmt.Fprintf(p.Stderr, "%s: unknown argument %q\n", name, flags.Arg(0))
		flags.Usage()
		return exitUsage
	}
	return serve(ctx, def, m, name, p)
}

func usage(w io.Writer, name string, m *manifest.Manifest, def *Definition, flags *flag.FlagSet) {
	fmt.Fprintf(w, "%s: %s\n\n", name, m.Description)
	fmt.Fprintf(w, "A Codebolt server starts this program once for each environment, and tells it in\nthe environment variables SOCKET_PORT and CODEBOLT_SERVER_URL where it listens.\n"+
		"To try it by hand: codebolt-providers run %s -- COMMAND\n\nflags:\n", m.UniqueID)
	flags.PrintDefaults()
	_, reaper := def.Provider.(Reaper)
	_, doctor := def.Provider.(Doctor)
	_, logger := def.Provider.(Logger)
	_, snapshotter := def.Provider.(Snapshotter)
	fmt.Fprintln(w, "\nsubcommands:")
	for _, sub := range []struct {
		has         bool
		usage, text string
	}{
		{true, "version [--json]", "print the version of this program"},
		{reaper, "gc [--dry-run] [--json]", "remove what earlier lives left behind and nothing owns"},
		{doctor, "doctor [--json]", "tell what this machine lacks for such environments"},
		{logger, "logs [--follow] [--tail N] RESOURCE", "show what an environment's place prints"},
		{snapshotter, "snapshot [--json] RESOURCE", "keep what an environment holds, for others to begin with"},
		{snapshotter, "snapshot --drop SNAPSHOT", "remove a snapshot"},
	} {
		if sub.has {
			fmt.Fprintf(w, "  %s\n    \t%s\n", sub.usage, sub.text)
		}
	}
}

func serve(ctx context.Context, def Definition, m *manifest.Manifest, name string, p Process) int {
	env := map[string]string{}
	redactor := &redact.Redactor{}
	for _, pair := range p.Environ {
		if key, value, ok := strings.Cut(pair, "="); ok {
			env[key] = value
			if redact.SecretName(key) {
				redactor.Add(value)
			}
		}
	}
	log := newLogger(p.Stderr, redactor, env["CODEBOLT_LOG_LEVEL"])
	endpoint, err := wire.ServerEndpoint(p.Environ)
	if err != nil {
		fmt.Fprintf(p.Stderr, "%s is started by a Codebolt server, which sets %s and %s: %v.\nTo try it by hand: codebolt-providers run %s -- COMMAND\n",
			name, wire.EnvServerPort, wire.EnvServerHost, err, m.UniqueID)
		return exitUsage
	}
	s := &session{def: def, manifest: m, env: env, redactor: redactor, log: log}
	if s.config, err = environmentConfig(p.Environ); err != nil {
		fmt.Fprintf(p.Stderr, "%s: %v\n", name, err)
		return exitUsage
	}
	redactor.AddSecrets(s.config)
	if s.store, err = openStore(); err != nil {
		fmt.Fprintf(p.Stderr, "%s: %v\n", name, err)
		return exitError
	}
	if len(endpoint.Withheld) > 0 {
		log.Debug("not sent to the server", "variables", endpoint.Withheld)
	}
	if len(endpoint.Refused) > 0 {
		log.Warn("not sent to the server although listed, because they look like secrets", "variables", endpoint.Refused, "listed", wire.EnvQuery)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stopWatching := watchParent(func() { cancel(errParentGone) })
	defer stopWatching()
	if err := s.run(ctx, endpoint); err != nil {
		log.Error("ended", "error", err)
		return exitError
	}
	if errors.Is(context.Cause(ctx), errParentGone) {
		return exitError
	}
	return exitOK
}

var errParentGone = errors.New("the process that started this provider is gone")

func newLogger(w io.Writer, redactor *redact.Redactor, level string) *slog.Logger {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		least = slog.LevelInfo
	}
	return slog.New(redact.NewHandler(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: least}), redactor))
}

func printJSON(p Process, v any) int {
	enc := json.NewEncoder(p.Stdout)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		fmt.Fprintln(p.Stderr, err)
		return exitError
	}
	return exitOK
}

// reap is the subcommand gc.
func reap(ctx context.Context, def *Definition, p Process, args []string) int {
	reaper, ok := def.Provider.(Reaper)
	if !ok {
		fmt.Fprintln(p.Stderr, "gc: this provider leaves nothing behind that it could find again")
		return exitUsage
	}
	flags := flag.NewFlagSet("gc", flag.ContinueOnError)
	flags.SetOutput(p.Stderr)
	dryRun := flags.Bool("dry-run", false, "only tell what would be removed")
	asJSON := flags.Bool("json", false, "print JSON")
	if err := flags.Parse(args); err != nil {
		return exitUsage
	}
	store, err := openStore()
	if err != nil {
		fmt.Fprintln(p.Stderr, "gc:", err)
		return exitError
	}
	orphans, err := reaper.Reap(ctx, ReapRequest{Store: store, DryRun: *dryRun})
	if *asJSON {
		if orphans == nil {
			orphans = []Orphan{}
		}
		printJSON(p, orphans)
	} else {
		for _, o := range orphans {
			state := "found"
			switch {
			case o.Removed:
				state = "removed"
			case o.Kept != "":
				state = "kept, " + o.Kept
			case o.Problem != "":
				state = "not removed: " + o.Problem
			}
			fmt.Fprintf(p.Stdout, "%s %s: %s\n", o.What, o.Where, state)
		}
	}
	if err != nil {
		fmt.Fprintln(p.Stderr, "gc:", err)
		return exitError
	}
	return exitOK
}
