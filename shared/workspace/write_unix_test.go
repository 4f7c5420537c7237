//go:build unix

package workspace_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
	"github.com/google/go-cmp/cmp"
)

func TestAWriteKeepsTheModeOfTheFile(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		for _, mode := range []os.FileMode{0o600, 0o644, 0o755, 0o664, 0o777} {
			s.file("f", "old")
			must(t, os.Chmod(s.path("f"), mode))
			_ = os.Remove(s.path("l"))
			s.link("f", "l")
			for _, name := range []string{"f", "l"} {
				_, err := s.do(wire.TypeWriteFile, wire.FileRequest{Path: name, Content: pointer("new " + name)})
				must(t, err)
				s.holds("f", "new "+name)
				info, err := os.Stat(s.path("f"))
				must(t, err)
				if info.Mode() != mode {
					t.Errorf("written through %s, mode %v became %v", name, mode, info.Mode())
				}
			}
			_ = os.Remove(s.path("copy"))
			_, err := s.do(wire.TypeCopyFile, wire.FileRequest{SourcePath: "f", DestinationPath: "copy"})
			must(t, err)
			if info, err := os.Stat(s.path("copy")); err != nil || info.Mode() != mode {
				t.Errorf("a copy of mode %v has %v, %v", mode, info, err)
			}
		}
	})
}

func TestACopiedFolderKeepsItsModes(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.file("d/e/f", "f")
		for name, mode := range map[string]os.FileMode{"d/e/f": 0o640, "d/e": 0o700, "d": 0o750} {
			must(t, os.Chmod(s.path(name), mode))
		}
		_, err := s.do(wire.TypeCopyFolder, wire.FileRequest{SourcePath: "d", DestinationPath: "new/d"})
		must(t, err)
		if diff := cmp.Diff(snapshot(t, s.path("d")), snapshot(t, s.path("new/d"))); diff != "" {
			t.Error(diff)
		}
	})
}

func TestAReaderNeverSeesHalfAWrite(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, s *site) {
		contents := []string{strings.Repeat("a", 8<<10), strings.Repeat("b", 64<<10)}
		s.file("f", contents[0])
		s.link("f", "l")
		done := make(chan error, 1)
		go func() {
			for i := range 1000 {
				name := "f"
				if i%4 == 3 {
					name = "l"
				}
				if _, err := s.do(wire.TypeWriteFile, wire.FileRequest{Path: name, Content: &contents[i%2]}); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		for reads := 0; ; reads++ {
			data, err := os.ReadFile(s.path("f"))
			if err != nil {
				t.Errorf("the file was gone: %v", err)
			} else if got := string(data); got != contents[0] && got != contents[1] {
				t.Errorf("read %d bytes that nobody wrote", len(got))
			}
			select {
			case err := <-done:
				must(t, err)
				s.onlyHas("f", "l")
				return
			default:
			}
		}
	})
}

// onlyHas fails the test when the workspace has other entries, such as a
// temporary file that was left.
func (s *site) onlyHas(names ...string) {
	s.t.Helper()
	items, err := os.ReadDir(s.dir)
	must(s.t, err)
	want := map[string]bool{}
	for _, name := range names {
		want[name] = true
	}
	for _, item := range items {
		if !want[item.Name()] {
			s.t.Errorf("%s was left behind", item.Name())
		}
	}
}

func Test64ConcurrentWritersLeaveOneWholeContent(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				content := strings.Repeat(fmt.Sprintf("%02d", i), 10_000)
				for _, name := range []string{"same", fmt.Sprintf("own/%d/f", i)} {
					if _, err := s.do(wire.TypeWriteFile, wire.FileRequest{Path: name, Content: &content}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		data, err := os.ReadFile(s.path("same"))
		must(t, err)
		if len(data) != 20_000 || !bytes.Equal(data, bytes.Repeat(data[:2], 10_000)) {
			t.Error("the file holds a mixture")
		}
		for i := range 64 {
			s.holds(fmt.Sprintf("own/%d/f", i), strings.Repeat(fmt.Sprintf("%02d", i), 10_000))
		}
		s.onlyHas("same", "own")
	})
}

func TestSpecialFilesAreRefusedAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		must(t, os.Mkdir(s.path("d"), 0o755))
		must(t, syscall.Mkfifo(s.path("d/fifo"), 0o644))
		t.Chdir(s.dir) // a socket's path is short
		listener, err := new(net.ListenConfig).Listen(t.Context(), "unix", "d/socket")
		must(t, err)
		defer listener.Close()
		s.link("d/fifo", "fifo")
		s.file("f", "content")
		for _, name := range []string{"d/fifo", "d/socket", "fifo"} {
			for _, c := range []struct {
				verb string
				req  wire.FileRequest
			}{
				{wire.TypeReadFile, wire.FileRequest{Path: name}},
				{wire.TypeReadFile, wire.FileRequest{Path: name + "/below"}},
				{wire.TypeWriteFile, wire.FileRequest{Path: name, Content: pointer("x")}},
				{wire.TypeWriteFile, wire.FileRequest{Path: name + "/below", Content: pointer("x")}},
				{wire.TypeCopyFile, wire.FileRequest{SourcePath: name, DestinationPath: "copy"}},
				{wire.TypeCopyFile, wire.FileRequest{SourcePath: "f", DestinationPath: name, Overwrite: true}},
				{wire.TypeCopyFolder, wire.FileRequest{SourcePath: name, DestinationPath: "copy"}},
				{wire.TypeCopyFolder, wire.FileRequest{SourcePath: "d", DestinationPath: "copy"}},
			} {
				start := time.Now()
				_, err := s.do(c.verb, c.req)
				wantCode(t, c.verb+" "+name, err, wire.Invalid)
				if took := time.Since(start); took > time.Second {
					t.Errorf("%s %s took %v", c.verb, name, took)
				}
			}
			if got, err := s.do(wire.TypeGetTreeChildren, wire.FileRequest{Path: name}); err != nil || len(got.([]wire.TreeEntry)) != 0 {
				t.Errorf("list %s: %v, %v", name, got, err)
			}
		}
		got, err := s.do(wire.TypeGetTreeChildren, wire.FileRequest{Path: "d"})
		if err != nil || len(got.([]wire.TreeEntry)) != 2 {
			t.Errorf("special files are not listed: %v, %v", got, err)
		}
		s.onlyHas("d", "f", "fifo") // no half of a copy
		_, err = s.do(wire.TypeDeleteFolder, wire.FileRequest{Path: "d"})
		must(t, err)
	})
}

func TestANameThatIsNoTextDoesNotEmptyTheTree(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.file("good", "")
		if err := os.WriteFile(s.path("bad\xff"), nil, 0o600); err != nil {
			t.Logf("this file system has no such names: %v", err)
			return
		}
		got, err := s.do(wire.TypeGetTreeChildren, wire.FileRequest{Path: "root"})
		must(t, err)
		_, err = wire.Marshal(got)
		must(t, err)
		entries := got.([]wire.TreeEntry)
		if len(entries) != 2 || entries[0].Problem == "" || entries[1].Name != "good" || entries[1].Problem != "" {
			t.Errorf("got %+v", entries)
		}
	})
}

func TestACopiedTreeNamesTheSpecialFilesItSkips(t *testing.T) {
	base := t.TempDir()
	src := filepath.Join(base, "src")
	plant(t, src, "a", "d/b")
	must(t, syscall.Mkfifo(filepath.Join(src, "fifo"), 0o644))
	must(t, syscall.Mkfifo(filepath.Join(src, "d/fifo"), 0o644))
	result, err := workspace.CopyTree(t.Context(), src, filepath.Join(base, "dst"), workspace.CopyOptions{})
	must(t, err)
	if diff := cmp.Diff([]string{"d/fifo", "fifo"}, result.Skipped); diff != "" || result.Files != 2 {
		t.Errorf("got %+v\n%s", result, diff)
	}
}
