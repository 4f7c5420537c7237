package workspace_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
	"github.com/google/go-cmp/cmp"
)

func TestTheTreeHasFoldersFirstInOrderAndWithoutTheHidden(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		for _, name := range []string{".git", ".vscode", ".codebolt", ".codeboltAgents", "src", "Docs", "_build", "10", "9"} {
			must(t, os.Mkdir(s.path(name), 0o755))
		}
		for _, name := range []string{".DS_Store", ".gitignore", ".env", "b.go", "B.go", "a.go", "Z", "\u00e9t\u00e9", "f", "src/.git", "src/.DS_Store", "src/x"} {
			s.file(name, "")
		}
		list := func(p string) (names []string) {
			got, err := s.do(wire.TypeGetTreeChildren, wire.FileRequest{Path: p})
			must(t, err)
			for _, e := range got.([]wire.TreeEntry) {
				names = append(names, e.Name)
			}
			return names
		}
		want := []string{
			"_build", ".codebolt", ".codeboltAgents", "10", "9", "Docs", "src",
			".env", ".gitignore", "a.go", "b.go", "B.go", "\u00e9t\u00e9", "f", "Z",
		}
		for _, p := range []string{"", "root", ".", "/", "./"} {
			if diff := cmp.Diff(want, list(p)); diff != "" {
				t.Errorf("the tree of %q:\n%s", p, diff)
			}
		}
		if diff := cmp.Diff([]string{"x"}, list("src")); diff != "" {
			t.Error(diff)
		}
	})
}

func TestNamesAreComparedAsJavaScriptDoes(t *testing.T) {
	// Sorted by Node's localeCompare.
	want := []string{
		"_a", "-a", "!a", ".a", "(a)", "@a", "#a", "+a", "~a", "$a", "0", "1", "10", "2", "a", "A", "\u00e1", "a b", "a_b", "a-b", "a.b", "ab", "\u00e4b",
		"b", "B", "ba", "Ba", "resume", "Resume", "r\u00e9sum\u00e9", "resumes", "z", "\u0430", "\u65e5",
	}
	for range 50 {
		got := slices.Clone(want)
		rand.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
		slices.SortFunc(got, workspace.CompareNames)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	}
	if workspace.CompareNames("caf\u00e9", "cafe\u0301") == 0 {
		t.Error("two different names compare equal")
	}
}

func TestAFolderOf100000EntriesIsBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i := range 100_000 {
		f, err := os.OpenFile(fmt.Sprintf("%s/%d", dir, i), os.O_CREATE|os.O_WRONLY, 0o600)
		must(t, err)
		must(t, f.Close())
	}
	l, err := workspace.OpenLocal(dir, workspace.LocalOptions{})
	must(t, err)
	defer l.Close()
	for what, fs := range map[string]workspace.FS{local: l, remote: workspace.Remote(dir, overWire(l))} {
		files := &workspace.Files{FS: fs}
		_, err := files.Do(t.Context(), wire.TypeGetTreeChildren, &wire.FileRequest{Path: "root"})
		wantCode(t, what, err, wire.TooLarge)
		got, err := files.Do(t.Context(), wire.TypeGetFullProject, &wire.FileRequest{Recursive: true})
		must(t, err)
		project := got.(wire.FullProject)
		if len(project.Entries) != workspace.DefaultMaxEntries || !project.Truncated {
			t.Errorf("%s: %d entries, truncated %v", what, len(project.Entries), project.Truncated)
		}
	}
}

func TestAWalkKeepsItsLimits(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		for i := range 6 {
			s.file(fmt.Sprintf("d%d/e/f/g", i), "")
			s.file(fmt.Sprintf("d%d/x", i), "")
		}
		s.file(".git/objects/aa", "")
		all, truncated, err := s.fs.Walk(t.Context(), ".", workspace.WalkLimits{})
		must(t, err)
		if len(all) != 6*5 || truncated {
			t.Fatalf("the whole is %d entries, truncated %v", len(all), truncated)
		}
		for limit := 1; limit <= len(all); limit++ {
			some, truncated, err := s.fs.Walk(t.Context(), ".", workspace.WalkLimits{Entries: limit})
			must(t, err)
			if diff := cmp.Diff(all[:limit], some); diff != "" || truncated != (limit < len(all)) {
				t.Errorf("with %d entries, truncated %v:\n%s", limit, truncated, diff)
			}
		}
		for depth, want := range map[int]int{1: 6, 2: 18, 3: 24, 4: 30, 5: 30} {
			some, truncated, err := s.fs.Walk(t.Context(), ".", workspace.WalkLimits{Depth: depth})
			must(t, err)
			if len(some) != want || truncated != (depth < 4) {
				t.Errorf("with depth %d: %d entries, truncated %v", depth, len(some), truncated)
			}
		}
		below, _, err := s.fs.Walk(t.Context(), "d3/e", workspace.WalkLimits{})
		must(t, err)
		if len(below) != 2 || below[0].Path != "d3/e/f" || below[1].Path != "d3/e/f/g" {
			t.Errorf("below d3/e: %+v", below)
		}
		got, err := s.do(wire.TypeGetFullProject, wire.FileRequest{Recursive: true, MaxEntries: 4, MaxDepth: 1})
		must(t, err)
		if p := got.(wire.FullProject); len(p.Entries) != 4 || !p.Truncated {
			t.Errorf("a limited project: %+v", p)
		}
	})
}

func TestARemoteWithoutAnswerGivesAnError(t *testing.T) {
	s := newSite(t, local)
	s.file("f", strings.Repeat("x", 10))
	_, err := s.fs.ReadFile(t.Context(), "f", 9)
	wantCode(t, "over the limit", err, wire.TooLarge)
	l, err := workspace.OpenLocal(s.dir, workspace.LocalOptions{})
	must(t, err)
	must(t, l.Close())
	must(t, l.Close())
	far := workspace.Remote(s.dir, overWire(l))
	_, err = far.ReadFile(t.Context(), "f", 0)
	wantCode(t, "read after close", err, wire.NotRunning)
	wantCode(t, "write after close", far.WriteFile(t.Context(), "f", nil), wire.NotRunning)
	_, err = workspace.OpenLocal(s.path("absent"), workspace.LocalOptions{})
	wantCode(t, "open what is absent", err, wire.NotFound)
	_, err = workspace.OpenLocal(s.path("f"), workspace.LocalOptions{})
	wantCode(t, "open a file", err, wire.Invalid)
}
