package review

import (
	"maps"
	"slices"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// oddNames are names that git quotes, that a shell or an option parser takes for
// something else, or that look like parts of a diff.
var oddNames = []string{
	"with space.txt", " leading", "trailing ", "tab\there.txt", "new\nline.txt", `quo"te.txt`, `back\slash.txt`, "ünï/cödé.txt", "日本語.txt", "e\u0301.txt",
	"-dash.txt", "--output=x", "a => b.txt", "{a => b}.txt", "old -> new.txt", ":(glob)x", "*.txt", "$HOME", "b/b/a/a", "a/b", "\x01\x7f.txt", "emoji 🚀",
}

func names() []suite.Check {
	return []suite.Check{{
		ID: "DF-018", Level: suite.Must, Needs: onDisk,
		Title: "Paths in a diff are the names as they are, without quotes, whatever is in them",
		Why:   "A path that git has quoted opens no file.",
		Run: func(t *suite.T) {
			e := t.Open(suite.Spec{})
			for _, name := range oddNames {
				put(t, e, name, "content of it\n")
			}
			result, files := diffOf(t, e)
			want := slices.Clone(oddNames)
			slices.Sort(want)
			t.Equal("the paths", slices.Sorted(maps.Keys(files)), want)
			for _, name := range oddNames {
				t.Equal("status of "+name, files[name].status, "added")
				t.Equal("additions of "+name, files[name].added, 1)
			}
			applies(t, e, "rawDiff", result.Text("rawDiff"))
		},
	}}
}
