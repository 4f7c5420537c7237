package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/codeboltai/codebolt-providers/cmd/codebolt-providers/internal/fork"
	"github.com/codeboltai/codebolt-providers/manifests"
	"github.com/codeboltai/codebolt-providers/shared/build"
	"github.com/codeboltai/codebolt-providers/shared/gitrepo"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// making is one codebolt-providers new.
type making struct {
	*app
	from, name, module, author, description, checkout string
}

// made is what it made.
type made struct {
	Name   string `json:"name"`
	Module string `json:"module"`
	Dir    string `json:"dir"`
	From   string `json:"from"`
	// Checkout is the folder whose modules it builds on; "" is for published ones.
	Checkout string `json:"checkout,omitzero"`
	Version  string `json:"version"` // of those modules
}

func (a *app) newCommand() *cobra.Command {
	n := &making{app: a}
	cmd := &cobra.Command{
		Use: "new DIR", Short: "Begin a provider of your own from one of these",
		Long: "new makes a Go module with the source of a provider under another name, its manifest, a Makefile and a\n" +
			"test that runs the whole conformance suite. It builds on the modules of this repository in the version\n" +
			"of this program, which it asks Go for, and in a build of a checkout on that checkout. Go must be there.",
		Example: "  codebolt-providers new my-provider --from local\n" +
			"  codebolt-providers new ./providers/cloud --from docker --name acme-cloud --module example.com/acme/cloud",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return errors.New("name the folder to make, such as my-provider")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return n.run(cmd.Context(), args[0]) },
	}
	flags := cmd.Flags()
	flags.StringVar(&n.from, "from", "local", "the provider to begin with: "+strings.Join(providerNames(), ", "))
	flags.StringVar(&n.name, "name", "", "what the provider is called; the folder's name by default")
	flags.StringVar(&n.module, "module", "", "the path of the Go module; the provider's name by default")
	flags.StringVar(&n.author, "author", "", "who the manifest names; git's user.name by default")
	flags.StringVar(&n.description, "description", "", "a sentence for the manifest on what its environments are")
	flags.StringVar(&n.checkout, "checkout", "", "a checkout of "+fork.Base+" to build on")
	return cmd
}

func (n *making) run(ctx context.Context, dir string) error {
	original, folder, err := manifests.Load(n.from)
	if err != nil {
		return err
	}
	at, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if n.name == "" {
		n.name = filepath.Base(at)
	}
	if err := fork.CheckName(n.name); err != nil {
		return fmt.Errorf("%w; --name gives it one", err)
	}
	if known, _, err := manifests.Load(n.name); err == nil {
		return wire.Errorf(wire.Conflict, "%s is the name of a provider that there is, %s; --name gives yours another", n.name, known.UniqueID)
	}
	if n.module == "" {
		n.module = n.name
	}
	if n.author == "" {
		n.author = userName(ctx)
	}
	if _, err := exec.LookPath("go"); err != nil {
		return wire.Errorf(wire.Unavailable, "Go is not installed, or not in PATH; a provider is a Go program: see https://go.dev/doc/install")
	}
	source, err := n.source(ctx, folder)
	if err != nil {
		return err
	}
	licence, err := os.ReadFile(source.licence)
	if err != nil {
		return err
	}
	err = fork.Make(fork.Options{
		Name: n.name, Module: n.module, Author: n.author, Description: n.description, Original: folder,
		Source: os.DirFS(source.dir), Manifests: manifests.Files(folder), Licence: licence, Version: source.version, Checkout: source.checkout,
	}, at)
	if err != nil {
		return err
	}
	fmt.Fprintln(n.stderr, "asking Go for the modules that it needs")
	if err := n.tidy(ctx, at); err != nil {
		return err
	}
	result := made{Name: n.name, Module: n.module, Dir: at, From: original.Name, Checkout: source.checkout, Version: source.version}
	if n.json {
		return n.printJSON(result)
	}
	fmt.Fprintf(n.stdout, "made %s from %s in %s\n", result.Name, result.From, result.Dir)
	if source.checkout != "" {
		fmt.Fprintf(n.stdout, "it builds on %s: a release is taken when go.mod has no replace and requires its version\n", source.checkout)
	}
	fmt.Fprintf(n.stdout, "next:\n  cd %s\n  make test      # the whole conformance suite\n  make install PROJECT=path/to/project\n", gitrepo.Quote(dir))
	return nil
}

