package files

import (
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

func moving() []suite.Check {
	replacing := suite.Message{"overwrite": true}
	return []suite.Check{
		{
			ID: "FS-046", Level: suite.Must, Needs: every,
			Title: "A renamed file or folder is under its new name with all that it had",
			Why:   "A rename is made of a copy and a deletion by providers that lose one of the two.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				do(e, write("area/one.txt", "one"), write("area/folder/a/b.txt", "b"), write("area/folder/.hidden", "h"), at(createFolder, "area/folder/empty"))
				do(e, rename("area/one.txt", "area/uno.txt"), rename("area/folder", "area/moved"), rename("area/uno.txt", "area/Uno.txt"))
				onlyHas(t, e, "area", "Uno.txt", "moved")
				onlyHas(t, e, "area/moved", ".hidden", "a", "empty")
				holds(t, e, "area/Uno.txt", "one")
				holds(t, e, "area/moved/a/b.txt", "b")
				holds(t, e, "area/moved/.hidden", "h")
				e.Refused(read("area/one.txt"), "not_found")
				e.Refused(read("area/folder/a/b.txt"), "not_found")
			},
		},
		{
			ID: "FS-047", Level: suite.Must, Needs: every,
			Title: "A rename and a copy make the folders above their target",
			Why:   "Whoever moves a file into a new folder sends one request, not two.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				do(
					e, duplicate(copyFile, "README.md", "a/b/copy.md"), duplicate(copyFolder, "docs", "c/d/copied"),
					rename("a/b/copy.md", "e/f/moved.md"), rename("c/d/copied", "g/h/moved"),
				)
				holds(t, e, "e/f/moved.md", suite.ProjectFiles["README.md"])
				holds(t, e, "g/h/moved/guide.md", suite.ProjectFiles["docs/guide.md"])
				onlyHas(t, e, "a/b")
				onlyHas(t, e, "c/d")
			},
		},
		{
			ID: "FS-048", Level: suite.Must, Needs: append([]suite.Capability{suite.Overwrite}, every...),
			Title: "With overwrite a rename and a copy replace a file, and no folder",
			Why:   "A person who was asked and said yes expects the file to be replaced; nobody says yes to losing a folder.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				do(e, write("one.txt", "one"), write("two.txt", "two"), write("three.txt", "three"))
				do(e, duplicate(copyFile, "one.txt", "two.txt").With(replacing))
				holds(t, e, "one.txt", "one")
				holds(t, e, "two.txt", "one")
				do(e, rename("one.txt", "three.txt").With(replacing))
				holds(t, e, "three.txt", "one")
				e.Refused(read("one.txt"), "not_found")
				for _, m := range []suite.Message{
					rename("three.txt", "src"), duplicate(copyFile, "three.txt", "src"), rename("docs", "src"), rename("docs", "three.txt"),
				} {
					e.Refused(m.With(replacing), "exists", "invalid")
				}
				e.Refused(rename("three.txt", "two.txt").With(suite.Message{"overwrite": false}), "exists")
				holds(t, e, "three.txt", "one")
				onlyHas(t, e, "src", "lib", "main.txt")
				intact(t, e)
			},
		},
	}
}
