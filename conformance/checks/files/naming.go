package files

import (
	"fmt"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// throughAll takes an item of a name through every request.
func throughAll(t *suite.T, e *suite.Env, name string) {
	file, folder := "area/"+name, "area/folder/"+name
	do(e, at(createFolder, "area"), write(file, "text of "+name), write(folder+"/inner.txt", "inner"))
	holds(t, e, file, "text of "+name)
	onlyHas(t, e, "area", "folder", name)
	onlyHas(t, e, folder, "inner.txt")
	do(e, duplicate(copyFile, file, "area/copy.txt"), at(deleteFile, file), rename("area/copy.txt", file))
	do(e, duplicate(copyFolder, folder, "area/copied"), at(deleteFolder, folder), rename("area/copied", folder))
	holds(t, e, file, "text of "+name)
	holds(t, e, folder+"/inner.txt", "inner")
	onlyHas(t, e, "area", "folder", name)
	do(e, at(deleteFolder, "area"))
	onlyHas(t, e, "area")
}

func naming() []suite.Check {
	return []suite.Check{
		{
			ID: "FS-017", Level: suite.Must, Needs: every, Limit: 2 * time.Minute,
			Title: "Names with spaces, newlines, dashes, dots, quotes and marks are names like others",
			Why:   "A provider that takes part of a name for an option, a pattern or an escape works on another file.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				for _, name := range []string{
					"with spaces", " leading and trailing ", "new\nline and\ttab", "-rf", "--", "..foo", "...", "a'b\"c`d",
					"*", "[a-z]?", "~", "100%25 %2e%2e", "$HOME;b|c&d", "#a:{b}",
				} {
					throughAll(t, e, name)
				}
				// A folder of such a name may be hidden, so it is not taken through all.
				do(e, write(".leading-dot", "dot"))
				holds(t, e, ".leading-dot", "dot")
			},
		},
		{
			ID: "FS-018", Level: suite.Must, Needs: every,
			Title: "Names in any script are names like others",
			Why:   "People name files in their own language.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				for _, name := range []string{
					"\u00fcber-stra\u00dfe.txt", "\u6587\u4ef6.txt", "\u0444\u0430\u0439\u043b", "\u05e7\u05d5\u05d1\u05e5", "\u0645\u0644\u0641",
					"\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467.md", "zero\u200bwidth", "\ufefffile",
				} {
					throughAll(t, e, name)
				}
			},
		},
		{
			ID: "FS-019", Level: suite.Must, Needs: []suite.Capability{readFile, writeFile, deleteFile, getTree},
			Title: "A name stays as it was written, composed or decomposed",
			Why:   "A provider that normalises names finds no file of a project that is written the other way.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				const composed, decomposed = "caf\u00e9.txt", "cafe\u0301.txt"
				do(e, write("area/"+composed, "composed"))
				onlyHas(t, e, "area", composed)
				e.Refused(read("area/"+decomposed), "not_found")
				do(e, write("area/"+decomposed, "decomposed"))
				onlyHas(t, e, "area", composed, decomposed)
				holds(t, e, "area/"+composed, "composed")
				holds(t, e, "area/"+decomposed, "decomposed")
				do(e, at(deleteFile, "area/"+composed))
				onlyHas(t, e, "area", decomposed)
			},
		},
		{
			ID: "FS-020", Level: suite.Must, Needs: every,
			Title: "A name of 255 bytes is a name like others",
			Why:   "Whoever adds to the name of a temporary file fails on the longest names that a system allows.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				throughAll(t, e, strings.Repeat("n", 255))
				throughAll(t, e, strings.Repeat("\u00e9", 127)+"x")
			},
		},
		{
			ID: "FS-021", Level: suite.Must, Needs: every,
			Title: "A name of 256 bytes is refused in every request, and nothing is made",
			Why:   "A name that was cut to fit is the name of another file.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				long := "area/" + strings.Repeat("n", 256)
				do(e, write("area/short.txt", "short"))
				for _, m := range []suite.Message{
					write(long, "text"), read(long), at(deleteFile, long), at(createFolder, long), rename("area/short.txt", long),
					duplicate(copyFile, "area/short.txt", long), duplicate(copyFolder, "src", long),
				} {
					e.Refused(m, "invalid", "not_found", "too_large")
				}
				onlyHas(t, e, "area", "short.txt")
			},
		},
		{
			ID: "FS-022", Level: suite.Must, Needs: []suite.Capability{readFile, writeFile, getTree}, Limit: 2 * time.Minute,
			Title: "A path of 4,000 bytes or more works or is refused, and other requests are answered",
			Why:   "node_modules nest deep; a path that fits no buffer must not end the process.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				for _, size := range []int{2_000, 4_000, 5_000, 70_000} {
					path := strings.Repeat(strings.Repeat("d", 99)+"/", size/100-1) + strings.Repeat("f", 100)
					answer := e.Ask(write(path, "deep"))
					if suite.Problem(answer) == "" {
						holds(t, e, path, "deep")
					}
					if found, ok := e.Ask(read(path))["message"].(string); ok && found != "deep" {
						t.Errorf("a path of %d bytes leads to another file", size)
					}
					e.Ask(at(getTree, path))
					holds(t, e, "src/main.txt", suite.ProjectFiles["src/main.txt"])
				}
			},
		},
		{
			ID: "FS-023", Level: suite.Must, Needs: []suite.Capability{readFile, writeFile, deleteFile, getTree},
			Title: "A file called root is a file, though a list of root is that of the workspace",
			Why:   "The name means the workspace where something is listed, and nowhere else.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				before := names(t, e, "root")
				do(e, write("root", "a file"))
				holds(t, e, "root", "a file")
				t.Equal("the names in root", sorted(names(t, e, "root")), sorted(append(before, "root")))
				do(e, at(deleteFile, "root"))
				e.Refused(read("root"), "not_found")
				t.Equal("the names in root", names(t, e, "root"), before)
			},
		},
		{
			ID: "FS-024", Level: suite.Must, Needs: []suite.Capability{readFile, writeFile, getTree},
			Title: "A path may be spelt with dots and doubled slashes",
			Why:   "Servers and agents join paths as they have them; two spellings of one file must not become two files.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				for i, path := range []string{"./src/main.txt", "src//main.txt", "src/./main.txt", "src/lib/../main.txt", "docs/../src/main.txt"} {
					text := fmt.Sprintf("text %d", i)
					do(e, write(path, text))
					holds(t, e, path, text)
					holds(t, e, "src/main.txt", text)
				}
				onlyHas(t, e, "src", "lib", "main.txt")
			},
		},
	}
}
