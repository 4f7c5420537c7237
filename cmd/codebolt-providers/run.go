package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/codeboltai/codebolt-providers/cmd/internal/cli"
	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/manifests"
	"github.com/codeboltai/codebolt-providers/shared/gitrepo"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// runner is one codebolt-providers run.
type runner struct {
	*app
	name, image, from    string
	host, dir            string
	set                  []string
	apply, keep, discard bool
	showDiff             bool
	grace                time.Duration

	s        *session
	env      *server.Environment
	was      server.Known // the environment before this run; without an ID it is new
	provider string       // unique id
	git      bool         // its environments are checkouts of the whole repository
	agent    string       // id of ours
	shown    map[string]int64
}

func (a *app) runCommand() *cobra.Command {
	r := &runner{app: a, shown: map[string]int64{}}
	cmd := &cobra.Command{
		Use:   "run PROVIDER [flags] -- COMMAND [ARGS…]",
		Short: "Run a command in an environment of its own and show what it changed",
		Long: "run opens an environment, runs the command in it, streams its output and shows what it\n" +
			"changed. The environment is kept unless --discard is given; the project itself is changed\n" +
			"only by --apply. Ctrl-C stops the command and shows what it changed so far; a second one\n" +
			"leaves at once, and nothing is lost.\n\n" +
			"The exit status is the command's; 128+N when signal N ended it; 126 or 127 when it could\n" +
			"not be run; 125 when something else failed.",
		Example: "  codebolt-providers run git-worktree -- npm test\n" +
			"  codebolt-providers run docker --image debian:12 -- make test\n" +
			"  codebolt-providers run remote-server --host me@build-server -- make test\n" +
			"  codebolt-providers run git-worktree --name fix --set baseRef=main -- my-agent \"fix the bug\"",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("name a provider: one of %s, or one that is installed", strings.Join(providerNames(), ", "))
			}
			if dash := cmd.ArgsLenAtDash(); dash != 1 || len(args) < 2 {
				return errors.New("write the command after --, as in: codebolt-providers run " + args[0] + " -- COMMAND ARGS")
			}
			if args[1] == "" {
				return errors.New("the command after -- is empty")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return r.run(cmd.Context(), args[0], args[1:]) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&r.name, "name", "n", "", "name of the environment; one that exists is continued (default: made up)")
	flags.StringArrayVarP(&r.set, "set", "s", nil, "a setting of the provider, as key=value; may be repeated; nested keys with dots")
	flags.StringVar(&r.image, "image", "", "the image of a container; short for --set image=…")
	flags.StringVar(&r.host, "host", "", "the machine of a remote server, as for ssh; short for --set host=…")
	flags.StringVar(&r.dir, "dir", "", "where environments go on that machine; short for --set dir=…")
	flags.StringVar(&r.from, "from", "", "begin with a snapshot, by its id; short for --set snapshot=…")
	flags.BoolVar(&r.apply, "apply", false, "put the changes into the project when the command succeeds")
	flags.BoolVar(&r.keep, "keep", false, "keep the environment (the default)")
	flags.BoolVar(&r.discard, "discard", false, "remove the environment afterwards; what it holds stays in a snapshot")
	flags.BoolVar(&r.showDiff, "diff", false, "show the whole diff at the end, not only a summary")
	flags.DurationVar(&r.grace, "grace", 5*time.Second, "time the command has to end after Ctrl-C")
	cli.Exclude(cmd, "apply", "keep", "discard")
	return cmd
}

func providerNames() []string {
	var names []string
	for _, entry := range manifests.All() {
		names = append(names, entry.Manifest.Name)
	}
	return names
}

