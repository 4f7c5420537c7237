package containment

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// link is a symbolic link in the workspace that does not lead inside.
type link struct {
	name string
	to   func(outside, relative string) string // relative is outside as seen from the workspace
	// dir tells that it leads to the canary's folder.
	dir bool
}

var linkKinds = []link{
	{name: "abs-file", to: func(outside, _ string) string { return outside + "/secret.txt" }},
	{name: "abs-dir", to: func(outside, _ string) string { return outside }, dir: true},
	{name: "abs-folder", to: func(outside, _ string) string { return outside + "/folder" }},
	{name: "rel-file", to: func(_, relative string) string { return relative + "/secret.txt" }},
	{name: "rel-dir", to: func(_, relative string) string { return relative }, dir: true},
	{name: "nested-file", to: func(_, _ string) string { return "rel-file" }},
	{name: "nested-dir", to: func(_, _ string) string { return "./abs-dir" }, dir: true},
	{name: "nested-inner", to: func(_, _ string) string { return "rel-dir/folder/inner.txt" }},
	{name: "loop-a", to: func(_, _ string) string { return "loop-b" }},
	{name: "loop-b", to: func(_, _ string) string { return "loop-a" }},
	{name: "loop-self", to: func(_, _ string) string { return "loop-self/x" }},
	{name: "dangling", to: func(outside, _ string) string { return outside + "/absent.txt" }},
	{name: "dangling-rel", to: func(_, relative string) string { return relative + "/absent" }},
	{name: "dangling-deep", to: func(outside, _ string) string { return outside + "/absent/deeper" }},
	{name: "dangling-nested", to: func(_, _ string) string { return "dangling-rel" }},
}

// set makes all links anew: a request may have removed one.
func set(t *suite.T, e *suite.Env, outside string) {
	relative, err := filepath.Rel(e.Path(), outside)
	t.Try(err)
	for _, l := range linkKinds {
		t.Try(os.RemoveAll(e.Path(l.name)))
		t.Try(os.Symlink(l.to(outside, relative), e.Path(l.name)))
	}
}

// through does a probe to every link, and to what is reached through it. What
// reaches outside must be refused. A link itself is an item of the workspace:
// with own, it may be dealt with; without, dealing with it would be dealing with
// where it leads.
func through(t *suite.T, p probe, own bool) {
	e := t.Open(suite.Spec{})
	c, outside := hatch(t)
	for _, l := range linkKinds {
		set(t, e, outside)
		if own {
			e.Ask(p.ask(l.name))
		} else {
			refused(t, e, p, l.name)
		}
		set(t, e, outside)
		below := []string{"absent.txt", "folder", "absent/deeper"}
		if l.dir {
			below = append(p.targets, below...)
		}
		for _, name := range below {
			// Here "." is the link itself, and what is absent is a folder deleted.
			if own && (name == "." || p.verb == toDeleteFolder.verb && !l.dir) {
				e.Ask(p.ask(l.name + "/" + name))
				set(t, e, outside)
				continue
			}
			refused(t, e, p, l.name+"/"+name)
		}
	}
	// What it found inside, as a folder's list, may not be from outside either.
	if p.verb == toList.verb {
		for _, m := range []suite.Message{{"type": "providerGetTreeChildren", "path": "root"}, {"type": "providerGetFullProject", "recursive": true}} {
			if t.Can(suite.Capability(m.Type())) {
				e.Result(m)
			}
		}
	}
	c.sings(e)
}

func links() []suite.Check {
	const why = "Cloned repositories and agents bring links; one that is followed blindly undoes every check of the path."
	check := func(id string, p probe, own bool, title string) suite.Check {
		return suite.Check{
			ID: id, Level: suite.Must, Needs: []suite.Capability{p.verb, suite.Disk}, Title: title, Why: why,
			Run: func(t *suite.T) { through(t, p, own) },
		}
	}
	return []suite.Check{
		check("SC-010", toRead, false, "No link lets a file outside be read"),
		check("SC-011", toWrite, false, "No link, a dangling one neither, lets a file outside be written"),
		check("SC-012", toDeleteFile, true, "No link lets a file outside be deleted"),
		check("SC-013", toDeleteFolder, true, "No link lets a folder outside be deleted"),
		check("SC-014", toMoveAway, true, "No link lets anything outside be moved away"),
		check("SC-015", toMoveTo, false, "No link lets anything be moved outside"),
		check("SC-016", toCreateFolder, false, "No link lets a folder be created outside"),
		check("SC-017", toCopyFrom, false, "No link lets a file outside be copied in"),
		check("SC-018", toCopyTo, false, "No link lets a file be copied outside"),
		check("SC-019", toCopyFolderFrom, false, "No link lets a folder outside be copied in"),
		check("SC-020", toCopyFolderTo, false, "No link lets a folder be copied outside"),
		check("SC-021", toList, false, "No link lets a folder outside be listed"),
	}
}

