package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/codeboltai/codebolt-providers/manifests"
	"github.com/codeboltai/codebolt-providers/shared/archive"
	"github.com/codeboltai/codebolt-providers/shared/build"
	"github.com/codeboltai/codebolt-providers/shared/install"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// place is where providers are installed: in a project or for a user.
type place struct {
	*app
	global bool
}

func (p *place) flag(cmd *cobra.Command) {
	cmd.Flags().BoolVarP(&p.global, "global", "g", false, "for all projects of this user, in ~/.codebolt/providers")
}

// folder is the folder of providers.
func (p *place) folder() (install.Folder, error) {
	base, err := p.base()
	return install.In(filepath.Join(base, ".codebolt", "providers")), err
}

func (p *place) base() (string, error) {
	if p.global {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("find the home directory: %w", err)
		}
		return home, nil
	}
	project, err := filepath.Abs(p.project)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(project); err != nil || !info.IsDir() {
		return "", fmt.Errorf("the project %s is not a directory", project)
	}
	return project, nil
}

// builtHere is the source of what comes with this program.
func builtHere() string { return "codebolt-providers " + build.Get().Version }

// installation is one codebolt-providers install or upgrade.
type installation struct {
	place
	from, sum       string
	force, register bool
}

func (a *app) installCommand() *cobra.Command {
	i := &installation{place: place{app: a}}
	cmd := &cobra.Command{
		Use: "install PROVIDER…", Short: "Install providers where a Codebolt server finds them",
		Long: "install puts providers into .codebolt/providers of the project or, with --global, of the user,\n" +
			"where a Codebolt server finds and starts them. They are taken from beside this program, or from a\n" +
			"folder, an archive or an https address. A provider that is there already is replaced in one step,\n" +
			"and is left alone when somebody has changed it. Environments that are open go on with the old one.",
		Example: "  codebolt-providers install git-worktree\n" +
			"  codebolt-providers install docker local --global\n" +
			"  codebolt-providers install git-worktree --from ./codebolt-provider-git-worktree_1.0.0_linux_amd64.tar.gz",
		Args: someProviders("to install"),
		RunE: func(cmd *cobra.Command, args []string) error { return i.run(cmd.Context(), args) },
	}
	i.flag(cmd)
	flags := cmd.Flags()
	flags.StringVar(&i.from, "from", "", "a provider's folder or a folder of such, an archive (.tar.gz, .zip), or the https address of one")
	flags.StringVar(&i.sum, "sha256", "", "what the archive must have as its SHA-256")
	flags.BoolVar(&i.force, "force", false, "replace what was changed or installed by something else; it is kept elsewhere")
	flags.BoolVar(&i.register, "register", false, "enter them into installed-providers.json, which servers read")
	return cmd
}

// someProviders wants at least one argument.
func someProviders(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return fmt.Errorf("name the providers %s: some of %s", what, strings.Join(providerNames(), ", "))
		}
		return nil
	}
}

func (i *installation) run(ctx context.Context, names []string) error {
	if i.sum != "" && len(names) > 1 {
		return errors.New("--sha256 is of one archive, which is one provider; name only that")
	}
	folder, err := i.folder()
	if err != nil {
		return err
	}
	done := []install.Change{}
	var errs []error
	for _, name := range names {
		change, err := i.install(ctx, folder, name)
		if err != nil {
			errs = append(errs, fmt.Errorf("install %s: %w", name, err))
			continue
		}
		done = append(done, change)
		if !i.json {
			i.tell(change)
		}
	}
	if i.json {
		errs = append(errs, i.printJSON(done))
	}
	return errors.Join(errs...)
}

func (i *installation) tell(c install.Change) {
	switch {
	case c.What == install.DidNothing:
		fmt.Fprintf(i.stdout, "%s %s is installed already in %s\n", c.Name, c.Version, c.Dir)
	case c.What == install.DidReplace && c.Was != c.Version:
		fmt.Fprintf(i.stdout, "replaced %s %s by %s in %s\n", c.Name, c.Was, c.Version, c.Dir)
	default:
		fmt.Fprintf(i.stdout, "%s %s %s in %s\n", c.What, c.Name, c.Version, c.Dir)
	}
	if c.Kept != "" {
		fmt.Fprintf(i.stdout, "what was there before is kept in %s\n", c.Kept)
	}
}

