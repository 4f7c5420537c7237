package main

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func (a *app) doctorCommand() *cobra.Command {
	var set []string
	var image, host, dir string
	cmd := &cobra.Command{
		Use: "doctor [PROVIDER]", Short: "Tell what this machine lacks for environments",
		Long: "doctor looks at what environments of a provider need, with the settings that are kept and given, and\n" +
			"changes nothing. Without a name it looks at this machine for all providers that are installed in the project\n" +
			"or for the user: git, Node, the runtime, the state directory, the providers' files, and what each looks at\n" +
			"itself. With none installed it looks for those that come with this program.\n\n" +
			"The exit status is 0 when everything is in order, and 1 when something is missing; without a name, something\n" +
			"that an installed provider needs. Settings that are missing are told then, and may be an environment's.",
		Example: "  codebolt-providers doctor\n" +
			"  codebolt-providers doctor docker --image debian:12\n" +
			"  codebolt-providers doctor remote-server --host me@build-server",
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) > 1:
				return fmt.Errorf("name one provider, or none for all: one of %s", strings.Join(providerNames(), ", "))
			case len(args) == 0 && len(set)+len(image)+len(host)+len(dir) > 0:
				return fmt.Errorf("settings are for one provider; name it: one of %s", strings.Join(providerNames(), ", "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.machine(cmd.Context())
			}
			config, err := a.settingsOf(args[0], set, map[string]string{"image": image, "host": host, "dir": dir})
			if err != nil {
				return err
			}
			m, err := a.find(args[0])
			if err != nil {
				return err
			}
			program, err := m.program()
			if err != nil {
				return err
			}
			if config, err = a.configOf(m.UniqueID, config); err != nil {
				return err
			}
			found, err := a.findings(cmd.Context(), program, args[0], config)
			if err != nil {
				return err
			}
			return a.tellFindings(m.Name, found)
		},
	}
	cmd.Flags().StringArrayVarP(&set, "set", "s", nil, "a setting of the provider, as key=value; may be repeated; nested keys with dots")
	cmd.Flags().StringVar(&image, "image", "", "the image of containers; short for --set image=…")
	cmd.Flags().StringVar(&host, "host", "", "the machine of remote servers, as for ssh; short for --set host=…")
	cmd.Flags().StringVar(&dir, "dir", "", "where environments go on that machine; short for --set dir=…")
	return cmd
}

// tellFindings prints what the doctor of one provider found.
func (a *app) tellFindings(name string, found []provider.Finding) error {
	var err error
	switch {
	case a.json:
		err = a.printJSON(append([]provider.Finding{}, found...))
	case len(found) == 0:
		_, err = fmt.Fprintf(a.stdout, "%s has nothing to look at; codebolt-providers doctor looks at what all need\n", name)
	}
	status := 0
	for _, f := range found {
		mark := "ok"
		if !f.OK {
			mark, status = "FAIL", 1
		}
		if a.json {
			continue
		}
		fmt.Fprintf(a.stdout, "%-4s  %-12s %s\n", mark, f.Check, shown(f.Detail))
		if f.Advice != "" {
			fmt.Fprintf(a.stdout, "      %-12s %s\n", "", f.Advice)
		}
	}
	if err == nil && status != 0 {
		return &statusError{status: status}
	}
	return err
}

func (a *app) logsCommand() *cobra.Command {
	var follow bool
	var tail int
	cmd := &cobra.Command{
		Use: "logs NAME", Short: "Show what an environment's place prints, such as its container", Args: oneName,
		RunE: func(cmd *cobra.Command, args []string) error {
			if tail < 0 {
				return fmt.Errorf("--tail %d: write 0 or more", tail)
			}
			return a.opened(args[0], func(k server.Known) error {
				argv := []string{"logs", "--tail", fmt.Sprint(tail)}
				if follow {
					argv = append(argv, "--follow")
				}
				argv = append(argv, k.ResourceID)
				if !a.json {
					return a.provider(cmd, k.ProviderName, argv...)
				}
				lines := &jsonLines{app: a, stream: wire.Stdout}
				return errors.Join(a.providerTo(cmd, lines, k.ProviderName, argv...), lines.end())
			})
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until interrupted")
	cmd.Flags().IntVar(&tail, "tail", 0, "begin with the last so many lines; 0: all")
	return cmd
}

// passedOn makes this program end as one did that has said why.
func passedOn(err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() > 0 {
		return &statusError{status: exit.ExitCode()}
	}
	return err
}

// settingsOf are the settings given for a provider. Short ones come from flags of
// their own, and are settings that not every provider has; "" is not given.
func (a *app) settingsOf(provider string, set []string, short map[string]string) (map[string]any, error) {
	config, err := settings(set)
	if err != nil {
		return nil, err
	}
	for key, value := range short {
		if value == "" {
			continue
		}
		m, err := a.find(provider)
		if err != nil {
			return nil, err
		}
		if _, known := m.Config[key]; !known {
			return nil, fmt.Errorf("environments of %s have no %s; leave it out", m.Name, key)
		}
		if config == nil {
			config = map[string]any{}
		}
		config[key] = value
	}
	return config, nil
}
