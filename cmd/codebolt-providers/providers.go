package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/codeboltai/codebolt-providers/manifests"
	"github.com/codeboltai/codebolt-providers/shared/install"
)

// offered is one provider that there is, or that is installed.
type offered struct {
	Name        string             `json:"name"`
	UniqueID    string             `json:"uniqueId,omitzero"`
	Description string             `json:"description,omitzero"`
	Version     string             `json:"version,omitzero"` // of what comes with this program
	Program     string             `json:"program,omitzero"` // that this program runs and installs
	Project     *install.Installed `json:"project,omitzero"`
	User        *install.Installed `json:"user,omitzero"`
}

// listProviders lists the providers that come with this program and those that are
// installed in the project or for the user.
func (a *app) listProviders(ctx context.Context) error {
	all := []*offered{}
	for _, entry := range manifests.All() {
		m := entry.Manifest
		o := &offered{Name: m.Name, UniqueID: m.UniqueID, Description: m.Description, Version: m.Version}
		if program, err := providerProgram(entry.Folder); err == nil {
			o.Program = program
		}
		all = append(all, o)
	}
	named := func(name string) *offered {
		for _, o := range all {
			if o.Name == name {
				return o
			}
		}
		all = append(all, &offered{Name: name})
		return all[len(all)-1]
	}
	for _, p := range []place{{app: a}, {app: a, global: true}} {
		folder, err := p.folder()
		if err != nil {
			return err
		}
		installed, err := folder.List(ctx)
		if err != nil {
			return err
		}
		for _, there := range installed {
			if p.global {
				named(there.Name).User = there
			} else {
				named(there.Name).Project = there
			}
		}
	}
	if a.json {
		return a.printJSON(all)
	}
	tw := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "NAME\tVERSION\tPROJECT\tUSER\tDESCRIPTION")
	for _, o := range all {
		has := o.Version
		if o.Version != "" && o.Program == "" {
			has += " (no program)"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", printable(o.Name), orDash(has), health(o.Project), health(o.User), o.Description)
	}
	return tw.Flush()
}

// health tells in a word or two how an installed provider stands.
func health(there *install.Installed) string {
	switch {
	case there == nil:
		return "-"
	case there.Foreign != "":
		return strings.TrimSpace(there.Version + " (not ours)")
	case len(there.Problems) > 0:
		return strings.TrimSpace(there.Version + " (changed)")
	default:
		return there.Version
	}
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
