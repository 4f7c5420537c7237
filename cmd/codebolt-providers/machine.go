package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/codeboltai/codebolt-providers/manifests"
	"github.com/codeboltai/codebolt-providers/shared/gitrepo"
	"github.com/codeboltai/codebolt-providers/shared/install"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// examined is one thing that was looked at on this machine.
type examined struct {
	About string `json:"about"`          // "machine", or a provider
	Place string `json:"place,omitzero"` // where that is installed: project or user
	provider.Finding
	// Needed tells that environments cannot be opened without it.
	Needed bool `json:"needed"`
}

// diagnosis is what doctor tells of a machine.
type diagnosis struct {
	OK       bool       `json:"ok"`
	Findings []examined `json:"findings"`
}

// examineLimit is how long the doctor of one provider may take, with the questions that
// it asks a person.
const examineLimit = 2 * time.Minute

// machine looks at what all installed providers need or, with none, those that come with
// this program.
func (a *app) machine(ctx context.Context) error {
	d := &diagnosis{OK: true, Findings: []examined{}}
	var there []examinee
	for _, p := range []place{{app: a}, {app: a, global: true}} {
		some, err := p.examinees(ctx)
		if err != nil {
			return err
		}
		there = append(there, some...)
	}
	installed := len(there) > 0
	d.basics(ctx, installed)
	if !installed {
		for _, entry := range manifests.All() {
			there = append(there, examinee{name: entry.Manifest.Name, manifest: entry.Manifest})
		}
	}
	for _, e := range there {
		a.examine(ctx, d, e)
	}
	if err := a.tellDiagnosis(d, installed); err != nil {
		return err
	}
	if !d.OK {
		return &statusError{status: 1}
	}
	return nil
}

// The places of providers.
const (
	placeProject = "project"
	placeUser    = "user"
)

// examinee is a provider that is looked at.
type examinee struct {
	name, place string
	manifest    *manifest.Manifest // nil when it has none that is right
	installed   *install.Installed // nil when it comes with this program
}

// program is the one that a server would start.
func (e *examinee) program(a *app) (string, error) {
	if e.installed != nil {
		return nativeProgram(e.installed.Manifest, e.installed.Dir)
	}
	p, err := a.find(e.name)
	if err != nil {
		return "", err
	}
	return p.program()
}

func (p *place) examinees(ctx context.Context) ([]examinee, error) {
	folder, err := p.folder()
	if err != nil {
		return nil, err
	}
	all, err := folder.List(ctx)
	if err != nil {
		return nil, err
	}
	where := placeProject
	if p.global {
		where = placeUser
	}
	var there []examinee
	for _, one := range all {
		there = append(there, examinee{one.Name, where, one.Manifest, one})
	}
	return there, nil
}

// add notes a finding. What is needed and is not in order makes the whole not in order.
func (d *diagnosis) add(e examined) {
	d.Findings = append(d.Findings, e)
	d.OK = d.OK && (e.OK || !e.Needed)
}

// basics looks at what providers of every kind need. Node is for what is installed:
// servers start that with it.
func (d *diagnosis) basics(ctx context.Context, installed bool) {
	machine := func(check, detail string, err error, needed bool, advice string) {
		f := provider.Found(check, detail, err)
		if err != nil {
			f.Advice = advice
		}
		d.add(examined{About: "machine", Finding: f, Needed: needed})
	}
	detail, err := gitHere(ctx)
	machine("git", detail, err, true, "install git 2.38 or newer")
	detail, err = nodeHere(ctx)
	machine("node", detail, err, installed, fmt.Sprintf("install Node %d or newer: servers start installed providers with it", leastNode))
	path, err := runtime.FindFor("", goruntime.GOOS, goruntime.GOARCH)
	machine("runtime", path, err, !installed, "") // what is installed has its own
	path, err = writableState()
	machine("state", path, err, true, "make it writable, or set "+resource.EnvStateDir+" to a folder that is")
}

// gitHere is the git that providers run.
func gitHere(ctx context.Context) (string, error) {
	git, err := gitrepo.Find(ctx, gitrepo.Options{})
	if err != nil {
		return "", err
	}
	said, _, err := git.Run(ctx, gitrepo.Command{Args: []string{"version"}})
	return strings.TrimSpace(string(said)), err
}

// leastNode is the oldest version of Node that the launcher runs with.
const leastNode = 12

// nodeHere is the Node that servers start providers with.
func nodeHere(ctx context.Context) (string, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return "", errors.New("there is no node in PATH")
	}
	said, err := exec.CommandContext(ctx, node, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w", node, err)
	}
	version, major := strings.TrimSpace(string(said)), 0
	if _, err := fmt.Sscanf(version, "v%d.", &major); err != nil {
		return "", fmt.Errorf("%s is not Node: it says %q", node, shown(version))
	}
	if major < leastNode {
		return "", fmt.Errorf("%s is %s, which is too old", node, version)
	}
	return version + ", " + node, nil
}