func (r *runner) run(ctx context.Context, provider string, argv []string) (err error) {
	config, err := r.settingsOf(provider, r.set, map[string]string{"image": r.image, "host": r.host, "dir": r.dir, "snapshot": r.from})
	if err != nil {
		return err
	}
	m, err := r.app.find(provider)
	if err != nil {
		return err
	}
	r.git = slices.Contains(m.Capabilities.SyncModes, "git")
	if r.s, err = r.open(); err != nil {
		return err
	}
	defer func() { r.s.close() }()
	if err := r.find(m.UniqueID, config); err != nil {
		return err
	}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)

	opening, cancel := context.WithCancel(ctx)
	interrupted := make(chan struct{})
	go func() {
		select {
		case <-signals:
			close(interrupted)
			cancel()
		case <-opening.Done():
		}
	}()
	result, err := r.s.start(opening, r.env)
	if err == nil {
		cancel()
	}
	select {
	case <-interrupted:
		cancel()
		r.s.detach(ctx, r.env)
		return &statusError{130, errors.New("interrupted before the command began; the environment is as it was")}
	default:
	}
	cancel()
	if err != nil {
		return errors.Join(fmt.Errorf("open the environment: %w", err), r.takeBack(ctx))
	}
	end, left := r.attend(ctx, argv, signals)
	if left {
		r.next(false)
		return &statusError{status: 130}
	}
	return r.conclude(ctx, result, end)
}

// find takes the environment of that name, or makes one.
func (r *runner) find(provider string, config map[string]any) (err error) {
	if r.name == "" {
		r.name = "run-" + time.Now().Format("0102-150405") + "-" + uuid.NewString()[:4]
	}
	k := server.Known{Name: r.name, ProviderName: provider}
	all, err := r.s.Known()
	if err != nil {
		return err
	}
	for _, old := range all {
		if old.Name != r.name {
			continue
		}
		if old.ProviderName != provider {
			return fmt.Errorf("the name %q is taken by an environment of %s; choose another with --name", r.name, old.ProviderName)
		}
		k = old
		if r.from != "" {
			return fmt.Errorf("there is an environment %q already, and --from is for new ones; choose another with --name", r.name)
		}
	}
	r.provider, r.was = provider, k
	r.env, err = r.s.prepare(k, config, nil)
	return err
}

// takeBack takes back what a start that failed left on record: an environment
// that never came to be, or settings with which one cannot be opened.
func (r *runner) takeBack(ctx context.Context) error {
	if r.was.ID == "" {
		if exists, err := onRecord(r.env.ResourceID()); err != nil || exists {
			return err // it could not be taken back; the next start or gc does
		}
		_ = r.env.Delete(ctx) // a record without a resource is of no consequence
		return nil
	}
	r.s.close() // it writes the settings down, and must not do so again
	s, err := r.open()
	if err != nil {
		return err
	}
	r.s = s
	_, err = s.prepare(r.was, nil, nil)
	return err
}

// onRecord reports whether a provider owns the resource.
func onRecord(resourceID string) (bool, error) {
	id, err := resource.ParseID(resourceID)
	if err != nil {
		return false, nil //nolint:nilerr // it never had one
	}
	store, err := openStore()
	if err != nil {
		return false, err
	}
	_, err = store.Get(id)
	if wire.CodeOf(err) == wire.NotFound {
		return false, nil
	}
	return err == nil, err
}

// attend starts the agent, shows what it prints and waits for its end. left
// tells that a second Ctrl-C made us leave before.
func (r *runner) attend(ctx context.Context, argv []string, signals <-chan os.Signal) (end *wire.ProcessStopped, left bool) {
	r.agent = "command-" + uuid.NewString()[:8]
	frames := make(chan func() *wire.ProcessStopped, 4096)
	over := make(chan struct{})
	defer close(over)
	cancel := r.env.Subscribe(func(head wire.Header, frame []byte) {
		if read := r.reader(head, frame); read != nil {
			select {
			case frames <- read:
			case <-over:
			}
		}
	})
	defer cancel()
	if err := r.startAgent(ctx, argv); err != nil {
		return &wire.ProcessStopped{Problem: wire.ProblemOf(err)}, false
	}
	gone, cancelWatch := r.gone(ctx)
	defer cancelWatch()
	stopping := false
	for {
		select {
		case read := <-frames:
			if end := read(); end != nil {
				return end, false
			}
		case <-signals:
			if stopping {
				fmt.Fprintln(r.stderr, "\nleaving; the environment and its files stay")
				return nil, true
			}
			stopping = true
			fmt.Fprintf(r.stderr, "\nstopping the command (it has %v; Ctrl-C again leaves at once)\n", r.grace)
			stop := wire.StopProcess{Header: wire.Header{Type: wire.TypeStopProcess}, AgentID: r.agent, GraceMS: r.grace.Milliseconds()}
			if err := r.env.Send(ctx, stop); err != nil {
				fmt.Fprintln(r.stderr, "codebolt-providers: stop the command:", err)
			}
		case <-gone:
			return &wire.ProcessStopped{Problem: wire.ProblemOf(wire.Errorf(wire.Unavailable, "the provider ended and did not come back: %s", r.s.logs.tail()))}, false
		}
	}
}

