// Command codebolt-providers runs commands and agents in environments of their
// own, through the real provider programs, and looks after what they leave.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/spf13/cobra"

	"github.com/codeboltai/codebolt-providers/cmd/internal/cli"
	"github.com/codeboltai/codebolt-providers/shared/build"
)

func main() {
	if filepath.Base(os.Args[0]) == askpassName {
		os.Exit(askpass(os.Args, os.Getenv, os.Stdout, os.Stderr))
	}
	os.Exit(command(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}

// statusOwn is the exit status when it is not the agent's: something of ours
// failed. 126 and 127 mean that the agent's command could not be run, as with a
// shell.
const statusOwn = 125

// statusError makes the program exit with a status.
type statusError struct {
	status int
	err    error // nil: there is nothing more to say
}

func (e *statusError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("status %d", e.status)
	}
	return e.err.Error()
}

func (e *statusError) Unwrap() error { return e.err }

// command runs the program and returns its exit status.
func command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	a := &app{stdout: stdout, stderr: stderr}
	defer func() { a.asker.close() }()
	root := a.rootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var status *statusError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		if status.err != nil {
			fmt.Fprintln(stderr, "codebolt-providers:", status.err)
		}
		return status.status
	}
	cli.Tell(stderr, root.Name(), err)
	return statusOwn
}

// app is what all subcommands share.
type app struct {
	stdout, stderr io.Writer
	project        string
	json           bool
	verbose        bool
	record         string

	askerOnce sync.Once
	asker     *asker // nil until a provider may ask, and where nobody can be asked
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "codebolt-providers",
		Short: "Run commands and agents in environments of their own, and install providers",
		Long: "codebolt-providers runs any command or agent in an environment of its own, such as a\n" +
			"git worktree or a container, and shows what it changed. It starts the provider programs as a Codebolt\n" +
			"server does, and installs them where such a server finds them.",
		SilenceUsage: true, SilenceErrors: true, Version: build.Get().String(),
	}
	root.SetVersionTemplate("{{.DisplayName}} {{.Version}}\n")
	root.PersistentFlags().StringVarP(&a.project, "project", "p", ".", "the project's directory")
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON")
	root.PersistentFlags().BoolVarP(&a.verbose, "verbose", "v", false, "show the providers' logs")
	root.PersistentFlags().StringVar(&a.record, "record", "", "append every frame between server and provider to this file")
	root.AddCommand(a.runCommand(), a.listCommand(), a.showCommand(), a.diffCommand(), a.applyCommand(), a.removeCommand(), a.logsCommand(), a.shellCommand(), a.topCommand(), a.snapshotCommand(), a.snapshotsCommand(), a.gcCommand(), a.doctorCommand(),
		a.installCommand(), a.configureCommand(), a.upgradeCommand(), a.uninstallCommand(), a.verifyCommand(), a.newCommand(), a.packageCommand(),
		&cobra.Command{
			Use: "version", Short: "Print the version", Args: cli.NoArgs,
			RunE: func(*cobra.Command, []string) error { return build.Print(a.stdout, "codebolt-providers", a.json) },
		})
	cli.Complete(root, func() bool { return a.json })
	return root
}
