package files

import (
	"fmt"
	"os"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

func deleting() []suite.Check {
	return []suite.Check{
		{
			ID: "FS-037", Level: suite.Must, Needs: every,
			Title: "A deleted file is gone, and its neighbours are not",
			Why:   "A deletion that only answers leaves a file that agents go on reading.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				do(e, write("area/one.txt", "one"), write("area/one.txt.bak", "bak"), write("area/two.txt", "two"))
				do(e, at(deleteFile, "area/one.txt"))
				onlyHas(t, e, "area", "one.txt.bak", "two.txt")
				e.Refused(read("area/one.txt"), "not_found")
				e.Refused(at(deleteFile, "area/one.txt"), "not_found")
				if t.Can(suite.Disk) {
					onDiskOnly(t, e.Path("area"), "one.txt.bak", "two.txt")
				}
			},
		},
		{
			ID: "FS-038", Level: suite.Must, Needs: every,
			Title: "A deleted folder is gone with all that is in it, and its neighbours are not",
			Why:   "Half a folder is worse than a whole one; and a name that begins alike is another folder.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				do(
					e, write("area/folder/a/b/c.txt", "c"), write("area/folder/.hidden", "h"), write("area/folder/.git-like/x", "x"),
					at(createFolder, "area/folder/empty"), write("area/folder2/x.txt", "x"), write("area/folder.txt", "x"),
				)
				do(e, at(deleteFolder, "area/folder"))
				onlyHas(t, e, "area", "folder.txt", "folder2")
				onlyHas(t, e, "area/folder")
				holds(t, e, "area/folder2/x.txt", "x")
				if t.Can(suite.Disk) {
					onDiskOnly(t, e.Path("area"), "folder.txt", "folder2")
				}
			},
		},
		{
			ID: "FS-039", Level: suite.Must, Needs: []suite.Capability{deleteFolder, readFile, createFolder},
			Title: "Deleting a folder that is not there succeeds",
			Why:   "Requests are sent twice after a lost answer; the second has nothing left to do.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				do(e, at(deleteFolder, "absent"), at(deleteFolder, "absent/deeper"), at(createFolder, "once"))
				do(e, at(deleteFolder, "once"), at(deleteFolder, "once"))
				intact(t, e)
			},
		},
		{
			ID: "FS-040", Level: suite.Must, Needs: onDisk(every...),
			Title: "A symbolic link is deleted and renamed itself, not what it leads to",
			Why:   "A link to a shared folder is cheap; what it leads to may be all that somebody has.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				for link, target := range map[string]string{
					"to-file": "README.md", "to-folder": "src", "to-nothing": "absent", "moved-file": "README.md", "moved-folder": "src",
				} {
					t.Try(os.Symlink(target, e.Path(link)))
				}
				do(e, at(deleteFile, "to-file"), at(deleteFile, "to-nothing"), at(deleteFolder, "to-folder"))
				do(e, rename("moved-file", "renamed-file"), rename("moved-folder", "renamed-folder"))
				for _, gone := range []string{"to-file", "to-folder", "to-nothing", "moved-file", "moved-folder"} {
					if _, err := os.Lstat(e.Path(gone)); err == nil {
						t.Errorf("the link %s is still there", gone)
					}
				}
				for link, target := range map[string]string{"renamed-file": "README.md", "renamed-folder": "src"} {
					got, err := os.Readlink(e.Path(link))
					if err != nil {
						t.Errorf("the renamed link: %v", err)
						continue
					}
					t.Equal("what the renamed link "+link+" says", got, target)
				}
				intact(t, e)
			},
		},
		{
			ID: "FS-041", Level: suite.Must, Needs: every,
			Title: "The workspace itself is never deleted, renamed or replaced, however it is spelt",
			Why:   "One empty or relative path must not cost all work at once.",
			Run:   keepsRoot,
		},
	}
}

func keepsRoot(t *suite.T) {
	e := t.Open(suite.Spec{})
	before := names(t, e, "root")
	spellings := []string{"", ".", "/", "./", "//", "./.", "src/..", "src/lib/../..", "./src/../."}
	if root := e.Workspace(); root != "" {
		spellings = append(spellings, root, root+"/", root+"/.", root+"/src/..")
	}
	for _, root := range spellings {
		for _, m := range []suite.Message{
			at(deleteFile, root), at(deleteFolder, root), rename(root, "moved"), rename(root, "src/moved"), rename("docs", root),
			write(root, "text"), duplicate(copyFile, "README.md", root), duplicate(copyFolder, "src", root),
		} {
			e.Refused(m)
		}
		if !t.Equal(fmt.Sprintf("the names in the workspace after requests on %q", root), names(t, e, "."), before) {
			return
		}
	}
	e.Ask(at(deleteFolder, "root")) // here it is a name like others, of nothing
	t.Equal("the names in the workspace", names(t, e, "root"), before)
	intact(t, e)
	if t.Can(suite.Disk) {
		lies(t, e.Path("README.md"), suite.ProjectFiles["README.md"])
	}
}