// userName is what git calls the user.
func userName(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "config", "user.name").Output()
	if name := strings.TrimSpace(string(out)); err == nil && name != "" {
		return name
	}
	return "unknown"
}

// origin is where the source of a provider is.
type origin struct {
	dir, licence string
	version      string // of the modules to require
	checkout     string // "" for published ones
}

// source finds the source of the provider in a folder of this repository: in the
// checkout that was named or that this program was built in, or as it was published.
func (n *making) source(ctx context.Context, folder string) (origin, error) {
	checkout := n.checkout
	if checkout != "" && !isCheckout(checkout) {
		return origin{}, wire.Errorf(wire.Invalid, "%s is no checkout of %s: it has no go.work and providers", checkout, fork.Base)
	}
	version := build.Get().Version
	released := version != build.Unknown && !strings.Contains(version, "-")
	if checkout == "" && !released {
		if checkout = checkoutAround(); checkout == "" {
			return origin{}, wire.Errorf(wire.Unavailable, "this program, %s, is no release, so that there are no published modules of its version; "+
				"name a checkout of https://%s with --checkout", version, fork.Base)
		}
	}
	if checkout != "" {
		checkout, err := filepath.Abs(checkout)
		return origin{
			dir: filepath.Join(checkout, "providers", folder), licence: filepath.Join(checkout, "LICENSE"), version: "v0.0.0", checkout: filepath.ToSlash(checkout),
		}, err
	}
	fmt.Fprintf(n.stderr, "fetching the source of %s %s\n", folder, version)
	return published(ctx, folder, "v"+version)
}

// published is a provider's module as Go knows it by its version.
func published(ctx context.Context, folder, version string) (origin, error) {
	module := fork.Base + "/providers/" + folder + "@" + version
	download := exec.CommandContext(ctx, "go", "mod", "download", "-json", module)
	download.Env = append(os.Environ(), "GOWORK=off")
	download.Dir = os.TempDir() // in no module
	out, err := download.Output()
	var told struct{ Dir, Error string }
	if jerr := json.Unmarshal(out, &told); jerr != nil && err == nil {
		err = jerr
	}
	if told.Error != "" {
		err = errors.New(told.Error)
	}
	if err != nil {
		return origin{}, wire.Errorf(wire.Unavailable, "Go does not get %s: %w", module, err)
	}
	return origin{dir: told.Dir, licence: filepath.Join(told.Dir, "LICENSE"), version: version}, nil
}

// checkoutAround is the checkout of this repository that this program or the working
// directory is in, or "".
func checkoutAround() string {
	var starts []string
	if program, err := os.Executable(); err == nil {
		starts = append(starts, filepath.Dir(program))
	}
	if here, err := os.Getwd(); err == nil {
		starts = append(starts, here)
	}
	for _, dir := range starts {
		for {
			if isCheckout(dir) {
				return dir
			}
			parent := filepath.Dir(dir)
			if parent == dir {
				break
			}
			dir = parent
		}
	}
	return ""
}

func isCheckout(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "shared", "go.mod"))
	if err != nil || !bytes.HasPrefix(text, []byte("module "+fork.Base+"/shared\n")) {
		return false
	}
	_, err = os.Stat(filepath.Join(dir, "go.work"))
	return !errors.Is(err, fs.ErrNotExist)
}

// tidy lets Go complete go.mod.
func (n *making) tidy(ctx context.Context, dir string) error {
	tidy := exec.CommandContext(ctx, "go", "mod", "tidy")
	tidy.Dir, tidy.Env = dir, append(os.Environ(), "GOWORK=off")
	out, err := tidy.CombinedOutput()
	if err != nil {
		return wire.Errorf(wire.Unavailable, "the module is in %s, but Go does not complete its go.mod; go mod tidy there tries again: %w\n%s", dir, err, bytes.TrimSpace(out))
	}
	if n.verbose {
		fmt.Fprintf(n.stderr, "%s", out)
	}
	return nil
}
