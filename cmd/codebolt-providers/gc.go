package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/codeboltai/codebolt-providers/cmd/internal/cli"
)

// orphan is what a provider's gc tells of; only what is shown of it.
type orphan struct {
	Provider string `json:"provider"`
	Resource string `json:"resource,omitzero"`
	What     string `json:"what"`
	Where    string `json:"where"`
	Removed  bool   `json:"removed"`
	Kept     string `json:"kept,omitzero"`
	Problem  string `json:"problem,omitzero"`
}

func (a *app) gcCommand() *cobra.Command {
	var dryRun bool
	cmd := &cobra.Command{
		Use: "gc", Short: "Remove what interrupted starts and removals left behind", Args: cli.NoArgs,
		Long: "gc asks every provider, those of this program and those that are installed in the project or for the\n" +
			"user, for what it left behind that nothing owns any more, and has it removed, unless it holds work. It\n" +
			"looks at all projects of this machine.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			found := []orphan{}
			var errs []error
			providers, err := a.all()
			if err != nil {
				return err
			}
			for _, p := range providers {
				program, err := p.program()
				if err != nil {
					continue // it has none for this machine
				}
				more, err := reap(cmd.Context(), program, a.asks(p.Name), dryRun)
				if err != nil {
					errs = append(errs, fmt.Errorf("%s: %w", p.Name, err))
				}
				for _, o := range more {
					o.Provider = p.Name
					found = append(found, o)
				}
			}
			if a.json {
				errs = append(errs, a.printJSON(found))
				return errors.Join(errs...)
			}
			for _, o := range found {
				state := "would be removed"
				switch {
				case o.Removed:
					state = "removed"
				case o.Kept != "":
					state = "kept: " + o.Kept
				case o.Problem != "":
					state = "not removed: " + o.Problem
				}
				fmt.Fprintf(a.stdout, "%s: %s %s: %s\n", o.Provider, o.What, printable(o.Where), state)
			}
			if len(found) == 0 && len(errs) == 0 {
				fmt.Fprintln(a.stdout, "nothing is left behind")
			}
			return errors.Join(errs...)
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only tell")
	return cmd
}

func reap(ctx context.Context, program string, environ []string, dryRun bool) ([]orphan, error) {
	args := []string{"gc", "--json"}
	if dryRun {
		args = append(args, "--dry-run")
	}
	var out, problem bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), environ...)
	cmd.Stdout, cmd.Stderr = &out, &problem
	err := cmd.Run()
	var found []orphan
	if fail := json.Unmarshal(out.Bytes(), &found); fail != nil && err == nil {
		err = fail
	}
	if err != nil {
		err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(problem.Bytes()))
	}
	return found, err
}
