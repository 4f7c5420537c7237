package outpost

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Folder is an environment's folder on the other machine.
type Folder struct {
	Dir  string `json:"dir"`  // absolute; where environments are
	Name string `json:"name"` // of this one in it
	// Ours tells that Dir is there for nothing else, and goes with the last of them.
	Ours bool `json:"ours,omitzero"`
	// The marker tells whose it is: the store's and the environment's, and of which
	// of its lives.
	Marker Marker `json:"marker"`
}

// Marker tells whose a folder is.
type Marker struct {
	Owner string `json:"owner"`
	Key   string `json:"key"`
	Birth string `json:"birth"`
}

// What is in a folder.
const (
	markerName = ".codebolt-environment"
	filesName  = "files"
	runName    = "run"
	filledName = "filled"
)

// Path is the folder itself, Files where the agents work, and Run where the runtime
// has what is its own.
func (f Folder) Path() string { return path.Join(f.Dir, f.Name) }

// Files is where the agents work.
func (f Folder) Files() string { return path.Join(f.Path(), filesName) }

// Run is where the runtime has what is its own.
func (f Folder) Run() string { return path.Join(f.Path(), runName) }

func (f Folder) check() error {
	switch {
	case !path.IsAbs(f.Dir) || path.Clean(f.Dir) != f.Dir || f.Dir == "/":
		return wire.Errorf(wire.Invalid, "environments cannot be in %q; name a folder by its absolute path", f.Dir)
	case f.Name == "" || strings.HasPrefix(f.Name, ".") || strings.ContainsAny(f.Name, "/\x00"):
		return wire.Errorf(wire.Invalid, "an environment's folder cannot be called %q", f.Name)
	case f.Marker.Owner == "" || f.Marker.Key == "" || f.Marker.Birth == "":
		return wire.Errorf(wire.Invalid, "nobody is named to whom the folder belongs")
	}
	return nil
}

// open opens the folder if it is ours. It fails with kind NotFound when there is
// none, and Conflict when it is another's.
func (f Folder) open() (*os.Root, error) {
	parent, err := os.OpenRoot(f.Dir)
	if err != nil {
		return nil, err
	}
	defer parent.Close()
	return f.openIn(parent, f.Name)
}

func (f Folder) openIn(parent *os.Root, name string) (*os.Root, error) {
	conflict := func(why string) error {
		return wire.Errorf(wire.Conflict, "the folder %s on the host %s; it is left alone, so move it away, or set dir to another place", path.Join(f.Dir, name), why)
	}
	info, err := parent.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, conflict("is no folder of an environment")
	}
	root, err := parent.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	var found Marker
	text, err := root.ReadFile(markerName)
	if err == nil {
		err = wire.Unmarshal(text, &found)
	}
	switch {
	case err == nil && found == f.Marker:
		return root, nil
	case err == nil && found.Owner == f.Marker.Owner && found.Key == f.Marker.Key:
		err = conflict("is of an earlier life of this environment, of which nothing is on record")
	default:
		err = conflict("is not this environment's")
	}
	return nil, errors.Join(err, root.Close())
}

// temporary is the folder while it is made.
func (f Folder) temporary() string { return "." + f.Name + ".new" }

// make makes the folder, whole or not at all, unless it is there.
func (f Folder) make() (made, filled bool, err error) {
	root, err := f.open()
	if err == nil {
		return false, f.isFilled(root), root.Close()
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return false, false, err
	}
	err = f.makeNew()
	return err == nil, false, err
}

// lockLimit is how long is waited for another process that is at work on the folder:
// whoever asked for that may be gone, and it goes on.
const lockLimit = 45 * time.Second

