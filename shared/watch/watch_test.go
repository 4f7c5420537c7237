//go:build linux

package watch_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/codeboltai/codebolt-providers/shared/watch"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// scene is a directory that is watched.
type scene struct {
	*testing.T
	dir     string
	batches chan watch.Batch
}

// newScene makes files, and watches then.
func newScene(t *testing.T, o watch.Options, files ...string) *scene {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := &scene{t, dir, make(chan watch.Batch, 1000)}
	for _, name := range files {
		s.write(name, "before")
	}
	o.Dir, o.Changed = dir, func(b watch.Batch) { s.batches <- b }
	w, err := watch.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *scene) path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

func (s *scene) write(name, text string) {
	s.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(s.path(name)), 0o755), os.WriteFile(s.path(name), []byte(text), 0o644)); err != nil {
		s.Fatal(err)
	}
}

func (s *scene) try(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// until collects changes until one of a file that is made now has come, and returns the
// others: the newest of each path.
func (s *scene) until() (changes map[string]string, overflow bool) {
	s.Helper()
	last := fmt.Sprintf("last-%d", time.Now().UnixNano())
	s.write(last, "x")
	changes = map[string]string{}
	limit := time.After(30 * time.Second)
	for {
		select {
		case b := <-s.batches:
			overflow = overflow || b.Overflow
			over := false
			for _, c := range b.Changes {
				if c.Path == last {
					over = true
					continue
				}
				text := string(c.Kind)
				if c.Folder {
					text += " folder"
				}
				changes[c.Path] = text
			}
			if over {
				return changes, overflow
			}
			if b.Overflow && len(b.Changes) > 0 {
				s.write(last, "again") // what told of it may be what is missing
			}
		case <-limit:
			s.Fatalf("the last file was not told of, but %v", changes)
		}
	}
}

func (s *scene) expect(want map[string]string) {
	s.Helper()
	got, overflow := s.until()
	if diff := cmp.Diff(want, got); diff != "" || overflow {
		s.Errorf("overflow %v, changes (-want +got):\n%s", overflow, diff)
	}
}

func TestEachChangeIsToldOnce(t *testing.T) {
	s := newScene(t, watch.Options{}, "a.txt", "b.txt", "gone.txt", "dir/c.txt", "old/x/y.txt")
	s.write("a.txt", "after")
	s.write("a.txt", "after that")
	s.write("new.txt", "x")
	s.write("new.txt", "y")
	s.write("brief.txt", "x")
	s.try(os.Remove(s.path("brief.txt")))
	s.try(os.Remove(s.path("gone.txt")))
	s.try(os.Remove(s.path("b.txt")))
	s.write("b.txt", "made anew")
	s.write("deep/er/still.txt", "x")
	s.try(os.RemoveAll(s.path("dir")))
	s.try(os.Rename(s.path("old"), s.path("young")))
	s.expect(map[string]string{
		"a.txt": "modified", "new.txt": "created", "gone.txt": "deleted", "b.txt": "modified",
		"deep": "created folder", "deep/er": "created folder", "deep/er/still.txt": "created",
		"dir": "deleted folder", "dir/c.txt": "deleted",
		"old": "deleted folder", "young": "created folder", "young/x": "created folder", "young/x/y.txt": "created",
	})
	// What is new is watched as well, and under its new name what was renamed.
	s.write("deep/er/still.txt", "y")
	s.write("young/x/y.txt", "y")
	s.expect(map[string]string{"deep/er/still.txt": "modified", "young/x/y.txt": "modified"})
}

func TestAFileThatAnEditorReplacesIsModified(t *testing.T) {
	s := newScene(t, watch.Options{}, "a.txt")
	s.write(".a.txt.swp", "after")
	s.try(os.Rename(s.path(".a.txt.swp"), s.path("a.txt")))
	s.expect(map[string]string{"a.txt": "modified"})
}

func TestWhatIsExchangedWithAnotherIsModified(t *testing.T) {
	s := newScene(t, watch.Options{}, "a.txt", "dir/b.txt")
	if err := unix.Renameat2(unix.AT_FDCWD, s.path("a.txt"), unix.AT_FDCWD, s.path("dir/b.txt"), unix.RENAME_EXCHANGE); err != nil {
		t.Fatal(err)
	}
	s.expect(map[string]string{"a.txt": "modified", "dir/b.txt": "modified"})
}

func TestTenThousandFilesAreAllToldOf(t *testing.T) {
	s := newScene(t, watch.Options{MaxChanges: 20_000, Debounce: 20 * time.Millisecond})
	want := map[string]string{}
	for i := range 10_000 {
		name := fmt.Sprintf("d%d/f%d", i%100, i)
		s.write(name, "x")
		want[name], want[filepath.ToSlash(filepath.Dir(name))] = "created", "created folder"
	}
	got, overflow := s.until()
	// A file that is told of before it is written is told of once more.
	for name, is := range got {
		if is == "modified" && want[name] == "created" {
			got[name] = "created"
		}
	}
	if diff := cmp.Diff(want, got); diff != "" && !overflow {
		t.Errorf("changes were missed, and nothing said so (-want +got):\n%.2000s", diff)
	}
	if overflow {
		t.Error("there was room for all, and it says that there was more")
	}
}

func TestMoreThanABatchHoldsIsSaidToBeMore(t *testing.T) {
	s := newScene(t, watch.Options{MaxChanges: 10, Debounce: 300 * time.Millisecond})
	for i := range 50 {
		s.write(fmt.Sprintf("f%d", i), "x")
	}
	got, overflow := s.until()
	if !overflow || len(got) > 20 {
		t.Errorf("overflow %v with %d changes", overflow, len(got))
	}
}

func TestWhatIsIgnoredOrHiddenIsNotToldOf(t *testing.T) {
	s := newScene(t, watch.Options{Ignore: []string{"node_modules", "*.log", "build/**"}, Hidden: []string{".git"}}, ".git/HEAD", "node_modules/a/b.js", "build/x", "src/a")
	for _, name := range []string{".git/HEAD", ".git/new", "node_modules/a/b.js", "src/node_modules/c.js", "x.log", "build/y", "src/deep/.git/config"} {
		s.write(name, "after")
	}
	s.write("src/a", "after")
	s.expect(map[string]string{"src/a": "modified", "src/deep": "created folder"})
}

func TestNoLinkIsFollowed(t *testing.T) {
	outside := t.TempDir()
	s := newScene(t, watch.Options{}, "a")
	s.try(os.Symlink(outside, s.path("link")))
	s.try(os.Mkdir(s.path("swapped"), 0o755))
	s.expect(map[string]string{"link": "created", "swapped": "created folder"})
	s.try(os.WriteFile(filepath.Join(outside, "secret"), nil, 0o600))
	s.try(os.Remove(s.path("swapped")))
	s.try(os.Symlink(outside, s.path("swapped")))
	s.expect(map[string]string{"swapped": "modified"})
	s.try(os.WriteFile(filepath.Join(outside, "another"), nil, 0o600))
	s.expect(map[string]string{})
}

func TestAPartOfTheTreeIsWatched(t *testing.T) {
	t.Run("a folder", func(t *testing.T) {
		s := newScene(t, watch.Options{Path: "src"}, "src/a", "other")
		s.write("other", "after")
		s.write("src/a", "after")
		s.try(os.RemoveAll(s.path("src")))
		for {
			b := <-s.batches
			last := b.Changes[len(b.Changes)-1]
			if b.Changes[0].Path == "src" && b.Changes[0].Kind == watch.Deleted {
				break
			}
			if !strings.HasPrefix(last.Path, "src") {
				t.Fatalf("told of %v", b)
			}
		}
	})
	t.Run("a file", func(t *testing.T) {
		files := []string{"src/a", "src/b"}
		for i := range 20 {
			files = append(files, fmt.Sprintf("src/other%d/x", i))
		}
		s := newScene(t, watch.Options{Path: "src/a", MaxFolders: 1}, files...)
		s.write("src/b", "after")
		s.write("src/a", "after")
		if b := <-s.batches; len(b.Changes) != 1 || b.Changes[0] != (watch.Change{Path: "src/a", Kind: watch.Modified}) {
			t.Errorf("told of %v", b)
		}
	})
	t.Run("one level", func(t *testing.T) {
		s := newScene(t, watch.Options{Flat: true}, "a", "src/b")
		s.write("src/b", "after")
		s.write("src/c", "after")
		s.write("a", "after")
		s.expect(map[string]string{"a": "modified"})
	})
}

func TestWhatCannotBeWatchedIsRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "a", "b", "c"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		o    watch.Options
		code wire.Code
	}{
		"nothing there":    {watch.Options{Dir: dir, Path: "missing"}, wire.NotFound},
		"outside":          {watch.Options{Dir: dir, Path: "../x"}, wire.OutsideWorkspace},
		"no directory":     {watch.Options{Dir: filepath.Join(dir, "x")}, wire.NotFound},
		"no pattern":       {watch.Options{Dir: dir, Ignore: []string{"["}}, wire.Invalid},
		"too many folders": {watch.Options{Dir: dir, MaxFolders: 3}, wire.TooLarge},
		"too many files":   {watch.Options{Dir: dir, MaxFiles: 2}, wire.TooLarge},
	} {
		w, err := watch.Start(c.o)
		if wire.CodeOf(err) != c.code {
			t.Errorf("%s: kind %q, want %q: %v", name, wire.CodeOf(err), c.code, err)
		}
		if err == nil {
			_ = w.Close()
		}
	}
}

func TestASlowReceiverMissesNothing(t *testing.T) {
	dir := t.TempDir()
	release, told := make(chan struct{}), make(chan watch.Batch, 10)
	w, err := watch.Start(watch.Options{Dir: dir, Debounce: 10 * time.Millisecond, Changed: func(b watch.Batch) {
		told <- b
		<-release
	}})
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string) {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Error(err)
		}
	}
	write("first")
	<-told
	for i := range 500 {
		write(fmt.Sprint(i))
	}
	seen := map[string]bool{}
	close(release)
	for len(seen) < 500 {
		for _, c := range (<-told).Changes {
			seen[c.Path] = true
		}
	}
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Error(err)
	}
}