func linksInside() []suite.Check {
	return []suite.Check{
		{
			ID: "SC-022", Level: suite.Must, Needs: []suite.Capability{"providerReadFile", "providerWriteFile", "providerGetTreeChildren", suite.Disk},
			Title: "Links that stay inside the workspace are followed",
			Why:   "Projects use them, absolute ones too; a provider that refuses every link breaks such projects.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				for name, target := range map[string]string{
					"rel-file": "src/main.txt", "abs-file": e.Path("src/main.txt"), "rel-dir": "src", "abs-dir": e.Path("src"),
					"docs/up": "../src", "nested-file": "rel-dir/main.txt", "nested-dir": "docs/up",
				} {
					t.Try(os.Symlink(target, e.Path(name)))
				}
				for i, path := range []string{"rel-file", "abs-file", "rel-dir/main.txt", "abs-dir/main.txt", "docs/up/main.txt", "nested-file", "nested-dir/main.txt"} {
					content := fmt.Sprintf("written by way %d\n", i)
					e.Result(toWrite.ask(path).With(suite.Message{"content": content}))
					t.Equal("what is read at "+path, e.Result(toRead.ask(path)), content)
					data, err := os.ReadFile(e.Path("src/main.txt"))
					if err != nil || string(data) != content {
						t.Errorf("writing to %s did not write src/main.txt: %q, %v", path, data, err)
					}
				}
				for _, path := range []string{"rel-dir", "abs-dir", "nested-dir"} {
					if entries, _ := e.Result(toList.ask(path)).([]any); len(entries) != 2 {
						t.Errorf("the list of %s does not hold what src holds: %v", path, entries)
					}
				}
			},
		},
		{
			ID: "SC-023", Level: suite.Must, Needs: []suite.Capability{"providerCopyFolder", suite.Disk},
			Title: "Copying a folder brings nothing along that its links lead to outside",
			Why:   "The copy would hold, as files of the workspace, what the workspace may not read.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				c, outside := hatch(t)
				t.Try(os.MkdirAll(e.Path("from/below"), 0o755))
				t.Try(os.WriteFile(e.Path("from/own.txt"), []byte("own\n"), 0o600))
				for name, target := range map[string]string{
					"file": outside + "/secret.txt", "dir": outside, "below/dir": outside + "/folder", "below/loop": "loop", "dangling": outside + "/absent",
				} {
					t.Try(os.Symlink(target, e.Path("from", name)))
				}
				answer := e.Ask(suite.Message{"type": "providerCopyFolder", "sourcePath": "from", "destinationPath": "to"})
				if suite.Problem(answer) == "" {
					if data, err := os.ReadFile(e.Path("to/own.txt")); err != nil || string(data) != "own\n" {
						t.Errorf("the folder's own file was not copied: %q, %v", data, err)
					}
				}
				c.sings(e)
			},
		},
		{
			ID: "SC-024", Level: suite.Must, Needs: []suite.Capability{"providerWriteFile", "providerReadFile", suite.Disk},
			Title: "Writing to a file that shares its content with one outside leaves the one outside as it was",
			Why:   "Package managers link their stores into projects; a write in place changes every project at once.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				content := "shared\n"
				outside := filepath.Join(t.Dir("store"), "shared.txt")
				t.Try(os.WriteFile(outside, []byte(content), 0o600))
				if err := os.Link(outside, e.Path("shared.txt")); err != nil {
					t.Skipf("no hard link from the workspace to outside can be made here: %v", err)
				}
				e.Result(toWrite.ask("shared.txt"))
				t.Equal("what was written", e.Result(toRead.ask("shared.txt")), "overwritten")
				if data, err := os.ReadFile(outside); err != nil || string(data) != content {
					t.Errorf("the file outside holds %s now, %v", strings.TrimSpace(string(data)), err)
				}
				t.Try(os.Remove(e.Path("shared.txt")))
				t.Try(os.Link(outside, e.Path("shared.txt")))
				if t.Can("providerCopyFile") && t.Can(suite.Overwrite) {
					e.Result(suite.Message{"type": "providerCopyFile", "sourcePath": "README.md", "destinationPath": "shared.txt", "overwrite": true})
					if data, err := os.ReadFile(outside); err != nil || string(data) != content {
						t.Errorf("copying onto the file changed the one outside: %q, %v", data, err)
					}
				}
			},
		},
	}
}
