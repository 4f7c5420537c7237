package workspace_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
	"github.com/google/go-cmp/cmp"
)

func TestEveryVerbAnswersWithItsExactResult(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.file("a.txt", "text")
		s.file("folder/inner.txt", "inner")
		when := time.Date(2024, 5, 6, 7, 8, 9, 123_456_789, time.UTC)
		for _, name := range []string{"a.txt", "folder/inner.txt", "folder"} {
			must(t, os.Chtimes(s.path(name), when, when))
		}
		steps := []struct {
			verb string
			req  wire.FileRequest
			want string
		}{
			{wire.TypeReadFile, wire.FileRequest{Path: "a.txt"}, `"text"`},
			{wire.TypeReadFile, wire.FileRequest{Path: "./folder/../a.txt"}, `"text"`},
			{wire.TypeReadFile, wire.FileRequest{Path: s.path("a.txt")}, `"text"`},
			{wire.TypeReadFile, wire.FileRequest{Path: "a.txt", Encoding: "base64"}, `{"encoding":"base64","content":"dGV4dA=="}`},
			{
				wire.TypeGetTreeChildren,
				wire.FileRequest{Path: "root"},
				`[{"id":"folder","name":"folder","path":"DIR/folder","isFolder":true,"size":0,"lastModified":"2024-05-06T07:08:09.123Z"},` +
					`{"id":"a.txt","name":"a.txt","path":"DIR/a.txt","isFolder":false,"size":4,"lastModified":"2024-05-06T07:08:09.123Z"}]`,
			},
			{
				wire.TypeGetTreeChildren,
				wire.FileRequest{Path: "folder"},
				`[{"id":"folder/inner.txt","name":"inner.txt","path":"DIR/folder/inner.txt","isFolder":false,"size":5,"lastModified":"2024-05-06T07:08:09.123Z"}]`,
			},
			{wire.TypeGetTreeChildren, wire.FileRequest{Path: "a.txt"}, `[]`},
			{wire.TypeGetTreeChildren, wire.FileRequest{Path: "a.txt/below"}, `[]`},
			{wire.TypeGetTreeChildren, wire.FileRequest{Path: "absent"}, `[]`},
			{
				wire.TypeGetFullProject,
				wire.FileRequest{},
				`[{"id":"folder","name":"folder","path":"DIR/folder","isFolder":true,"size":0,"lastModified":"2024-05-06T07:08:09.123Z"},` +
					`{"id":"a.txt","name":"a.txt","path":"DIR/a.txt","isFolder":false,"size":4,"lastModified":"2024-05-06T07:08:09.123Z"}]`,
			},
			{
				wire.TypeGetFullProject,
				wire.FileRequest{Recursive: true},
				`{"root":"DIR","entries":[{"id":"a.txt","name":"a.txt","path":"DIR/a.txt","isFolder":false,"size":4,"lastModified":"2024-05-06T07:08:09.123Z"},` +
					`{"id":"folder","name":"folder","path":"DIR/folder","isFolder":true,"size":0,"lastModified":"2024-05-06T07:08:09.123Z"},` +
					`{"id":"folder/inner.txt","name":"inner.txt","path":"DIR/folder/inner.txt","isFolder":false,"size":5,"lastModified":"2024-05-06T07:08:09.123Z"}],"truncated":false}`,
			},
			{wire.TypeWriteFile, wire.FileRequest{Path: "new/deep/b.txt", Content: pointer("b")}, `null`},
			{wire.TypeWriteFile, wire.FileRequest{Path: "empty", Content: pointer("")}, `null`},
			{wire.TypeReadFile, wire.FileRequest{Path: "empty"}, `""`},
			{wire.TypeCreateFolder, wire.FileRequest{Path: "made/deep"}, `null`},
			{wire.TypeCreateFolder, wire.FileRequest{Path: "made/deep"}, `null`},
			{wire.TypeCreateFolder, wire.FileRequest{Path: "."}, `null`},
			{wire.TypeCopyFile, wire.FileRequest{SourcePath: "a.txt", DestinationPath: "copies/c.txt"}, `null`},
			{wire.TypeReadFile, wire.FileRequest{Path: "copies/c.txt"}, `"text"`},
			{wire.TypeCopyFolder, wire.FileRequest{SourcePath: "folder", DestinationPath: "copies/folder"}, `null`},
			{wire.TypeReadFile, wire.FileRequest{Path: "copies/folder/inner.txt"}, `"inner"`},
			{wire.TypeRenameItem, wire.FileRequest{OldPath: "a.txt", NewPath: "moved/a.txt"}, `null`},
			{wire.TypeReadFile, wire.FileRequest{Path: "moved/a.txt"}, `"text"`},
			{wire.TypeRenameItem, wire.FileRequest{OldPath: "copies", NewPath: "kept"}, `null`},
			{wire.TypeReadFile, wire.FileRequest{Path: "kept/folder/inner.txt"}, `"inner"`},
			{wire.TypeDeleteFile, wire.FileRequest{Path: "moved/a.txt"}, `null`},
			{wire.TypeDeleteFolder, wire.FileRequest{Path: "kept"}, `null`},
			{wire.TypeDeleteFolder, wire.FileRequest{Path: "kept"}, `null`},
			{wire.TypeDeleteFolder, wire.FileRequest{Path: "absent/deeper"}, `null`},
		}
		for _, step := range steps {
			got, err := s.do(step.verb, step.req)
			must(t, err)
			frame, err := wire.Marshal(got)
			must(t, err)
			if diff := cmp.Diff(strings.ReplaceAll(step.want, "DIR", s.dir), string(frame)); diff != "" {
				t.Errorf("%s %+v:\n%s", step.verb, step.req, diff)
			}
		}
		for _, name := range []string{"a.txt", "moved/a.txt", "copies", "kept"} {
			if s.exists(name) {
				t.Errorf("%s is still there", name)
			}
		}
	})
}

func TestFailuresHaveTheirKindAndChangeNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.file("f", "content")
		s.file("g", "other")
		s.file("d/inner", "inner")
		s.file("e/inner", "another")
		before := snapshot(t, s.dir)
		content := pointer("new")
		for _, c := range []struct {
			what string
			verb string
			req  wire.FileRequest
			want wire.Code
		}{
			{"read what is absent", wire.TypeReadFile, wire.FileRequest{Path: "absent"}, wire.NotFound},
			{"read a folder", wire.TypeReadFile, wire.FileRequest{Path: "d"}, wire.Invalid},
			{"read the root", wire.TypeReadFile, wire.FileRequest{Path: "."}, wire.Invalid},
			{"read below a file", wire.TypeReadFile, wire.FileRequest{Path: "f/x"}, wire.Invalid},
			{"read nothing", wire.TypeReadFile, wire.FileRequest{}, wire.Invalid},
			{"read in an unknown encoding", wire.TypeReadFile, wire.FileRequest{Path: "f", Encoding: "utf16"}, wire.Invalid},
			{"write a folder", wire.TypeWriteFile, wire.FileRequest{Path: "d", Content: content}, wire.Invalid},
			{"write the root", wire.TypeWriteFile, wire.FileRequest{Path: "/", Content: content}, wire.OutsideWorkspace},
			{"write the root by name", wire.TypeWriteFile, wire.FileRequest{Path: ".", Content: content}, wire.Invalid},
			{"write below a file", wire.TypeWriteFile, wire.FileRequest{Path: "f/x/y", Content: content}, wire.Invalid},
			{"write without content", wire.TypeWriteFile, wire.FileRequest{Path: "f"}, wire.Invalid},
			{"write bad base64", wire.TypeWriteFile, wire.FileRequest{Path: "f", Content: pointer("%%%"), Encoding: "base64"}, wire.Invalid},
			{"delete what is absent", wire.TypeDeleteFile, wire.FileRequest{Path: "absent"}, wire.NotFound},
			{"delete a folder as a file", wire.TypeDeleteFile, wire.FileRequest{Path: "d"}, wire.Invalid},
			{"delete the root as a file", wire.TypeDeleteFile, wire.FileRequest{Path: "."}, wire.Invalid},
			{"delete a file as a folder", wire.TypeDeleteFolder, wire.FileRequest{Path: "f"}, wire.Invalid},
			{"delete the root", wire.TypeDeleteFolder, wire.FileRequest{Path: "."}, wire.Invalid},
			{"delete the root absolutely", wire.TypeDeleteFolder, wire.FileRequest{Path: s.dir}, wire.Invalid},
			{"delete the root roundabout", wire.TypeDeleteFolder, wire.FileRequest{Path: "d/.."}, wire.Invalid},
			{"rename the root", wire.TypeRenameItem, wire.FileRequest{OldPath: ".", NewPath: "x"}, wire.Invalid},
			{"rename to the root", wire.TypeRenameItem, wire.FileRequest{OldPath: "d", NewPath: ".", Overwrite: true}, wire.Invalid},
			{"rename what is absent", wire.TypeRenameItem, wire.FileRequest{OldPath: "absent", NewPath: "new/x"}, wire.NotFound},
			{"rename onto a file", wire.TypeRenameItem, wire.FileRequest{OldPath: "f", NewPath: "g"}, wire.Exists},
			{"rename over a folder", wire.TypeRenameItem, wire.FileRequest{OldPath: "f", NewPath: "d", Overwrite: true}, wire.Exists},
			{"rename a folder over a file", wire.TypeRenameItem, wire.FileRequest{OldPath: "d", NewPath: "f", Overwrite: true}, wire.Exists},
			{"rename a folder over a folder", wire.TypeRenameItem, wire.FileRequest{OldPath: "d", NewPath: "e", Overwrite: true}, wire.Exists},
			{"rename a folder into itself", wire.TypeRenameItem, wire.FileRequest{OldPath: "d", NewPath: "d/new/x"}, wire.Invalid},
			{"create a folder at a file", wire.TypeCreateFolder, wire.FileRequest{Path: "f"}, wire.Exists},
			{"create a folder below a file", wire.TypeCreateFolder, wire.FileRequest{Path: "f/x"}, wire.Invalid},
			{"copy what is absent", wire.TypeCopyFile, wire.FileRequest{SourcePath: "absent", DestinationPath: "new/x"}, wire.NotFound},
			{"copy onto a file", wire.TypeCopyFile, wire.FileRequest{SourcePath: "f", DestinationPath: "g"}, wire.Exists},
			{"copy onto itself", wire.TypeCopyFile, wire.FileRequest{SourcePath: "f", DestinationPath: "f"}, wire.Exists},
			{"copy over itself", wire.TypeCopyFile, wire.FileRequest{SourcePath: "f", DestinationPath: "f", Overwrite: true}, ""},
			{"copy over a folder", wire.TypeCopyFile, wire.FileRequest{SourcePath: "f", DestinationPath: "d", Overwrite: true}, wire.Invalid},
			{"copy a folder as a file", wire.TypeCopyFile, wire.FileRequest{SourcePath: "d", DestinationPath: "x"}, wire.Invalid},
			{"copy a file as a folder", wire.TypeCopyFolder, wire.FileRequest{SourcePath: "f", DestinationPath: "x"}, wire.Invalid},
			{"copy a folder onto a folder", wire.TypeCopyFolder, wire.FileRequest{SourcePath: "d", DestinationPath: "e"}, wire.Exists},
			{"copy a folder into itself", wire.TypeCopyFolder, wire.FileRequest{SourcePath: "d", DestinationPath: "d/new/x"}, wire.Invalid},
			{"copy a folder over itself", wire.TypeCopyFolder, wire.FileRequest{SourcePath: "d", DestinationPath: "d", Overwrite: true}, wire.Invalid},
			{"copy the root into itself", wire.TypeCopyFolder, wire.FileRequest{SourcePath: ".", DestinationPath: "x"}, wire.Invalid},
			{"list outside", wire.TypeGetTreeChildren, wire.FileRequest{Path: ".."}, wire.OutsideWorkspace},
			{"an unknown verb", "providerFly", wire.FileRequest{Path: "f"}, wire.Unsupported},
		} {
			_, err := s.do(c.verb, c.req)
			wantCode(t, c.what, err, c.want)
			if diff := cmp.Diff(before, snapshot(t, s.dir)); diff != "" {
				t.Fatalf("%s changed the workspace:\n%s", c.what, diff)
			}
		}
	})
}

