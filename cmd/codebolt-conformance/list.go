package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/codeboltai/codebolt-providers/cmd/internal/cli"
	"github.com/codeboltai/codebolt-providers/conformance/report"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
)

// listed is a check as list --json tells it.
type listed struct {
	ID      string             `json:"id"`
	Group   string             `json:"group"`
	Title   string             `json:"title"`
	Why     string             `json:"why"`
	Level   suite.Level        `json:"level"`
	Needs   []suite.Capability `json:"needs,omitzero"`
	NodeSDK string             `json:"nodeSDK,omitzero"`
}

func (a *app) listCommand() *cobra.Command {
	var asJSON, asMarkdown bool
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the checks", Args: cli.NoArgs,
		Example: "  codebolt-conformance list\n  codebolt-conformance list --json | jq '.[] | select(.level == \"MUST\") | .id'",
		RunE: func(*cobra.Command, []string) error {
			switch {
			case asMarkdown:
				return report.WriteReference(a.stdout, a.checks)
			case asJSON:
				all := make([]listed, 0, len(a.checks))
				for i := range a.checks {
					c := &a.checks[i]
					all = append(all, listed{c.ID, c.Group(), c.Title, c.Why, c.Level, c.Needs, c.NodeSDK})
				}
				encoder := json.NewEncoder(a.stdout)
				encoder.SetEscapeHTML(false)
				encoder.SetIndent("", "  ")
				return encoder.Encode(all)
			}
			tw := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
			for i := range a.checks {
				c := &a.checks[i]
				title := c.Title
				if len(c.Needs) > 0 {
					title += " (needs " + needs(c) + ")"
				}
				fmt.Fprintf(tw, "%s\t%s\t%s\n", c.ID, c.Level, title)
			}
			return tw.Flush()
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&asMarkdown, "markdown", false, "print the reference, as a Markdown page")
	cli.Exclude(cmd, "json", "markdown")
	return cmd
}

func (a *app) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use: "explain ID…", Short: "Say what a check is about, and who is harmed when it fails",
		Example: "  codebolt-conformance explain FS-001\n  codebolt-conformance explain LC",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("name a check or a group, such as %s; codebolt-conformance list shows them all", a.checks[0].ID)
			}
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return a.patterns(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			var b strings.Builder
			for _, pattern := range args {
				found := false
				for i := range a.checks {
					if c := &a.checks[i]; c.Selects(pattern) {
						if b.Len() > 0 {
							b.WriteString("\n")
						}
						tell(&b, c)
						found = true
					}
				}
				if !found {
					return a.unknown(pattern)
				}
			}
			_, err := fmt.Fprint(a.stdout, b.String())
			return err
		},
	}
}

func tell(b *strings.Builder, c *suite.Check) {
	fmt.Fprintf(b, "%s  %s\n", c.ID, c.Title)
	row := func(name, text string) { fmt.Fprintf(b, "  %-8s %s\n", name, text) }
	row("level", string(c.Level))
	row("group", c.Group()+", "+groupTitle(c.Group()))
	row("why", c.Why)
	if len(c.Needs) > 0 {
		row("needs", needs(c))
	}
	if c.NodeSDK != "" {
		row("node-sdk", "skipped in the profile node-compat: "+c.NodeSDK)
	}
	if c.Limit > 0 {
		row("limit", "may take "+c.Limit.String())
	}
	if c.When == suite.Alone {
		row("runs", "alone, with nothing beside it")
	}
	row("try it", "codebolt-conformance run --only "+c.ID+" -- COMMAND")
}

func needs(c *suite.Check) string {
	all := make([]string, 0, len(c.Needs))
	for _, need := range c.Needs {
		all = append(all, string(need))
	}
	return strings.Join(all, ", ")
}

func groupTitle(id string) string {
	for _, g := range suite.Groups {
		if g.ID == id {
			return g.Title
		}
	}
	return ""
}

// patterns are what names checks: their ids and those of their groups.
func (a *app) patterns() []string {
	var all []string
	for i := range a.checks {
		if group := a.checks[i].Group(); !slices.Contains(all, group) {
			all = append(all, group)
		}
	}
	for i := range a.checks {
		all = append(all, a.checks[i].ID)
	}
	return all
}

// unknown is the error for a pattern that names no check.
func (a *app) unknown(pattern string) error {
	hint := ""
	if near, ok := manifest.Nearest(strings.ToUpper(pattern), a.patterns()); ok {
		hint = "did you mean " + near + "? "
	}
	return fmt.Errorf("no check is called %q: %scodebolt-conformance list shows them all", pattern, hint)
}
