// Command modules sets the versions by which the modules of this repository require
// each other, and names the tags of a release:
//
//	modules set v1.2.3     write the version into every go.mod
//	modules check v1.2.3   fail when a go.mod has another
//	modules tags v1.2.3    print the tags, a line each
//
// It works on the repository that it is started in. The replace directives stay, which
// count in this repository alone: whoever requires one of the modules gets the others
// by their versions.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
)

// ours is the path before that of every module of this repository.
const ours = "github.com/codeboltai/codebolt-providers/"

// unreleased is the folder of the module that is in no release: that of this program.
const unreleased = "release"

func main() {
	if err := run(".", os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "modules:", err)
		os.Exit(1)
	}
}

func run(dir string, args []string, stdout io.Writer) error {
	if len(args) != 2 {
		return errors.New("the arguments are one of set, check and tags, and a version such as v1.2.3")
	}
	version := args[1]
	if semver.Canonical(version) != version {
		return fmt.Errorf("%q is no version such as v1.2.3 or v1.2.3-rc.1", version)
	}
	root, folders, err := workspace(dir)
	if err != nil {
		return err
	}
	switch args[0] {
	case "set":
		return set(root, folders, version, stdout)
	case "check":
		return check(root, folders, version)
	case "tags":
		for _, tag := range tags(folders, version) {
			fmt.Fprintln(stdout, tag)
		}
		return nil
	}
	return fmt.Errorf("%q is none of set, check and tags", args[0])
}

// workspace finds the root of the repository, and the folders of its modules, which
// go.work lists, sorted.
func workspace(dir string) (root string, folders []string, err error) {
	if root, err = filepath.Abs(dir); err != nil {
		return "", nil, err
	}
	var text []byte
	for {
		text, err = os.ReadFile(filepath.Join(root, "go.work"))
		if err == nil {
			break
		}
		if above := filepath.Dir(root); above != root && errors.Is(err, os.ErrNotExist) {
			root = above
			continue
		}
		return "", nil, fmt.Errorf("find the repository: %w", err)
	}
	work, err := modfile.ParseWork("go.work", text, nil)
	if err != nil {
		return "", nil, err
	}
	for _, use := range work.Use {
		folders = append(folders, path.Clean(use.Path))
	}
	slices.Sort(folders)
	return root, folders, nil
}

// tags are the tag of the release itself, and those by which Go finds the modules.
func tags(folders []string, version string) []string {
	all := []string{version}
	for _, folder := range folders {
		if folder != unreleased {
			all = append(all, folder+"/"+version)
		}
	}
	return all
}

// read reads a folder's go.mod and refuses a version that its module cannot have.
func read(root, folder, version string) (name string, file *modfile.File, err error) {
	name = filepath.Join(root, filepath.FromSlash(folder), "go.mod")
	text, err := os.ReadFile(name)
	if err != nil {
		return "", nil, err
	}
	if file, err = modfile.Parse(name, text, nil); err != nil {
		return "", nil, err
	}
	if file.Module.Mod.Path != ours+folder {
		return "", nil, fmt.Errorf("%s: the module is %s, where Go looks for %s", name, file.Module.Mod.Path, ours+folder)
	}
	if _, major, ok := module.SplitPathVersion(file.Module.Mod.Path); !ok || module.CheckPathMajor(version, major) != nil {
		return "", nil, fmt.Errorf("%s: %s cannot be a version of %s, whose path would have to end in /%s", name, version, file.Module.Mod.Path, semver.Major(version))
	}
	return name, file, nil
}

func set(root string, folders []string, version string, stdout io.Writer) error {
	for _, folder := range folders {
		name, file, err := read(root, folder, version)
		if err != nil {
			return err
		}
		changed := false
		for _, require := range file.Require {
			if strings.HasPrefix(require.Mod.Path, ours) && require.Mod.Version != version {
				changed = true
				if err := file.AddRequire(require.Mod.Path, version); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
		}
		if !changed {
			continue
		}
		text, err := file.Format()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := os.WriteFile(name, text, 0o644); err != nil {
			return err
		}
		fmt.Fprintln(stdout, path.Join(folder, "go.mod"))
	}
	return nil
}

func check(root string, folders []string, version string) error {
	var errs []error
	for _, folder := range folders {
		name, file, err := read(root, folder, version)
		if err != nil {
			return err
		}
		for _, require := range file.Require {
			if strings.HasPrefix(require.Mod.Path, ours) && require.Mod.Version != version {
				errs = append(errs, fmt.Errorf("%s requires %s, and not at %s", name, require.Mod, version))
			}
		}
	}
	return errors.Join(errs...)
}
