package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/codeboltai/codebolt-providers/shared/archive"
	"github.com/codeboltai/codebolt-providers/shared/install"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// packing is one codebolt-providers package.
type packing struct {
	*app
	programs, output string
	platforms        []string
}

// packed is what it made.
type packed struct {
	Name      string             `json:"name"`
	Version   string             `json:"version"`
	Platforms []install.Platform `json:"platforms"`
	Output    string             `json:"output"`
	SHA256    string             `json:"sha256,omitzero"` // of an archive
}

func (a *app) packageCommand() *cobra.Command {
	p := &packing{app: a}
	cmd := &cobra.Command{
		Use: "package [FOLDER]", Short: "Make what install --from takes of a provider that you have built",
		Long: "package puts together what servers start: the two manifest files of a folder, with README.md, LICENSE\n" +
			"and settings.schema.json where they are, the launcher, checksums, and the programs that were built. The\n" +
			"programs are the provider's, which nativeEntrypoint names, and codebolt-runtime. They are looked for in\n" +
			"the folder of programs: for this machine directly in it or in a folder such as linux-amd64, for others\n" +
			"in such a folder. What is packaged is a folder, or an archive when the output ends in .tar.gz or .zip;\n" +
			"the same files give the same archive. SOURCE_DATE_EPOCH sets the time of its files.",
		Example: "  codebolt-providers package --output dist/my-provider\n" +
			"  codebolt-providers package --platform linux-arm64 --output my-provider_1.0.0_linux_arm64.tar.gz",
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) > 1:
				return errors.New("name one folder with a provider's manifest, or none for the one you are in")
			case p.output == "":
				return errors.New("name what to make with --output: a folder, or an archive that ends in .tar.gz or .zip")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			folder := "."
			if len(args) > 0 {
				folder = args[0]
			}
			return p.pack(cmd.Context(), folder)
		},
	}
	cmd.Flags().StringVar(&p.programs, "programs", "", "the folder of built programs; FOLDER/bin by default")
	cmd.Flags().StringVarP(&p.output, "output", "o", "", "the folder or archive to make")
	cmd.Flags().StringArrayVar(&p.platforms, "platform", nil, "only for this platform, such as linux-amd64; may be repeated; by default for all that were built")
	return cmd
}

func (p *packing) pack(ctx context.Context, folder string) (err error) {
	files := os.DirFS(folder)
	m, err := manifest.Load(files, ".")
	if err != nil {
		return err
	}
	for _, warning := range m.Warnings {
		fmt.Fprintln(p.stderr, warning)
	}
	if p.programs == "" {
		p.programs = filepath.Join(folder, "bin")
	}
	made := packed{Name: m.Name, Version: m.Version, Output: p.output}
	if made.Platforms, err = p.chosen(m); err != nil {
		return err
	}
	parts, err := install.Gather(files, p.programs, made.Platforms...)
	if err != nil {
		return err
	}
	format := archive.FormatOf(p.output)
	if format == "" {
		err = install.Package(ctx, parts, p.output)
	} else {
		made.SHA256, err = packArchive(ctx, parts, p.output, format)
	}
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(made)
	}
	fmt.Fprintf(p.stdout, "packaged %s %s for %s in %s\n", made.Name, made.Version, joined(made.Platforms), made.Output)
	if made.SHA256 != "" {
		fmt.Fprintf(p.stdout, "its sha256 is %s\n", made.SHA256)
	}
	return nil
}

// joined are platforms in words.
func joined(platforms []install.Platform) string {
	names := make([]string, 0, len(platforms))
	for _, platform := range platforms {
		names = append(names, string(platform))
	}
	return strings.Join(names, ", ")
}

// chosen are the platforms to package for.
func (p *packing) chosen(m *manifest.Manifest) (platforms []install.Platform, err error) {
	for _, text := range p.platforms {
		platform := install.Platform(text)
		if !platform.Valid() {
			return nil, wire.Errorf(wire.Invalid, "%q is no platform; write one such as linux-amd64", text)
		}
		platforms = append(platforms, platform)
	}
	if len(platforms) == 0 {
		if platforms, err = install.BuiltFor(m, p.programs); err != nil {
			return nil, err
		}
	}
	if len(platforms) == 0 {
		return nil, wire.Errorf(wire.NotFound, "there is no program %s in %s; build it first, with go build -o %s", m.Program(), p.programs, filepath.Join(p.programs, m.Program()))
	}
	return platforms, nil
}

// packArchive packs a provider's folder, below a folder with its name, and returns the
// archive's checksum. The archive takes its place in one step.
func packArchive(ctx context.Context, parts install.Parts, output string, format archive.Format) (sum string, err error) {
	modified := time.Time{}
	if text := os.Getenv("SOURCE_DATE_EPOCH"); text != "" {
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return "", wire.Errorf(wire.Invalid, "SOURCE_DATE_EPOCH is %q; it must be a number of seconds", text)
		}
		modified = time.Unix(seconds, 0)
	}
	m, err := manifest.Load(parts.Manifests, ".")
	if err != nil {
		return "", err
	}
	work, err := os.MkdirTemp("", "codebolt-package-*")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	root, err := os.OpenRoot(work)
	if err != nil {
		return "", err
	}
	defer root.Close()
	if err := parts.Assemble(ctx, root); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(output), 0o755); err != nil {
		return "", err
	}
	to, err := os.CreateTemp(filepath.Dir(output), "."+filepath.Base(output)+"-*")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(to.Name()))
		}
	}()
	hash := sha256.New()
	err = archive.Pack(ctx, root.FS(), io.MultiWriter(to, hash), archive.PackOptions{Format: format, Under: m.Name, Modified: modified})
	err = errors.Join(err, to.Chmod(fs.FileMode(0o644)), to.Close())
	if err == nil {
		err = os.Rename(to.Name(), output)
	}
	return hex.EncodeToString(hash.Sum(nil)), err
}
