package main

import "regexp"

// What a defect may run: texts of the suite that make a file of a certain name
// where they are run, and do nothing else.
var (
	bait     = regexp.MustCompile(`(touch|>) pwned-[A-Z2-7]+`)
	harmless = regexp.MustCompile("^(?:[\\s\\d$(){}`;|&'\"x]|IFS)*$")
	option   = regexp.MustCompile(`^--output=pwned-[A-Z2-7]+$`)
)

// shell hands a text to a shell, in a folder of the check.
func shell(dir, text string) {
	if bait.MatchString(text) && harmless.MatchString(bait.ReplaceAllString(text, "")) {
		ground().command(dir, "sh", "-c", "true "+text)
	}
}

// runs makes a Request hook that runs the texts of a request in passing.
func runs(verb string, dir func(w *wrapper, m message) string, members ...string) func(*wrapper, message) []message {
	return request(verb, func(w *wrapper, m message) message {
		for _, member := range members {
			shell(dir(w, m), m.text(member))
		}
		return m
	})
}

func workspaceOf(w *wrapper, _ message) string { return w.root() }

func projectOf(_ *wrapper, m message) string { return m.text("projectPath") }

func commandDefects() []defect {
	return []defect{
		{
			Name: "writes-by-shell", Check: "SC-043",
			Doc:     "writes a file by a command line with the file's name in it",
			Request: runs("providerWriteFile", workspaceOf, "path"),
		},
		{
			Name: "takes-names-for-options", Check: "SC-044",
			Doc: "asks git about a file without -- before its name",
			Request: request("providerWriteFile", func(w *wrapper, m message) message {
				if option.MatchString(m.text("path")) {
					git(w.root(), "diff", m.text("path"))
				}
				return m
			}),
		},
		{
			Name: "names-environments-by-shell", Check: "SC-045",
			Doc:     "makes the worktree by a command line with the environment's name in it",
			Request: runs("providerStart", projectOf, "environmentName"),
		},
		{
			Name: "resolves-references-by-shell", Check: "SC-046",
			Doc:     "looks for the commit to start from by a command line with the reference in it",
			Request: runs("providerStart", projectOf, "baseRef"),
		},
		{
			Name: "opens-pull-requests-by-shell", Check: "SC-047",
			Doc:     "calls a program for pull requests by a command line with title and description in it",
			Request: runs("providerSendPR", workspaceOf, "title", "description"),
		},
	}
}
