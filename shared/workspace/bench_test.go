package workspace_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
)

func benchFiles(b *testing.B) (*workspace.Files, string) {
	b.Helper()
	dir := b.TempDir()
	l, err := workspace.OpenLocal(dir, workspace.LocalOptions{})
	must(b, err)
	b.Cleanup(func() { must(b, l.Close()) })
	return &workspace.Files{FS: l}, dir
}

func BenchmarkReading1KiB(b *testing.B) {
	files, dir := benchFiles(b)
	must(b, os.MkdirAll(filepath.Join(dir, "a/b/c"), 0o755))
	must(b, os.WriteFile(filepath.Join(dir, "a/b/c/f"), make([]byte, 1024), 0o644))
	req := &wire.FileRequest{Path: "a/b/c/f"}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := files.Do(b.Context(), wire.TypeReadFile, req); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWriting1KiB(b *testing.B) {
	files, dir := benchFiles(b)
	must(b, os.MkdirAll(filepath.Join(dir, "a/b/c"), 0o755))
	content := string(make([]byte, 1024))
	for _, c := range []struct {
		name string
		path func(i int) string
	}{
		{"replacing", func(int) string { return "a/b/c/f" }},
		{"creating", func(i int) string { return fmt.Sprintf("a/b/c/f%d", i) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				req := &wire.FileRequest{Path: c.path(i), Content: &content}
				if _, err := files.Do(b.Context(), wire.TypeWriteFile, req); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// tree20k makes 20,000 files in 400 folders.
func tree20k(b *testing.B, dir string) {
	b.Helper()
	for i := range 400 {
		folder := filepath.Join(dir, fmt.Sprintf("package%d", i%20), fmt.Sprintf("folder%d", i))
		must(b, os.MkdirAll(folder, 0o755))
		for j := range 50 {
			must(b, os.WriteFile(filepath.Join(folder, fmt.Sprintf("some-file-name-%d.go", j)), []byte("package x"), 0o644))
		}
	}
}

// BenchmarkListing20000Files compares the whole answer, encoded, with find.
func BenchmarkListing20000Files(b *testing.B) {
	files, dir := benchFiles(b)
	tree20k(b, dir)
	b.Run("getFullProject", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			got, err := files.Do(b.Context(), wire.TypeGetFullProject, &wire.FileRequest{Recursive: true})
			must(b, err)
			frame, err := wire.Marshal(got)
			must(b, err)
			b.SetBytes(int64(len(frame)))
		}
	})
	b.Run("walk", func(b *testing.B) {
		for b.Loop() {
			_, _, err := files.FS.Walk(b.Context(), ".", workspace.WalkLimits{})
			must(b, err)
		}
	})
	if find, err := exec.LookPath("find"); err == nil {
		b.Run("find", func(b *testing.B) {
			for b.Loop() {
				cmd := exec.CommandContext(b.Context(), find, ".", "-printf", "%p %s %T@ %y")
				cmd.Dir = dir
				_, err := cmd.Output()
				must(b, err)
			}
		})
	}
}

func BenchmarkCopying20000Files(b *testing.B) {
	dir := b.TempDir()
	tree20k(b, filepath.Join(dir, "src"))
	for i := 0; b.Loop(); i++ {
		_, err := workspace.CopyTree(b.Context(), filepath.Join(dir, "src"), filepath.Join(dir, strconv.Itoa(i)), workspace.CopyOptions{})
		must(b, err)
	}
}
