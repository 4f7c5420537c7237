package files

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// timestamp is ISO 8601 as JavaScript's toISOString writes it.
var timestamp = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)

// wellFormed notes failures unless an entry of a list is as the protocol has it.
func wellFormed(t *suite.T, e *suite.Env, entry suite.Message, id string, folder bool, size int) {
	t.Equal("the members of the entry of "+id, slices.Sorted(maps.Keys(entry)), []string{"id", "isFolder", "lastModified", "name", "path", "size"})
	t.Equal("the id of "+id, entry["id"], id)
	t.Equal("the name of "+id, entry["name"], id[strings.LastIndex(id, "/")+1:])
	t.Equal("isFolder of "+id, entry["isFolder"], folder)
	t.Equal("the size of "+id, entry["size"], size)
	path := entry.Text("path")
	switch {
	case t.Can(suite.Local):
		t.Equal("the path of "+id, path, e.Path(filepath.FromSlash(id)))
	case !strings.HasSuffix(strings.ReplaceAll(path, `\`, "/"), "/"+id):
		t.Errorf("the path of %s does not end with its id: %q", id, path)
	}
	modified := entry.Text("lastModified")
	if !timestamp.MatchString(modified) {
		t.Errorf("lastModified of %s is no ISO 8601 time with milliseconds: %v", id, entry["lastModified"])
		return
	}
	if !t.Can(suite.Disk) {
		return
	}
	if info, err := os.Stat(e.Path(filepath.FromSlash(id))); err == nil {
		t.Equal("lastModified of "+id, modified, info.ModTime().UTC().Truncate(time.Millisecond).Format("2006-01-02T15:04:05.000Z"))
	}
}

// byID finds an entry; without it the check ends.
func byID(t *suite.T, items []suite.Message, id string) suite.Message {
	for _, item := range items {
		if item.Text("id") == id {
			return item
		}
	}
	t.Fatalf("the list has no entry with the id %q: %v", id, members(items, "id"))
	return nil
}

func listing() []suite.Check {
	tree := []suite.Capability{getTree, writeFile, createFolder}
	return []suite.Check{
		{
			ID: "FS-049", Level: suite.Must, Needs: tree,
			Title: "An entry of a list has exactly id, name, path, isFolder, size and lastModified",
			Why:   "Servers draw the tree from these members and open files by their paths.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				do(e, write("src/caf\u00e9.txt", "\u00e4\u00f6\u00fc"), write("src/lib/deep/x.txt", "x"))
				top, src, lib := entries(t, e, at(getTree, "root")), entries(t, e, at(getTree, "src")), entries(t, e, at(getTree, "src/lib"))
				wellFormed(t, e, byID(t, top, "src"), "src", true, 0)
				wellFormed(t, e, byID(t, top, "README.md"), "README.md", false, len(suite.ProjectFiles["README.md"]))
				wellFormed(t, e, byID(t, top, "empty.txt"), "empty.txt", false, 0)
				wellFormed(t, e, byID(t, src, "src/lib"), "src/lib", true, 0)
				wellFormed(t, e, byID(t, src, "src/caf\u00e9.txt"), "src/caf\u00e9.txt", false, 6)
				wellFormed(t, e, byID(t, lib, "src/lib/deep"), "src/lib/deep", true, 0)
			},
		},
		{
			ID: "FS-050", Level: suite.Must, Needs: tree,
			Title: "A list has folders first, then files, each by name as people sort them",
			Why:   "The tree is drawn in the order of the answer.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				for _, name := range []string{"Zebra.txt", "apple.txt", "10.txt", "Banana.txt", "\u00e9clair.txt", "cherry.txt", "fig.txt", "beta"} {
					do(e, write("area/"+name, "x"))
				}
				for _, name := range []string{"zoo", "Attic", "house", "Barn"} {
					do(e, at(createFolder, "area/"+name))
				}
				t.Equal("the names in area", names(t, e, "area"), []string{
					"Attic", "Barn", "house", "zoo",
					"10.txt", "apple.txt", "Banana.txt", "beta", "cherry.txt", "\u00e9clair.txt", "fig.txt", "Zebra.txt",
				})
			},
		},
		{
			ID: "FS-051", Level: suite.Must, Needs: tree,
			Title: "A list hides .DS_Store and the folders that begin with a dot, but no other file and not .codebolt",
			Why:   "People edit .env and .gitignore, and Codebolt's own folders; nobody wants to see .git.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				for _, file := range []string{".DS_Store", ".env", ".gitignore", ".x", "plain.txt"} {
					do(e, write("area/"+file, "x"))
				}
				for _, folder := range []string{".cache", ".git-hooks", ".x-folder", ".codebolt", ".codeboltAgents", ".codeboltOther", "plain"} {
					do(e, write("area/"+folder+"/x.txt", "x"))
				}
				onlyHas(t, e, "area", ".codebolt", ".codeboltAgents", "plain", ".env", ".gitignore", ".x", "plain.txt")
				onlyHas(t, e, "area/.cache", "x.txt") // hidden, not forbidden
				for _, name := range names(t, e, "root") {
					if name == ".git" {
						t.Errorf("the list of the workspace shows .git")
					}
				}
			},
		},
		{
			ID: "FS-052", Level: suite.Must, Needs: onDisk(getTree),
			Title: "Links that lead nowhere, round in circles or outside do not empty a list",
			Why:   "One broken link in a folder must not hide all the other files from its owner.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				t.Try(os.Mkdir(e.Path("area"), 0o755))
				for link, target := range map[string]string{
					"dangling": "absent", "loop": "loop", "circle": "circle2", "circle2": "circle", "outside": t.Dir("outside"),
					"self": ".", "through": "../README.md/x",
				} {
					t.Try(os.Symlink(target, e.Path("area", link)))
				}
				put(t, e.Path("area", "one.txt"), "one")
				t.Try(os.Mkdir(e.Path("area", "folder"), 0o755))
				got := names(t, e, "area")
				for _, want := range []string{"folder", "one.txt"} {
					if !slices.Contains(got, want) {
						t.Errorf("the list does not have %s: %v", want, got)
					}
				}
			},
		},
		{
			ID: "FS-053", Level: suite.Must, Needs: []suite.Capability{getTree},
			Title: "The workspace is listed as root, as an empty path, as a dot, as a slash and without a path",
			Why:   "Servers and SDKs name the top of the tree in all of these ways.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				want := entries(t, e, at(getTree, "root"))
				for _, name := range []string{".gitignore", "README.md", "docs", "empty.txt", "src"} {
					byID(t, want, name)
				}
				for _, m := range []suite.Message{
					at(getTree, ""), at(getTree, "."), at(getTree, "/"), at(getTree, "./"), {"type": getTree}, at(getTree, e.Workspace()),
				} {
					t.Equal("the list that "+m.String()+" asks for", e.Result(m), want)
				}
			},
		},
		{
			ID: "FS-054", Level: suite.Must, Needs: []suite.Capability{getTree},
			Title: "A folder's list is the same however its path is spelt",
			Why:   "An id that depends on how a folder was asked for makes two items of one.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				want := entries(t, e, at(getTree, "src/lib"))
				byID(t, want, "src/lib/util.txt")
				absolute := byID(t, entries(t, e, at(getTree, "src")), "src/lib").Text("path")
				for _, path := range []string{"src/lib/", "./src/lib", "src//lib", "src/./lib", "docs/../src/lib", absolute, absolute + "/"} {
					t.Equal("the list of "+path, e.Result(at(getTree, path)), want)
				}
			},
		},
		{
			ID: "FS-055", Level: suite.Must, Needs: tree,
			Title: "The list of what is not there, of a file and of an empty folder is an empty array",
			Why:   "A tree asks again for folders that were just deleted; it draws what is in the array.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				do(e, at(createFolder, "hollow"))
				for _, path := range []string{"absent", "absent/deeper", "README.md", "hollow"} {
					t.Equal("the list of "+path, e.Result(at(getTree, path)), []any{})
				}
			},
		},
		{
			ID: "FS-056", Level: suite.Must, Needs: onDisk(getTree, readFile), Limit: 4 * time.Minute,
			Title: "A folder of 100,000 files is listed or refused as too large, and other requests are answered",
			Why:   "One folder of build output must not cost the provider its memory or its connection.",
			Run:   crowded,
		},
	}
}

func crowded(t *suite.T) {
	const crowd = 100_000
	e := t.Open(suite.Spec{})
	folder := e.Path("build", "out") // which git ignores
	t.Try(os.MkdirAll(folder, 0o755))
	t.Cleanup(func() { t.Try(os.RemoveAll(folder)) })
	// Names are enough, and a link is made faster than a file; few file systems
	// allow more than some 30,000 for one file.
	for i := range crowd {
		path := filepath.Join(folder, "f"+strconv.Itoa(i))
		if i%20_000 == 0 {
			put(t, path, "")
			continue
		}
		t.Try(os.Link(filepath.Join(folder, "f"+strconv.Itoa(i-i%20_000)), path))
	}
	answer := e.Ask(at(getTree, "build/out"))
	if problem := suite.Problem(answer); problem == "" {
		if items, ok := answer["message"].([]any); !ok || len(items) != crowd {
			t.Errorf("the list is neither whole nor an error: %d entries of %d", len(items), crowd)
		}
	} else if code := answer.Text("code"); t.Can(suite.ErrorCodes) && code != "too_large" {
		t.Errorf("the list was refused as %q in place of too_large: %s", code, problem)
	}
	if t.Can(suite.Recursive) {
		project := e.Ask(suite.Message{"type": getProject, "recursive": true})
		result := project.Object("message")
		items, _ := result["entries"].([]any)
		switch truncated, _ := result["truncated"].(bool); {
		case suite.Problem(project) != "":
			t.Errorf("the whole project could not be listed: %s", suite.Problem(project))
		case !truncated && len(items) < crowd:
			t.Errorf("the whole project has %d entries and is not said to be cut short", len(items))
		}
	}
	holds(t, e, "src/main.txt", suite.ProjectFiles["src/main.txt"])
	onlyHas(t, e, "src", "lib", "main.txt")
}
