package watch

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/codeboltai/codebolt-providers/shared/glob"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Kind is what became of a file or folder.
type Kind string

// The kinds of changes. A rename is one of its old name and one of its new.
const (
	Created  Kind = "created"
	Modified Kind = "modified" // its content, or it was replaced
	Deleted  Kind = "deleted"
)

// Change is one file or folder that is not what it was.
type Change struct {
	Path   string // slash-separated, below the directory
	Kind   Kind
	Folder bool
}

// Batch is what changed within a moment.
type Batch struct {
	// Changes are sorted by path, one for each path.
	Changes []Change
	// Overflow says that there were more, which are not told: look at all anew.
	Overflow bool
}

// Options say what is watched. Dir and Changed are required.
type Options struct {
	// Dir is the directory, absolute.
	Dir string
	// Path is a folder or file below Dir to watch instead of all, slash-separated.
	Path string
	// Flat leaves out what is in folders below the watched one.
	Flat bool
	// Ignore are patterns of what is not watched, see package glob. What is in a folder
	// that matches is not either.
	Ignore []string
	// Hidden are names, such as .git, that no part of a path may have.
	Hidden []string
	// Debounce is how long changes are collected before they are told; default 100 ms.
	Debounce time.Duration
	// MaxFolders and MaxFiles are how many of them are watched, since each takes some of
	// the kernel's or our memory; default 8192 and 200,000.
	MaxFolders, MaxFiles int
	// MaxChanges is how many changes a batch has, beyond which it says Overflow; default
	// 1000.
	MaxChanges int
	// Changed is told of each batch, one after another. It may wait, and more is
	// collected meanwhile.
	Changed func(Batch)
}

// Watch is a tree that is being watched.
type Watch struct {
	o      Options
	root   *os.Root
	ignore glob.Set
	events *fsnotify.Watcher

	// Of the collecting goroutine alone.
	folders  map[string]map[string]bool // names in each watched folder; true is a folder
	files    int                        // names in all of them
	pending  map[string]*change
	overflow bool

	deliver chan Batch
	done    chan struct{}
	wg      sync.WaitGroup
	once    sync.Once
}

// change is what has become of a path since the last batch.
type change struct {
	before bool // it was there
	now    bool
	folder bool
}

// Start begins to watch. What happens after it has returned is told. It fails with
// NotFound when there is nothing at Path, Invalid for a pattern that is none, and
// TooLarge when there are too many folders or files, or the system has no room for more
// watches.
func Start(o Options) (*Watch, error) {
	o.Debounce = cmp.Or(o.Debounce, 100*time.Millisecond)
	o.MaxFolders, o.MaxFiles, o.MaxChanges = cmp.Or(o.MaxFolders, 8192), cmp.Or(o.MaxFiles, 200_000), cmp.Or(o.MaxChanges, 1000)
	o.Path = path.Clean(cmp.Or(o.Path, "."))
	if !fs.ValidPath(o.Path) {
		return nil, wire.Errorf(wire.OutsideWorkspace, "watch: %q is not a path inside of it", o.Path)
	}
	ignore, err := glob.Parse(o.Ignore...)
	if err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "watch: %w", err)
	}
	w := &Watch{
		o: o, ignore: ignore, folders: map[string]map[string]bool{}, pending: map[string]*change{},
		deliver: make(chan Batch), done: make(chan struct{}),
	}
	if w.root, err = os.OpenRoot(o.Dir); err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "watch: %w", err)
	}
	if w.events, err = fsnotify.NewBufferedWatcher(4096); err != nil {
		return nil, errors.Join(full(err), w.root.Close())
	}
	if err := w.begin(); err != nil {
		return nil, errors.Join(err, w.events.Close(), w.root.Close())
	}
	w.wg.Go(w.collect)
	w.wg.Go(w.tell)
	return w, nil
}

// full is the error of a watch that the system does not give.
func full(err error) error {
	return wire.Errorf(wire.TooLarge, "watch: the system has no room for more watches; leave out folders that need none, or raise fs.inotify.max_user_watches: %w", err)
}

// begin watches what there is.
func (w *Watch) begin() error {
	info, err := w.root.Lstat(filepath.FromSlash(w.o.Path))
	if err != nil {
		return wire.Errorf(wire.CodeOf(err), "watch: %w", err)
	}
	if !info.IsDir() {
		// A file is watched through its folder, and that alone: it may be replaced.
		w.o.Flat = true
		return w.enter(path.Dir(w.o.Path), nil)
	}
	return w.enter(w.o.Path, nil)
}

// Close ends the watch. Nothing is told after it has returned. It is idempotent.
func (w *Watch) Close() error {
	var err error
	w.once.Do(func() {
		close(w.done)
		err = w.events.Close()
		w.wg.Wait()
		err = errors.Join(err, w.root.Close())
	})
	return err
}

// skipped reports whether a path is not watched.
func (w *Watch) skipped(name string) bool {
	if w.ignore.Match(name) {
		return true
	}
	return slices.Contains(w.o.Hidden, path.Base(name))
}

// wanted reports whether a change of a path is told.
func (w *Watch) wanted(name string) bool {
	if w.skipped(name) {
		return false
	}
	return w.o.Path == "." || name == w.o.Path || strings.HasPrefix(name, w.o.Path+"/")
}

// enter watches a folder and, unless that is left out, those below it. found is told of
// all that is there; nil is for the beginning, when nothing is news.
func (w *Watch) enter(folder string, found func(name string, isFolder bool)) error {
	if _, already := w.folders[folder]; already {
		return nil
	}
	if len(w.folders) >= w.o.MaxFolders {
		return wire.Errorf(wire.TooLarge, "watch: there are more than %d folders; leave out some that need not be watched", w.o.MaxFolders)
	}
	at := filepath.Join(w.o.Dir, filepath.FromSlash(folder))
	// What is listed is there; what comes while it is listed is an event.
	if err := w.events.Add(at); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it is gone again
		}
		return full(err)
	}
	// A link may have taken its place, which the system would have followed.
	inside, err := w.root.Lstat(filepath.FromSlash(folder))
	followed, ferr := os.Stat(at)
	if same := err == nil && ferr == nil && inside.IsDir() && os.SameFile(inside, followed); !same {
		_ = w.events.Remove(at) // it may be gone
		return nil
	}
	entries, err := w.read(folder)
	if err != nil {
		_ = w.events.Remove(at) // as above
		return nil              //nolint:nilerr // it is gone again, or not ours to read
	}
	names := map[string]bool{}
	w.folders[folder] = names
	for _, entry := range entries {
		name := path.Join(folder, entry.Name())
		if w.skipped(name) {
			continue
		}
		if w.files++; w.files > w.o.MaxFiles {
			return wire.Errorf(wire.TooLarge, "watch: there are more than %d files; leave out some that need not be watched", w.o.MaxFiles)
		}
		names[entry.Name()] = entry.IsDir()
		if found != nil {
			found(name, entry.IsDir())
		}
		if entry.IsDir() && !w.o.Flat {
			if err := w.enter(name, found); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *Watch) read(folder string) ([]fs.DirEntry, error) {
	dir, err := w.root.Open(filepath.FromSlash(folder))
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	return dir.ReadDir(-1)
}
