//go:build linux

package transfer

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestADirectoryThatBecameSomethingElseIsNotEntered(t *testing.T) {
	t.Parallel()
	for name, become := range map[string]func(path string) error{
		"nothing":            func(string) error { return nil },
		"a link out":         func(path string) error { return os.Symlink("/etc", path) },
		"a link upwards":     func(path string) error { return os.Symlink("..", path) },
		"a link within":      func(path string) error { return os.Symlink("other", path) },
		"a link to itself":   func(path string) error { return os.Symlink("dir", path) },
		"a file":             func(path string) error { return os.WriteFile(path, nil, 0o644) },
		"a FIFO":             func(path string) error { return syscall.Mkfifo(path, 0o644) },
		"another directory":  func(path string) error { return os.Rename(filepath.Join(filepath.Dir(path), "other"), path) },
		"a link to the root": func(path string) error { return os.Symlink(".", path) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := t.TempDir()
			root, err := os.OpenRoot(path)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			for _, dir := range []string{"dir", "other"} {
				if err := root.Mkdir(dir, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			seen, err := root.Lstat("dir")
			if err != nil {
				t.Fatal(err)
			}
			if err := root.Rename("dir", "before"); err != nil {
				t.Fatal(err)
			}
			if err := become(filepath.Join(path, "dir")); err != nil {
				t.Fatal(err)
			}
			sub, err := openFolder(root, "dir", seen)
			if err == nil {
				sub.Close()
			}
			if !moved(err) {
				t.Errorf("got %v", err)
			}
		})
	}
}