// lock takes the turn to change something. Without a folder of all of them, which
// only Make makes, there is nothing to be changed, and it is nil.
func (f Folder) lock(ctx context.Context, making bool) (*resource.Lock, error) {
	ctx, cancel := context.WithTimeout(ctx, lockLimit)
	defer cancel()
	for try := 1; ; try++ {
		if making {
			if err := os.MkdirAll(f.Dir, 0o700); err != nil {
				return nil, err
			}
		}
		const tries = 10 // another environment's removal may take the folder of all along
		lock, err := resource.Acquire(ctx, path.Join(f.Dir, "."+f.Name+".lock"))
		switch {
		case err == nil:
			return lock, nil
		case !making && (wire.CodeOf(err) == wire.NotFound || full(err)):
			return nil, nil //nolint:nilnil // see above; and a full disk is no reason not to make room on it
		case wire.CodeOf(err) != wire.NotFound:
			return nil, err
		case try == tries:
			return nil, err
		}
	}
}

// unlock gives the turn up, and takes the folder of all along when nothing is in it.
func (f Folder) unlock(lock *resource.Lock) error {
	if lock == nil {
		return nil
	}
	err := lock.Release()
	if f.Ours {
		_ = os.Remove(f.Dir) // refused unless it is empty
	}
	return err
}

func (f Folder) makeNew() (err error) {
	parent, err := os.OpenRoot(f.Dir)
	if err != nil {
		return err
	}
	defer parent.Close()
	if err := f.sweep(parent); err != nil {
		return err
	}
	temporary := f.temporary()
	if err := parent.Mkdir(temporary, 0o700); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, parent.RemoveAll(temporary))
		}
	}()
	text, err := wire.Marshal(f.Marker)
	if err != nil {
		return err
	}
	if err := parent.WriteFile(path.Join(temporary, markerName), text, 0o600); err != nil {
		return err
	}
	if err := parent.Mkdir(path.Join(temporary, filesName), 0o755); err != nil {
		return err
	}
	if err := parent.Mkdir(path.Join(temporary, runName), 0o700); err != nil {
		return err
	}
	if _, err := parent.Lstat(f.Name); err == nil {
		return wire.Errorf(wire.Conflict, "the folder %s on the host has just been made by somebody else", f.Path())
	}
	return parent.Rename(temporary, f.Name)
}

// sweep takes away what a start that was killed has half made: it has no marker yet,
// and then nothing else, or ours.
func (f Folder) sweep(parent *os.Root) error {
	err := parent.Remove(f.temporary())
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	root, err := f.openIn(parent, f.temporary())
	if err != nil {
		return err
	}
	return errors.Join(root.Close(), resource.RemoveAll(parent, f.temporary()))
}

func (f Folder) isFilled(root *os.Root) bool {
	_, err := root.Lstat(filledName)
	return err == nil
}

// fill notes that the files are there.
func (f Folder) fill() error {
	root, err := f.open()
	if err != nil {
		return err
	}
	return errors.Join(root.WriteFile(filledName, nil, 0o600), root.Close())
}

// remove removes the folder if it is there and ours. The marker goes last, so that a
// removal that is interrupted is one that goes on. Links are removed and not
// followed.
func (f Folder) remove() error {
	parent, err := os.OpenRoot(f.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer parent.Close()
	if err := f.sweep(parent); err != nil && wire.CodeOf(err) != wire.Conflict {
		return err
	}
	root, err := f.openIn(parent, f.Name)
	if err == nil {
		err = errors.Join(f.empty(root), root.Close())
		if err == nil {
			err = parent.Remove(f.Name)
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && wire.CodeOf(err) != wire.Conflict {
		return err
	}
	if short, ok := f.shortSocket(); ok { // left by a runtime that was killed
		_ = os.RemoveAll(filepath.Dir(short))
		_ = os.Remove(filepath.Dir(filepath.Dir(short))) // refused unless it is empty
	}
	return nil
}

func (f Folder) empty(root *os.Root) error {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == markerName {
			continue
		}
		if err := resource.RemoveAll(root, e.Name()); err != nil {
			return err
		}
	}
	return root.Remove(markerName)
}
