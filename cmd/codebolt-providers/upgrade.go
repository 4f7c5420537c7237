package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/codeboltai/codebolt-providers/shared/install"
)

func (a *app) upgradeCommand() *cobra.Command {
	i := &installation{place: place{app: a}}
	cmd := &cobra.Command{
		Use: "upgrade [PROVIDER…]", Short: "Install again what is installed, from where it came",
		Long: "upgrade installs providers again from where each came: beside this program, a folder, an archive\n" +
			"or an address. Without names it does so for all that were installed with this program.",
		RunE: func(cmd *cobra.Command, args []string) error { return i.upgrade(cmd.Context(), args) },
	}
	i.flag(cmd)
	cmd.Flags().BoolVar(&i.force, "force", false, "replace what was changed as well; it is kept elsewhere")
	return cmd
}

func (i *installation) upgrade(ctx context.Context, names []string) error {
	folder, err := i.folder()
	if err != nil {
		return err
	}
	chosen, err := installedOf(ctx, folder, names)
	if err != nil {
		return err
	}
	done := []install.Change{}
	var errs []error
	for _, there := range chosen {
		if there.Foreign != "" {
			if len(names) > 0 {
				errs = append(errs, fmt.Errorf("upgrade %s: %s", there.Name, there.Foreign))
			}
			continue
		}
		one := *i
		if !strings.HasPrefix(there.Source, "codebolt-providers ") {
			one.from = there.Source
		}
		change, err := one.install(ctx, folder, there.Name)
		if err != nil {
			errs = append(errs, fmt.Errorf("upgrade %s: %w", there.Name, err))
			continue
		}
		done = append(done, change)
		if !i.json {
			i.tell(change)
		}
	}
	switch {
	case i.json:
		errs = append(errs, i.printJSON(done))
	case len(done) == 0 && len(errs) == 0:
		fmt.Fprintln(i.stdout, "nothing is installed here; codebolt-providers install does")
	}
	return errors.Join(errs...)
}

// installedOf finds installed providers by any of their names; none means all.
func installedOf(ctx context.Context, folder install.Folder, names []string) ([]*install.Installed, error) {
	all, err := folder.List(ctx)
	if err != nil || len(names) == 0 {
		return all, err
	}
	var chosen []*install.Installed
	var there []string
	for _, one := range all {
		there = append(there, one.Name)
	}
next:
	for _, name := range names {
		for _, one := range all {
			if one.Name == name || one.Manifest != nil && one.Manifest.AnswersTo(name) {
				chosen = append(chosen, one)
				continue next
			}
		}
		if len(there) == 0 {
			return nil, fmt.Errorf("%s is not installed in %s; nothing is", name, folder.Dir(""))
		}
		return nil, fmt.Errorf("%s is not installed in %s; there is %s", name, folder.Dir(""), strings.Join(there, ", "))
	}
	return chosen, nil
}
