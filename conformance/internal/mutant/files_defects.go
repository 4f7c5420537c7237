package main

import (
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// filesDefects are those of group FS.
func filesDefects() []defect {
	return slices.Concat(
		answerDefects(), contentDefects(), encodingDefects(), nameDefects(), refusalDefects(), writeDefects(), deletionDefects(),
		copyDefects(), moveDefects(), listDefects(), projectDefects(), orderDefects(),
	)
}

// changers are the types of request that name something other than a list.
var changers = fileVerbs[:8]

// pathsOf are the paths that a request names.
func pathsOf(m message) []string {
	var paths []string
	for _, s := range slots {
		if path, given := m[s.member].(string); given && m.text("type") == s.verb {
			paths = append(paths, path)
		}
	}
	return paths
}

// respelt makes a Request hook that changes each path.
func respelt(change func(path string) string) func(*wrapper, message) []message {
	return func(_ *wrapper, m message) []message {
		for _, s := range slots {
			path, given := m[s.member].(string)
			if given && m.text("type") == s.verb && change(path) != path {
				m = m.with(message{s.member: change(path)})
			}
		}
		return list(m)
	}
}

// refuses makes a Request hook that refuses requests of some types when
// something is wrong with them, as it sees it.
func refuses(code, sentence string, verbs []string, wrong func(w *wrapper, m message) bool) func(*wrapper, message) []message {
	return func(w *wrapper, m message) []message {
		verb := m.text("type")
		if !slices.Contains(verbs, verb) || !wrong(w, m) {
			return list(m)
		}
		w.say(failure(m, verb+"Response", verb+": "+sentence, code))
		return nil
	}
}

// refusesPaths is refuses for what is wrong with one of the paths.
func refusesPaths(code, sentence string, verbs []string, wrong func(path string) bool) func(*wrapper, message) []message {
	return refuses(code, sentence, verbs, func(_ *wrapper, m message) bool { return slices.ContainsFunc(pathsOf(m), wrong) })
}

// spot is what the grounds call the item of a path, which is below the
// workspace, and not it; "" for all other paths.
func spot(w *wrapper, path string) string {
	root, g := w.root(), ground()
	if root == "" || g == nil {
		return ""
	}
	place := inside(root, path)
	if place == "" || place == root || within(filepath.Join(root, ".git"), place) {
		return ""
	}
	name, err := g.name(place)
	if err != nil {
		return ""
	}
	return name
}

// beforehand makes a Request hook that does something to an item below the
// workspace before a request about it is carried out.
func beforehand(at slot, do func(w *wrapper, g *grounds, name string, m message)) func(*wrapper, message) []message {
	return request(at.verb, func(w *wrapper, m message) message {
		if name := spot(w, m.text(at.member)); name != "" {
			do(w, ground(), name, m)
		}
		return m
	})
}

// afterwards makes a Reply hook that does something to an item below the
// workspace when a request about it was answered, with that code.
func afterwards(at slot, code string, do func(w *wrapper, g *grounds, name string, m message)) func(*wrapper, message, message) []message {
	return reply(at.verb, func(w *wrapper, asked, m message) message {
		if name := spot(w, asked.text(at.member)); name != "" && m.text("code") == code {
			do(w, ground(), name, asked)
		}
		return m
	})
}

// complains makes a defect of one that finds an error in what was as the request
// wants it already.
func complains(d defect, at slot, code, sentence string, already func(g *grounds, name string) bool) defect {
	d.Request = beforehand(at, func(w *wrapper, g *grounds, name string, m message) {
		w.keep("complains of "+m.text("requestId"), already(g, name))
	})
	d.Reply = reply(at.verb, func(w *wrapper, asked, m message) message {
		if w.kept("complains of "+asked.text("requestId")) != true {
			return m
		}
		return failure(asked, at.verb+"Response", at.verb+": "+sentence, code)
	})
	return d
}

// absent reports that nothing is there.
func absent(g *grounds, name string) bool {
	_, err := g.Lstat(name)
	return err != nil
}

func answerDefects() []defect {
	known := []string{
		original, "type", "requestId", "path", "content", "encoding", "oldPath", "newPath", "sourcePath", "destinationPath", "overwrite",
		"recursive", "maxEntries", "maxDepth",
	}
	return []defect{
		{
			Name: "reads-objects", Check: "FS-001", Also: []string{"FS-007", "FS-011"},
			Doc: "answers with an object that has the content in it, until it has been asked for something else",
			Request: func(w *wrapper, m message) []message {
				if verb := m.text("type"); slices.Contains(fileVerbs, verb) && w.first("asked") && verb == "providerReadFile" {
					w.keep("read first", m.text("requestId"))
				}
				return list(m)
			},
			Reply: reply("providerReadFile", func(w *wrapper, asked, m message) message {
				if text, is := m["message"].(string); is && w.kept("read first") == asked.text("requestId") {
					return m.result(map[string]any{"success": true, "content": text})
				}
				return m
			}),
		},
		{
			Name: "confirms-writes", Check: "FS-002", Also: []string{"PR-048"},
			Doc: "answers a write with an object that says that all is well",
			Reply: reply("providerWriteFile", func(_ *wrapper, _, m message) message {
				if m.text("error") != "" {
					return m
				}
				return m.result(map[string]any{"success": true})
			}),
		},
		{
			Name: "takes-a-second-write-for-the-first", Check: "FS-003",
			Also: []string{"FS-007", "FS-008", "FS-010", "FS-015", "FS-033", "FS-034", "FS-062", "FS-063"},
			Doc:  "takes a write to a file that was just written for the same request, sent again, and answers it only",
			Request: request("providerWriteFile", func(w *wrapper, m message) message {
				if before := w.keep("written", m.text("path")); before != m.text("path") {
					return m
				}
				w.say(success(m, "providerWriteFileResponse", nil))
				return nil
			}),
		},
		remembers(defect{
			Name: "reads-from-memory", Check: "FS-004",
			Doc: "keeps in memory what was read and written, and never looks at the file again",
		}),
		{
			Name: "knows-all-members", Check: "FS-005",
			Doc: "refuses a request with a member that it does not know",
			Request: refuses("invalid", "unknown member", fileVerbs, func(_ *wrapper, m message) bool {
				for member := range m {
					if !slices.Contains(known, member) {
						return true
					}
				}
				return false
			}),
		},
		{
			Name: "refuses-absolute-paths", Check: "FS-006",
			Doc:     "takes every absolute path for one outside",
			Request: refusesPaths("outside_workspace", "an absolute path", changers, filepath.IsAbs),
		},
	}
}

// remembers makes a defect of one that answers reads from memory.
func remembers(d defect) defect {
	store := func(w *wrapper, m message, content any) {
		if m.text("encoding") != "" {
			content = nil
		}
		w.keep("content of "+path.Clean(m.text("path")), content)
	}
	d.Request = func(w *wrapper, m message) []message {
		switch verb := m.text("type"); {
		case verb == "providerWriteFile":
			store(w, m, m["content"])
		case verb == "providerReadFile":
			if text, is := w.kept("content of " + path.Clean(m.text("path"))).(string); is && m.text("encoding") == "" {
				w.say(success(m, "providerReadFileResponse", text))
				return nil
			}
		case slices.Contains(changers, verb): // nobody knows what it changes
			w.mu.Lock()
			clear(w.state)
			w.mu.Unlock()
		}
		return list(m)
	}
	d.Reply = func(w *wrapper, asked, m message) []message {
		switch verb := asked.text("type"); {
		case verb == "providerReadFile":
			store(w, asked, m["message"])
		case verb == "providerWriteFile" && m["error"] != nil:
			store(w, asked, nil)
		}
		return list(m)
	}
	return d
}

// longest is the length of the longest name in a path.
func longest(path string) int {
	most := 0
	for name := range strings.SplitSeq(path, "/") {
		most = max(most, len(name))
	}
	return most
}
