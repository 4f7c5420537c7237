// Command codebolt-runtime is the reference runtime: it runs beside the agents,
// inside an environment, and serves the provider that started it. Its
// subcommands carry files and connections into and out of the environment.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/agentcall"
	"github.com/codeboltai/codebolt-providers/shared/agenthost"
	"github.com/codeboltai/codebolt-providers/shared/build"
	"github.com/codeboltai/codebolt-providers/shared/outpost"
	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

type options struct {
	workspace, name, dir, instance, listen string
	protect                                []string
	agents                                 runtime.Agents
	ownerTimeout                           time.Duration
	history                                int
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout *os.File, stderr io.Writer) int {
	if len(args) > 0 {
		switch args[0] {
		case "pack":
			return pack(ctx, args[1:], stdin, stdout, stderr)
		case "unpack":
			return unpack(ctx, args[1:], stdin, stdout, stderr)
		case "receive":
			return receive(ctx, args[1:], stdin, stdout, stderr)
		case "scan":
			return scan(ctx, args[1:], stdout, stderr)
		case "connect":
			return connect(ctx, args[1:], stdin, stdout, stderr)
		case "file":
			return file(ctx, args[1:], stdin, stdout, stderr)
		case "launch":
			return launch(ctx, args[1:], stdin, stdout, stderr)
		case outpost.Subcommand:
			return outpost.Serve(ctx, args[1:], stdin, stdout, stderr)
		case "sum":
			return sum(args[1:], stdout, stderr)
		case "version":
			return build.Subcommand("codebolt-runtime", args[1:], stdout, stderr)
		}
	}
	var o options
	flags := flag.NewFlagSet("codebolt-runtime", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.workspace, "workspace", "", "directory of the agents")
	flags.StringVar(&o.name, "name", "", "name of the environment")
	flags.StringVar(&o.dir, "dir", "", "private directory with the file token; the file address is written there")
	flags.StringVar(&o.instance, "instance", "", "id that this process proves itself with")
	flags.StringVar(&o.listen, "listen", "", "unix:PATH, or tcp:HOST:PORT on loopback, where a busy port gives way to the next")
	flags.DurationVar(&o.ownerTimeout, "owner-timeout", 10*time.Minute, "end after so long without a provider; negative: never")
	flags.IntVar(&o.history, "history", 1<<20, "bytes of each agent's output kept for a provider that comes back")
	flags.Func("protect", "name at the workspace's root that file calls never change; may be repeated", func(name string) error {
		o.protect = append(o.protect, name)
		return nil
	})
	flags.Func("agents", "rules for agents that connect and speak, as JSON; as the provider's setting agents has them", func(text string) error {
		return wire.Unmarshal([]byte(text), &o.agents)
	})
	showVersion := flags.Bool("version", false, "print the version and exit")
	flags.Usage = func() {
		fmt.Fprintf(stderr, "codebolt-runtime runs agents in an environment for the provider that starts it.\n"+
			"To run something in an environment: codebolt-providers run PROVIDER -- COMMAND\n"+
			"Subcommands: pack, unpack, receive, scan, connect, file, launch, sum, version; each with its own --help.\n\nflags:\n")
		flags.PrintDefaults()
	}
	if status, ok := parsed(flags.Parse(args)); !ok {
		return status
	}
	if *showVersion {
		if err := build.Print(stdout, "codebolt-runtime", false); err != nil {
			fmt.Fprintln(stderr, "codebolt-runtime:", err)
			return 1
		}
		return 0
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "codebolt-runtime: there is no subcommand %q; codebolt-runtime --help shows what there is\n", flags.Arg(0))
		return 2
	}
	if o.workspace == "" || o.dir == "" || o.listen == "" {
		fmt.Fprintln(stderr, "codebolt-runtime: --workspace, --dir and --listen are needed; it is usually started by a provider")
		return 2
	}
	if f, ok := stderr.(*os.File); ok {
		if bounded := runtime.BoundedLog(f); bounded != nil {
			go bounded.Bound(ctx)
			stderr = bounded
		}
	}
	log := slog.New(slog.NewJSONHandler(stderr, nil))
	if err := serve(ctx, o, stdout, log); err != nil {
		log.Error("ended", "error", err)
		return 1
	}
	return 0
}

// sum prints the SHA-256 of this program, for whoever has put it here.
func sum(args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 {
		fmt.Fprintln(stderr, "codebolt-runtime sum: it takes nothing, and prints the SHA-256 of this program")
		return helpOr(args, 2)
	}
	sum, err := outpost.Sum()
	if err != nil {
		fmt.Fprintln(stderr, "codebolt-runtime: sum:", err)
		return 1
	}
	fmt.Fprintln(stdout, sum)
	return 0
}