func (i *installation) install(ctx context.Context, folder install.Folder, name string) (install.Change, error) {
	if i.from == "" {
		return i.built(ctx, folder, name)
	}
	options := install.Options{Name: name, Force: i.force, Source: i.from}
	if known, _, err := manifests.Load(name); err == nil {
		options.Name = known.UniqueID // whichever of its names was given
	}
	if strings.Contains(i.from, "://") {
		return i.fetched(ctx, folder, options)
	}
	from, err := filepath.Abs(i.from)
	if err != nil {
		return install.Change{}, err
	}
	options.Source = from
	info, err := os.Stat(from)
	switch {
	case err != nil:
		return install.Change{}, err
	case !info.IsDir():
		packed, err := os.Open(from)
		if err != nil {
			return install.Change{}, err
		}
		defer packed.Close()
		return i.unpacked(ctx, folder, packed, options)
	case i.sum != "":
		return install.Change{}, errors.New("--sha256 is for archives; what is in a folder is compared with its SHA256SUMS")
	}
	if _, err := os.Stat(filepath.Join(from, manifest.ProviderFile)); err != nil {
		options.Source = filepath.Join(from, name) // a folder of providers
	}
	return i.put(ctx, folder, install.FromDir(options.Source), options)
}

// put installs, and registers when that is wanted.
func (i *installation) put(ctx context.Context, folder install.Folder, fill func(context.Context, *os.Root) error, o install.Options) (install.Change, error) {
	change, err := folder.Install(ctx, fill, o)
	if err != nil {
		return change, err
	}
	if has := install.Platforms(os.DirFS(change.Dir)); !slices.Contains(has, install.Here()) {
		fmt.Fprintf(i.stderr, "warning: %s has no program for this machine, %s, but for %s\n", change.Name, install.Here(), orDash(joined(has)))
	}
	if !i.register {
		return change, nil
	}
	there, err := install.Look(ctx, change.Dir)
	if err != nil {
		return change, err
	}
	return change, folder.Register(ctx, there.Manifest)
}

// built installs what comes with this program.
func (i *installation) built(ctx context.Context, folder install.Folder, name string) (install.Change, error) {
	m, dir, err := manifests.Load(name)
	if err != nil {
		return install.Change{}, fmt.Errorf("%w; --from installs others", err)
	}
	if i.sum != "" {
		return install.Change{}, errors.New("--sha256 is for archives, which --from names")
	}
	parts, err := partsOf(dir)
	if err != nil {
		return install.Change{}, err
	}
	return i.put(ctx, folder, parts.Assemble, install.Options{Source: builtHere(), Name: m.UniqueID, Force: i.force})
}

// partsOf are the parts of a provider that lie beside this program.
func partsOf(folder string) (install.Parts, error) {
	program, err := providerProgram(folder)
	if err != nil {
		return install.Parts{}, err
	}
	return install.Gather(manifests.Files(folder), filepath.Dir(program), install.Here())
}

// fetched installs from an address.
func (i *installation) fetched(ctx context.Context, folder install.Folder, o install.Options) (change install.Change, err error) {
	from, err := url.Parse(i.from)
	if err != nil {
		return change, errors.New("what --from has is not an address")
	}
	o.Source = archive.Shown(from)
	packed, err := os.CreateTemp("", "codebolt-provider-*")
	if err != nil {
		return change, err
	}
	defer func() { err = errors.Join(err, packed.Close(), os.Remove(packed.Name())) }()
	progress := func(got, total int64) {
		of := ""
		if total >= 0 {
			of = fmt.Sprintf(" of %.1f MB", float64(total)/1e6)
		}
		fmt.Fprintf(i.stderr, "fetching %s: %.1f MB%s\n", o.Source, float64(got)/1e6, of)
	}
	if err := archive.Fetch(ctx, from, packed, archive.FetchOptions{Progress: progress}); err != nil {
		return change, err
	}
	return i.unpacked(ctx, folder, packed, o)
}

// unpacked installs from an archive.
func (i *installation) unpacked(ctx context.Context, folder install.Folder, packed *os.File, o install.Options) (install.Change, error) {
	if i.sum != "" {
		sum := sha256.New()
		if _, err := io.Copy(sum, io.NewSectionReader(packed, 0, 1<<62)); err != nil {
			return install.Change{}, err
		}
		if is := hex.EncodeToString(sum.Sum(nil)); !strings.EqualFold(is, i.sum) {
			return install.Change{}, wire.Errorf(wire.Conflict, "the archive is not the one that was meant: its sha256 is %s, and not %s", is, i.sum)
		}
	}
	return i.put(ctx, folder, install.FromArchive(packed), o)
}
