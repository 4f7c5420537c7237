package agentfolder

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// maxPackage is how large a package.json may be that is looked into, in bytes.
const maxPackage = 1 << 20

// allowed follows the symbolic links of a path and sees that it is below a root
// then. Of what is outside it does not tell whether it is there.
func (f *finder) allowed(name string) (string, error) {
	if !filepath.IsAbs(name) && f.o.Base != "" {
		name = filepath.Join(f.o.Base, name)
	}
	if !filepath.IsAbs(name) {
		return "", wire.Errorf(wire.Invalid, "the path %q is not absolute", name)
	}
	name = filepath.Clean(name)
	final, err := filepath.EvalSymlinks(name)
	if err != nil {
		for _, root := range f.roots() {
			if below(root.given, name) || below(root.final, name) {
				return "", wire.Errorf(wire.CodeOf(err), "%w", err)
			}
		}
	}
	for _, root := range f.roots() {
		if err == nil && below(root.final, final) {
			return final, nil
		}
	}
	return "", wire.Errorf(wire.Permission, "%s is not below a folder that agents may lie in; to allow it, add a folder above it to the setting agents.roots", name)
}

// root is one of Options.Roots.
type root struct{ given, final string }

func (f *finder) roots() []root {
	var all []root
	for _, given := range f.o.Roots {
		if !filepath.IsAbs(given) {
			continue // it would depend on where the program was started
		}
		if final, err := filepath.EvalSymlinks(given); err == nil {
			all = append(all, root{filepath.Clean(given), final})
		}
	}
	return all
}

func below(dir, name string) bool {
	rel, err := filepath.Rel(dir, name)
	return err == nil && filepath.IsLocal(rel)
}

// entry is the script that starts the agent in a folder: index.js, else
// dist/index.js, else what package.json has as "main". It is in the folder, also
// after symbolic links. Errors call the folder by the name that is given.
func entry(dir, called string) (string, error) {
	in, err := os.OpenRoot(dir)
	if err != nil {
		return "", wire.Errorf(wire.CodeOf(err), "%w", err)
	}
	defer in.Close()
	tried := []string{"index.js", "dist/index.js"}
	main, err := packageMain(in)
	if err != nil {
		// What comes before it may be there all the same.
		main = ""
	}
	if main != "" {
		tried = append(tried, main, main+".js", path.Join(main, "index.js")) // as node takes it
	}
	for _, name := range tried {
		info, statErr := in.Stat(filepath.FromSlash(name))
		switch {
		case statErr == nil && info.Mode().IsRegular():
			return filepath.Join(dir, filepath.FromSlash(name)), nil
		case statErr == nil, missing(statErr):
		default:
			return "", wire.Errorf(wire.Permission, "the script of an agent has to be in its folder: %w", statErr)
		}
	}
	if err != nil {
		return "", err
	}
	return "", wire.Errorf(wire.NotFound, `there is nothing to start in %s: no index.js, no dist/index.js, and no package.json whose "main" names a script`, called)
}

// missing also holds for what is below a file as if it were a folder.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// packageMain is the "main" of the folder's package.json, "" without one.
func packageMain(in *os.Root) (string, error) {
	info, err := in.Stat("package.json")
	if err != nil || !info.Mode().IsRegular() {
		return "", nil // a folder need not have one
	}
	file, err := in.Open("package.json")
	if err != nil {
		return "", wire.Errorf(wire.CodeOf(err), "%w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxPackage+1))
	if err != nil {
		return "", wire.Errorf(wire.CodeOf(err), "%w", err)
	}
	if len(text) > maxPackage {
		return "", wire.Errorf(wire.TooLarge, "package.json has more than %d bytes", maxPackage)
	}
	var pkg struct {
		Main string `json:"main"`
	}
	if err := json.Unmarshal(text, &pkg); err != nil {
		return "", wire.Errorf(wire.Invalid, "package.json: %w", err)
	}
	if pkg.Main == "" {
		return "", nil
	}
	main := path.Clean(filepath.ToSlash(pkg.Main))
	if !filepath.IsLocal(filepath.FromSlash(main)) {
		return "", wire.Errorf(wire.Permission, `the "main" of package.json, %q, is outside of the agent's folder`, pkg.Main)
	}
	return main, nil
}