// helpOr is the status of a subcommand that has told how it is used: 0 when that was asked
// for.
func helpOr(args []string, status int) int {
	if len(args) == 1 && slices.Contains([]string{"-h", "-help", "--help"}, args[0]) {
		return 0
	}
	return status
}

// parsed says how to go on after flags were parsed: when it returns false, the
// program ends with the status.
func parsed(err error) (status int, ok bool) {
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0, false
	case err != nil:
		return 2, false
	}
	return 0, true
}

func serve(ctx context.Context, o options, stdout *os.File, log *slog.Logger) error {
	token, err := os.ReadFile(filepath.Join(o.dir, runtime.TokenFile))
	if err != nil {
		return err
	}
	var policy agentcall.Policy
	if len(o.agents.Policy) > 0 {
		if policy, err = agentcall.ParsePolicy(o.agents.Policy); err != nil {
			return err
		}
	}
	audit, err := openAudit(ctx, filepath.Join(o.dir, runtime.AuditFile))
	if err != nil {
		return err
	}
	defer audit.Close()
	tracer := trace(ctx, o, log)
	defer closeTracer(tracer, log)
	host, err := agenthost.New(agenthost.Options{
		Tracer: tracer,
		Agents: agenthost.AgentRules{
			Roots: o.agents.Roots, Store: filepath.Join(o.dir, "agents"), DownloadHosts: o.agents.DownloadHosts, Env: o.agents.Env,
			Policy: policy, Audit: audit, Network: o.agents.Network, ProxyRules: o.agents.ProxyRules, CommandTimeout: time.Duration(o.agents.CommandTimeoutMS) * time.Millisecond,
		},
		Workspace: o.workspace, Name: o.name, InstanceID: o.instance, Token: strings.TrimSpace(string(token)), Version: build.Get().Version,
		Protected: o.protect, OwnerTimeout: o.ownerTimeout, History: o.history, Log: log,
	})
	if err != nil {
		return err
	}
	ln, address, err := listen(ctx, o.listen)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(o.dir, runtime.AddressFile), []byte(address), 0o600); err != nil {
		return errors.Join(err, ln.Close())
	}
	fmt.Fprintf(stdout, "%s on %s\n", wire.RuntimeReadyLine, address)
	// Whoever waited for that line may be gone before the next would come.
	if err := stdout.Close(); err != nil {
		log.Warn("stdout", "error", err)
	}
	err = host.Serve(ctx, ln)
	if path, ok := strings.CutPrefix(address, "unix:"); ok && filepath.Dir(path) != filepath.Clean(o.dir) {
		_ = os.Remove(filepath.Dir(path)) // made by listen; refused unless it is empty
	}
	return err
}

// openAudit opens what tells what agents have done and were let do. It is bounded as the
// log is, and only for the eyes of its owner.
func openAudit(ctx context.Context, path string) (io.WriteCloser, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if bounded := runtime.BoundedLog(file); bounded != nil {
		go bounded.Bound(ctx)
		return struct {
			io.Writer
			io.Closer
		}{bounded, file}, nil
	}
	return file, nil
}

// portTries is how many ports from the wanted one on are tried.
const portTries = 100

// listen opens the listener and tells its address in the same form.
func listen(ctx context.Context, want string) (net.Listener, string, error) {
	network, where, _ := strings.Cut(want, ":")
	lc := &net.ListenConfig{}
	switch network {
	case "unix":
		if err := os.MkdirAll(filepath.Dir(where), 0o700); err != nil {
			return nil, "", err
		}
		if err := os.Remove(where); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, "", err
		}
		ln, err := lc.Listen(ctx, "unix", where)
		if err != nil {
			return nil, "", err
		}
		return ln, want, os.Chmod(where, 0o600)
	case "tcp":
		host, text, err := net.SplitHostPort(where)
		if err != nil {
			return nil, "", wire.Errorf(wire.Invalid, "listen: %w", err)
		}
		if !isLoopback(host) {
			return nil, "", wire.Errorf(wire.Invalid, "listen: %q is not a loopback address; agents are not for the network", host)
		}
		port, err := strconv.Atoi(text)
		if err != nil {
			return nil, "", wire.Errorf(wire.Invalid, "listen: %q is no port", text)
		}
		for try := range portTries {
			next := port
			if port != 0 {
				next += try
			}
			var ln net.Listener
			if ln, err = lc.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(next))); err == nil {
				return ln, "tcp:" + ln.Addr().String(), nil
			}
		}
		return nil, "", wire.Errorf(wire.Unavailable, "listen: no free port from %d on: %w", port, err)
	}
	return nil, "", wire.Errorf(wire.Invalid, "listen: %q is neither unix:PATH nor tcp:HOST:PORT", want)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
