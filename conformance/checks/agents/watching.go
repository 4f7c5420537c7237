package agents

import (
	"maps"
	"slices"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// watchNeeds are those of the checks about watched files.
var watchNeeds = []suite.Capability{suite.Watch, "providerWriteFile", "providerDeleteFile", "providerRenameItem"}

// watched are the changes that were told since a point, as "kind path", with how often.
func watched(e *suite.Env, from int) map[string]int {
	told := map[string]int{}
	for _, f := range e.Heard(from, suite.OfType("watch.changed")) {
		changes, _ := f.Message()["changes"].([]any)
		for _, c := range changes {
			if change, ok := c.(map[string]any); ok {
				m := suite.Message(change)
				told[m.Text("kind")+" "+m.Text("path")]++
			}
		}
	}
	return told
}

// tells waits until a change has been told since a point.
func tells(t *suite.T, e *suite.Env, from int, change string) {
	t.Eventually(patience, "the change "+change+" is told", func() bool { return watched(e, from)[change] > 0 })
}

// put writes a file of the environment.
func put(e *suite.Env, path, text string) {
	e.Result(suite.Message{"type": "providerWriteFile", "path": path, "content": text})
}

func watching() []suite.Check {
	return []suite.Check{
		{
			ID: "AG-023", Level: suite.Must, Needs: watchNeeds,
			Title: "What changes in a watched environment is told once, of each file and folder",
			Why:   "A change that is not told is not seen; one that is told twice is looked at twice.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				done(e, suite.Message{"type": "watch.start", "watchId": "w1", "debounceMs": 50})
				from := e.Now()
				put(e, "new/deep/file.txt", "x\n")
				tells(t, e, from, "created new/deep/file.txt")
				e.Result(suite.Message{"type": "providerDeleteFile", "path": "new/deep/file.txt"})
				tells(t, e, from, "deleted new/deep/file.txt")
				put(e, "src/main.txt", "other\n")
				tells(t, e, from, "modified src/main.txt")
				t.Rest(quiet)
				t.Equal("what was told", watched(e, from), map[string]int{
					"created new": 1, "created new/deep": 1, "created new/deep/file.txt": 1, "deleted new/deep/file.txt": 1, "modified src/main.txt": 1,
				})
			},
		},
		{
			ID: "AG-024", Level: suite.Must, Needs: watchNeeds,
			Title: "A rename is told as a deletion and a creation, and a file that is replaced as modified",
			Why:   "Who keeps a picture of the files must know which are no longer there.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				done(e, suite.Message{"type": "watch.start", "watchId": "w1", "debounceMs": 50})
				from := e.Now()
				e.Result(suite.Message{"type": "providerRenameItem", "oldPath": "src/main.txt", "newPath": "moved.txt"})
				tells(t, e, from, "created moved.txt")
				tells(t, e, from, "deleted src/main.txt")
				for range 3 {
					put(e, "moved.txt", "again\n")
				}
				tells(t, e, from, "modified moved.txt")
				t.Rest(quiet)
				kinds := slices.Sorted(maps.Keys(watched(e, from)))
				t.Equal("what was told", kinds, []string{"created moved.txt", "deleted src/main.txt", "modified moved.txt"})
			},
		},
		{
			ID: "AG-025", Level: suite.Must, Needs: watchNeeds,
			Title: "What is to be ignored is not told, nor what is watched no more, nor a watch of what is outside given",
			Why:   "A build writes ten thousand files that nobody wants to hear of.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				done(e, suite.Message{"type": "watch.start", "watchId": "w1", "debounceMs": 50, "ignore": []string{"*.log", "build/**"}})
				from := e.Now()
				put(e, "noise.log", "x\n")
				put(e, "src/more.log", "x\n")
				put(e, "wanted.txt", "x\n")
				tells(t, e, from, "created wanted.txt")
				done(e, suite.Message{"type": "watch.stop", "watchId": "w1"})
				put(e, "later.txt", "x\n")
				t.Rest(quiet)
				t.Equal("what was told", slices.Sorted(maps.Keys(watched(e, from))), []string{"created wanted.txt"})
				e.Refused(suite.Message{"type": "watch.stop", "watchId": "w1"}, "not_found")
				e.Refused(suite.Message{"type": "watch.start", "path": "../.."}, "outside_workspace")
			},
		},
	}
}
