package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func (a *app) doctorCommand() *cobra.Command {
	var set []string
	var image, host, dir string
	cmd := &cobra.Command{
		Use: "doctor PROVIDER", Short: "Tell what this machine lacks for a provider's environments",
		Long: "doctor looks at what environments of a provider need, with the settings that are given, and\n" +
			"changes nothing. The exit status is 0 when everything is in order, and 1 when something is not.",
		Example: "  codebolt-providers doctor docker --image debian:12\n" +
			"  codebolt-providers doctor remote-server --host me@build-server",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("name a provider: one of %s", strings.Join(providerNames(), ", "))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			config, err := settingsOf(args[0], set, map[string]string{"image": image, "host": host, "dir": dir})
			if err != nil {
				return err
			}
			program, err := programOf(args[0])
			if err != nil {
				return err
			}
			project, err := filepath.Abs(a.project)
			if err != nil {
				return err
			}
			m, _, err := loadManifest(args[0])
			if err != nil {
				return err
			}
			installed, err := installedConfig(project, m.UniqueID)
			if err != nil {
				return err
			}
			config = manifest.Merge(installed, config)
			text, err := json.Marshal(config)
			if err != nil {
				return err
			}
			argv := []string{"doctor"}
			if a.json {
				argv = append(argv, "--json")
			}
			doctor := exec.CommandContext(cmd.Context(), program, argv...)
			doctor.Env = append(append(os.Environ(), a.asks(args[0])...), wire.EnvEnvironmentConfig+"="+string(text))
			doctor.Stdout, doctor.Stderr = a.stdout, a.stderr
			return passedOn(doctor.Run())
		},
	}
	cmd.Flags().StringArrayVarP(&set, "set", "s", nil, "a setting of the provider, as key=value; may be repeated; nested keys with dots")
	cmd.Flags().StringVar(&image, "image", "", "the image of containers; short for --set image=…")
	cmd.Flags().StringVar(&host, "host", "", "the machine of remote servers, as for ssh; short for --set host=…")
	cmd.Flags().StringVar(&dir, "dir", "", "where environments go on that machine; short for --set dir=…")
	return cmd
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

// programOf finds the program of a provider, by its name or unique id.
func programOf(provider string) (string, error) {
	_, folder, err := loadManifest(provider)
	if err != nil {
		return "", err
	}
	return providerProgram(folder)
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
func settingsOf(provider string, set []string, short map[string]string) (map[string]any, error) {
	config, err := settings(set)
	if err != nil {
		return nil, err
	}
	for key, value := range short {
		if value == "" {
			continue
		}
		m, _, err := loadManifest(provider)
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
