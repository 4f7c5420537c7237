package workspace

import (
	"path"
	"runtime"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// name turns the path of a request into a name of the FS. A path is relative to
// the workspace, or absolute inside it. Nothing in it is decoded: percent signs
// and, save on Windows, backslashes are ordinary characters of file names.
func (f *Files) name(op, p string) (string, error) {
	if p == "" {
		return "", wire.Errorf(wire.Invalid, "%s: the path is missing", op)
	}
	if strings.ContainsRune(p, 0) {
		return "", wire.Errorf(wire.Invalid, "%s %s: the path has a NUL character", op, quote(p))
	}
	if runtime.GOOS == "windows" || strings.Contains(f.FS.Root(), `\`) {
		p = strings.ReplaceAll(p, `\`, "/")
	}
	var name string
	if inside, ok := f.inside(p); ok {
		name = inside
	} else if path.IsAbs(p) || hasDrive(p) && strings.Contains(f.FS.Root(), `\`) {
		return "", f.outside(op, p)
	} else {
		name = path.Clean(p)
	}
	if name == ".." || strings.HasPrefix(name, "../") {
		return "", f.outside(op, p)
	}
	// Where a backslash is no separator it may still be meant as one: what would
	// then lead outside is no file name that anybody means.
	if strings.Contains(name, `\`) {
		if s := path.Clean(strings.ReplaceAll(name, `\`, "/")); s == ".." || strings.HasPrefix(s, "../") || path.IsAbs(s) || hasDrive(s) {
			return "", f.outside(op, p)
		}
	}
	if err := checkCharacters(op, name); err != nil {
		return "", err
	}
	return name, nil
}

func (f *Files) outside(op, p string) error {
	return wire.Errorf(wire.OutsideWorkspace, "%s %s: the path is outside the workspace %s", op, show(p), f.FS.Root())
}

func (f *Files) inside(p string) (string, bool) {
	if l, ok := f.FS.(interface{ relative(string) (string, bool) }); ok {
		if path.IsAbs(p) || hasDrive(p) {
			return l.relative(p)
		}
		return "", false
	}
	if other := otherRoot(f.FS); other != "" {
		if name, ok := within(other, p); ok {
			return name, true
		}
	}
	root := strings.ReplaceAll(f.FS.Root(), `\`, "/")
	if !strings.Contains(f.FS.Root(), `\`) {
		root = f.FS.Root()
	}
	return within(root, p)
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
