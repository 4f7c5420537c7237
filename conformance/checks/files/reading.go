package files

import (
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

func reading() []suite.Check {
	return []suite.Check{
		{
			ID: "FS-001", Level: suite.Must, Needs: []suite.Capability{"providerReadFile"},
			Title: "A text file is read as a plain string",
			Why:   "Servers put the message into an editor as it comes; an object in its place is shown as such.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				got := e.Result(suite.Message{"type": "providerReadFile", "path": "README.md"})
				t.Equal("the message of providerReadFileResponse", got, suite.ProjectFiles["README.md"])
			},
		},
		{
			ID: "FS-002", Level: suite.Must, Needs: []suite.Capability{"providerReadFile"},
			Title: "Reading a file that is not there is an error of kind not_found",
			Why:   "An empty text in place of an error looks like a file that has lost its content.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				e.Refused(suite.Message{"type": "providerReadFile", "path": "src/absent.txt"}, "not_found")
			},
		},
	}
}
