package review

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// binary is content that is no text.
var binary = append(bytes.Repeat([]byte{0, 1, 2, 0xff, 0xfe}, 200), "end"...)

func kinds() []suite.Check {
	const why = "A change that is missing in the diff is not reviewed, and is lost when the environment is removed."
	check := func(id, title string, needs []suite.Capability, do func(t *suite.T, e *suite.Env), want map[string]string, more ...func(t *suite.T, result suite.Message, files map[string]change)) suite.Check {
		return suite.Check{ID: id, Level: suite.Must, Needs: needs, Title: title, Why: why, Run: func(t *suite.T) {
			e := t.Open(suite.Spec{})
			do(t, e)
			result, files := diffOf(t, e)
			t.Equal("the paths and statuses", statuses(files), want)
			for _, f := range more {
				f(t, result, files)
			}
			applies(t, e, "rawDiff", result.Text("rawDiff"))
		}}
	}
	git := slices.Concat(onDisk, []suite.Capability{suite.Local, suite.Git})
	return []suite.Check{
		check("DF-006", "What was committed since the start is in the diff", git, func(t *suite.T, e *suite.Env) {
			put(t, e, "src/main.txt", "committed\n")
			put(t, e, "committed.txt", "one\n")
			commit(t, e, "Work")
			put(t, e, "after.txt", "two\n")
		}, map[string]string{"src/main.txt": "modified", "committed.txt": "added", "after.txt": "added"}),
		check("DF-007", "What was committed on a branch that was checked out since is in the diff", git, func(t *suite.T, e *suite.Env) {
			t.Git(e.Workspace(), "checkout", "--quiet", "-b", "another-branch")
			put(t, e, "committed.txt", "one\n")
			commit(t, e, "Work")
		}, map[string]string{"committed.txt": "added"}),
		check("DF-008", "Staged changes are in the diff once, with the later ones of the same file", git, func(t *suite.T, e *suite.Env) {
			put(t, e, "staged.txt", "only staged\n")
			put(t, e, "src/main.txt", "staged\nsecond\nthird\n")
			t.Git(e.Workspace(), "add", "--all")
			put(t, e, "src/main.txt", "staged\nsecond\nunstaged\n")
		}, map[string]string{"staged.txt": "added", "src/main.txt": "modified"}, func(t *suite.T, result suite.Message, files map[string]change) {
			t.Equal("changes of src/main.txt", files["src/main.txt"].whole["changes"], map[string]any{"additions": 2, "deletions": 2, "changes": 4})
			for _, line := range []string{"+only staged\n", "+staged\n", "+unstaged\n"} {
				if n := strings.Count(result.Text("rawDiff"), line); n != 1 {
					t.Errorf("the line %q is in rawDiff %d times", line, n)
				}
			}
		}),
		check("DF-009", "A new file is in diff and raw diff, with those in new folders", onDisk, func(t *suite.T, e *suite.Env) {
			put(t, e, "new.txt", "one\n")
			put(t, e, "deep/er/new.txt", "two\n")
			put(t, e, "deep/er/another.txt", "three\n")
		}, map[string]string{"new.txt": "added", "deep/er/new.txt": "added", "deep/er/another.txt": "added"}),
		check("DF-010", "A deleted file is in the diff", onDisk, func(t *suite.T, e *suite.Env) {
			t.Try(os.Remove(e.Path("src/main.txt")))
			t.Try(os.RemoveAll(e.Path("docs")))
			t.Try(os.Remove(e.Path("empty.txt")))
		}, map[string]string{"src/main.txt": "deleted", "docs/guide.md": "deleted", "empty.txt": "deleted"}),
		{
			ID: "DF-011", Level: suite.Must, Needs: git, Why: why,
			Title: "A renamed file has its new path, and the status renamed",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				t.Git(e.Workspace(), "mv", "src/main.txt", "src/ünew name.txt")
				t.Git(e.Workspace(), "mv", "README.md", "READ.md")
				commit(t, e, "Rename")
				result, files := diffOf(t, e)
				t.Equal("the paths and statuses", statuses(files), map[string]string{"src/ünew name.txt": "renamed", "READ.md": "renamed"})
				if !strings.Contains(files["READ.md"].diff, "rename from README.md\nrename to READ.md\n") {
					t.Errorf("the diff of a renamed file does not tell it: %q", files["READ.md"].diff)
				}
				applies(t, e, "rawDiff", result.Text("rawDiff"))
			},
		},
		check("DF-012", "A binary file is in the diff, and the raw diff brings its content along", onDisk, func(t *suite.T, e *suite.Env) {
			put(t, e, "logo.bin", string(binary))
			put(t, e, "src/main.txt", string(binary[100:]))
		}, map[string]string{"logo.bin": "added", "src/main.txt": "modified"}),
		check("DF-013", "A file that became executable is in the diff", onDisk, func(t *suite.T, e *suite.Env) {
			t.Try(os.Chmod(e.Path("README.md"), 0o755))
			put(t, e, "run.sh", "#!/bin/sh\n")
			t.Try(os.Chmod(e.Path("run.sh"), 0o755))
		}, map[string]string{"README.md": "modified", "run.sh": "added"}, func(t *suite.T, _ suite.Message, files map[string]change) {
			if !strings.Contains(files["README.md"].diff, "old mode 100644\nnew mode 100755\n") {
				t.Errorf("the diff does not tell the modes: %q", files["README.md"].diff)
			}
		}),
		{
			ID: "DF-014", Level: suite.Must, Needs: onDisk, Why: why,
			Title: "A symbolic link is in the diff as a link, when it is new and when it leads elsewhere",
			Run: func(t *suite.T) {
				project := t.NewProject()
				t.Try(os.Symlink("src/main.txt", filepath.Join(project, "link")))
				t.Git(project, "add", "--all")
				t.Git(project, "commit", "--quiet", "--message", "Add a link")
				e := t.Open(suite.Spec{Project: project})
				t.Try(os.Remove(e.Path("link")))
				t.Try(os.Symlink("README.md", e.Path("link")))
				t.Try(os.Symlink("src", e.Path("folder")))
				t.Try(os.Symlink("/absolute/absent", e.Path("gone")))
				result, files := diffOf(t, e)
				t.Equal("the paths and statuses", statuses(files), map[string]string{"link": "modified", "folder": "added", "gone": "added"})
				for path, text := range map[string]string{"link": "-src/main.txt\n\\ No newline at end of file\n+README.md\n", "folder": "new file mode 120000\n", "gone": "+/absolute/absent\n"} {
					if !strings.Contains(files[path].diff, text) {
						t.Errorf("the diff of %s does not tell of a link: %q", path, files[path].diff)
					}
				}
				applies(t, e, "rawDiff", result.Text("rawDiff"))
			},
		},
		{
			ID: "DF-015", Level: suite.Must, Needs: onDisk, Why: why,
			Title: "What became another type is in the diff",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				t.Try(os.Remove(e.Path("README.md")))
				t.Try(os.Symlink("docs/guide.md", e.Path("README.md")))
				t.Try(os.Remove(e.Path("empty.txt")))
				put(t, e, "empty.txt/below", "a folder now\n")
				result, files := diffOf(t, e)
				for _, path := range []string{"README.md", "empty.txt", "empty.txt/below"} {
					if _, there := files[path]; !there {
						t.Errorf("%s is not in the diff", path)
					}
				}
				applies(t, e, "rawDiff", result.Text("rawDiff"))
			},
		},
		check("DF-016", "An empty file that is new is in the diff", onDisk, func(t *suite.T, e *suite.Env) {
			put(t, e, "nothing.txt", "")
			put(t, e, "README.md", "")
		}, map[string]string{"nothing.txt": "added", "README.md": "modified"}, func(t *suite.T, _ suite.Message, files map[string]change) {
			t.Equal("changes of nothing.txt", files["nothing.txt"].whole["changes"], map[string]any{"additions": 0, "deletions": 0, "changes": 0})
		}),
		check("DF-017", "Ends of lines, and of files, come through as they are", onDisk, func(t *suite.T, e *suite.Env) {
			put(t, e, "unended.txt", "one\ntwo")
			put(t, e, "src/main.txt", "first\nsecond\nthird")
			put(t, e, "windows.txt", "one\r\ntwo\r\n")
			put(t, e, "README.md", "# A project\r\n\r\nIt has a few files.\r\n")
			put(t, e, "mixed.txt", "a\r\nb\rc\n\n\n--- a/x\n+++ b/x\n@@ -1 +1 @@\ndiff --git a/y b/y\n")
		}, map[string]string{"unended.txt": "added", "src/main.txt": "modified", "windows.txt": "added", "README.md": "modified", "mixed.txt": "added"}, func(t *suite.T, _ suite.Message, files map[string]change) {
			for path, n := range map[string][2]float64{"unended.txt": {2, 0}, "src/main.txt": {1, 1}, "windows.txt": {2, 0}, "README.md": {3, 3}, "mixed.txt": {8, 0}} {
				t.Equal("additions and deletions of "+path, [2]float64{files[path].added, files[path].deleted}, n)
			}
		}),
	}
}
