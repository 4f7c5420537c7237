package workspace_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
	"golang.org/x/sys/unix"
)

func TestAFullDiskKeepsTheOldContent(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Fatalf("mount a small file system (the test must run as root with CAP_SYS_ADMIN): %v", err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(dir, unix.MNT_DETACH)) })
	l, err := workspace.OpenLocal(dir, workspace.LocalOptions{})
	must(t, err)
	defer l.Close()
	for what, fs := range map[string]workspace.FS{local: l, remote: workspace.Remote(dir, overWire(l))} {
		files := &workspace.Files{FS: fs}
		old, huge := strings.Repeat("old", 20_000), strings.Repeat("new", 80_000)
		must(t, os.WriteFile(filepath.Join(dir, "f"), []byte(old), 0o600))
		_ = os.Remove(filepath.Join(dir, "l"))
		must(t, os.Symlink("f", filepath.Join(dir, "l")))
		for _, name := range []string{"f", "l", "another"} {
			_, err := files.Do(t.Context(), wire.TypeWriteFile, &wire.FileRequest{Path: name, Content: &huge})
			wantCode(t, what+": write "+name, err, wire.Unavailable)
		}
		must(t, os.WriteFile(filepath.Join(dir, "fill"), make([]byte, 150_000), 0o600))
		_, err := files.Do(t.Context(), wire.TypeCopyFile, &wire.FileRequest{SourcePath: "fill", DestinationPath: "f", Overwrite: true})
		wantCode(t, what+": copy", err, wire.Unavailable)
		must(t, os.Remove(filepath.Join(dir, "fill")))
		if data, err := os.ReadFile(filepath.Join(dir, "f")); err != nil || string(data) != old {
			t.Errorf("%s: the old content is gone: %d bytes, %v", what, len(data), err)
		}
		items, err := os.ReadDir(dir)
		if err != nil || len(items) != 2 {
			t.Errorf("%s: something was left behind: %v, %v", what, items, err)
		}
	}
}

func TestADeviceIsRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		must(t, unix.Mknod(s.path("null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
		_, err := s.do(wire.TypeReadFile, wire.FileRequest{Path: "null"})
		wantCode(t, "read", err, wire.Invalid)
		_, err = s.do(wire.TypeWriteFile, wire.FileRequest{Path: "null", Content: pointer("x")})
		wantCode(t, "write", err, wire.Invalid)
	})
}

