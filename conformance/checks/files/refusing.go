package files

import (
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// intact notes a failure unless the project's files are there as they were.
func intact(t *suite.T, e *suite.Env) {
	for _, path := range []string{"README.md", "src/main.txt", "src/lib/util.txt", "docs/guide.md", "empty.txt"} {
		holds(t, e, path, suite.ProjectFiles[path])
	}
}

func refusing() []suite.Check {
	return []suite.Check{
		{
			ID: "FS-025", Level: suite.Must, Needs: every,
			Title: "What is not there is refused as not_found",
			Why:   "An empty text in place of an error looks like a file that has lost its content, and a silent success like a deletion.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				for _, path := range []string{"src/absent.txt", "absent/absent.txt"} {
					for _, m := range []suite.Message{
						read(path), at(deleteFile, path), rename(path, "new.txt"),
						duplicate(copyFile, path, "new.txt"), duplicate(copyFolder, path, "new.txt"),
					} {
						e.Refused(m, "not_found")
					}
				}
				e.Refused(read("new.txt"), "not_found")
				intact(t, e)
			},
		},
		{
			ID: "FS-026", Level: suite.Must, Needs: every,
			Title: "A folder is refused where a request means a file",
			Why:   "A folder that is written over, or deleted as a file, is lost with all that is in it.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				do(e, at(createFolder, "hollow"))
				for _, path := range []string{"src", "hollow"} {
					for _, m := range []suite.Message{read(path), write(path, "text"), at(deleteFile, path), duplicate(copyFile, path, "new")} {
						e.Refused(m, "invalid")
					}
				}
				onlyHas(t, e, "hollow")
				e.Refused(read("new"), "not_found")
				intact(t, e)
			},
		},
		{
			ID: "FS-027", Level: suite.Must, Needs: every,
			Title: "A file is refused where a request means a folder",
			Why:   "Whoever makes way for a folder by removing the file that is there loses it.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				for _, m := range []suite.Message{
					at(deleteFolder, "README.md"), duplicate(copyFolder, "README.md", "new"),
					write("README.md/inner.txt", "text"), at(createFolder, "README.md/inner"), rename("docs/guide.md", "README.md/guide.md"),
					duplicate(copyFile, "docs/guide.md", "README.md/guide.md"), duplicate(copyFolder, "docs", "README.md/docs"),
				} {
					e.Refused(m, "invalid")
				}
				for _, m := range []suite.Message{read("README.md/inner.txt"), at(deleteFile, "README.md/inner.txt")} {
					e.Refused(m, "invalid", "not_found")
				}
				e.Refused(read("new"), "not_found")
				intact(t, e)
			},
		},
		{
			ID: "FS-028", Level: suite.Must, Needs: every,
			Title: "What is there is not replaced by a rename, a copy or a new folder that does not ask for it",
			Why:   "A name typed twice must not cost a file.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				do(e, write("other/one.txt", "one"), write("single.txt", "single"))
				for _, m := range []suite.Message{
					rename("single.txt", "README.md"), rename("single.txt", "src"), rename("other", "src"), rename("other", "README.md"),
					duplicate(copyFile, "single.txt", "README.md"), duplicate(copyFile, "single.txt", "src"),
					duplicate(copyFolder, "other", "src"), duplicate(copyFolder, "other", "README.md"), at(createFolder, "README.md"),
				} {
					e.Refused(m, "exists", "invalid")
				}
				for _, m := range []suite.Message{
					rename("single.txt", "README.md"), rename("other", "src"), duplicate(copyFile, "single.txt", "README.md"),
					duplicate(copyFolder, "other", "src"), at(createFolder, "README.md"),
				} {
					e.Refused(m, "exists")
				}
				holds(t, e, "single.txt", "single")
				onlyHas(t, e, "other", "one.txt")
				onlyHas(t, e, "src", "lib", "main.txt")
				intact(t, e)
			},
		},
		{
			ID: "FS-029", Level: suite.Must, Needs: every,
			Title: "A request without a member that it must have is refused as invalid",
			Why:   "A missing path that is taken for the workspace, or a missing content for an empty one, destroys what was not meant.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				before := names(t, e, "root")
				for _, m := range []suite.Message{
					{"type": readFile},
					{"type": deleteFile},
					{"type": deleteFolder},
					{"type": createFolder},
					{"type": writeFile, "content": "text"},
					{"type": writeFile, "path": "README.md"},
					{"type": writeFile, "path": "new.txt"},
					{"type": renameItem, "oldPath": "README.md"},
					{"type": renameItem, "newPath": "new.txt"},
					{"type": renameItem},
					{"type": copyFile, "sourcePath": "README.md"},
					{"type": copyFile, "destinationPath": "new.txt"},
					{"type": copyFolder, "sourcePath": "src"},
					{"type": copyFolder, "destinationPath": "new"},
					read(""), write("", "text"), at(deleteFile, ""), at(deleteFolder, ""), at(createFolder, ""), rename("", "new.txt"),
					duplicate(copyFile, "", "new.txt"), duplicate(copyFolder, "", "new"),
				} {
					e.Refused(m, "invalid")
				}
				t.Equal("the names in the workspace", names(t, e, "root"), before)
				intact(t, e)
			},
		},
		{
			ID: "FS-030", Level: suite.Must, Needs: every,
			Title: "A path or a content that is no string is refused as invalid",
			Why:   "What a language makes of a number or an object (\"42\", \"[object Object]\") is a file that nobody asked for.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				before := names(t, e, "root")
				for _, value := range []any{42, true, nil, []any{"README.md"}, map[string]any{"path": "README.md"}} {
					for _, m := range []suite.Message{
						{"type": readFile, "path": value},
						{"type": deleteFile, "path": value},
						{"type": deleteFolder, "path": value},
						{"type": createFolder, "path": value},
						{"type": writeFile, "path": value, "content": "text"},
						{"type": writeFile, "path": "README.md", "content": value},
						{"type": renameItem, "oldPath": "README.md", "newPath": value},
						{"type": copyFile, "sourcePath": "README.md", "destinationPath": value},
						{"type": copyFolder, "sourcePath": "src", "destinationPath": value},
					} {
						e.Refused(m, "invalid")
					}
				}
				t.Equal("the names in the workspace", names(t, e, "root"), before)
				intact(t, e)
			},
		},
	}
}
