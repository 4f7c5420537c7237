package workspace

import (
	"path"
	"runtime"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Name turns the path of a request into a name in the sense of [FS]. A path is
// relative to the workspace, or absolute inside it; another is OutsideWorkspace, and
// one that is no path Invalid. The sentence begins with op. Nothing in it is decoded:
// percent signs and, save on Windows, backslashes are ordinary characters of file
// names.
func Name(files FS, op, p string) (string, error) {
	if p == "" {
		return "", wire.Errorf(wire.Invalid, "%s: the path is missing", op)
	}
	if strings.ContainsRune(p, 0) {
		return "", wire.Errorf(wire.Invalid, "%s %s: the path has a NUL character", op, quote(p))
	}
	if runtime.GOOS == "windows" || strings.Contains(files.Root(), `\`) {
		p = strings.ReplaceAll(p, `\`, "/")
	}
	var name string
	if inside, ok := inside(files, p); ok {
		name = inside
	} else if path.IsAbs(p) || hasDrive(p) && strings.Contains(files.Root(), `\`) {
		return "", outside(files, op, p)
	} else {
		name = path.Clean(p)
	}
	if name == ".." || strings.HasPrefix(name, "../") {
		return "", outside(files, op, p)
	}
	// Where a backslash is no separator it may still be meant as one: what would
	// then lead outside is no file name that anybody means.
	if strings.Contains(name, `\`) {
		if s := path.Clean(strings.ReplaceAll(name, `\`, "/")); s == ".." || strings.HasPrefix(s, "../") || path.IsAbs(s) || hasDrive(s) {
			return "", outside(files, op, p)
		}
	}
	if err := checkCharacters(op, name); err != nil {
		return "", err
	}
	return name, nil
}

// Path is where a name is, in the form of the system where the files are.
func Path(files FS, name string) string {
	below, separator := prefix(files.Root())
	switch {
	case name == ".":
		return files.Root()
	case separator == "/":
		return below + name
	}
	return below + strings.ReplaceAll(name, "/", separator)
}

// prefix is what the paths below a root begin with, and what separates their parts.
func prefix(root string) (below, separator string) {
	separator = "/"
	if strings.Contains(root, `\`) {
		separator = `\`
	}
	return strings.TrimSuffix(root, separator) + separator, separator
}

func (f *Files) name(op, p string) (string, error) { return Name(f.FS, op, p) }

func outside(files FS, op, p string) error {
	return wire.Errorf(wire.OutsideWorkspace, "%s %s: the path is outside the workspace %s", op, show(p), files.Root())
}

func inside(files FS, p string) (string, bool) {
	if l, ok := files.(interface{ relative(string) (string, bool) }); ok {
		if path.IsAbs(p) || hasDrive(p) {
			return l.relative(p)
		}
		return "", false
	}
	if other := otherRoot(files); other != "" {
		if name, ok := within(other, p); ok {
			return name, true
		}
	}
	return within(strings.ReplaceAll(files.Root(), `\`, "/"), p)
}

func hasDrive(p string) bool {
	return len(p) >= 2 && p[1] == ':' && (p[0]|0x20) >= 'a' && (p[0]|0x20) <= 'z'
}

// folder is name for the requests that list: there the root has several names.
func (f *Files) folder(op, p string) (string, error) {
	switch p {
	case "", "root", ".", "./", "/":
		return ".", nil
	}
	return f.name(op, p)
}