// TestASwappedParentLetsNothingEscape runs each verb while the folder that it
// works in is time and again exchanged for a link to one of the same content
// outside. Every request must end inside or fail.
func TestASwappedParentLetsNothingEscape(t *testing.T) {
	t.Parallel()
	rounds := 10_000
	if testing.Short() {
		rounds = 2_000
	}
	type attempt struct {
		verb string
		req  wire.FileRequest
	}
	content := pointer("inside")
	verbs := map[string][]attempt{
		"read":   {{wire.TypeReadFile, wire.FileRequest{Path: "sub/canary"}}},
		"write":  {{wire.TypeWriteFile, wire.FileRequest{Path: "sub/canary", Content: content}}, {wire.TypeWriteFile, wire.FileRequest{Path: "sub/d/new/x", Content: content}}},
		"delete": {{wire.TypeWriteFile, wire.FileRequest{Path: "sub/canary", Content: content}}, {wire.TypeDeleteFile, wire.FileRequest{Path: "sub/canary"}}},
		"delete folder": {
			{wire.TypeCreateFolder, wire.FileRequest{Path: "sub/d"}},
			{wire.TypeDeleteFolder, wire.FileRequest{Path: "sub/d"}},
		},
		"rename": {
			{wire.TypeRenameItem, wire.FileRequest{OldPath: "sub/canary", NewPath: "sub/moved"}},
			{wire.TypeRenameItem, wire.FileRequest{OldPath: "sub/moved", NewPath: "out/moved"}},
			{wire.TypeRenameItem, wire.FileRequest{OldPath: "out/moved", NewPath: "sub/canary", Overwrite: true}},
		},
		"create folder": {
			{wire.TypeCreateFolder, wire.FileRequest{Path: "sub/made/deep"}},
			{wire.TypeDeleteFolder, wire.FileRequest{Path: "sub/made"}},
		},
		"copy": {
			{wire.TypeCopyFile, wire.FileRequest{SourcePath: "sub/canary", DestinationPath: "copy", Overwrite: true}},
			{wire.TypeCopyFile, wire.FileRequest{SourcePath: "f", DestinationPath: "sub/canary", Overwrite: true}},
		},
		"copy folder": {
			{wire.TypeCopyFolder, wire.FileRequest{SourcePath: "sub/d", DestinationPath: "copied", Overwrite: true}},
			{wire.TypeCopyFolder, wire.FileRequest{SourcePath: "from", DestinationPath: "sub/d", Overwrite: true}},
		},
		"list": {{wire.TypeGetTreeChildren, wire.FileRequest{Path: "sub"}}, {wire.TypeGetTreeChildren, wire.FileRequest{Path: "sub/d"}}},
		"list all": {
			{wire.TypeGetFullProject, wire.FileRequest{Recursive: true}},
		},
	}
	for name, attempts := range verbs {
		race := func(t *testing.T, kind string, rounds int) {
			s := newSite(t, kind)
			must(t, os.WriteFile(filepath.Join(s.outside, "only-outside"), []byte("secret"), 0o644))
			must(t, os.WriteFile(filepath.Join(s.outside, "d", "only-outside"), []byte("secret"), 0o644))
			s.before = snapshot(t, s.outside)
			s.file("sub/canary", "inside")
			s.file("sub/d/canary", "inside")
			s.file("f", "inside")
			s.file("from/canary", "inside")
			must(t, os.Mkdir(s.path("out"), 0o755))
			s.link(s.outside, "swap")
			stop := make(chan struct{})
			swaps := make(chan int64)
			var relative atomic.Bool
			go func() {
				n := int64(0)
				for {
					select {
					case <-stop:
						swaps <- n
						return
					default:
					}
					if err := unix.Renameat2(unix.AT_FDCWD, s.path("sub"), unix.AT_FDCWD, s.path("swap"), unix.RENAME_EXCHANGE); err == nil {
						n++
					}
					if n%1000 == 0 { // now and then the other kind of link
						target := s.outside
						if relative.CompareAndSwap(false, true) {
							target = "../outside"
						} else {
							relative.Store(false)
						}
						_ = unix.Unlink(s.path("third"))
						_ = os.Symlink(target, s.path("third"))
						link := "swap"
						if info, err := os.Lstat(s.path("sub")); err == nil && info.Mode()&os.ModeSymlink != 0 {
							link = "sub"
						}
						_ = os.Rename(s.path("third"), s.path(link))
					}
				}
			}()
			fine, refused := 0, 0
			for i := range rounds {
				a := attempts[i%len(attempts)]
				got, err := s.do(a.verb, a.req)
				if err != nil {
					refused++
				} else {
					fine++
				}
				s.nothingFromOutside(t, got)
			}
			close(stop)
			n := <-swaps
			s.untouched(t)
			for _, p := range []string{"copy", "copied/canary", "out/moved"} {
				if data, err := os.ReadFile(s.path(p)); err == nil && strings.Contains(string(data), "secret") {
					t.Errorf("%s came from outside", p)
				}
			}
			if s.exists("copied/only-outside") {
				t.Error("a folder outside was copied")
			}
			t.Logf("%d fine, %d refused, %d swaps", fine, refused, n)
			if n < 100 || fine == 0 {
				t.Errorf("the race was not run: %d fine, %d refused, %d swaps", fine, refused, n)
			}
		}
		t.Run(name, func(t *testing.T) { race(t, local, rounds) })
		t.Run(name+" by names", func(t *testing.T) { race(t, slow, rounds/4) })
	}
}

func (s *site) nothingFromOutside(t *testing.T, got any) {
	t.Helper()
	var entries []wire.TreeEntry
	switch got := got.(type) {
	case string:
		if got != "inside" {
			t.Fatalf("read %q, which is outside", got)
		}
	case []wire.TreeEntry:
		entries = got
	case wire.FullProject:
		entries = got.Entries
	}
	for _, e := range entries {
		if e.Name == "only-outside" {
			t.Fatalf("%s was listed, which is outside", e.ID)
		}
	}
}