// writableState finds the state directory, and writes a file in it.
func writableState() (string, error) {
	dir, err := resource.StateDir()
	if err != nil {
		return "", err
	}
	probe, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return "", err
	}
	return dir, errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// examine looks at one provider: its files, if it is installed, and what it says itself.
func (a *app) examine(ctx context.Context, d *diagnosis, e examinee) {
	add := func(f provider.Finding, needed bool) {
		d.add(examined{About: e.name, Place: e.place, Finding: f, Needed: needed && e.installed != nil})
	}
	if e.installed != nil {
		f, runs := wholeness(e)
		if len(e.installed.Problems) > 0 {
			f.Advice = "codebolt-providers install --force" + a.where(e) + " " + gitrepo.Quote(e.name)
		}
		add(f, e.installed.Foreign == "")
		if !runs {
			return
		}
	}
	findings, err := a.ownDoctor(ctx, e)
	if err != nil {
		add(provider.Found("program", "", err), true)
		return
	}
	if len(findings) == 0 {
		findings = []provider.Finding{provider.Found("own", "it needs nothing else", nil)}
	}
	for _, f := range findings {
		needed := true
		if f.Check == "settings" && !f.OK { // an environment may have what is missing here
			needed, f.Advice = false, "codebolt-providers configure"+a.where(e)+" "+gitrepo.Quote(e.name)+", or give it to each environment"
		}
		add(f, needed)
	}
}

// where names the place of an examinee in a command.
func (a *app) where(e examinee) string {
	if e.place == placeUser {
		return " --global"
	}
	return a.at()
}

// wholeness tells whether the files of an installed provider are what they were, and
// whether it may be run. What another program put there is not run.
func wholeness(e examinee) (f provider.Finding, runs bool) {
	i := e.installed
	switch {
	case i.Foreign != "":
		return provider.Finding{Check: "files", Detail: i.Foreign, Advice: "it is not looked at any further"}, false
	case len(i.Problems) > 0:
		var all []string
		for _, problem := range i.Problems {
			all = append(all, problem.String())
		}
		return provider.Finding{Check: "files", Detail: strings.Join(all, ", ")}, false
	case e.manifest == nil:
		return provider.Found("manifest", "", i.ManifestError), false
	}
	return provider.Found("files", i.Version+", as they were installed", nil), true
}

// ownDoctor has a provider look at what it needs; what is found is empty when it has
// nothing to look at.
func (a *app) ownDoctor(ctx context.Context, e examinee) ([]provider.Finding, error) {
	program, err := e.program(a)
	if err != nil {
		return nil, err
	}
	config, err := a.configOf(e.manifest.UniqueID, nil)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, examineLimit)
	defer cancel()
	return a.findings(ctx, program, e.manifest.UniqueID, config)
}

// configOf is the configuration for a provider's doctor: what is set, and above that what
// is given.
func (a *app) configOf(uniqueID string, given map[string]any) (map[string]any, error) {
	project, err := filepath.Abs(a.project)
	if err != nil {
		return nil, err
	}
	installed, err := installedConfig(project, uniqueID)
	if err != nil {
		return nil, err
	}
	return manifest.Merge(installed, given), nil
}

// nothingToLookAt is the exit status of a provider's program without a doctor.
const nothingToLookAt = 2

// findings runs a provider's doctor.
func (a *app) findings(ctx context.Context, program, name string, config map[string]any) ([]provider.Finding, error) {
	text, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	var out, problem bytes.Buffer
	cmd := exec.CommandContext(ctx, program, "doctor", "--json")
	cmd.Env = append(append(os.Environ(), a.asks(name)...), wire.EnvEnvironmentConfig+"="+string(text))
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &problem, time.Second
	err = cmd.Run()
	exit, ended := errors.AsType[*exec.ExitError](err)
	if ended && exit.ExitCode() == nothingToLookAt {
		return nil, nil
	}
	var found []provider.Finding
	if json.Unmarshal(out.Bytes(), &found) == nil && (err == nil || ended) {
		return found, nil
	}
	if ctx.Err() != nil {
		err = fmt.Errorf("it did not end within %v", examineLimit)
	}
	return nil, errors.Join(err, errors.New(strings.TrimSpace(problem.String())))
}

// tellDiagnosis prints a line for each thing that was looked at.
func (a *app) tellDiagnosis(d *diagnosis, installed bool) error {
	if a.json {
		return a.printJSON(d)
	}
	tw := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, e := range d.Findings {
		mark := "missing"
		switch {
		case e.OK:
			mark = "ok"
		case !e.Needed:
			mark = "-"
		}
		about := e.About
		if e.Place != "" {
			about += " (" + e.Place + ")"
		}
		text := shown(e.Detail)
		if e.Advice != "" {
			text += "; " + e.Advice
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", mark, printable(about), e.Check, text)
	}
	if err := tw.Flush(); err != nil || installed {
		return err
	}
	_, err := fmt.Fprintln(a.stdout, "no provider is installed; these come with this program")
	return err
}
