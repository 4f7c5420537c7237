package agents

import (
	"path"
	"strings"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

func commands() []suite.Check {
	return []suite.Check{
		{
			ID: "AG-011", Level: suite.Must, Needs: needs,
			Title: "executeCommand runs where the files are, and is answered with exit status and output",
			Why:   "An agent that takes a failed test for a passed one ends with broken work.",
			Run: func(t *suite.T) {
				w := open(t, suite.Spec{})
				w.run("m1",
					execute("fails", "echo out; echo problem >&2; exit 3"),
					execute("works", "cat src/lib/util.txt"),
					execute("writes", "echo written > by-command.txt"),
					fs("reads", "readFile", map[string]any{"filePath": "by-command.txt"}))
				fails := w.answer("one", "fails")
				t.Equal("exitCode", fails["exitCode"], 3)
				t.Equal("stdout", fails["stdout"], "out\n")
				t.Equal("stderr", fails["stderr"], "problem\n")
				t.Equal("success", fails["success"], false)
				works := w.succeeded("works", "commandFinish")
				t.Equal("exitCode", works["exitCode"], 0)
				t.Equal("stdout", works["stdout"], suite.ProjectFiles["src/lib/util.txt"])
				t.Equal("content", w.succeeded("reads", "readFileResponse")["content"], "written\n")
				w.kept("executeCommand")
			},
		},
		{
			ID: "AG-012", Level: suite.Must, Needs: needs,
			Title: "getProjectPath is where the environment's files are, and not the project's path on the server",
			Why:   "Agents begin with it and make every path of it: with the other one they change what the user works on.",
			Run: func(t *suite.T) {
				w := open(t, suite.Spec{})
				w.run("m1", projectPath("where"), execute("here", "pwd -P"))
				answer := w.succeeded("where", "getProjectPathResponse")
				at := answer.Text("projectPath")
				if here := strings.TrimSpace(w.answer("one", "here").Text("stdout")); !path.IsAbs(at) || at != here {
					t.Errorf("projectPath is %q; commands run in %q", at, here)
				}
				if t.Can(suite.Local) {
					t.Equal("projectPath", at, w.Workspace())
				}
				if w.Workspace() != w.Project && at == w.Project {
					t.Errorf("projectPath is the project's path on the server: %s", answer)
				}
				w.kept("projectEvent")
			},
		},
	}
}
