package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/codeboltai/codebolt-providers/conformance/report"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
	"github.com/codeboltai/codebolt-providers/shared/build"
	"github.com/codeboltai/codebolt-providers/shared/redact"
)

// runner is one codebolt-conformance run.
type runner struct {
	*app
	human io.Writer // takes what is for people

	manifest, config   string
	only, skip         []string
	with, without, env []string
	repeat, parallel   int
	timeout            time.Duration
	profile, failOn    string
	frames             string
	quiet              bool
	elsewhere          bool
	disk               string
	files              map[string]*string // by format
}

// formats are the reports, by the flag that asks for one.
var formats = []struct {
	flag, what string
	write      func(io.Writer, *report.Document) error
}{
	{"json", "JSON", report.WriteJSON},
	{"junit", "JUnit XML", report.WriteJUnit},
	{"html", "one HTML page", report.WriteHTML},
	{"markdown", "a short Markdown summary", report.WriteMarkdown},
}

func (a *app) runCommand() *cobra.Command {
	r := &runner{app: a, files: map[string]*string{}}
	cmd := &cobra.Command{
		Use:   "run [flags] -- COMMAND [ARGS…]",
		Short: "Judge a provider",
		Long: "run starts the provider's program many times, as a server does, and tries every check of the\n" +
			"contract. It prints what did not pass as it comes, and at the end what was expected, what came\n" +
			"instead and the frames around it.\n\n" +
			"The exit status is 0 when every check of level MUST passed or was skipped, 1 when one failed,\n" +
			"2 when the suite itself failed, the arguments are wrong or the program is no provider, and\n" +
			"130 after Ctrl-C, which ends what runs and still prints what there is; a second one does not\n" +
			"wait for the provider.",
		Example: "  codebolt-conformance run --manifest . -- node dist/index.js\n" +
			"  codebolt-conformance run --only LC,FS-031 -- ./my-provider\n" +
			"  codebolt-conformance run --profile node-compat --html report.html --junit junit.xml -- node dist/index.js\n" +
			"  codebolt-conformance run --repeat 10 --skip NT -- ./my-provider",
		Args: func(cmd *cobra.Command, args []string) error {
			if cmd.ArgsLenAtDash() != 0 || len(args) == 0 {
				return errors.New("write the provider's program and its arguments after --, as in: codebolt-conformance run -- node dist/index.js")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return r.run(cmd.Context(), args) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&r.manifest, "manifest", "m", "", "the folder with codeboltprovider.yaml and providers.yaml, or one of the two")
	flags.StringSliceVar(&r.only, "only", nil, "run only these checks and groups, such as LC,FS-031")
	flags.StringSliceVar(&r.skip, "skip", nil, "leave out these checks and groups")
	flags.IntVar(&r.repeat, "repeat", 1, "run everything this often and tell whether all runs had equal results")
	flags.DurationVar(&r.timeout, "timeout", time.Minute, "how long one check may take that says nothing else")
	flags.IntVar(&r.parallel, "parallel", 0, "how many checks run at the same time (default four for each processor)")
	flags.StringVar(&r.profile, "profile", string(suite.Strict), "strict, or node-compat for providers on the Node SDK")
	flags.StringVar(&r.config, "config", "", "a JSON file with settings that every environment gets")
	flags.StringArrayVar(&r.env, "env", nil, "a variable for the provider, as NAME=VALUE; may be repeated")
	flags.StringSliceVar(&r.with, "with", nil, "take these capabilities for declared")
	flags.StringSliceVar(&r.without, "without", nil, "take these capabilities for not declared")
	flags.BoolVar(&r.elsewhere, "elsewhere", false, "agents do not see what is at workspacePath on this machine; checks that work there are skipped")
	flags.StringVar(&r.disk, "disk", "", "a program that prints where on this machine the files of an environment are that is elsewhere; "+
		"it is called with the resource id and the workspacePath")
	flags.StringVar(&r.failOn, "fail-on", "must", "must, or should: a failed check of level SHOULD is a failure too")
	flags.StringVar(&r.frames, "frames", string(suite.KeepFew),
		"which frames reports hold: few (those of checks that did not pass, and the last few of the others), failed (only the former), or all")
	flags.BoolVarP(&r.quiet, "quiet", "q", false, "print only the summary, not what each failure is about")
	for _, f := range formats {
		r.files[f.flag] = flags.String(f.flag, "", "write "+f.what+" to this file; - is the standard output")
	}
	for name, values := range map[string]func() []string{
		"only": a.patterns, "skip": a.patterns, "with": a.capabilities, "without": a.capabilities,
		"profile": func() []string { return []string{string(suite.Strict), string(suite.NodeCompat)} },
		"frames": func() []string {
			return []string{string(suite.KeepFew), string(suite.KeepFailed), string(suite.KeepAll)}
		},
		"fail-on": func() []string { return []string{"must", "should"} },
	} {
		// It fails only for a flag that there is not.
		_ = cmd.RegisterFlagCompletionFunc(name, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return values(), cobra.ShellCompDirectiveNoFileComp
		})
	}
	return cmd
}

// validate finds what is wrong with the flags before anything is started.
func (r *runner) validate() error {
	for _, pattern := range slices.Concat(r.only, r.skip) {
		if !slices.ContainsFunc(r.checks, func(c suite.Check) bool { return c.Selects(pattern) }) {
			return r.unknown(pattern)
		}
	}
	switch {
	case r.profile != string(suite.Strict) && r.profile != string(suite.NodeCompat):
		return fmt.Errorf("--profile %s: write strict or node-compat", r.profile)
	case r.failOn != "must" && r.failOn != "should":
		return fmt.Errorf("--fail-on %s: write must or should", r.failOn)
	case !slices.Contains([]suite.Keep{suite.KeepFew, suite.KeepFailed, suite.KeepAll}, suite.Keep(r.frames)):
		return fmt.Errorf("--frames %s: write few, failed or all", r.frames)
	case r.repeat < 1:
		return fmt.Errorf("--repeat %d: write 1 or more", r.repeat)
	case r.parallel < 0:
		return fmt.Errorf("--parallel %d: write 1 or more", r.parallel)
	case r.timeout < time.Second:
		return fmt.Errorf("--timeout %v: write a second or more, such as 30s", r.timeout)
	}
	return nil
}

func (r *runner) run(ctx context.Context, argv []string) error {
	if err := r.validate(); err != nil {
		return err
	}
	r.human = r.stdout
	for _, name := range r.files {
		if *name == "-" {
			r.human = r.stderr
		}
	}
	target, err := r.subject(argv)
	if err != nil {
		return err
	}
	outputs, err := r.open()
	if err != nil {
		return err
	}
	ctx, caught, release := interruptible(ctx)
	defer release()

	document := &report.Document{Tool: build.Get().Version, Command: hidden(target, argv)}
	declaredBy, err := r.declare(ctx, target)
	if err != nil {
		return err
	}
	for i := range r.repeat {
		if r.repeat > 1 {
			fmt.Fprintf(r.human, "run %d of %d\n", i+1, r.repeat)
		}
		once, err := r.once(ctx, target)
		if once == nil {
			if ctx.Err() != nil {
				break
			}
			return err
		}
		once.DeclaredBy = declaredBy
		once.Program = document.Command[0] // as it was named, not where this machine has it
		document.Runs = append(document.Runs, once)
		if ctx.Err() != nil {
			document.Interrupted = true
			break
		}
		if err != nil {
			return err
		}
	}
	if len(document.Runs) > 0 {
		if err := r.conclude(document, outputs); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		fmt.Fprintln(r.stderr, "codebolt-conformance: interrupted")
		return exitStatus(128 + caught())
	}
	status := document.Status()
	if status == 0 && r.failOn == "should" && document.Totals().FailedShould > 0 {
		status = statusFailed
	}
	if status != 0 {
		return exitStatus(status)
	}
	return nil
}

// once runs the checks once.
func (r *runner) once(ctx context.Context, target *suite.Target) (*suite.Report, error) {
	fresh := *target
	fresh.Capabilities = maps.Clone(target.Capabilities)
	p := r.progress()
	defer p.end()
	return suite.Run(ctx, &fresh, r.checks, suite.Options{
		Profile: suite.Profile(r.profile), Only: r.only, Skip: r.skip, Timeout: r.timeout, Parallel: r.parallel, Keep: suite.Keep(r.frames), Progress: p.event,
	})
}

// conclude prints what there is to say and writes the reports.
func (r *runner) conclude(document *report.Document, outputs []output) error {
	var errs []error
	if !r.quiet {
		for i, run := range document.Runs {
			for j := range run.Results {
				result := &run.Results[j]
				if result.Outcome != suite.Failed && (result.Outcome != suite.Errored || document.Interrupted) {
					continue
				}
				fmt.Fprintln(r.human)
				if len(document.Runs) > 1 {
					fmt.Fprintf(r.human, "run %d: ", i+1)
				}
				errs = append(errs, report.WriteResult(r.human, result))
			}
		}
	}
	fmt.Fprintln(r.human)
	errs = append(errs, report.WriteSummary(r.human, document))
	for _, o := range outputs {
		errs = append(errs, o.finish(document))
	}
	return errors.Join(errs...)
}

// output is a report that was asked for, and the file it goes to.
type output struct {
	flag  string
	write func(io.Writer, *report.Document) error
	to    io.WriteCloser
}

func (o *output) finish(d *report.Document) error {
	err := errors.Join(o.write(o.to, d), o.to.Close())
	if err != nil {
		return fmt.Errorf("--%s: %w", o.flag, err)
	}
	return nil
}

// open makes the files of the reports, so that what cannot be written is known
// before the checks have run.
func (r *runner) open() ([]output, error) {
	var all []output
	for _, f := range formats {
		name := *r.files[f.flag]
		if name == "" {
			continue
		}
		o := output{f.flag, f.write, stays{r.stdout}}
		if name != "-" {
			err := os.MkdirAll(filepath.Dir(name), 0o755)
			if err == nil {
				o.to, err = os.Create(name)
			}
			if err != nil {
				return nil, fmt.Errorf("--%s: %w", f.flag, err)
			}
		}
		all = append(all, o)
	}
	return all, nil
}

// stays is a writer that is not ours to close.
type stays struct{ io.Writer }

func (stays) Close() error { return nil }

// interruptible is a context that the first SIGINT or SIGTERM ends; caught is
// the signal's number. A second one is left to the system.
func interruptible(ctx context.Context) (_ context.Context, caught func() int, release func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			cancel(&interruption{s})
		case <-ctx.Done():
		}
	}()
	caught = func() int {
		var i *interruption
		if errors.As(context.Cause(ctx), &i) && i.signal == syscall.SIGTERM {
			return int(syscall.SIGTERM)
		}
		return int(syscall.SIGINT)
	}
	return ctx, caught, func() { signal.Stop(signals); cancel(nil) }
}

// interruption is the cause of an interrupted context.
type interruption struct{ signal os.Signal }

func (i *interruption) Error() string { return "interrupted: " + i.signal.String() }

// hidden is argv as a report may show it.
func hidden(target *suite.Target, argv []string) []string {
	hide := &redact.Redactor{}
	hide.AddSecrets(target.Config)
	shown := make([]string, 0, len(argv))
	for _, arg := range argv {
		shown = append(shown, hide.String(arg))
	}
	return shown
}
