package review

import (
	"maps"
	"slices"
	"strings"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

func shape() []suite.Check {
	return []suite.Check{
		{
			ID: "DF-001", Level: suite.Must, Needs: diffing,
			Title: "A diff has files, a summary and the raw diff, each as documented",
			Why:   "The review view reads these members by name; one that is absent or of another type shows as nothing, or breaks it.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				write(e, "src/main.txt", "first\nsecond\nchanged\nfourth\n")
				write(e, "new.txt", "one\ntwo\n")
				answer := e.Ask(suite.Message{"type": diffVerb})
				t.Equal("the answer's type", answer["type"], "remoteProviderEvent")
				t.Equal("the answer's action", answer["action"], "providerDiffFilesResponse")
				result, files := diffOf(t, e)
				t.Equal("the paths and statuses", statuses(files), map[string]string{"src/main.txt": "modified", "new.txt": "added"})
				t.Equal("the summary", result["summary"], map[string]any{"totalFiles": 2, "totalAdditions": 4, "totalDeletions": 1, "totalChanges": 5})
				t.Equal("changes of src/main.txt", files["src/main.txt"].whole["changes"], map[string]any{"additions": 2, "deletions": 1, "changes": 3})
				t.Equal("changes of new.txt", files["new.txt"].whole["changes"], map[string]any{"additions": 2, "deletions": 0, "changes": 2})
				for path, lines := range map[string]string{"src/main.txt": "-third\n+changed\n+fourth\n", "new.txt": "+one\n+two\n"} {
					if !strings.HasPrefix(files[path].diff, "diff --git ") || !strings.Contains(files[path].diff, lines) {
						t.Errorf("the diff of %s does not have its lines in the form of git: %q", path, files[path].diff)
					}
					if !strings.Contains(result.Text("rawDiff"), lines) {
						t.Errorf("rawDiff does not have the lines of %s: %q", path, result.Text("rawDiff"))
					}
				}
			},
		},
		{
			ID: "DF-002", Level: suite.Must, Needs: diffing[:1],
			Title: "When nothing was changed the diff is empty, and all its members are there",
			Why:   "A null in the place of the empty array breaks readers that go through it.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				result, _ := diffOf(t, e)
				t.Equal("files", result["files"], []any{})
				t.Equal("summary", result["summary"], map[string]any{"totalFiles": 0, "totalAdditions": 0, "totalDeletions": 0, "totalChanges": 0})
				t.Equal("rawDiff", result["rawDiff"], "")
			},
		},
		{
			ID: "DF-003", Level: suite.Must, Needs: []suite.Capability{patchVerb},
			Title: "When nothing was changed the patch is an empty string",
			Why:   "A sentence in its place is handed to git apply, and fails there.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				answer := e.Ask(suite.Message{"type": patchVerb})
				t.Equal("the answer's action", answer["action"], "providerMergeAsPatchResponse")
				t.Equal("the patch", answer["message"], "")
			},
		},
		{
			ID: "DF-004", Level: suite.Must, Needs: diffing,
			Title: "The first path of a diff keeps its first letter, when all it has is an unstaged change",
			Why:   "Trimming what git status prints cuts it off, and the file cannot be opened.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				write(e, "README.md", "# Changed\n")
				result, files := diffOf(t, e)
				t.Equal("the paths", slices.Sorted(maps.Keys(files)), []string{"README.md"})
				if !strings.HasPrefix(result.Text("rawDiff"), "diff --git a/README.md b/README.md\n") {
					t.Errorf("rawDiff begins otherwise: %q", result.Text("rawDiff"))
				}
			},
		},
		{
			ID: "DF-005", Level: suite.Must, Needs: diffing,
			Title: "What git ignores is in neither diff nor patch",
			Why:   "Build output hides the work, and a patch would carry the keys of .env along.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				for _, path := range []string{".env", "build/out.txt", "src/trace.log"} {
					write(e, path, "KEY=ignored-content\n")
				}
				write(e, "new.txt", "new\n")
				result, files := diffOf(t, e)
				t.Equal("the paths", slices.Sorted(maps.Keys(files)), []string{"new.txt"})
				texts := []string{result.Text("rawDiff")}
				if t.Can(patchVerb) {
					texts = append(texts, patchOf(t, e))
				}
				for _, text := range texts {
					if strings.Contains(text, "ignored-content") || !strings.Contains(text, "+new\n") {
						t.Errorf("what is ignored is in the patch, or new.txt is not: %q", text)
					}
				}
			},
		},
	}
}
