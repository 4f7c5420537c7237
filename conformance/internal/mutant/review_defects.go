package main

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// reviewDefects are those of group DF.
func reviewDefects() []defect {
	return slices.Concat(shapeDefects(), kindDefects(), amountDefects(), patchDefects(), lookingDefects(), pullRequestDefects(), silenceDefects())
}

func shapeDefects() []defect {
	return []defect{
		{
			Name: "counts-in-words", Check: "DF-001", Also: []string{"DF-008", "DF-016", "DF-017", "DF-018", "DF-019", "DF-020", "DF-021"},
			Doc: "gives the counts as git prints them, as text",
			Reply: eachFile(func(f file) file {
				counts := message{}
				for name, n := range f.object("changes") {
					n, _ := n.(float64)
					counts[name] = strconv.Itoa(int(n))
				}
				return f.with(message{"changes": map[string]any(counts)})
			}),
		},
		{
			Name: "has-no-summary", Check: "DF-001", Also: []string{"DF-002", "DF-020", "DF-021"},
			Doc:   "leaves it to others to count",
			Reply: diffs(func(_ *wrapper, result message) message { return result.with(message{"summary": nil}) }),
		},
		{
			Name: "has-null-files", Check: "DF-002",
			Doc: "has null for the files when there are none",
			Reply: diffs(func(_ *wrapper, result message) message {
				if len(filesOf(result)) > 0 {
					return result
				}
				empty := result.with(nil)
				empty["files"] = nil
				return empty
			}),
		},
		{
			Name: "says-that-nothing-changed", Check: "DF-003",
			Doc: "gives a sentence when there is no patch",
			Reply: patch(func(_ *wrapper, patch string) string {
				if patch == "" {
					return "No changes to merge. Working tree is clean."
				}
				return patch
			}),
		},
		{
			Name: "loses-a-letter", Check: "DF-004",
			Doc: "trims what git status prints, so that the first path lacks a letter when the change is not staged and the only one",
			Reply: diffs(func(_ *wrapper, result message) message {
				files := filesOf(result)
				if len(files) != 1 || files[0].text("status") != "modified" {
					return result
				}
				return made(result, []any{map[string]any(files[0].with(message{"path": files[0].text("path")[1:]}))})
			}),
		},
		{
			Name: "tells-of-ignored-files", Check: "DF-005",
			Doc: "tells of what git ignores",
			Reply: diffs(func(w *wrapper, result message) message {
				files, _ := result["files"].([]any)
				for name := range strings.SplitSeq(git(w.root(), "ls-files", "-z", "--others", "--ignored", "--exclude-standard"), "\x00") {
					if name != "" {
						files = append(files, map[string]any(counted(message{"path": name, "status": "added", "diff": ""}, 1, 0)))
					}
				}
				return made(result, files)
			}),
		},
		{
			Name: "patches-ignored-files", Check: "DF-005",
			Doc: "takes along into the patch what git ignores, with the keys of .env",
			Reply: patch(func(w *wrapper, patch string) string {
				data, err := os.ReadFile(filepath.Join(w.root(), ".env"))
				if err != nil || w.root() == "" {
					return patch
				}
				return patch + "diff --git a/.env b/.env\nnew file mode 100644\n--- /dev/null\n+++ b/.env\n@@ -0,0 +1 @@\n+" + string(data)
			}),
		},
	}
}

