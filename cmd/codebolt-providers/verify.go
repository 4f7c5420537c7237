package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/shared/install"
	"github.com/codeboltai/codebolt-providers/shared/resource"
)

// verified is what was found out about one installed provider.
type verified struct {
	Name    string    `json:"name"`
	Version string    `json:"version,omitzero"`
	Dir     string    `json:"dir"`
	OK      bool      `json:"ok"`
	Checks  []finding `json:"checks"`
}

// finding is the outcome of one check. Without OK it is a problem, unless it was not
// tried because one before it failed.
type finding struct {
	Check   string `json:"check"` // files, manifest, launcher or start
	OK      bool   `json:"ok"`
	Skipped bool   `json:"skipped,omitzero"`
	Text    string `json:"text"`
}

// startLimit is how long a provider may take to start and to end again.
const startLimit = 30 * time.Second

func (a *app) verifyCommand() *cobra.Command {
	p := &place{app: a}
	cmd := &cobra.Command{
		Use: "verify [PROVIDER…]", Short: "See whether installed providers are whole and start",
		Long: "verify compares the files of installed providers with their checksums, reads their manifests, starts\n" +
			"each through its launcher as a Codebolt server does, and ends it again. It opens no environment. The\n" +
			"exit status is 0 when everything is in order, and 1 when something is not.",
		RunE: func(cmd *cobra.Command, args []string) error { return p.verify(cmd.Context(), args) },
	}
	p.flag(cmd)
	return cmd
}

func (p *place) verify(ctx context.Context, names []string) error {
	folder, err := p.folder()
	if err != nil {
		return err
	}
	chosen, err := installedOf(ctx, folder, names)
	if err != nil {
		return err
	}
	all, failed := []verified{}, false
	for _, there := range chosen {
		v := verifyOne(ctx, there)
		failed = failed || !v.OK
		all = append(all, v)
		if p.json {
			continue
		}
		fmt.Fprintf(p.stdout, "%s %s in %s\n", v.Name, v.Version, v.Dir)
		for _, f := range v.Checks {
			mark := "FAIL"
			if f.OK {
				mark = "ok"
			} else if f.Skipped {
				mark = "-"
			}
			fmt.Fprintf(p.stdout, "  %-5s%-10s%s\n", mark, f.Check, f.Text)
		}
	}
	switch {
	case p.json:
		err = p.printJSON(all)
	case len(all) == 0:
		fmt.Fprintln(p.stdout, "nothing is installed here; codebolt-providers install does")
	}
	if err == nil && failed {
		return &statusError{status: 1}
	}
	return err
}

func verifyOne(ctx context.Context, there *install.Installed) verified {
	v := verified{Name: there.Name, Version: there.Version, Dir: there.Dir, OK: true}
	add := func(check string, err error, text string) bool {
		f := finding{Check: check, OK: err == nil, Text: text}
		if err != nil {
			f.Text, v.OK = err.Error(), false
		}
		v.Checks = append(v.Checks, f)
		return f.OK
	}
	skip := func(checks ...string) {
		for _, check := range checks {
			v.Checks = append(v.Checks, finding{Check: check, Skipped: true, Text: "not tried"})
		}
	}
	var files error
	switch {
	case there.Foreign != "":
		files = errors.New(there.Foreign)
	case len(there.Problems) > 0:
		var all []string
		for _, problem := range there.Problems {
			all = append(all, problem.String())
		}
		files = fmt.Errorf("%s; install it again with --force", strings.Join(all, ", "))
	}
	whole := add("files", files, "as they were installed")
	says := there.UniqueID + " " + there.Version
	if there.Manifest != nil {
		says = strings.Join(append([]string{says}, there.Manifest.Warnings...), "; ")
	}
	if !add("manifest", there.ManifestError, says) || !whole {
		// What is not what it was is not started.
		skip("launcher", "start")
		return v
	}
	entry := filepath.Join(there.Dir, filepath.FromSlash(there.Manifest.Entrypoint))
	node, err := exec.LookPath("node")
	if err != nil {
		add("launcher", errors.New("there is no node in PATH, with which servers start providers"), "")
		skip("start")
		return v
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	said, err := byHand(ctx, node, entry)
	if !add("launcher", err, said) {
		skip("start")
		return v
	}
	took, err := startsUnderServer(ctx, there, node, entry)
	add("start", err, fmt.Sprintf("connected after %d ms, and ended when told", took.Milliseconds()))
	return v
}

// byHand has the launcher print the provider's version.
func byHand(ctx context.Context, node, entry string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, node, entry, "--version")
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &stdout, &stderr, time.Second
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	return strings.TrimSpace(stdout.String()), nil
}

// startsUnderServer starts the provider as a server does, waits until it is connected
// and has it end.
func startsUnderServer(ctx context.Context, there *install.Installed, node, entry string) (took time.Duration, err error) {
	state, err := os.MkdirTemp("", "codebolt-verify-*")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(state)) }()
	s, err := server.New(server.Options{})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	logs := &logBuffer{}
	e, err := s.Create(server.EnvironmentSpec{
		Name: "verify", ProjectPath: state, ProviderName: there.UniqueID, Program: node, Args: []string{entry}, Dir: there.Dir,
		Manifest: there.Manifest, Env: []string{resource.EnvStateDir + "=" + state}, Stderr: logs,
	})
	if err != nil {
		return 0, err
	}
	began := time.Now()
	if err := e.Launch(ctx); err != nil {
		return 0, fmt.Errorf("%w: %s", err, logs.tail())
	}
	took = time.Since(began)
	return took, e.Close(ctx)
}
