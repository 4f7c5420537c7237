package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
)

// subject makes the target of a run from what the flags and argv say.
func (r *runner) subject(argv []string) (*suite.Target, error) {
	program, err := findProgram(argv[0])
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	target := &suite.Target{Program: program, Args: argv[1:], Env: r.env, RuntimeProgram: []string{self, agentServer}, AgentProgram: []string{self, agentWord}, Elsewhere: r.elsewhere}
	if r.disk != "" {
		asked, err := findProgram(r.disk)
		if err != nil {
			return nil, fmt.Errorf("--disk: %w", err)
		}
		target.Disk = func(resourceID, workspacePath string) (string, error) {
			return whereIs(asked, resourceID, workspacePath)
		}
	}
	for _, pair := range r.env {
		if name, _, found := strings.Cut(pair, "="); !found || name == "" {
			return nil, fmt.Errorf("--env %s: write NAME=VALUE", pair)
		}
	}
	if r.config != "" {
		text, err := os.ReadFile(r.config)
		if err == nil {
			err = json.Unmarshal(text, &target.Config)
		}
		if err != nil {
			return nil, fmt.Errorf("--config %s: want a file that holds a JSON object: %w", r.config, err)
		}
	}
	if r.manifest != "" {
		if target.Files, err = manifestFolder(r.manifest); err != nil {
			return nil, err
		}
		if target.Manifest, err = manifest.Load(target.Files, "."); err != nil {
			// The checks of the group MF judge the files; the rest goes without.
			fmt.Fprintf(r.human, "note: the manifest cannot be used: %v\n", err)
		}
	}
	return target, nil
}

// diskLimit bounds how long the program of --disk may take.
const diskLimit = 10 * time.Second

// whereIs asks the program of --disk where the files of an environment are.
func whereIs(program, resourceID, workspacePath string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), diskLimit)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, resourceID, workspacePath).Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && len(exit.Stderr) > 0 {
		return "", fmt.Errorf("%s: %w: %s", program, err, strings.TrimSpace(string(exit.Stderr)))
	}
	path, _, _ := strings.Cut(string(out), "\n")
	if err == nil && !filepath.IsAbs(path) {
		err = fmt.Errorf("it printed %q, and not an absolute path", path)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", program, err)
	}
	return path, nil
}

// findProgram finds a program as a shell does, and says plainly why it cannot be
// run.
func findProgram(name string) (string, error) {
	path, err := exec.LookPath(name)
	if errors.Is(err, exec.ErrDot) {
		err = nil // it was named, and it is here
	}
	if err == nil {
		return filepath.Abs(path)
	}
	info, statErr := os.Stat(name)
	switch {
	case !strings.ContainsRune(name, filepath.Separator) && !strings.ContainsRune(name, '/'):
		return "", fmt.Errorf("the program %q was not found in PATH; a program of this folder is written ./%s", name, name)
	case errors.Is(statErr, fs.ErrNotExist):
		return "", fmt.Errorf("there is no program %s", name)
	case statErr != nil:
		return "", fmt.Errorf("the program cannot be run: %w", statErr)
	case info.IsDir():
		return "", fmt.Errorf("%s is a folder, not a program", name)
	}
	return "", fmt.Errorf("%s is not executable; name its interpreter before it, as in: -- node %s", name, name)
}

// manifestFolder is the folder that --manifest names, itself or by one of its
// two files.
func manifestFolder(name string) (fs.FS, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, fmt.Errorf("--manifest: %w", err)
	}
	if !info.IsDir() {
		if base := filepath.Base(name); base != manifest.ProviderFile && base != manifest.ProvidersFile {
			return nil, fmt.Errorf("--manifest %s: name %s, %s, or the folder that holds both", name, manifest.ProviderFile, manifest.ProvidersFile)
		}
		name = filepath.Dir(name)
	}
	files := os.DirFS(name)
	for _, file := range []string{manifest.ProviderFile, manifest.ProvidersFile} {
		if _, err := fs.Stat(files, file); err == nil {
			return files, nil
		}
	}
	return nil, fmt.Errorf("--manifest %s: it holds neither %s nor %s", name, manifest.ProviderFile, manifest.ProvidersFile)
}

// declare finds out what the target declares, and changes that as --with and
// --without say.
func (r *runner) declare(ctx context.Context, target *suite.Target) (from string, err error) {
	known := r.capabilities()
	for _, name := range slices.Concat(r.with, r.without) {
		if slices.Contains(known, name) {
			continue
		}
		hint := ""
		if near, ok := manifest.Nearest(name, known); ok {
			hint = "; did you mean " + near + "?"
		}
		return "", fmt.Errorf("no check knows a capability %q%s", name, hint)
	}
	limit, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	target.Capabilities, from = suite.Discover(limit, target)
	for _, name := range target.Capabilities.Sorted() {
		if slices.Contains(known, string(name)) || slices.Contains(own, name) {
			continue
		}
		if near, ok := manifest.Nearest(string(name), known); ok {
			fmt.Fprintf(r.human, "note: the provider declares %q, which no check knows; does it mean %s?\n", name, near)
		}
	}
	for _, name := range r.with {
		target.Capabilities[suite.Capability(name)] = true
	}
	for _, name := range r.without {
		delete(target.Capabilities, suite.Capability(name))
	}
	if len(r.with)+len(r.without) > 0 {
		from += ", changed by --with and --without"
	}
	return from, nil
}

// own are the capabilities that the suite finds out itself.
var own = []suite.Capability{suite.Local, suite.Disk, suite.Manifest}

// capabilities are those a provider may declare: the request types, and whatever
// checks need.
func (a *app) capabilities() []string {
	all := map[string]bool{}
	others := []suite.Capability{
		"providerStart", suite.Runtime, suite.RuntimeCommand, suite.OnStop, suite.ErrorCodes, suite.Base64, suite.Overwrite, suite.Recursive, suite.Git,
	}
	for _, name := range slices.Concat(suite.Requests, others) {
		all[string(name)] = true
	}
	for i := range a.checks {
		for _, name := range a.checks[i].Needs {
			if !slices.Contains(own, name) {
				all[string(name)] = true
			}
		}
	}
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