func kindDefects() []defect {
	replaced := func(old, replacement string) func(string) string {
		return func(diff string) string { return strings.ReplaceAll(diff, old, replacement) }
	}
	return []defect{
		{
			Name: "forgets-commits", Check: "DF-006", Also: []string{"DF-007", "DF-011", "DF-021", "DF-022"},
			Doc:   "compares with HEAD, so that what is committed is not there",
			Reply: keeping(notCommitted),
		},
		{
			Name: "looks-at-its-own-branch", Check: "DF-007",
			Doc: "knows what was committed on the branch that it made, and not what was on another",
			Reply: func(w *wrapper, asked, m message) []message {
				if asked.text("type") == "providerStart" {
					own := branch(w)
					w.mu.Lock()
					w.state["branch"] = own
					w.mu.Unlock()
				}
				w.mu.Lock()
				own := w.state["branch"]
				w.mu.Unlock()
				if asked.text("type") != "providerGetDiffFiles" || branch(w) == own {
					return list(m)
				}
				return keeping(notCommitted)(w, asked, m)
			},
		},
		{
			Name: "tells-what-is-staged-twice", Check: "DF-008", Also: []string{"DF-022", "DF-031"},
			Doc: "joins the diff of the index and the one of everything",
			Reply: rawDiff(func(w *wrapper, raw string) string {
				if staged := git(w.root(), "diff", "--cached", "--binary"); staged != "" {
					return staged + "\n" + raw
				}
				return raw
			}),
		},
		{
			Name: "takes-new-folders-for-files", Check: "DF-009", Also: []string{"DF-018", "DF-019", "DF-020", "DF-021", "DF-022", "DF-033"},
			Doc: "takes git status at its word, which names a new folder and not what is in it",
			Reply: keeping(func(w *wrapper) func(file) bool {
				known := map[string]bool{".": true}
				for name := range strings.SplitSeq(git(w.root(), "ls-files", "-z"), "\x00") {
					known[path.Dir(name)] = true
				}
				return func(f file) bool { return f.text("status") != "added" || known[path.Dir(f.text("path"))] }
			}),
		},
		{
			Name: "forgets-deleted-files", Check: "DF-010", Also: []string{"DF-015", "DF-021", "DF-022"},
			Doc:   "leaves out files that it cannot read any more",
			Reply: dropping(func(f file) bool { return f.text("status") == "deleted" }),
		},
		{
			Name: "has-two-names-in-a-path", Check: "DF-011", Also: []string{"DF-021"},
			Doc: "gives a renamed file the path that git status prints, old -> new",
			Reply: eachFile(func(f file) file {
				if f.text("status") != "renamed" {
					return f
				}
				return f.with(message{"path": f.text("oldPath") + " -> " + f.text("path")})
			}),
		},
		{
			Name: "says-that-binary-files-differ", Check: "DF-012", Also: []string{"DF-022"},
			Doc: "has no content of binary files in the patch",
			Reply: eachFile(func(f file) file {
				head, _, binary := strings.Cut(f.text("diff"), "GIT binary patch\n")
				if !binary {
					return f
				}
				name := f.text("path")
				return f.with(message{"diff": head + "Binary files a/" + name + " and b/" + name + " differ\n"})
			}),
		},
		{
			Name: "forgets-modes", Check: "DF-013", Also: []string{"DF-021", "DF-022"},
			Doc: "leaves out files of which only the mode was changed",
			Reply: dropping(func(f file) bool {
				return strings.Contains(f.text("diff"), "\nold mode ") && !strings.Contains(f.text("diff"), "\n@@ ")
			}),
		},
		{
			Name: "makes-files-of-links", Check: "DF-014", Also: []string{"DF-022"},
			Doc:   "tells of a new symbolic link as of a file",
			Reply: written(replaced("new file mode 120000", "new file mode 100644")),
		},
		{
			Name: "forgets-changes-of-type", Check: "DF-015",
			Doc: "leaves out what git status marks with a T",
			Reply: dropping(func(f file) bool {
				return strings.Contains(f.text("diff"), "\ndeleted file mode") && strings.Contains(f.text("diff"), "\nnew file mode")
			}),
		},
		{
			Name: "forgets-empty-files", Check: "DF-016",
			Doc: "leaves out new files without lines",
			Reply: dropping(func(f file) bool {
				return f.text("status") == "added" && !strings.Contains(f.text("diff"), "\n@@ ") && !strings.Contains(f.text("diff"), "\nGIT binary patch")
			}),
		},
		{
			Name: "ends-lines-its-own-way", Check: "DF-017", Also: []string{"DF-022"},
			Doc:   "makes one kind of ends of lines of all",
			Reply: written(replaced("\r\n", "\n")),
		},
		{
			Name: "takes-the-mark-of-an-unended-line-for-one", Check: "DF-017", Also: []string{"DF-021"},
			Doc: "counts one line more where the last one has no end",
			Reply: eachFile(func(f file) file {
				if !strings.HasSuffix(f.text("diff"), "\n\\ No newline at end of file\n") {
					return f
				}
				counts := f.object("changes")
				added, _ := counts["additions"].(float64)
				deleted, _ := counts["deletions"].(float64)
				return counted(f, int(added)+1, int(deleted))
			}),
		},
		{
			Name: "quotes-paths", Check: "DF-018", Also: []string{"DF-011", "DF-021"},
			Doc: "leaves paths quoted, as git prints them",
			Reply: eachFile(func(f file) file {
				name := f.text("path")
				if quoted := strconv.QuoteToASCII(name); quoted != `"`+name+`"` {
					name = quoted
				}
				return f.with(message{"path": name})
			}),
		},
	}
}

// notCommitted chooses what git status tells of.
func notCommitted(w *wrapper) func(file) bool {
	paths := uncommitted(w)
	return func(f file) bool { return paths[f.text("path")] }
}

func amountDefects() []defect {
	return []defect{
		{
			Name: "cuts-at-a-mebibyte", Check: "DF-019",
			Doc:   "keeps of the patch what fits into the buffer of one MiB",
			Reply: rawDiff(func(_ *wrapper, raw string) string { return raw[:min(len(raw), 1<<20)] }),
		},
		{
			Name: "cuts-patches-at-a-mebibyte", Check: "DF-019",
			Doc:   "keeps of what is to be merged what fits into the buffer of one MiB",
			Reply: patch(func(_ *wrapper, patch string) string { return patch[:min(len(patch), 1<<20)] }),
		},
		{
			Name: "tells-of-five-hundred-files", Check: "DF-020",
			Doc: "leaves out what comes after the five hundredth file",
			Reply: diffs(func(_ *wrapper, result message) message {
				files, _ := result["files"].([]any)
				return made(result, files[:min(len(files), 500)])
			}),
		},
		{
			Name: "counts-lines-of-binary-patches", Check: "DF-021",
			Doc: "counts the lines of a binary patch as lines of the file",
			Reply: eachFile(func(f file) file {
				_, lines, binary := strings.Cut(f.text("diff"), "GIT binary patch\n")
				if !binary {
					return f
				}
				return counted(f, strings.Count(lines, "\n"), 0)
			}),
		},
	}
}

