package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/codeboltai/codebolt-providers/cmd/internal/cli"
	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/shared/gitrepo"
	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// removal is the outcome of a removal, as a provider tells it.
type removal struct {
	Removed  bool     `json:"removed"`
	Holds    []string `json:"holds,omitzero"`
	Recovery []string `json:"recovery,omitzero"`
}

// listed is an environment as list and show tell it.
type listed struct {
	Name       string           `json:"name"`
	Provider   string           `json:"provider"`
	ResourceID string           `json:"resourceId,omitzero"`
	State      string           `json:"state"` // open, kept, gone or never opened
	Path       string           `json:"path,omitzero"`
	Created    time.Time        `json:"created"`
	Record     *resource.Record `json:"record,omitzero"` // show only
}

// describe tells how an environment stands, from its ownership record.
func describe(store *resource.Store, k server.Known) listed {
	l := listed{Name: k.Name, Provider: k.ProviderName, ResourceID: k.ResourceID, Created: k.Created, State: "never opened"}
	id, err := resource.ParseID(k.ResourceID)
	if err != nil {
		return l
	}
	rec, err := store.Get(id)
	if err != nil {
		l.State = "gone"
		return l
	}
	l.Record, l.Path, l.State = rec, rec.Path, "kept"
	if _, err := os.Stat(rec.Path); err != nil {
		l.State = "gone"
	}
	if leased, err := store.Leased(id); err == nil && leased {
		l.State = "open"
	}
	return l
}

func openStore() (*resource.Store, error) {
	dir, err := resource.StateDir()
	if err != nil {
		return nil, err
	}
	return resource.OpenStore(dir)
}

func (a *app) listCommand() *cobra.Command {
	var providers bool
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the project's environments, or the providers there are", Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if providers {
				return a.listProviders(cmd.Context())
			}
			s, err := a.open()
			if err != nil {
				return err
			}
			defer s.close()
			store, err := openStore()
			if err != nil {
				return err
			}
			all := []listed{}
			known, err := s.Known()
			if err != nil {
				return err
			}
			for _, k := range known {
				l := describe(store, k)
				l.Record = nil
				all = append(all, l)
			}
			if a.json {
				return a.printJSON(all)
			}
			if len(all) == 0 {
				_, err := fmt.Fprintln(a.stdout, "no environments; make one with: codebolt-providers run PROVIDER -- COMMAND")
				return err
			}
			tw := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(tw, "NAME\tPROVIDER\tSTATE\tCREATED\tPATH")
			for _, l := range all {
				fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", printable(l.Name), l.Provider, l.State, l.Created.Local().Format("2006-01-02 15:04"), l.Path)
			}
			return tw.Flush()
		},
	}
	cmd.Flags().BoolVar(&providers, "providers", false, "the providers that come with this program, and which are installed where")
	return cmd
}

// known calls f with an environment that is on record.
func (a *app) known(name string, f func(*session, server.Known) error) error {
	s, err := a.open()
	if err != nil {
		return err
	}
	defer s.close()
	k, err := s.known(name)
	if err != nil {
		return err
	}
	return f(s, k)
}

// opened calls f with one that has been opened, which is what a provider's program
// can be asked about.
func (a *app) opened(name string, f func(server.Known) error) error {
	return a.known(name, func(_ *session, k server.Known) error {
		if _, err := resource.ParseID(k.ResourceID); err != nil {
			return fmt.Errorf("the environment %s was never opened; there is nothing of it yet", printable(k.Name))
		}
		return f(k)
	})
}

