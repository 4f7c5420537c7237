package main

import (
	"path/filepath"
	"regexp"
	"strings"
)

// command is what the suite's names would have a shell do.
var command = regexp.MustCompile(`touch (pwned)`)

// named makes a Reply hook of starts whose name, or other member, is used as it
// comes.
func named(member string, use func(w *wrapper, name string)) func(*wrapper, message, message) []message {
	return started(func(w *wrapper, request message) { use(w, request.text(member)) })
}

// joinsName makes a folder that is called as the environment is.
func joinsName(w *wrapper, name string) {
	if strings.Contains(name, "/") {
		folder(filepath.Join(filepath.Dir(w.root()), name))
	}
}

// runsName does what a shell does with a name in its command line. It needs none
// for that.
func runsName(w *wrapper, name string) {
	if found := command.FindStringSubmatch(name); found != nil {
		put(filepath.Join(w.root(), found[1]), "")
	}
}

func wrongNames() []defect {
	return []defect{
		{
			Name: "wants-longer-names", Check: "LC-034",
			Doc: "refuses names of one letter",
			Request: request("providerStart", func(w *wrapper, m message) message {
				if len(m.text("environmentName")) != 1 {
					return m
				}
				answers(w, m, failure(m, "providerStartResponse", "the name is too short", "invalid"))
				return nil
			}),
		},
		{
			Name: "loses-files-of-long-names", Check: "LC-035",
			Doc: "makes half a workspace when the name makes paths too long",
			Reply: named("environmentName", func(w *wrapper, name string) {
				if len(name) > 200 {
					drop(filepath.Join(w.root(), "README.md"))
				}
			}),
		},
		{
			Name: "makes-a-folder-of-the-name", Check: "LC-036",
			Doc:   "joins the name with its folder as it comes",
			Reply: named("environmentName", joinsName),
		},
		{
			Name: "runs-the-name", Check: "LC-037",
			Doc:   "has the name in the command line of a shell",
			Reply: named("environmentName", runsName),
		},
		{
			Name: "starts-without-a-name", Check: "LC-038",
			Doc: "gives an environment without a name one of its own",
			Request: asks(func(m message) message {
				if m.text("environmentName") == "" {
					return m.with(message{"environmentName": "environment"})
				}
				return m
			}),
		},
		{
			Name: "has-one-place-for-names-that-look-alike", Check: "LC-039",
			Doc: "answers with a path that has nothing but the cleaned name, which is the last one's",
			Reply: starts(func(_ *wrapper, request, result message) message {
				root := result.text("workspacePath")
				clean := regexp.MustCompile("[^a-z0-9]+").ReplaceAllString(strings.ToLower(request.text("environmentName")), "-")
				link := filepath.Join(filepath.Dir(root), clean)
				if g := ground(); g != nil {
					if name, err := g.name(link); err == nil {
						_ = g.Remove(name)
						_ = g.Symlink(filepath.Base(root), name)
					}
				}
				return result.with(message{"workspacePath": link})
			}),
		},
		{
			Name: "makes-a-folder-of-the-id", Check: "LC-040",
			Doc:   "joins the environment's id with its folder as it comes",
			Reply: named("environmentId", joinsName),
		},
		{
			Name: "runs-the-id", Check: "LC-040",
			Doc:   "has the environment's id in the command line of a shell",
			Reply: named("environmentId", runsName),
		},
	}
}

// wrongCrowds cannot tell the environments of a project apart.
func wrongCrowds() []defect {
	return []defect{
		{
			Name: "calls-resources-by-the-project", Check: "LC-041",
			Doc: "makes the id of a resource of the project alone",
			Reply: func(w *wrapper, request, m message) []message {
				id := "worktree:" + filepath.Base(w.began().text("projectPath"))
				if m.text("type") == "setResourceId" {
					return list(m.with(message{"resourceId": id}))
				}
				return starts(func(_ *wrapper, _, result message) message {
					return result.with(message{"resourceId": id})
				})(w, request, m)
			},
		},
		{
			Name: "writes-through-to-the-project", Check: "LC-042", Also: []string{"LC-051"},
			Doc: "writes each file into the project also",
			Request: before("providerWriteFile", func(w *wrapper, m message) {
				if path := m.text("path"); w.root() != "" && filepath.IsLocal(path) {
					put(filepath.Join(w.began().text("projectPath"), path), m.text("content"))
				}
			}),
		},
	}
}
