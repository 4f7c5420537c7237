package agentcall

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// subject is what a request is about, for the policy.
type subject struct {
	need    need
	action  string
	root    string
	places  []place  // all places that the request could mean
	given   []string // the paths as the request has them
	means   []place  // those of places that it does mean
	removes bool     // with all that is below
	line    string   // the command
	content string   // that is written
}

// The members of a request for files that say which; the SDK has different ones for
// different requests, and spells some in two ways.
var (
	pathMembers = []string{"filepath", "path", "relpath", "paths", "folderpath", "dirpath", "directory"}
	nameMembers = []string{"filename", "foldername"} // of something in the folder that the path is
	// contentMembers are what is written, the likeliest first.
	contentMembers = []string{"newContent", "content", "source", "newString", "diff"}
)

// gitLines are the commands that do what the requests for git do.
var gitLines = map[string]string{
	"Init": "git init", "Status": "git status", "Add": "git add --all", "Commit": "git commit", "Checkout": "git checkout",
	"gitBranch": "git checkout -b", "gitLogs": "git log", "Diff": "git diff", "Push": "git push", "Pull": "git pull", "Clone": "git clone",
}

// subjectOf is what a request is about.
func (c *Caller) subjectOf(r *request) (*subject, error) {
	s := &subject{need: r.verb.need, action: strings.TrimSuffix(r.Type+"/"+r.Action, "/"), root: c.s.opt.Files.Root()}
	var top map[string]wire.Raw
	if err := wire.Unmarshal(r.frame, &top); err != nil {
		return nil, err
	}
	text := func(name string) string {
		var v string
		_ = wire.Unmarshal(top[name], &v) // what is no string is not there
		return v
	}
	switch r.Type {
	case "fsEvent":
		s.files(r, top)
		if s.need == needWrite && len(s.places) == 0 {
			return nil, wire.Errorf(wire.Invalid, "%s: the path is missing", r.Action)
		}
	case "gitEvent":
		s.line = strings.TrimSpace(gitLines[r.Action] + " " + text("branch") + text("commitHash") + text("url"))
		if r.Action == "Clone" {
			into := text("path")
			if into == "" {
				into = cloneName(text("url"))
			}
			s.place(into, true)
		}
	default:
		if s.need == needExec {
			s.line = text("message")
		}
	}
	return s, nil
}

// files takes the places out of a request for files.
func (s *subject) files(r *request, top map[string]wire.Raw) {
	all := []map[string]wire.Raw{top}
	var message map[string]wire.Raw
	if wire.Unmarshal(top["message"], &message) == nil {
		all = append(all, message)
	}
	var paths, names []string
	for _, object := range all {
		for member, value := range object {
			switch name := strings.ToLower(member); {
			case slices.Contains(pathMembers, name):
				paths = append(paths, texts(value)...)
			case slices.Contains(nameMembers, name):
				names = append(names, texts(value)...)
			}
		}
		for _, member := range contentMembers {
			if s.content == "" {
				s.content = strings.Join(texts(object[member]), "")
			}
		}
	}
	slices.Sort(paths)
	s.removes = strings.HasPrefix(r.Action, "delete")
	for _, p := range paths {
		s.place(p, len(names) == 0 || !s.isFolder(p))
		for _, name := range names {
			full := path.Join(filepath.ToSlash(p), name)
			s.place(full, s.isFolder(p) || path.Base(filepath.ToSlash(p)) != name)
		}
	}
	for _, name := range names {
		s.place(name, len(paths) == 0)
	}
}

// texts are a string, or those of a list.
func texts(value wire.Raw) []string {
	var one string
	if wire.Unmarshal(value, &one) == nil {
		return []string{one}
	}
	var list []wire.Raw
	_ = wire.Unmarshal(value, &list) // what is no list has none
	var all []string
	for _, item := range list {
		if wire.Unmarshal(item, &one) == nil {
			all = append(all, one)
		}
	}
	return all
}

func (s *subject) isFolder(p string) bool {
	at := placeOf(s.root, p)
	info, err := os.Stat(filepath.Join(s.root, filepath.FromSlash(at.name)))
	return at.inside && err == nil && info.IsDir()
}

// place adds a path that the request could mean, or does mean.
func (s *subject) place(p string, meant bool) {
	if p == "" {
		return
	}
	at := placeOf(s.root, p)
	s.places = append(s.places, at)
	if meant {
		s.means, s.given = append(s.means, at), append(s.given, p)
	}
}

// forGit reports whether the request is for a place where git keeps what it obeys.
func (s *subject) forGit() bool {
	return slices.ContainsFunc(s.places, func(at place) bool {
		return slices.ContainsFunc(strings.Split(at.name+"/"+at.real, "/"), func(part string) bool { return strings.EqualFold(part, ".git") })
	})
}

// shown are the paths as a person is to see them.
func (s *subject) shown() []string {
	var shown []string
	for i, at := range s.means {
		name := s.given[i]
		if at.inside {
			name = at.name
			if at.real != at.name {
				name += " -> " + at.real
			}
		}
		shown = append(shown, valid(name))
	}
	return shown
}

// cloneName is the folder that git would make for a URL.
func cloneName(address string) string {
	address = strings.TrimRight(address, "/")
	name := path.Base(address[strings.LastIndexByte(address, ':')+1:])
	return strings.TrimSuffix(name, ".git")
}