func (a *app) showCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show one environment", Args: oneName,
		RunE: func(_ *cobra.Command, args []string) error {
			var l listed
			err := a.known(args[0], func(_ *session, k server.Known) error {
				store, err := openStore()
				if err == nil {
					l = describe(store, k)
				}
				return err
			})
			if err != nil {
				return err
			}
			if a.json {
				return a.printJSON(l)
			}
			tw := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintf(tw, "name\t%s\nprovider\t%s\nstate\t%s\ncreated\t%s\nresource\t%s\npath\t%s\n",
				printable(l.Name), l.Provider, l.State, l.Created.Local().Format(time.DateTime), l.ResourceID, l.Path)
			if l.Record != nil {
				var d struct {
					Branch  string `json:"branch"`
					BaseOID string `json:"baseOid"`
				}
				if wire.Unmarshal(l.Record.Details, &d) == nil && d.Branch != "" {
					fmt.Fprintf(tw, "branch\t%s\nbase\t%s\n", d.Branch, d.BaseOID)
				}
			}
			return tw.Flush()
		},
	}
}

func oneName(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return errors.New("name one environment; codebolt-providers list shows them")
	}
	return nil
}

func (a *app) diffCommand() *cobra.Command {
	var stat, patch bool
	cmd := &cobra.Command{
		Use: "diff NAME", Short: "Show everything that changed in an environment, committed or not", Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.open()
			if err != nil {
				return err
			}
			defer s.close()
			return s.look(cmd.Context(), args[0], func(e *server.Environment) error {
				if patch {
					text, err := patchOf(cmd.Context(), e)
					switch {
					case err != nil:
						return err
					case a.json:
						return a.printJSON(map[string]string{"patch": text})
					}
					_, err = io.WriteString(a.stdout, text)
					return err
				}
				changes, err := diff(cmd.Context(), e)
				switch {
				case err != nil:
					return err
				case a.json:
					return a.printJSON(changes)
				case stat:
					return summary(a.stdout, changes)
				}
				if changes.Truncated {
					fmt.Fprintln(a.stderr, "the diff is cut short; --patch gives all of it")
				}
				_, err = io.WriteString(a.stdout, changes.RawDiff)
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&stat, "stat", false, "one line a file")
	cmd.Flags().BoolVar(&patch, "patch", false, "a patch for git apply, whole and with binary files")
	cli.Exclude(cmd, "stat", "patch")
	return cmd
}

// patchOf asks for the environment's changes as one patch.
func patchOf(ctx context.Context, e *server.Environment) (patch string, err error) {
	answer, err := e.Call(ctx, map[string]any{"type": wire.TypeMergeAsPatch})
	if err == nil {
		err = answer.Reply.Result(&patch)
	}
	if err != nil {
		return "", fmt.Errorf("ask for a patch: %w", err)
	}
	return patch, nil
}

// apply puts the environment's changes into the project, all or nothing.
func (s *session) apply(ctx context.Context, e *server.Environment, spec gitrepo.ApplySpec) (bytes int, err error) {
	patch, err := patchOf(ctx, e)
	if err != nil {
		return 0, err
	}
	if patch == "" {
		return 0, nil
	}
	if err := gitrepo.Apply(ctx, s.project, patch, spec); err != nil {
		return 0, fmt.Errorf("%w\nnothing was changed there; commit or stash what is in the way, or take the patch by hand: %s", err, s.app.hint("diff --patch", e.Name()))
	}
	return len(patch), nil
}

func (a *app) applyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "apply NAME", Short: "Put an environment's changes into the project", Args: oneName,
		Long: "apply puts everything that changed in the environment into the project's files, uncommitted.\n" +
			"It changes nothing when a file it would touch has changes there, or when the patch does not fit.",
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.open()
			if err != nil {
				return err
			}
			defer s.close()
			return s.look(cmd.Context(), args[0], func(e *server.Environment) error {
				changes, err := diff(cmd.Context(), e)
				if err != nil {
					return err
				}
				n, err := s.apply(cmd.Context(), e, gitrepo.ApplySpec{})
				switch {
				case err != nil:
					return err
				case a.json:
					return a.printJSON(map[string]any{"applied": n > 0, "summary": changes.Summary})
				}
				return summary(a.stdout, changes)
			})
		},
	}
}

