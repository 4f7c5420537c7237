package install

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Files of a provider's folder, besides the two of package manifest.
const (
	packageFile = "package.json"
	programsDir = "bin"
)

//go:embed launcher.js
var launcher []byte

// Platform is a system and a processor by the names of GOOS and GOARCH, as in
// linux-amd64.
type Platform string

// Here is the platform of this program.
func Here() Platform { return Platform(runtime.GOOS + "-" + runtime.GOARCH) }

// Executable is a program's file name on the platform.
func (p Platform) Executable(name string) string {
	if strings.HasPrefix(string(p), "windows-") {
		return name + ".exe"
	}
	return name
}

// Parts are what a provider's folder is made of.
type Parts struct {
	// Manifests holds the two manifest files at its root. The entry point that they
	// name becomes the launcher.
	Manifests fs.FS
	// Program is the name of the provider's program, without .exe.
	Program string
	// Programs are the files below bin.
	Programs []Program
	// Documents are further files at the top, such as README.md, by their names.
	Documents map[string][]byte
}

// Program is one executable of a provider's folder.
type Program struct {
	Platform Platform
	Name     string // the file's name, with .exe on Windows
	Path     string // where it is now
}

// documents are the files that are taken along where they are beside a manifest.
var documents = []string{manifest.SchemaFile, "README.md", "LICENSE"}

// Gather finds the parts of a provider. files has its two manifest files at its root,
// and maybe [manifest.SchemaFile], README.md and LICENSE, which are taken along. Below
// the folder programs are those that were built: for each platform the provider's,
// which the manifest's nativeEntrypoint names, and codebolt-runtime, in a folder named
// after it or, for [Here], in programs itself. When the manifest has runtimePlatforms,
// environments are on no others, and the runtimes are those for them alone, as
// codebolt-runtime-PLATFORM or in a folder of their platform.
//
// It fails with Invalid when the manifest is wrong or names no program, and with
// NotFound, naming where it looked, when a program is missing.
func Gather(files fs.FS, programs string, platforms ...Platform) (Parts, error) {
	m, err := manifest.Load(files, ".")
	if err != nil {
		return Parts{}, err
	}
	parts := Parts{Manifests: files, Program: m.Program(), Documents: map[string][]byte{}}
	if parts.Program == "" {
		return Parts{}, wire.Errorf(wire.Invalid, "%s names no program; write nativeEntrypoint: bin/{platform}/PROGRAM", manifest.ProviderFile)
	}
	for _, name := range documents {
		switch text, err := fs.ReadFile(files, name); {
		case err == nil:
			parts.Documents[name] = text
		case !errors.Is(err, fs.ErrNotExist):
			return Parts{}, wire.Errorf(wire.CodeOf(err), "gather %s: %w", m.Name, err)
		}
	}
	add := func(whose, on Platform, as, program string) error {
		at, err := built(programs, on, program)
		if err == nil {
			parts.Programs = append(parts.Programs, Program{Platform: whose, Name: as, Path: at})
		}
		return err
	}
	var missing []error
	for _, platform := range platforms {
		missing = append(missing, add(platform, platform, platform.Executable(parts.Program), parts.Program))
		if len(m.RuntimePlatforms) == 0 || slices.Contains(m.RuntimePlatforms, string(platform)) {
			missing = append(missing, add(platform, platform, platform.Executable(runtimeProgram), runtimeProgram))
		}
		for _, elsewhere := range m.RuntimePlatforms {
			if other := Platform(elsewhere); other != platform {
				missing = append(missing, add(platform, other, runtimeProgram+"-"+elsewhere, runtimeProgram))
			}
		}
	}
	return parts, errors.Join(missing...)
}

// runtimeProgram is the reference runtime, which goes with each provider.
const runtimeProgram = "codebolt-runtime"

// built finds a program for a platform among those that were built.
func built(programs string, platform Platform, program string) (string, error) {
	file := platform.Executable(program)
	places := []string{filepath.Join(programs, string(platform), file), filepath.Join(programs, program+"-"+string(platform))}
	if platform == Here() {
		places = append(places, filepath.Join(programs, file))
	}
	for _, at := range places {
		if info, err := os.Stat(at); err == nil && info.Mode().IsRegular() {
			return at, nil
		}
	}
	return "", wire.Errorf(wire.NotFound, "there is no program %s for %s: it is not at %s", program, platform, strings.Join(places, " or "))
}

