package workspace_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
	"github.com/google/go-cmp/cmp"
)

// plant makes files, and folders for names that end in a slash.
func plant(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		at := filepath.Join(dir, filepath.FromSlash(name))
		if strings.HasSuffix(name, "/") {
			must(t, os.MkdirAll(at, 0o755))
			continue
		}
		must(t, os.MkdirAll(filepath.Dir(at), 0o755))
		must(t, os.WriteFile(at, []byte("content of "+name), 0o644))
	}
}

func TestACopiedTreeIsLikeTheOriginal(t *testing.T) {
	base := t.TempDir()
	src, dst := filepath.Join(base, "src"), filepath.Join(base, "new", "dst")
	plant(t, src, "a", "d/b", "d/e/c", ".git/config", "empty/", "locked/x")
	must(t, os.WriteFile(filepath.Join(src, "big"), make([]byte, 5<<20), 0o600))
	must(t, os.Chmod(filepath.Join(src, "a"), 0o755))
	must(t, os.Chmod(filepath.Join(src, "d/b"), 0o444))
	for link, target := range map[string]string{"rel": "d/b", "abs": "/etc/passwd", "dangling": "nowhere", "d/up": "../.."} {
		must(t, os.Symlink(target, filepath.Join(src, link)))
	}
	when := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, name := range []string{"a", "big", "d/b", "d/e/c", "d/e", "d", "empty", "."} {
		must(t, os.Chtimes(filepath.Join(src, name), when, when))
	}
	must(t, os.Chmod(filepath.Join(src, "locked"), 0o555))
	t.Cleanup(func() {
		_ = os.Chmod(filepath.Join(src, "locked"), 0o755)
		_ = os.Chmod(filepath.Join(dst, "locked"), 0o755)
	})

	var files, bytes int64
	result, err := workspace.CopyTree(t.Context(), src, dst, workspace.CopyOptions{Progress: func(f, b int64) {
		if f != files+1 || b < bytes {
			t.Errorf("progress went from %d files, %d bytes to %d, %d", files, bytes, f, b)
		}
		files, bytes = f, b
	}})
	must(t, err)
	if diff := cmp.Diff(snapshot(t, src), snapshot(t, dst)); diff != "" {
		t.Errorf("the copy differs:\n%s", diff)
	}
	for _, name := range []string{"a", "big", "d/b", "d/e/c", "d/e", "d", "empty", "."} {
		if info, err := os.Stat(filepath.Join(dst, name)); err != nil || !info.ModTime().Equal(when) {
			t.Errorf("%s has another time: %v, %v", name, info.ModTime(), err)
		}
	}
	if result.Files != 10 || result.Files != files || result.Bytes != bytes || bytes < 5<<20 || len(result.Skipped) != 0 {
		t.Errorf("got %+v, progress %d files, %d bytes", result, files, bytes)
	}
	must(t, os.WriteFile(filepath.Join(dst, "big"), []byte("changed"), 0o600))
	if info, err := os.Stat(filepath.Join(src, "big")); err != nil || info.Size() != 5<<20 {
		t.Error("changing the copy changed the original")
	}
}

func TestATreeIsCopiedOnlyIntoNothing(t *testing.T) {
	base := t.TempDir()
	src := filepath.Join(base, "src")
	plant(t, src, "a", "d/b")
	plant(t, base, "full/x", "empty/", "file")
	must(t, os.Symlink("src", filepath.Join(base, "alias")))
	before := snapshot(t, base)
	for dst, want := range map[string]wire.Code{
		"full": wire.Exists, "src": wire.Invalid, "src/inside": wire.Invalid, "src/deep/inside": wire.Invalid, "alias/inside": wire.Invalid,
		".": wire.Invalid, "file": wire.Invalid,
	} {
		_, err := workspace.CopyTree(t.Context(), src, filepath.Join(base, dst), workspace.CopyOptions{})
		wantCode(t, "copy into "+dst, err, want)
	}
	_, err := workspace.CopyTree(t.Context(), filepath.Join(base, "absent"), filepath.Join(base, "new"), workspace.CopyOptions{})
	wantCode(t, "copy what is absent", err, wire.NotFound)
	if diff := cmp.Diff(before, snapshot(t, base)); diff != "" {
		t.Errorf("something changed:\n%s", diff)
	}
	_, err = workspace.CopyTree(t.Context(), src, filepath.Join(base, "empty"), workspace.CopyOptions{})
	must(t, err)
	if diff := cmp.Diff(snapshot(t, src), snapshot(t, filepath.Join(base, "empty"))); diff != "" {
		t.Error(diff)
	}
}

func TestACancelledCopyLeavesNothing(t *testing.T) {
	base := t.TempDir()
	src, dst := filepath.Join(base, "src"), filepath.Join(base, "dst")
	for i := range 50 {
		plant(t, src, "d"+strings.Repeat("x", i)+"/f")
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("no longer wanted")
	_, err := workspace.CopyTree(ctx, src, dst, workspace.CopyOptions{Progress: func(files, _ int64) {
		if files == 10 {
			cancel(why)
		}
	}})
	if !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Lstat(dst); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("something was left: %v", err)
	}
}

