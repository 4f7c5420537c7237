// Package cli words what is wrong with how a command was written, in the same way for
// every command of a program that cobra reads.
package cli

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// UsageError is about how a command was written; the command's help tells how it is to be.
type UsageError struct {
	Command string // such as "codebolt-providers run"
	Err     error
}

func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap is for package errors.
func (e *UsageError) Unwrap() error { return e.Err }

// ErrNoJSON is the end of commands that print nothing which could be JSON.
var ErrNoJSON = errors.New("there is no JSON of this; leave --json out")

// Tell prints an error that ended a program, and which help to read if the words were wrong.
func Tell(w io.Writer, program string, err error) {
	fmt.Fprintf(w, "%s: %v\n", program, err)
	wrong, ok := errors.AsType[*UsageError](err)
	if !ok && strings.HasPrefix(err.Error(), "unknown command") { // which only cobra knows
		wrong, ok = &UsageError{Command: program}, true
	}
	if ok {
		fmt.Fprintln(w, wrong.Command, "--help shows what there is")
	}
}

// NoArgs refuses arguments of a command that has none.
func NoArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return &UsageError{cmd.CommandPath(), fmt.Errorf("%s takes no arguments, and %q is one", cmd.Name(), args[0])}
	}
	return nil
}

// Exclude makes flags of a command exclude each other. It is put before the command's
// PreRunE, so that this is said before cobra says it in other words.
func Exclude(cmd *cobra.Command, flags ...string) {
	cmd.MarkFlagsMutuallyExclusive(flags...) // for completion
	next := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		set := slices.DeleteFunc(slices.Clone(flags), func(name string) bool { return !cmd.Flags().Changed(name) })
		if len(set) > 1 {
			return &UsageError{cmd.CommandPath(), fmt.Errorf("--%s exclude each other; leave all but one out", strings.Join(set, " and --"))}
		}
		if next != nil {
			return next(cmd, args)
		}
		return nil
	}
}

// Complete adds cobra's own commands to a root that has its others: help and completion,
// which then refuse words that they do not know. asJSON tells whether JSON is asked for.
func Complete(root *cobra.Command, asJSON func() bool) {
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return &UsageError{cmd.CommandPath(), err} })
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, cmd := range root.Commands() {
		switch cmd.Name() {
		case "help":
			cmd.Run, cmd.PersistentPreRun = nil, nil
			cmd.RunE = func(_ *cobra.Command, args []string) error {
				if asJSON() {
					return ErrNoJSON
				}
				about, rest, err := root.Find(args)
				if err != nil || len(rest) > 0 {
					return &UsageError{root.CommandPath(), fmt.Errorf("there is no command %q", strings.Join(args, " "))}
				}
				return about.Help()
			}
		case "completion":
			var shells []string
			for _, shell := range cmd.Commands() {
				shell.Args = NoArgs
				shell.PreRunE = func(*cobra.Command, []string) error {
					if asJSON() {
						return ErrNoJSON
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
