package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/codeboltai/codebolt-providers/manifests"
	"github.com/codeboltai/codebolt-providers/shared/install"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// found is a provider that this program can run: one that comes with it, or one that is
// installed in the project or for the user.
type found struct {
	*manifest.Manifest
	files  fs.FS  // with its manifest files at the root
	folder string // of its sources; "" when it does not come with this program
	dir    string // where it is installed; "" when it comes with this program
}

// find finds a provider by its name, id or alias. What comes with this program is before
// what is installed, and what the project has before what the user has.
func (a *app) find(name string) (*found, error) {
	m, folder, err := manifests.Load(name)
	if err == nil {
		return &found{Manifest: m, files: manifests.Files(folder), folder: folder}, nil
	}
	if wire.CodeOf(err) != wire.NotFound {
		return nil, err
	}
	known := providerNames()
	installed, err := a.installed(name)
	if err != nil {
		return nil, err
	}
	for _, f := range installed {
		switch {
		case filepath.Base(f.dir) == name, f.AnswersTo(name):
			return f, nil
		case !slices.Contains(known, f.Name):
			known = append(known, f.Name)
		}
	}
	hint := ""
	if near, ok := manifest.Nearest(name, known); ok {
		hint = "; did you mean " + near + "?"
	}
	return nil, fmt.Errorf("there is no provider %q; there are: %s%s", name, strings.Join(known, ", "), hint)
}

// installed are the providers that are installed in the project, and then those of the
// user, as far as their manifests are right; that of the one with the name must be.
func (a *app) installed(name string) (all []*found, err error) {
	for _, p := range []place{{app: a}, {app: a, global: true}} {
		folder, err := p.folder()
		if err != nil {
			continue // there is no project, or no home; whoever needs it says so
		}
		entries, err := os.ReadDir(folder.Dir("."))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		for _, entry := range entries {
			dir := folder.Dir(entry.Name())
			m, err := manifest.Load(os.DirFS(dir), ".")
			switch {
			case err == nil:
				all = append(all, &found{Manifest: m, files: os.DirFS(dir), dir: dir})
			case entry.Name() == name:
				return nil, fmt.Errorf("%s: %w", dir, err)
			}
		}
	}
	return all, nil
}

// all are the providers that come with this program, and those that are installed and
// do not.
func (a *app) all() (all []*found, err error) {
	var ids []string
	for _, entry := range manifests.All() {
		all = append(all, &found{Manifest: entry.Manifest, files: manifests.Files(entry.Folder), folder: entry.Folder})
		ids = append(ids, entry.Manifest.UniqueID)
	}
	installed, err := a.installed("")
	for _, f := range installed {
		if !slices.Contains(ids, f.UniqueID) {
			all = append(all, f)
			ids = append(ids, f.UniqueID)
		}
	}
	return all, err
}

// program is the provider's program for this machine.
func (f *found) program() (string, error) {
	if f.dir == "" {
		return providerProgram(f.folder)
	}
	return nativeProgram(f.Manifest, f.dir)
}

// nativeProgram is the program of a provider that is installed in a folder, for this
// machine; the one that its launcher starts.
func nativeProgram(m *manifest.Manifest, dir string) (string, error) {
	if m.NativeEntrypoint == "" {
		return "", fmt.Errorf("%s has no program of its own, and only a Codebolt server starts what it has", m.Name)
	}
	here := install.Here()
	path := filepath.Join(dir, filepath.FromSlash(here.Executable(strings.ReplaceAll(m.NativeEntrypoint, "{platform}", string(here)))))
	if !isFile(path) {
		return "", fmt.Errorf("%s has no program for %s; install one that has", m.Name, here)
	}
	return path, nil
}
