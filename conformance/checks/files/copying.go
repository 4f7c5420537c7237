package files

import (
	"io/fs"
	"os"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

func copying() []suite.Check {
	return []suite.Check{
		{
			ID: "FS-042", Level: suite.Must, Needs: every,
			Title: "A copied file has the content of its source, which stays",
			Why:   "A copy that shares its content with the source, or takes it away, is none.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				text := pattern(300_000)
				do(e, write("one.txt", text), duplicate(copyFile, "one.txt", "two.txt"), duplicate(copyFile, "empty.txt", "nothing.txt"))
				holds(t, e, "two.txt", text)
				holds(t, e, "nothing.txt", "")
				do(e, write("two.txt", "changed"))
				holds(t, e, "one.txt", text)
				holds(t, e, "two.txt", "changed")
			},
		},
		{
			ID: "FS-043", Level: suite.Must, Needs: every,
			Title: "A copied folder has all that its source has, to the last empty folder",
			Why:   "What is missing in a copy is missed when the original is gone.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				do(e, write("from/a/b/c.txt", "c"), write("from/.hidden", "h"), write("from/top.txt", "top"), at(createFolder, "from/empty"))
				do(e, write("from/.config/x.txt", "x"), duplicate(copyFolder, "from", "to"))
				onlyHas(t, e, "to", ".hidden", "a", "empty", "top.txt")
				onlyHas(t, e, "to/empty")
				for _, root := range []string{"from", "to"} {
					holds(t, e, root+"/a/b/c.txt", "c")
					holds(t, e, root+"/.hidden", "h")
					holds(t, e, root+"/top.txt", "top")
					holds(t, e, root+"/.config/x.txt", "x")
				}
				do(e, write("to/top.txt", "changed"))
				holds(t, e, "from/top.txt", "top")
			},
		},
		{
			ID: "FS-044", Level: suite.Must, Needs: onDisk(copyFile, copyFolder),
			Title: "Copies keep modes, and links within a copied folder stay links",
			Why:   "Scripts that cannot be run, and a node_modules whose links became copies, break what was copied.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				t.Try(os.MkdirAll(e.Path("from", "bin"), 0o755))
				for name, mode := range map[string]fs.FileMode{"run.sh": 0o755, "key.pem": 0o600, "bin/tool": 0o750} {
					put(t, e.Path("from", name), name)
					t.Try(os.Chmod(e.Path("from", name), mode))
				}
				for link, target := range map[string]string{"link": "run.sh", "bin/up": "../key.pem", "folder": "bin", "dangling": "absent"} {
					t.Try(os.Symlink(target, e.Path("from", link)))
				}
				do(e, duplicate(copyFile, "from/run.sh", "run.sh"), duplicate(copyFile, "from/key.pem", "key.pem"), duplicate(copyFolder, "from", "to"))
				modeIs(t, e.Path("run.sh"), 0o755)
				modeIs(t, e.Path("key.pem"), 0o600)
				for name, mode := range map[string]fs.FileMode{"run.sh": 0o755, "key.pem": 0o600, "bin/tool": 0o750} {
					lies(t, e.Path("to", name), name)
					modeIs(t, e.Path("to", name), mode)
				}
				for link, target := range map[string]string{"link": "run.sh", "bin/up": "../key.pem", "folder": "bin", "dangling": "absent"} {
					got, err := os.Readlink(e.Path("to", link))
					if err != nil {
						t.Errorf("the copy of a link: %v", err)
						continue
					}
					t.Equal("what the copied link "+link+" says", got, target)
				}
			},
		},
		{
			ID: "FS-045", Level: suite.Must, Needs: every,
			Title: "A folder is neither copied nor moved into itself",
			Why:   "A copy that finds its own output never ends, and a moved folder that is its own parent is lost.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				for _, target := range []string{"src/new", "src/lib/new", "src/lib/../new/deeper"} {
					e.Refused(duplicate(copyFolder, "src", target), "invalid")
					e.Refused(rename("src", target), "invalid")
				}
				onlyHas(t, e, "src", "lib", "main.txt")
				onlyHas(t, e, "src/lib", "util.txt")
				do(e, duplicate(copyFolder, "src", "src2"), rename("src2", "src3")) // a name that begins alike is no parent
				onlyHas(t, e, "src3", "lib", "main.txt")
				intact(t, e)
			},
		},
	}
}