// BuiltFor are the platforms for which the folder programs has the provider's program,
// sorted; see [Gather]. There are none when there is no such folder.
func BuiltFor(m *manifest.Manifest, programs string) ([]Platform, error) {
	all := []Platform{Here()}
	entries, err := os.ReadDir(programs)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, wire.Errorf(wire.CodeOf(err), "look for programs: %w", err)
	}
	for _, entry := range entries {
		if platform := Platform(entry.Name()); platform != Here() && entry.IsDir() {
			all = append(all, platform)
		}
	}
	all = slices.DeleteFunc(all, func(platform Platform) bool {
		_, err := built(programs, platform, m.Program())
		return err != nil
	})
	slices.Sort(all)
	return all, nil
}

// Assemble fills an empty folder. It fails with NotFound when a program is missing
// and with Invalid when the manifest is wrong.
func (p Parts) Assemble(ctx context.Context, into *os.Root) error {
	m, err := manifest.Load(p.Manifests, ".")
	if err != nil {
		return err
	}
	for _, name := range []string{manifest.ProviderFile, manifest.ProvidersFile} {
		text, err := fs.ReadFile(p.Manifests, name)
		if err != nil {
			return wire.Errorf(wire.CodeOf(err), "assemble %s: %w", m.Name, err)
		}
		if err := write(into, name, text); err != nil {
			return err
		}
	}
	described, err := describe(m, p.Program)
	if err != nil {
		return err
	}
	if err := errors.Join(write(into, packageFile, described), write(into, m.Entrypoint, launcher)); err != nil {
		return err
	}
	for name, text := range p.Documents {
		if err := write(into, name, text); err != nil {
			return err
		}
	}
	for _, program := range p.Programs {
		if err := ctx.Err(); err != nil {
			return wire.Errorf(wire.CodeOf(err), "assemble %s: %w", m.Name, err)
		}
		if err := copyProgram(into, program); err != nil {
			return err
		}
	}
	return writeSums(ctx, into)
}

// describe is package.json: what Node and its package managers know a provider by,
// and what the launcher reads.
func describe(m *manifest.Manifest, program string) ([]byte, error) {
	text, err := json.MarshalIndent(struct {
		Name        string            `json:"name"`
		Version     string            `json:"version"`
		Description string            `json:"description"`
		Author      string            `json:"author"`
		Private     bool              `json:"private"` // it is no package of a registry
		Main        string            `json:"main"`
		Engines     map[string]string `json:"engines"`
		Codebolt    map[string]string `json:"codebolt"`
	}{
		m.Name, m.Version, m.Description, m.Author, true, m.Entrypoint,
		map[string]string{"node": ">=12"},
		map[string]string{"program": program},
	}, "", "  ")
	if err != nil {
		return nil, wire.Errorf(wire.Internal, "describe %s: %w", m.Name, err)
	}
	return append(text, '\n'), nil
}

func write(into *os.Root, name string, text []byte) error {
	at := filepath.FromSlash(name)
	err := into.MkdirAll(filepath.FromSlash(path.Dir(name)), 0o755)
	if err == nil {
		err = into.WriteFile(at, text, 0o644)
	}
	if err != nil {
		return wire.Errorf(wire.CodeOf(err), "write %s: %w", name, err)
	}
	return nil
}

func copyProgram(into *os.Root, program Program) (err error) {
	from, err := os.Open(program.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return wire.Errorf(wire.NotFound, "the program %s is missing; build it first", program.Path)
	}
	if err != nil {
		return wire.Errorf(wire.CodeOf(err), "copy a program: %w", err)
	}
	defer from.Close()
	dir := filepath.Join(programsDir, string(program.Platform))
	var to *os.File
	if err = into.MkdirAll(dir, 0o755); err == nil {
		to, err = into.OpenFile(filepath.Join(dir, program.Name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	}
	if err == nil {
		_, err = io.Copy(to, from)
		err = errors.Join(err, to.Close())
	}
	if err != nil {
		return wire.Errorf(wire.CodeOf(err), "copy %s: %w", program.Path, err)
	}
	return nil
}

// Platforms are those that a provider's folder has a program for, sorted.
func Platforms(folder fs.FS) []Platform {
	var described struct {
		Codebolt struct {
			Program string `json:"program"`
		} `json:"codebolt"`
	}
	text, err := fs.ReadFile(folder, packageFile)
	if err != nil || json.Unmarshal(text, &described) != nil || described.Codebolt.Program == "" {
		return nil
	}
	entries, err := fs.ReadDir(folder, programsDir)
	if err != nil {
		return nil
	}
	var all []Platform
	for _, entry := range entries {
		platform := Platform(entry.Name())
		if info, err := fs.Stat(folder, path.Join(programsDir, entry.Name(), platform.Executable(described.Codebolt.Program))); err == nil && info.Mode().IsRegular() {
			all = append(all, platform)
		}
	}
	slices.Sort(all)
	return all
}