// gone is closed when the provider has ended for good: the server has started it
// again as often as it does.
func (r *runner) gone(ctx context.Context) (<-chan struct{}, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	gone := make(chan struct{})
	wait := r.env.Expect(server.Failed, server.Stopped)
	go func() {
		if wait(ctx) == nil {
			close(gone)
		}
	}()
	return gone, cancel
}

func (r *runner) startAgent(ctx context.Context, argv []string) error {
	details, err := wire.Marshal(wire.AgentCommand{Argv: argv, Dir: r.subfolder()})
	if err != nil {
		return err
	}
	thread := uuid.NewString()
	return r.env.StartAgent(ctx, wire.MessageResponse{
		Header: wire.Header{Type: wire.TypeMessageResponse}, MessageID: uuid.NewString(),
		Message: wire.Prompt{
			UserMessage: strings.Join(argv, " "), ThreadID: thread,
			SelectedAgent: &wire.SelectedAgent{ID: r.agent, Name: filepath.Base(argv[0]), AgentType: wire.AgentTypeCommand, AgentDetails: details},
		},
	})
}

// subfolder is where the project lies within its repository: the command runs at
// the same place of the worktree.
func (r *runner) subfolder() string {
	repo, err := gitrepo.Open(context.Background(), r.s.project, gitrepo.Options{})
	if err != nil || repo.Top() == "" || !r.git {
		return "" // the environment is of the project itself
	}
	rel, err := filepath.Rel(repo.Top(), r.s.project)
	if err != nil || rel == "." || !filepath.IsLocal(rel) {
		return ""
	}
	return rel
}

// reader shows a frame that tells of our agent. It returns the end when that is
// what the frame tells; nil for frames that are none of our business.
func (r *runner) reader(head wire.Header, frame []byte) func() *wire.ProcessStopped {
	switch head.Type {
	case wire.TypeAgentStarted:
		m := &wire.AgentStarted{}
		if wire.Unmarshal(frame, m) != nil || m.AgentID != r.agent || !r.json {
			return nil
		}
		return func() *wire.ProcessStopped {
			_ = r.printJSON(event{Event: "started", PID: m.PID})
			return nil
		}
	case wire.TypeAgentOutput:
		m := &wire.AgentOutput{}
		if wire.Unmarshal(frame, m) != nil || m.AgentID != r.agent {
			return nil
		}
		return func() *wire.ProcessStopped { r.output(m); return nil }
	case wire.TypeProcessStopped:
		m := &wire.ProcessStopped{}
		if wire.Unmarshal(frame, m) != nil || m.AgentID != r.agent {
			return nil
		}
		return func() *wire.ProcessStopped { return m }
	}
	return nil
}

// output shows a piece of output. What is repeated because a provider came back
// is shown once.
func (r *runner) output(m *wire.AgentOutput) {
	data := []byte(m.Data)
	if m.Encoding == wire.Base64 {
		var err error
		if data, err = base64.StdEncoding.DecodeString(m.Data); err != nil {
			return // the runtime made it; nothing can be shown of it
		}
	}
	known := r.shown[m.Stream] - m.Offset
	if known >= int64(len(data)) && known > 0 {
		return
	}
	if m.Dropped > 0 && known < 0 {
		fmt.Fprintf(r.stderr, "[%d bytes of %s were not kept]\n", -known, m.Stream)
	}
	data = data[max(known, 0):]
	r.shown[m.Stream] = m.Offset + max(known, 0) + int64(len(data))
	if r.json {
		text, encoding := string(data), ""
		if !utf8.Valid(data) {
			text, encoding = base64.StdEncoding.EncodeToString(data), wire.Base64
		}
		_ = r.printJSON(event{Event: "output", Stream: m.Stream, Data: text, Encoding: encoding})
		return
	}
	w := r.stdout
	if m.Stream == wire.Stderr {
		w = r.stderr
	}
	_, _ = w.Write(data) // a reader that left is no reason to stop the agent
}
