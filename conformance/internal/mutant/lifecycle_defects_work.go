package main

import (
	"os"
	"path/filepath"
	"strings"
)

// stopping makes a Request hook that does something in the workspace before a
// stop with a policy, "" for one without.
func stopping(policy string, do func(w *wrapper)) func(*wrapper, message) []message {
	return before("providerStop", func(w *wrapper, m message) {
		if w.root() != "" && m.text("onStop") == policy {
			do(w)
		}
	})
}

// wrongWork lose something at a stop.
func wrongWork() []defect {
	return []defect{
		{
			Name: "tidies-up-at-a-stop", Check: "LC-043",
			Doc:     "removes what git ignores when the environment is stopped",
			Request: stopping("", func(w *wrapper) { change(w.root(), "clean", "--quiet", "-f", "-d", "-X") }),
		},
		{
			Name: "unstages-at-a-stop", Check: "LC-044",
			Doc:     "resets the index when the environment is stopped",
			Request: stopping("", func(w *wrapper) { change(w.root(), "reset", "--quiet") }),
		},
	}
}

// wrongRemovals remove too little or too much.
func wrongRemovals() []defect {
	return []defect{
		{
			Name: "leaves-an-empty-workspace", Check: "LC-045", Also: []string{"LC-041", "LC-050", "RS-003", "RS-005", "RS-007"},
			Doc:   "empties the workspace, and leaves its folder",
			Reply: removed(func(w *wrapper) { folder(w.root()) }),
		},
		{
			Name: "removes-with-work-in-it", Check: "LC-046",
			Doc: "takes removeIfClean for snapshotAndRemove",
			Request: request("providerStop", func(_ *wrapper, m message) message {
				if m.text("onStop") == "removeIfClean" {
					return m.with(message{"onStop": "snapshotAndRemove"})
				}
				return m
			}),
		},
		{
			Name: "keeps-without-a-reason", Check: "LC-046",
			Doc: "does not say why an environment was not removed",
			Reply: reply("providerStop", func(_ *wrapper, _, m message) message {
				if result := m.object("message"); result != nil {
					return m.result(result.with(message{"holds": nil}))
				}
				return m
			}),
		},
		{
			Name: "snapshots-without-ignored-files", Check: "LC-047",
			Doc:     "has no ignored files in its snapshots",
			Request: stopping("snapshotAndRemove", func(w *wrapper) { change(w.root(), "clean", "--quiet", "-f", "-d", "-X") }),
		},
		{
			Name: "removes-the-branches-of-agents", Check: "LC-048",
			Doc: "deletes with the environment each branch that was made in it",
			Reply: removed(func(w *wrapper) {
				project := w.began().text("projectPath")
				for _, name := range strings.Fields(change(project, "for-each-ref", "--format=%(refname:short)", "refs/heads/agent")) {
					change(project, "branch", "--quiet", "-D", name)
				}
			}),
		},
	}
}

// wrongNeighbours touch what belongs to others.
func wrongNeighbours() []defect {
	return []defect{
		{
			Name: "removes-all-branches-of-its-prefix", Check: "LC-049",
			Doc: "deletes at a removal each branch with its prefix that nobody has checked out",
			Reply: removed(func(w *wrapper) {
				project := w.began().text("projectPath")
				for _, name := range strings.Fields(change(project, "for-each-ref", "--format=%(refname:short)", "refs/heads/codebolt")) {
					change(project, "branch", "--quiet", "-D", name)
				}
			}),
		},
		{
			Name: "removes-what-lies-beside", Check: "LC-050",
			Doc: "removes the files beside the workspace with it",
			Reply: removed(func(w *wrapper) {
				path := w.began().text("environmentPath")
				if path == "" {
					return
				}
				entries, _ := os.ReadDir(filepath.Dir(path)) // what cannot be read is not removed
				for _, entry := range entries {
					if entry.Type().IsRegular() {
						drop(filepath.Join(filepath.Dir(path), entry.Name()))
					}
				}
			}),
		},
		{
			Name: "stages-in-the-project", Check: "LC-051",
			Doc: "stages in the project what its user is about to change",
			Reply: started(func(_ *wrapper, request message) {
				change(request.text("projectPath"), "add", "--update")
			}),
		},
	}
}
