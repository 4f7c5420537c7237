// Command codebolt-conformance judges an environment provider, in whatever
// language it is written: it starts the provider's program as a Codebolt server
// does, tries every check of the contract, and writes reports.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/codeboltai/codebolt-providers/cmd/internal/cli"
	"github.com/codeboltai/codebolt-providers/conformance/agent"
	"github.com/codeboltai/codebolt-providers/conformance/checks"
	"github.com/codeboltai/codebolt-providers/conformance/report"
	"github.com/codeboltai/codebolt-providers/conformance/runtime"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
	"github.com/codeboltai/codebolt-providers/shared/build"
)

func main() {
	os.Exit(command(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// The exit statuses, beside that of a signal.
const (
	statusFailed = 1 // a check failed
	statusError  = 2 // the suite, its arguments, or what it was given is wrong
)

// exitStatus makes the program exit with a status; there is nothing more to
// say.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("status %d", int(s)) }

// command runs the program and returns its exit status.
func command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := rootCommand(stdout, stderr)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var status exitStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	}
	wrong, ok := errors.AsType[*cli.UsageError](err)
	err = errors.New(report.Visible(err.Error()))
	if ok {
		err = &cli.UsageError{Command: wrong.Command, Err: err}
	}
	cli.Tell(stderr, root.Name(), err)
	return statusError
}

// app is what all subcommands share.
type app struct {
	stdout, stderr io.Writer
	checks         []suite.Check
}

func rootCommand(stdout, stderr io.Writer) *cobra.Command {
	a := &app{stdout: stdout, stderr: stderr, checks: checks.All()}
	root := &cobra.Command{
		Use:   "codebolt-conformance",
		Short: "Judge any Codebolt environment provider",
		Long: "codebolt-conformance starts a provider's program, in whatever language it is written, as a\n" +
			"Codebolt server does, tries every check of the contract, and tells what is not as it must be.",
		Example: "  codebolt-conformance run --manifest . -- node dist/index.js\n" +
			"  codebolt-conformance run --html report.html -- ./my-provider\n" +
			"  codebolt-conformance explain FS-001",
		SilenceUsage: true, SilenceErrors: true, Version: build.Get().String(),
	}
	root.SetVersionTemplate("{{.DisplayName}} {{.Version}}\n")
	root.AddCommand(a.runCommand(), a.listCommand(), a.explainCommand(), a.versionCommand(), a.agentServerCommand(), a.agentCommand())
	cli.Complete(root, func() bool { return false }) // there is no such flag for all
	return root
}

func (a *app) versionCommand() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use: "version", Short: "Print the version", Args: cli.NoArgs,
		RunE: func(*cobra.Command, []string) error { return build.Print(a.stdout, "codebolt-conformance", asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// agentServer is the subcommand in which this program plays the agent server
// that checks have a provider start.
const agentServer = "agentserver"

// agentWord is the subcommand in which this program is the agent that checks have a
// provider start.
const agentWord = "agent"

func (a *app) agentCommand() *cobra.Command {
	return &cobra.Command{
		Use: agentWord, Hidden: true, Args: cli.NoArgs, Short: "Be an agent, for checks",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if status := agent.Main(cmd.Context(), a.stdout, a.stderr); status != 0 {
				return exitStatus(status)
			}
			return nil
		},
	}
}

func (a *app) agentServerCommand() *cobra.Command {
	return &cobra.Command{
		Use: agentServer, Hidden: true, DisableFlagParsing: true, Short: "Play an agent server, for checks",
		RunE: func(cmd *cobra.Command, args []string) error {
			if status := runtime.Main(cmd.Context(), args, a.stdout, a.stderr); status != 0 {
				return exitStatus(status)
			}
			return nil
		},
	}
}