// tree lists the files below dir.
func filesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	for name, mode := range snapshot(t, dir) {
		if strings.HasPrefix(mode, "-") {
			names = append(names, filepath.ToSlash(name))
		}
	}
	slices.Sort(names)
	return names
}

var ignoreFiles = []string{
	"a.log", "b.txt", "debug/a.log", "debug/c/a.log", "build/x", "src/build/x", "src/main.go", "doc/frotz/x", "a/doc/frotz/x", "foo/bar", "foo/baz",
	"deep/a/b/c", "abc/x/y", "file1", "file2", "fileA", "!bang", "#hash", "trailing ", "sp ace", "b]x", "logs/keep.log", "logs/x.log", "node_modules/p/i.js",
	"sub/node_modules/p/i.js", "sub/own", "sub/deep/own", "star*", "UPPER", "a/b", "a/x/b", "a/x/y/b",
}

func TestPatternsExcludeWhatGitIgnores(t *testing.T) {
	t.Parallel()
	git, err := exec.LookPath("git")
	must(t, err)
	for _, patterns := range []string{
		"*.log", "/*.log", "build", "build/", "/build/", "doc/frotz", "**/frotz", "/doc/**", "foo/*\n!foo/bar", "*.log\n!logs/\n!logs/keep.log",
		"deep/**/c", "abc/**", "a/**/b", "file[0-9]", "file[!0-9]", "file[^1]", `\!bang`, `\#hash`, "# file1", "trailing\\ ", "sp ace   ", "b[]]x", "node_modules/",
		"file?", `star\*`, "upper", "*\n!src/\n!src/**", "/*\n!/src\n/src/*\n!/src/build", "**", "a/*/b", "[", "file[", "", "\r\nfile1\r", "debug/**/a.log", "**/build/x",
		"f*1", "!file1", "file*\n!file2\nfile2", "[[:digit:]]", "file[[:digit:]]", "foo//bar", "/", "b.txt/",
	} {
		t.Run(patterns, func(t *testing.T) {
			base := t.TempDir()
			src := filepath.Join(base, "src")
			plant(t, src, ignoreFiles...)
			must(t, exec.CommandContext(t.Context(), git, "init", "-q", src).Run())
			must(t, os.WriteFile(filepath.Join(src, ".gitignore"), []byte(patterns), 0o644))
			must(t, os.WriteFile(filepath.Join(src, "sub", ".gitignore"), []byte("/own\n"), 0o644))
			cmd := exec.CommandContext(t.Context(), git, "-c", "core.quotePath=false", "ls-files", "-z", "--others", "--exclude-per-directory=.gitignore")
			cmd.Dir = src
			out, err := cmd.Output()
			must(t, err)
			want := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
			if len(out) == 0 {
				want = nil
			}
			slices.Sort(want)
			must(t, os.RemoveAll(filepath.Join(src, ".git")))
			_, err = workspace.CopyTree(t.Context(), src, filepath.Join(base, "dst"), workspace.CopyOptions{Gitignore: true})
			must(t, err)
			if diff := cmp.Diff(want, filesIn(t, filepath.Join(base, "dst"))); diff != "" {
				t.Errorf("git keeps (-), we keep (+):\n%s", diff)
			}
		})
	}
}

func TestExcludesComeAfterTheTreesOwnPatterns(t *testing.T) {
	base := t.TempDir()
	src := filepath.Join(base, "src")
	plant(t, src, "keep", "drop", ".env", "other.log", "node_modules/x", ".git/config")
	must(t, os.WriteFile(filepath.Join(src, ".gitignore"), []byte(".env\n*.log\n.git\n"), 0o644))
	for i, c := range []struct {
		o    workspace.CopyOptions
		want []string
	}{
		{workspace.CopyOptions{}, []string{".env", ".git/config", ".gitignore", "drop", "keep", "node_modules/x", "other.log"}},
		{workspace.CopyOptions{Gitignore: true}, []string{".git/config", ".gitignore", "drop", "keep", "node_modules/x"}},
		{workspace.CopyOptions{Gitignore: true, Excludes: []string{"!.env", "drop", "node_modules/", ".git"}}, []string{".env", ".gitignore", "keep"}},
		{workspace.CopyOptions{Excludes: []string{"*", "!keep"}}, []string{"keep"}},
	} {
		dst := filepath.Join(base, "dst", string(rune('a'+i)))
		_, err := workspace.CopyTree(t.Context(), src, dst, c.o)
		must(t, err)
		if diff := cmp.Diff(c.want, filesIn(t, dst)); diff != "" {
			t.Errorf("%+v:\n%s", c.o, diff)
		}
	}
	_, err := workspace.CopyTree(t.Context(), src, filepath.Join(base, "bad"), workspace.CopyOptions{Excludes: []string{"[z-a]"}})
	wantCode(t, "a bad pattern", err, wire.Invalid)
}