func (a *app) removeCommand() *cobra.Command {
	var snapshot bool
	cmd := &cobra.Command{
		Use: "remove NAME", Aliases: []string{"rm"}, Short: "Remove an environment, unless work would be lost", Args: oneName,
		Long: "remove removes an environment. It refuses while the environment holds work that exists nowhere\n" +
			"else: uncommitted, untracked or ignored files, or commits that nothing leads to. With --snapshot\n" +
			"such work is kept in a snapshot, and what is printed tells how to get it back.",
		RunE: func(cmd *cobra.Command, args []string) error {
			var out *removal
			err := a.known(args[0], func(s *session, k server.Known) (err error) {
				out, err = s.startAndRemove(cmd.Context(), k, snapshot)
				return err
			})
			if err != nil {
				return err
			}
			if a.json {
				err = a.printJSON(out)
			} else {
				printRemoval(a.stdout, args[0], out)
			}
			if err == nil && !out.Removed {
				return &statusError{status: 1}
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&snapshot, "snapshot", false, "keep what would be lost in a snapshot, and remove")
	return cmd
}

// startAndRemove starts the provider of an environment that is not open, to have
// it removed.
func (s *session) startAndRemove(ctx context.Context, k server.Known, snapshot bool) (*removal, error) {
	e, err := s.prepare(k, nil, nil)
	if err != nil {
		return nil, err
	}
	if k.ResourceID == "" {
		return &removal{Removed: true}, e.Delete(ctx) // it was never opened
	}
	if _, err := e.Start(ctx); err != nil {
		out, rerr := s.removeRest(ctx, k)
		if out == nil {
			return nil, errors.Join(s.explain(err), rerr)
		}
		return out, e.Delete(ctx)
	}
	policy := "removeIfClean"
	if snapshot {
		policy = "snapshotAndRemove"
	}
	return s.remove(ctx, e, policy)
}

// removeRest removes what is left of an environment that cannot be started because
// its directory is gone: the provider's gc finishes it like a removal that was
// interrupted. It returns nil when there is a directory, or when that failed.
func (s *session) removeRest(ctx context.Context, k server.Known) (*removal, error) {
	store, err := openStore()
	if err != nil {
		return nil, err
	}
	rec, err := store.Get(resource.ID(k.ResourceID))
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // there is nothing on record; why it did not start is the answer
	}
	if _, err := os.Lstat(rec.Path); !errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // it is there
	}
	if leased, err := store.Leased(rec.Resource); err != nil || leased {
		return nil, err // some process is at it
	}
	p, err := s.app.find(k.ProviderName)
	if err != nil {
		return nil, err
	}
	program, err := p.program()
	if err != nil {
		return nil, err
	}
	phase := rec.Phase
	rec.Phase = provider.PhaseRemoving
	if err := store.Update(rec); err != nil {
		return nil, err
	}
	found, err := reap(ctx, program, s.app.asks(k.ProviderName), false)
	for _, o := range found {
		if o.Resource == k.ResourceID && o.Removed {
			return &removal{Removed: true}, nil
		}
	}
	rec.Phase = phase
	return nil, errors.Join(err, store.Update(rec))
}

// remove stops an open environment under a policy, and forgets it when it is
// gone.
func (s *session) remove(ctx context.Context, e *server.Environment, policy string) (*removal, error) {
	out := &removal{}
	answer, err := e.Stop(ctx, policy)
	if err == nil {
		err = answer.Reply.Result(out)
	}
	if err != nil {
		return nil, fmt.Errorf("remove the environment: %w", err)
	}
	if out.Removed {
		err = e.Delete(ctx)
	}
	return out, err
}

func printRemoval(w io.Writer, name string, r *removal) {
	if r.Removed {
		fmt.Fprintf(w, "removed %s\n", printable(name))
	} else {
		fmt.Fprintf(w, "%s is kept, because it holds what exists nowhere else:\n", printable(name))
		advice := "apply or push it first, or remove with --snapshot"
		for _, hold := range r.Holds {
			fmt.Fprintln(w, "  -", hold)
			if strings.HasPrefix(hold, "a snapshot cannot hold") {
				advice = "push it or move it elsewhere first"
			}
		}
		fmt.Fprintln(w, advice)
	}
	for _, line := range r.Recovery {
		fmt.Fprintln(w, "to get it back:", line)
	}
}