func TestContentSurvivesUnchanged(t *testing.T) {
	t.Parallel()
	big := strings.Repeat("0123456789abcde\n", 1<<16)
	for name, content := range map[string]string{
		"empty": "", "one byte": "x", "binary": "\x00\xff\xfe\x80 text", "one MiB": big, "16 MiB": strings.Repeat(big, 16),
		"byte order mark": "\ufefftext\r\n", "a lone quote": `"\`,
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, s *site) {
				encoded := base64.StdEncoding.EncodeToString([]byte(content))
				req := wire.FileRequest{Path: "f", Content: &encoded, Encoding: wire.Base64}
				if name == "16 MiB" {
					req = wire.FileRequest{Path: "f", Content: &content}
				}
				_, err := s.do(wire.TypeWriteFile, req)
				must(t, err)
				if name != "16 MiB" {
					got, err := s.do(wire.TypeReadFile, wire.FileRequest{Path: "f", Encoding: wire.Base64})
					must(t, err)
					if got != (wire.EncodedContent{Encoding: wire.Base64, Content: encoded}) {
						t.Error("base64 did not survive")
					}
				}
				got, err := s.do(wire.TypeReadFile, wire.FileRequest{Path: "f"})
				if name == "binary" {
					wantCode(t, "read as text", err, wire.Invalid)
					if err == nil || !strings.Contains(err.Error(), `encoding: "base64"`) || !strings.Contains(err.Error(), "f") {
						t.Errorf("the sentence does not help: %v", err)
					}
				} else if err != nil || got != content {
					t.Errorf("text did not survive: %v", err)
				}
			})
		})
	}
}

func TestSparseAndOversizedFilesAreBounded(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.file("sparse", "")
		must(t, os.Truncate(s.path("sparse"), 1<<40))
		_, err := s.do(wire.TypeReadFile, wire.FileRequest{Path: "sparse"})
		wantCode(t, "read 1 TiB", err, wire.TooLarge)
		must(t, os.Truncate(s.path("sparse"), 1<<20))
		got, err := s.do(wire.TypeReadFile, wire.FileRequest{Path: "sparse"})
		if err != nil || got != string(make([]byte, 1<<20)) {
			t.Errorf("a sparse MiB did not read as zeros: %v", err)
		}
		s.files.MaxRead = 1<<20 - 1
		_, err = s.do(wire.TypeReadFile, wire.FileRequest{Path: "sparse"})
		wantCode(t, "read one byte more than the limit", err, wire.TooLarge)
	})
}

func TestOddNamesAreOrdinaryNames(t *testing.T) {
	names := []string{
		"..foo", "...", "-rf", ".hidden", "with space", "new\nline", "tab\there", "caf\u00e9", "cafe\u0301", "日本語", "%2e%2e", "%2e%2e%2fx",
		"$(touch x)", ";rm", "quote\"'", "a\\b", strings.Repeat("n", 255), "root", "~", "*",
		strings.TrimSuffix(strings.Repeat(strings.Repeat("d", 199)+"/", 20), "/"), // 4,000 bytes
	}
	onBoth(t, func(t *testing.T, s *site) {
		for _, name := range names {
			content := "content of " + name
			_, err := s.do(wire.TypeWriteFile, wire.FileRequest{Path: name, Content: &content})
			must(t, err)
			got, err := s.do(wire.TypeReadFile, wire.FileRequest{Path: name})
			if err != nil || got != content {
				t.Errorf("read %q: %v, %v", name, got, err)
			}
		}
		got, err := s.do(wire.TypeGetFullProject, wire.FileRequest{Recursive: true})
		must(t, err)
		listed := map[string]bool{}
		for _, e := range got.(wire.FullProject).Entries {
			listed[e.ID] = true
		}
		for _, name := range names {
			if !listed[name] {
				t.Errorf("%q is not listed", name)
			}
			_, err := s.do(wire.TypeDeleteFile, wire.FileRequest{Path: name})
			must(t, err)
			if s.exists(name) {
				t.Errorf("%q is still there", name)
			}
		}
		_, err = s.do(wire.TypeWriteFile, wire.FileRequest{Path: strings.Repeat("n", 256), Content: pointer("")})
		wantCode(t, "a name that is too long", err, wire.Invalid)
	})
}

func TestPathsThatLeadOutsideAreRefusedByEveryVerb(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.file("f", "content")
		s.file("d/f", "content")
		must(t, os.Mkdir(s.dir+"x", 0o755))
		must(t, os.WriteFile(s.dir+"x/f", []byte("sibling"), 0o644))
		paths := map[string]wire.Code{
			s.outside + "/canary": wire.OutsideWorkspace, s.outside: wire.OutsideWorkspace, "/etc/passwd": wire.OutsideWorkspace,
			s.dir + "x/f": wire.OutsideWorkspace, s.dir + "x": wire.OutsideWorkspace, s.dir + "/../outside/canary": wire.OutsideWorkspace,
			"../" + filepath.Base(s.dir) + "x/f": wire.OutsideWorkspace, "d/../../outside/canary": wire.OutsideWorkspace,
			"/proc/self/root/etc/passwd": wire.OutsideWorkspace, "/proc/self/cwd/f": wire.OutsideWorkspace, "/dev/null": wire.OutsideWorkspace,
			`..\outside\canary`: wire.OutsideWorkspace, `d\..\..\outside`: wire.OutsideWorkspace, `\etc\passwd`: wire.OutsideWorkspace,
			`\\server\share`: wire.OutsideWorkspace, `C:\Windows`: wire.OutsideWorkspace, s.dir + `/..\..\outside`: wire.OutsideWorkspace,
			"f\x00": wire.Invalid, "\x00": wire.Invalid, "d/\x00/../../outside": wire.Invalid, "f\x1b[0m": wire.Invalid, "f\x7f": wire.Invalid,
			"": wire.Invalid,
		}
		for n := 1; n <= 10; n++ {
			paths[strings.Repeat("../", n)+"outside/canary"] = wire.OutsideWorkspace
			paths["d/"+strings.Repeat("../", n+1)+"etc/passwd"] = wire.OutsideWorkspace
		}
		before := snapshot(t, s.dir)
		for p, want := range paths {
			for verb, req := range map[string]wire.FileRequest{
				wire.TypeReadFile: {Path: p}, wire.TypeWriteFile: {Path: p, Content: pointer("x")}, wire.TypeDeleteFile: {Path: p},
				wire.TypeDeleteFolder: {Path: p}, wire.TypeCreateFolder: {Path: p}, wire.TypeGetTreeChildren: {Path: p},
				wire.TypeRenameItem: {OldPath: p, NewPath: "new"}, wire.TypeRenameItem + " to": {OldPath: "f", NewPath: p, Overwrite: true},
				wire.TypeCopyFile: {SourcePath: p, DestinationPath: "new"}, wire.TypeCopyFile + " to": {SourcePath: "f", DestinationPath: p, Overwrite: true},
				wire.TypeCopyFolder: {SourcePath: p, DestinationPath: "new"}, wire.TypeCopyFolder + " to": {SourcePath: "d", DestinationPath: p, Overwrite: true},
			} {
				verb = strings.TrimSuffix(verb, " to")
				if verb == wire.TypeGetTreeChildren && p == "" {
					continue // the root
				}
				_, err := s.do(verb, req)
				wantCode(t, fmt.Sprintf("%s %q", verb, p), err, want)
			}
		}
		if diff := cmp.Diff(before, snapshot(t, s.dir)); diff != "" {
			t.Errorf("the workspace changed:\n%s", diff)
		}
	})
}

func TestNamesThatDoNotFitAnFSAreRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		for name, want := range map[string]wire.Code{
			"": wire.Invalid, "a//b": wire.Invalid, "a/": wire.Invalid, "./a": wire.Invalid, "a/../b": wire.Invalid,
			"/etc/passwd": wire.OutsideWorkspace, "..": wire.OutsideWorkspace, "../x": wire.OutsideWorkspace, "a\x00": wire.Invalid,
		} {
			_, err := s.fs.ReadFile(t.Context(), name, 0)
			wantCode(t, "read "+name, err, want)
			wantCode(t, "write "+name, s.fs.WriteFile(t.Context(), name, nil), want)
			wantCode(t, "delete folder "+name, s.fs.RemoveAll(t.Context(), name), want)
		}
	})
}

func TestThePathThatTheSystemKnowsIsInsideToo(t *testing.T) {
	base := t.TempDir()
	must(t, os.Mkdir(filepath.Join(base, "real"), 0o755))
	must(t, os.Symlink("real", filepath.Join(base, "alias")))
	l, err := workspace.OpenLocal(filepath.Join(base, "alias"), workspace.LocalOptions{})
	must(t, err)
	defer l.Close()
	files := &workspace.Files{FS: l}
	for i, dir := range []string{"alias", "real"} {
		p := filepath.Join(base, dir, "f")
		content := strconv.Itoa(i)
		_, err := files.Do(t.Context(), wire.TypeWriteFile, &wire.FileRequest{Path: p, Content: &content})
		must(t, err)
		got, err := files.Do(t.Context(), wire.TypeReadFile, &wire.FileRequest{Path: p})
		if err != nil || got != content {
			t.Errorf("through %s: %v, %v", dir, got, err)
		}
	}
	if want := filepath.Join(base, "alias"); l.Root() != want {
		t.Errorf("the root is %s, not %s as it was opened", l.Root(), want)
	}
}

func TestProtectedNamesAreReadOnly(t *testing.T) {
	for _, kind := range []string{local, slow, remote} {
		s := newSite(t, kind, ".state", "a/b")
		names := []string{".git", ".git/config", "deep/er/.git", "deep/er/.git/hooks/x", ".GIT/config", ".Git", ".state", ".state/env", "a/b", "a/b/c"}
		s.file(".git/config", "config")
		s.file(".state/env", "state")
		s.file("a/b/c", "c")
		s.file("deep/er/.git", "gitdir: elsewhere")
		s.file("f", "f")
		s.file("d/config", "d")
		must(t, os.Symlink(".git", s.path("alias")))
		before := snapshot(t, s.dir)
		for _, name := range append(names, "alias/config", "alias/new") {
			for verb, req := range map[string]wire.FileRequest{
				wire.TypeWriteFile: {Path: name, Content: pointer("x")}, wire.TypeDeleteFile: {Path: name}, wire.TypeDeleteFolder: {Path: name}, wire.TypeCreateFolder: {Path: name},
				wire.TypeRenameItem: {OldPath: "f", NewPath: name, Overwrite: true},
				wire.TypeCopyFile:   {SourcePath: "f", DestinationPath: name, Overwrite: true}, wire.TypeCopyFolder: {SourcePath: "d", DestinationPath: name, Overwrite: true},
			} {
				_, err := s.do(verb, req)
				if code := wire.CodeOf(err); code != wire.Permission && code != wire.Invalid {
					t.Errorf("%s %s: got %q (%v)", verb, name, code, err)
				}
			}
		}
		if diff := cmp.Diff(before, snapshot(t, s.dir)); diff != "" {
			t.Errorf("a protected name changed:\n%s", diff)
		}
		for _, name := range []string{".git", ".git/config", ".state", "a/b"} {
			_, err := s.do(wire.TypeRenameItem, wire.FileRequest{OldPath: name, NewPath: "taken"})
			wantCode(t, "rename "+name, err, wire.Permission)
		}
		s.file("from/.git/config", "evil")
		before = snapshot(t, s.dir)
		_, err := s.do(wire.TypeCopyFolder, wire.FileRequest{SourcePath: "from", DestinationPath: ".", Overwrite: true})
		if err == nil {
			t.Error("a folder was copied over the protected names")
		}
		if diff := cmp.Diff(before, snapshot(t, s.dir)); diff != "" {
			t.Errorf("a protected name changed:\n%s", diff)
		}
		if got, err := s.do(wire.TypeReadFile, wire.FileRequest{Path: ".git/config"}); err != nil || got != "config" {
			t.Errorf("a protected name cannot be read: %v, %v", got, err)
		}
		for _, name := range []string{".gitignore", ".github/x", "a/bc", ".statex"} {
			_, err := s.do(wire.TypeWriteFile, wire.FileRequest{Path: name, Content: pointer("x")})
			wantCode(t, "write "+name, err, fine)
		}
		_, err = s.do(wire.TypeRenameItem, wire.FileRequest{OldPath: "deep", NewPath: "deeper"})
		wantCode(t, "rename a folder with a repository in it", err, fine)
		_, err = s.do(wire.TypeDeleteFolder, wire.FileRequest{Path: "deeper"})
		wantCode(t, "delete a folder with a repository in it", err, fine)
	}
}

func TestRequestsSayWhatTheyTouch(t *testing.T) {
	s := newSite(t, local)
	type touched struct {
		Paths []string
		Write bool
	}
	for _, c := range []struct {
		verb string
		req  wire.FileRequest
		want touched
	}{
		{wire.TypeReadFile, wire.FileRequest{Path: "./a/../b"}, touched{[]string{"b"}, false}},
		{wire.TypeReadFile, wire.FileRequest{Path: s.path("a")}, touched{[]string{"a"}, false}},
		{wire.TypeReadFile, wire.FileRequest{Path: "../a"}, touched{nil, false}},
		{wire.TypeWriteFile, wire.FileRequest{Path: "a"}, touched{[]string{"a"}, true}},
		{wire.TypeDeleteFile, wire.FileRequest{Path: "a"}, touched{[]string{"a"}, true}},
		{wire.TypeDeleteFolder, wire.FileRequest{Path: "a/"}, touched{[]string{"a"}, true}},
		{wire.TypeCreateFolder, wire.FileRequest{Path: "."}, touched{[]string{"."}, true}},
		{wire.TypeRenameItem, wire.FileRequest{OldPath: "a", NewPath: "b"}, touched{[]string{"a", "b"}, true}},
		{wire.TypeCopyFile, wire.FileRequest{SourcePath: "a", DestinationPath: "b"}, touched{[]string{"a", "b"}, true}},
		{wire.TypeCopyFolder, wire.FileRequest{SourcePath: "a", DestinationPath: "../b"}, touched{nil, true}},
		{wire.TypeGetTreeChildren, wire.FileRequest{Path: "a"}, touched{[]string{"."}, false}},
		{wire.TypeGetFullProject, wire.FileRequest{}, touched{[]string{"."}, false}},
	} {
		var got touched
		got.Paths, got.Write = s.files.Touches(c.verb, &c.req)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s %+v:\n%s", c.verb, c.req, diff)
		}
	}
}