func patchDefects() []defect {
	return []defect{
		{
			Name: "has-no-deletions-in-the-patch", Check: "DF-022", Also: []string{"DF-010", "DF-015"},
			Doc: "puts into the raw diff only what is still there",
			Reply: diffs(func(_ *wrapper, result message) message {
				var left []any
				for _, f := range filesOf(result) {
					if f.text("status") != "deleted" {
						left = append(left, map[string]any(f))
					}
				}
				return result.with(message{"rawDiff": made(result, left).text("rawDiff")})
			}),
		},
		{
			Name: "patches-what-is-staged-twice", Check: "DF-023",
			Doc: "joins the patch of the index and the one of everything",
			Reply: patch(func(w *wrapper, patch string) string {
				if staged := git(w.root(), "diff", "--cached", "--binary"); staged != "" {
					return staged + "\n" + patch
				}
				return patch
			}),
		},
		{
			Name: "trims-the-patch", Check: "DF-023", Also: []string{"DF-005", "DF-019", "DF-020", "DF-026"},
			Doc:   "trims the patch, so that its last line has no end",
			Reply: patch(func(_ *wrapper, patch string) string { return strings.TrimSpace(patch) }),
		},
	}
}

func lookingDefects() []defect {
	return []defect{
		{
			Name: "stages-to-look", Check: "DF-024",
			Doc: "stages everything, to see what is new",
			Request: request("providerMergeAsPatch", func(w *wrapper, m message) message {
				git(w.root(), "add", "--all")
				return m
			}),
		},
		{
			Name: "leaves-the-patch-in-the-project", Check: "DF-025", Also: []string{"DF-024"},
			Doc: "writes the patch into a file of the project",
			Reply: func(w *wrapper, asked, m message) []message {
				if g := ground(); g != nil && asked.text("type") == "providerMergeAsPatch" {
					if name, err := g.name(filepath.Join(w.began().text("projectPath"), "codebolt.patch")); err == nil {
						_ = g.WriteFile(name, []byte(m.text("message")), 0o600) // it is told all the same
					}
				}
				return list(m)
			},
		},
		enveloped("envelops-the-patch-request", "DF-026", "createPatchRequest"),
		{
			Name: "commits-to-look", Check: "DF-024",
			Doc: "commits everything before it makes the patch, as a provider before this one did",
			Request: request("providerMergeAsPatch", func(w *wrapper, m message) message {
				git(w.root(), "add", "--all")
				git(w.root(), "commit", "--quiet", "--message", "Auto-commit: Saving changes before merge")
				return m
			}),
		},
	}
}

func silenceDefects() []defect {
	gone := func(w *wrapper) bool {
		info, err := os.Stat(w.root())
		return w.root() != "" && (err != nil || !info.IsDir())
	}
	return []defect{
		{
			Name: "has-no-changes-before-the-start", Check: "DF-032",
			Doc:   "says before the start that nothing was changed",
			Reply: hushed(func(w *wrapper) bool { return w.root() == "" }),
		},
		{
			Name: "shares-its-index", Check: "DF-033",
			Doc: "uses one scratch index for all, so that those who ask at once get a part each",
			Request: request("providerGetDiffFiles", func(w *wrapper, m message) message {
				w.mu.Lock()
				defer w.mu.Unlock()
				asking, _ := w.state["asking"].(int)
				w.state["asking"] = asking + 1
				return m
			}),
			Reply: func(w *wrapper, asked, m message) []message {
				if asked.text("type") != "providerGetDiffFiles" {
					return list(m)
				}
				w.mu.Lock()
				asking, _ := w.state["asking"].(int)
				w.state["asking"] = asking - 1
				w.mu.Unlock()
				if asking <= 1 {
					return list(m)
				}
				return diffs(func(_ *wrapper, result message) message {
					files, _ := result["files"].([]any)
					return made(result, files[min(1, len(files)):])
				})(w, asked, m)
			},
		},
		{
			Name: "has-no-changes-without-a-workspace", Check: "DF-034",
			Doc:   "says that nothing was changed when the workspace is gone",
			Reply: hushed(gone),
		},
		{
			Name: "has-no-changes-without-git", Check: "DF-035",
			Doc: "says that nothing was changed when git fails",
			Reply: hushed(func(w *wrapper) bool {
				_, err := os.Lstat(filepath.Join(w.root(), ".git"))
				return w.root() != "" && !gone(w) && err != nil
			}),
		},
	}
}
