package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// grounds is the temporary folder of the check that runs, the only place where a
// defect of containment may do anything. It is a root: whatever a defect makes
// of a path, and wherever links lead meanwhile, nothing outside is touched.
type grounds struct {
	*os.Root

	dir string
}

var errForbidden = errors.New("this is not below the check's folder")

// ground opens the grounds. Outside a run of the suite there are none, and a
// defect does nothing.
var ground = sync.OnceValue(func() *grounds {
	home, err := filepath.EvalSymlinks(os.Getenv("HOME"))
	dir := filepath.Dir(home)
	if err != nil || filepath.Base(home) != "home" || os.Getenv("TMPDIR") != filepath.Join(dir, "tmp") ||
		os.Getenv("CODEBOLT_CONFORMANCE_CHECK") == "" || !strings.HasPrefix(filepath.Base(filepath.Dir(dir)), "cbc-") {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil
	}
	return &grounds{Root: root, dir: dir}
})

// within reports whether a path is below a folder, or it.
func within(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// command runs a program in a folder of the grounds and returns what it printed.
// Where the folder is no checkout git looks no further than the grounds.
func (g *grounds) command(dir, program string, args ...string) string {
	if g == nil || dir == "" || !within(g.dir, followed(dir)) {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_OPTIONAL_LOCKS=0", "GIT_CEILING_DIRECTORIES="+g.dir)
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	return string(out)
}

// name is a place as the root calls it.
func (g *grounds) name(place string) (string, error) {
	rel, err := filepath.Rel(g.dir, filepath.Clean(place))
	if err != nil || !filepath.IsLocal(rel) || rel == "." || rel == "home" {
		return "", errForbidden
	}
	return rel, nil
}

// do does what a request asks for, as plainly as can be: whatever is at the
// place is taken for what was meant. at tells the place for a member of the
// request.
func (g *grounds) do(m message, at func(member string) string) (any, error) {
	var failed error
	name := func(member string) string {
		rel, err := g.name(at(member))
		failed = errors.Join(failed, err)
		return rel
	}
	switch m.text("type") {
	case "providerReadFile":
		data, err := g.read(name("path"))
		return string(data), errors.Join(failed, err)
	case "providerWriteFile":
		return nil, g.write(name("path"), []byte(m.text("content")), failed)
	case "providerDeleteFile":
		if path := name("path"); failed == nil {
			return nil, g.Remove(path)
		}
	case "providerDeleteFolder":
		if path := name("path"); failed == nil {
			return nil, g.RemoveAll(path)
		}
	case "providerCreateFolder":
		if path := name("path"); failed == nil {
			return nil, g.MkdirAll(path, 0o755)
		}
	case "providerRenameItem":
		from, to := name("oldPath"), name("newPath")
		if failed == nil {
			return nil, errors.Join(g.MkdirAll(filepath.Dir(to), 0o755), g.Rename(from, to))
		}
	case "providerCopyFile":
		data, err := g.read(name("sourcePath"))
		return nil, g.write(name("destinationPath"), data, errors.Join(failed, err))
	case "providerCopyFolder":
		from, to := name("sourcePath"), name("destinationPath")
		if failed == nil {
			return nil, g.copy(from, to, 0)
		}
	case "providerGetTreeChildren":
		if path := name("path"); failed == nil {
			return g.list(path, at("path"))
		}
	}
	return nil, failed
}

// most is how much is read of anything: a device has no end.
const most = 64 << 10

func (g *grounds) read(name string) ([]byte, error) {
	file, err := g.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, most))
}

func (g *grounds) write(name string, data []byte, failed error) error {
	if failed != nil {
		return failed
	}
	if err := g.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return g.WriteFile(name, data, 0o644)
}

// deepest bounds a copy in which a link leads to where it is.
const deepest = 8

// copy copies a folder, and what its links lead to as if it were there.
func (g *grounds) copy(from, to string, depth int) error {
	dir, err := g.Open(from)
	if err != nil || depth > deepest {
		return err
	}
	defer dir.Close()
	entries, err := dir.ReadDir(-1)
	if err == nil {
		err = g.MkdirAll(to, 0o755)
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		source, target := filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())
		leads, err := g.name(followed(filepath.Join(g.dir, source)))
		if err != nil {
			continue
		}
		switch info, err := g.Stat(leads); {
		case err != nil: // a link to nothing
		case info.IsDir():
			err = g.copy(leads, target, depth+1)
			if err != nil {
				return err
			}
		case info.Mode().IsRegular():
			data, err := g.read(leads)
			if err := g.write(target, data, err); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *grounds) list(name, place string) ([]any, error) {
	dir, err := g.Open(name)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	entries, err := dir.ReadDir(-1)
	all := []any{}
	for _, entry := range entries {
		all = append(all, map[string]any{
			"id": entry.Name(), "name": entry.Name(), "path": filepath.Join(place, entry.Name()), "isFolder": entry.IsDir(), "size": 0, "lastModified": "2001-09-09T01:46:40Z",
		})
	}
	return all, err
}

// followed is where a path leads by all its links, as far as it exists.
func followed(path string) string {
	place, err := filepath.EvalSymlinks(path)
	if err == nil {
		return place
	}
	dir := filepath.Dir(path)
	if _, there := os.Lstat(path); there == nil || dir == path || !errors.Is(err, fs.ErrNotExist) {
		return path // a link to nothing, or one that goes round
	}
	return filepath.Join(followed(dir), filepath.Base(path))
}
