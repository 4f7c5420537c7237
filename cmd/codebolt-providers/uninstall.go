package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/codeboltai/codebolt-providers/shared/install"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// uninstalled is what became of one provider.
type uninstalled struct {
	Name string `json:"name"`
	Dir  string `json:"dir"`
	Kept string `json:"kept,omitzero"`
}

func (a *app) uninstallCommand() *cobra.Command {
	p := &place{app: a}
	var force bool
	cmd := &cobra.Command{
		Use: "uninstall PROVIDER…", Short: "Remove installed providers, unless environments of theirs are open",
		Long: "uninstall removes providers that were installed with this program. It refuses while environments of\n" +
			"theirs are open, and when somebody has changed them; --force removes them all the same, and keeps\n" +
			"what was changed. Environments and their files stay, for the provider installed anew.",
		Args: someProviders("to remove"),
		RunE: func(cmd *cobra.Command, args []string) error { return p.uninstall(cmd.Context(), args, force) },
	}
	p.flag(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "also with open environments, and what was changed, which is kept elsewhere")
	return cmd
}

func (p *place) uninstall(ctx context.Context, names []string, force bool) error {
	folder, err := p.folder()
	if err != nil {
		return err
	}
	chosen, err := installedOf(ctx, folder, names)
	if err != nil {
		return err
	}
	done := []uninstalled{}
	var errs []error
	for _, there := range chosen {
		err := p.inUse(there)
		if force {
			err = nil
		}
		var kept string
		if err == nil {
			kept, err = folder.Uninstall(ctx, there.Name, force)
		}
		if err == nil {
			err = folder.Unregister(ctx, there.UniqueID)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("uninstall %s: %w", there.Name, err))
			continue
		}
		done = append(done, uninstalled{there.Name, there.Dir, kept})
		if p.json {
			continue
		}
		fmt.Fprintf(p.stdout, "removed %s from %s\n", there.Name, filepath.Dir(there.Dir))
		if kept != "" {
			fmt.Fprintf(p.stdout, "it is kept in %s\n", kept)
		}
	}
	if p.json {
		errs = append(errs, p.printJSON(done))
	}
	return errors.Join(errs...)
}

// inUse is an error while environments of an installed provider are open: of the
// project or, for one that is for all of them, of any.
func (p *place) inUse(there *install.Installed) error {
	if there.UniqueID == "" {
		return nil // what it is nobody knows, and Uninstall refuses it
	}
	store, err := openStore()
	if err != nil {
		return err
	}
	records, err := store.List()
	if err != nil {
		return err
	}
	base, err := p.base()
	if err != nil {
		return err
	}
	var open []string
	for _, rec := range records {
		if rec.Provider != there.UniqueID || !p.global && !sameFolder(rec.ProjectPath, base) {
			continue
		}
		if leased, err := store.Leased(rec.Resource); err != nil || leased {
			open = append(open, printable(rec.EnvironmentName))
		}
	}
	if len(open) > 0 {
		return wire.Errorf(wire.Conflict, "there are open environments: %s; stop them first, or use --force", strings.Join(open, ", "))
	}
	return nil
}

// sameFolder reports whether two paths lead to one folder, which need not be there any
// more.
func sameFolder(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return filepath.Clean(a) == filepath.Clean(b)
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}
