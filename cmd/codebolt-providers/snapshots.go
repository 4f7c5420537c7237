package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/codeboltai/codebolt-providers/cmd/internal/cli"
	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/resource"
)

func (a *app) snapshotCommand() *cobra.Command {
	return &cobra.Command{
		Use: "snapshot NAME", Short: "Keep what an environment holds, for others to begin with", Args: oneName,
		Long: "snapshot keeps what an environment holds now: its files, committed or not, and of a container also\n" +
			"what was installed in it. The environment goes on as it was. What is printed is the id of the\n" +
			"snapshot; any number of environments can begin with it.",
		Example: "  id=$(codebolt-providers snapshot prepared)\n" +
			"  codebolt-providers run docker --from \"$id\" -- my-agent \"fix the bug\"",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.opened(args[0], func(k server.Known) error {
				argv := []string{"snapshot", k.ResourceID}
				if a.json {
					argv = []string{"snapshot", "--json", k.ResourceID}
				}
				return a.provider(cmd, k.ProviderName, argv...)
			})
		},
	}
}

// provider runs a provider's program, which says by itself what is to be said.
func (a *app) provider(cmd *cobra.Command, name string, argv ...string) error {
	return a.providerTo(cmd, a.stdout, name, argv...)
}

// providerTo is provider with what it prints going elsewhere.
func (a *app) providerTo(cmd *cobra.Command, stdout io.Writer, name string, argv ...string) error {
	p, err := a.find(name)
	if err != nil {
		return err
	}
	program, err := p.program()
	if err != nil {
		return err
	}
	run := exec.CommandContext(cmd.Context(), program, argv...)
	run.Env = append(os.Environ(), a.asks(name)...)
	run.Stdout, run.Stderr = stdout, a.stderr
	return passedOn(run.Run())
}

// kept is a snapshot as it is listed.
type kept struct {
	ID       resource.ID `json:"id"`
	Of       string      `json:"of"` // the environment's name
	Provider string      `json:"provider"`
	State    string      `json:"state"`
	Project  string      `json:"project"`
	Created  time.Time   `json:"created"`
}

func (a *app) snapshotsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "snapshots", Short: "List the snapshots that environments can begin with", Args: cli.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			all, err := keptSnapshots()
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(all)
			}
			if len(all) == 0 {
				_, err := fmt.Fprintln(a.stdout, "no snapshots; make one with: codebolt-providers snapshot NAME")
				return err
			}
			tw := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(tw, "ID\tOF\tPROVIDER\tSTATE\tCREATED\tPROJECT")
			for _, k := range all {
				fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\n", k.ID, printable(k.Of), k.Provider, k.State, k.Created.Local().Format("2006-01-02 15:04"), printable(k.Project))
			}
			return tw.Flush()
		},
	}
	cmd.AddCommand(&cobra.Command{
		Use: "remove ID", Aliases: []string{"rm"}, Short: "Remove a snapshot that no environment needs any more",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("name one snapshot by its id; codebolt-providers snapshots lists them")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			all, err := keptSnapshots()
			if err != nil {
				return err
			}
			at := slices.IndexFunc(all, func(k kept) bool { return string(k.ID) == args[0] })
			if at < 0 {
				return fmt.Errorf("there is no snapshot %s; codebolt-providers snapshots lists them", printable(args[0]))
			}
			err = a.provider(cmd, all[at].Provider, "snapshot", "--drop", args[0])
			switch {
			case err != nil:
				return err
			case a.json:
				return a.printJSON(map[string]any{"id": args[0], "removed": true})
			}
			_, err = fmt.Fprintln(a.stdout, "removed", args[0])
			return err
		},
	})
	return cmd
}

// keptSnapshots are the snapshots of this machine, the oldest first.
func keptSnapshots() ([]kept, error) {
	store, err := openStore()
	if err != nil {
		return nil, err
	}
	snapshots, err := provider.Snapshots(store)
	if err != nil {
		return nil, err
	}
	records, err := snapshots.List()
	all := make([]kept, 0, len(records))
	for _, rec := range records {
		all = append(all, kept{ID: rec.Resource, Of: rec.EnvironmentName, Provider: rec.Provider, State: rec.Phase, Project: rec.ProjectPath, Created: rec.Created})
	}
	slices.SortFunc(all, func(a, b kept) int { return a.Created.Compare(b.Created) })
	return all, err
}
