package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/codeboltai/codebolt-providers/manifests"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// usageError is about how a command was written; its help tells how it is to be.
type usageError struct {
	command string // "codebolt-providers run"
	err     error
}

func (e *usageError) Error() string { return e.err.Error() }

func (e *usageError) Unwrap() error { return e.err }

// noArgs refuses arguments of a command that has none.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return &usageError{cmd.CommandPath(), fmt.Errorf("%s takes no arguments, and %q is one", cmd.Name(), args[0])}
	}
	return nil
}

// exclusive refuses flags that cannot be together. It is called before cobra looks, which
// says the same in words of its own.
func exclusive(cmd *cobra.Command, flags ...string) error {
	set := slices.DeleteFunc(slices.Clone(flags), func(name string) bool { return !cmd.Flags().Changed(name) })
	if len(set) > 1 {
		return &usageError{cmd.CommandPath(), fmt.Errorf("--%s exclude each other; leave all but one out", strings.Join(set, " and --"))}
	}
	return nil
}

// exclude makes a command's flags exclude each other.
func exclude(cmd *cobra.Command, flags ...string) {
	cmd.MarkFlagsMutuallyExclusive(flags...) // for completion
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error { return exclusive(cmd, flags...) }
}

// ownCommands adds the commands that cobra has, help and completion, which do not take words that they
// do not know for others.
func (a *app) ownCommands(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Run, cmd.PersistentPreRun = nil, nil
			cmd.RunE = func(_ *cobra.Command, args []string) error {
				if a.json {
					return errNoJSON
				}
				about, rest, err := root.Find(args)
				if err != nil || len(rest) > 0 {
					return &usageError{root.CommandPath(), fmt.Errorf("there is no command %q", strings.Join(args, " "))}
				}
				return about.Help()
			}
		case "completion":
			var shells []string
			for _, shell := range cmd.Commands() {
				shell.Args = noArgs
				shell.PreRunE = func(*cobra.Command, []string) error {
					if a.json {
						return errNoJSON
					}
					return nil
				}
				shells = append(shells, shell.Name())
			}
			cmd.Args = func(*cobra.Command, []string) error {
				return fmt.Errorf("name a shell: one of %s", strings.Join(shells, ", "))
			}
			cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		}
	}
}

// loadManifest is the manifest of a provider that comes with this program, by its name.
func loadManifest(name string) (m *manifest.Manifest, folder string, err error) {
	m, folder, err = manifests.Load(name)
	if wire.CodeOf(err) == wire.NotFound {
		hint := ""
		if near, ok := manifest.Nearest(name, providerNames()); ok {
			hint = "; did you mean " + near + "?"
		}
		err = fmt.Errorf("there is no provider %q; there are: %s%s", name, strings.Join(providerNames(), ", "), hint)
	}
	return m, folder, err
}

var errNoJSON = errors.New("there is no JSON of this; leave --json out")
