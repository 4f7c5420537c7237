package files

import (
	"slices"
	"strings"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// whole asks for the whole project, with limits or other members.
func whole(t *suite.T, e *suite.Env, more suite.Message) (result suite.Message, items []suite.Message) {
	m := suite.Message{"type": getProject, "recursive": true}.With(more)
	result, ok := asObject(e.Result(m))
	if !ok {
		t.Fatalf("the result of %v is no object", m)
	}
	return result, objects(t, "entries of "+getProject, result["entries"])
}

func asObject(v any) (suite.Message, bool) {
	object, ok := v.(map[string]any)
	return object, ok
}

func projects() []suite.Check {
	return []suite.Check{
		{
			ID: "FS-057", Level: suite.Must, Needs: []suite.Capability{getProject, getTree, writeFile},
			Title: "The full project is the list of the workspace's top level",
			Why:   "All servers know that array; a whole tree in its place may be of any size.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				do(e, write(".codebolt-notes", "x"), write(".cache/x.txt", "x"))
				top := entries(t, e, suite.Message{"type": getProject})
				byID(t, top, "src")
				byID(t, top, ".codebolt-notes")
				t.Equal("the full project", top, entries(t, e, at(getTree, "root")))
				t.Equal("the full project with a path", e.Result(at(getProject, "src")), top)
				t.Equal("the full project that is not recursive", e.Result(suite.Message{"type": getProject, "recursive": false}), top)
			},
		},
		{
			ID: "FS-058", Level: suite.Must, Needs: []suite.Capability{getProject, getTree, writeFile, suite.Recursive},
			Title: "With recursive the full project is an object of root, entries and truncated, of all levels",
			Why:   "A server that indexes a project wants it in one answer, and to know whether that is all.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				do(e, write("src/lib/deep/deeper/x.txt", "x"), write("src/.cache/x.txt", "x"), write("src/.env", "x"), write(".codebolt/agents/x.md", "x"))
				result, items := whole(t, e, nil)
				t.Equal("whether the list was cut short", result["truncated"], false)
				if t.Can(suite.Local) {
					t.Equal("the root", result["root"], e.Workspace())
				}
				ids := members(items, "id")
				for _, id := range []string{
					"README.md", "src", "src/main.txt", "src/lib", "src/lib/util.txt", "src/lib/deep/deeper/x.txt", "src/.env", ".codebolt/agents/x.md", "docs/guide.md",
				} {
					if !slices.Contains(ids, id) {
						t.Errorf("the full project does not have %s", id)
					}
				}
				for i, id := range ids {
					if strings.HasPrefix(id, "src/.cache") || id == ".git" || strings.HasPrefix(id, ".git/") {
						t.Errorf("the full project shows the hidden %s", id)
					}
					if slices.Contains(ids[:i], id) {
						t.Errorf("the full project has %s twice", id)
					}
				}
				wellFormed(t, e, byID(t, items, "src/lib/deep"), "src/lib/deep", true, 0)
				wellFormed(t, e, byID(t, items, "src/main.txt"), "src/main.txt", false, len(suite.ProjectFiles["src/main.txt"]))
			},
		},
		{
			ID: "FS-059", Level: suite.Must, Needs: []suite.Capability{getProject, getTree, writeFile, suite.Recursive},
			Title: "A recursive list keeps to the limits it was given, and says that it was cut short",
			Why:   "Whoever asks for a hundred entries has room for a hundred; a list that ends without a word looks whole.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				do(e, write("src/lib/deep/deeper/x.txt", "x"))
				_, all := whole(t, e, nil)
				for _, limit := range []int{1, 3, len(all) - 1} {
					result, items := whole(t, e, suite.Message{"maxEntries": limit})
					if len(items) > limit || len(items) == 0 {
						t.Errorf("with maxEntries %d there are %d entries", limit, len(items))
					}
					t.Equal("whether the list was cut short", result["truncated"], true)
				}
				result, items := whole(t, e, suite.Message{"maxEntries": len(all)})
				t.Equal("the entries with a limit that suffices", members(items, "id"), members(all, "id"))
				t.Equal("whether the list was cut short", result["truncated"], false)
				for depth := 1; depth <= 3; depth++ {
					result, items := whole(t, e, suite.Message{"maxDepth": depth})
					deepest := 0
					for _, id := range members(items, "id") {
						deepest = max(deepest, strings.Count(id, "/")+1)
					}
					t.Equal("the levels of the list", deepest, depth)
					t.Equal("whether the list was cut short", result["truncated"], true)
				}
			},
		},
	}
}
