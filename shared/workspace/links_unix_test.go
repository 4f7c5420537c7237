//go:build unix

package workspace_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// What a link leads to, which decides how each verb ends.
const (
	inside   = "inside"
	leaving  = "outside"
	looping  = "loop"
	dangling = "dangling"
	// through is a name below a linked folder inside, through+leaving outside.
	through = "through"
)

type linkCase struct {
	name  string // what the request names
	class string
	plant func(s *site)
}

func linkCases(folder bool) []linkCase {
	in, out := "in/f", "canary"
	if folder {
		in, out = "in", "d"
	}
	missing := "missing"
	link := func(target func(s *site) string) func(*site) {
		return func(s *site) { s.link(target(s), "link") }
	}
	return []linkCase{
		{"link", inside, link(func(s *site) string { return s.path(in) })},
		{"link", inside, link(func(*site) string { return in })},
		{"link", inside, link(func(*site) string { return "in/../in/../" + in })},
		{"link", inside, func(s *site) { s.link("second", "link"); s.link(s.path("third"), "second"); s.link(in, "third") }},
		{"sub/link", inside, func(s *site) { s.link("../"+in, "sub/link") }},
		{"link", leaving, link(func(s *site) string { return filepath.Join(s.outside, out) })},
		{"link", leaving, link(func(*site) string { return "../outside/" + out })},
		{"link", leaving, link(func(*site) string { return "in/../../outside/" + out })},
		{"link", leaving, link(func(s *site) string { return s.dir + "/../outside/" + out })},
		{"link", leaving, link(func(s *site) string { return s.dir + "x" })},
		{"link", leaving, link(func(*site) string { return "/proc/self/root/etc/passwd" })},
		{"link", leaving, link(func(s *site) string { return filepath.Join(s.outside, missing) })},
		{"link", leaving, link(func(*site) string { return "../outside/" + missing })},
		{"link", leaving, func(s *site) { s.link("second", "link"); s.link("../outside/"+out, "second") }},
		{"link", looping, link(func(*site) string { return "link" })},
		{"link", looping, func(s *site) { s.link("second", "link"); s.link("link", "second") }},
		{"link", looping, func(s *site) { s.link(s.path("second"), "link"); s.link("link/x", "second") }},
		{"link", dangling, link(func(*site) string { return "in/" + missing })},
		{"link", dangling, link(func(s *site) string { return s.path("missing/deeper") })},
		{"link", dangling, func(s *site) { s.link("second", "link"); s.link(missing, "second") }},
		{"up/" + filepath.Base(in), through, func(s *site) { s.link(filepath.Dir(in), "up") }},
		{"up/" + filepath.Base(in), through, func(s *site) { s.link(s.path(filepath.Dir(in)), "up") }},
		{"up/" + out, through + leaving, func(s *site) { s.link(s.outside, "up") }},
		{"up/" + out, through + leaving, func(s *site) { s.link("../outside", "up") }},
		{"up/new/" + out, through + leaving, func(s *site) { s.link(s.outside, "up") }},
	}
}

// verbCase is one use of a verb and how it ends for each class of link.
type verbCase struct {
	name   string
	folder bool // use links to folders
	verb   string
	req    func(p string) wire.FileRequest
	want   map[string]wire.Code
	check  func(t *testing.T, s *site, c linkCase)
}

func verbCases() []verbCase {
	// Links are followed.
	reads := map[string]wire.Code{inside: fine, leaving: wire.OutsideWorkspace, looping: wire.Invalid, dangling: wire.NotFound, through: fine, through + leaving: wire.OutsideWorkspace}
	writes := map[string]wire.Code{inside: fine, leaving: wire.OutsideWorkspace, looping: wire.Invalid, dangling: wire.Conflict, through: fine, through + leaving: wire.OutsideWorkspace}
	occupied := map[string]wire.Code{inside: wire.Exists, leaving: wire.OutsideWorkspace, looping: wire.Invalid, dangling: wire.Conflict, through: wire.Exists, through + leaving: wire.OutsideWorkspace}
	// The link itself is meant.
	itself := map[string]wire.Code{through + leaving: wire.OutsideWorkspace}
	itselfOccupied := map[string]wire.Code{inside: wire.Exists, leaving: wire.Exists, looping: wire.Exists, dangling: wire.Exists, through: wire.Exists, through + leaving: wire.OutsideWorkspace}
	lists := map[string]wire.Code{leaving: wire.OutsideWorkspace, through + leaving: wire.OutsideWorkspace}
	path := func(p string) wire.FileRequest { return wire.FileRequest{Path: p} }
	gone := func(t *testing.T, s *site, c linkCase) {
		if s.exists(c.name) {
			t.Errorf("%s is still there", c.name)
		}
		if c.class != through {
			s.holds("in/f", "content")
		}
	}
	content := func(want string) func(t *testing.T, s *site, c linkCase) {
		return func(_ *testing.T, s *site, _ linkCase) { s.holds("in/f", want) }
	}
	stillLink := func(want string) func(t *testing.T, s *site, c linkCase) {
		return func(t *testing.T, s *site, c linkCase) {
			s.holds("in/f", want)
			info, err := os.Lstat(s.path(c.name))
			if c.class == inside && (err != nil || info.Mode()&os.ModeSymlink == 0) {
				t.Errorf("%s is no link any more: %v, %v", c.name, info, err)
			}
		}
	}
	return []verbCase{
		{"read", false, wire.TypeReadFile, path, reads, content("content")},
		{
			"write", false, wire.TypeWriteFile,
			func(p string) wire.FileRequest { return wire.FileRequest{Path: p, Content: pointer("new")} },
			writes, stillLink("new"),
		},
		{
			"write below", true, wire.TypeWriteFile,
			func(p string) wire.FileRequest { return wire.FileRequest{Path: p + "/f", Content: pointer("new")} },
			writes, stillLink("new"),
		},
		{
			"write deep below", true, wire.TypeWriteFile,
			func(p string) wire.FileRequest {
				return wire.FileRequest{Path: p + "/new/deep/f", Content: pointer("new")}
			},
			writes,
			func(_ *testing.T, s *site, _ linkCase) { s.holds("in/new/deep/f", "new") },
		},
		{"delete", false, wire.TypeDeleteFile, path, itself, gone},
		{"delete a linked folder", false, wire.TypeDeleteFile, path, itself, gone},
		{"delete below", true, wire.TypeDeleteFile, func(p string) wire.FileRequest { return path(p + "/f") }, reads, func(t *testing.T, s *site, _ linkCase) {
			if s.exists("in/f") {
				t.Error("in/f is still there")
			}
		}},
		{"delete folder", true, wire.TypeDeleteFolder, path, map[string]wire.Code{through + leaving: wire.OutsideWorkspace}, gone},
		{
			"delete folder below", true, wire.TypeDeleteFolder,
			func(p string) wire.FileRequest { return path(p + "/sub") },
			map[string]wire.Code{leaving: wire.OutsideWorkspace, looping: wire.Invalid, through + leaving: wire.OutsideWorkspace},
			content("content"),
		},
		{"rename from", false, wire.TypeRenameItem, func(p string) wire.FileRequest { return wire.FileRequest{OldPath: p, NewPath: "new/moved"} }, itself, func(t *testing.T, s *site, c linkCase) {
			gone(t, s, c)
			if !s.exists("new/moved") {
				t.Error("new/moved is missing")
			}
		}},
		{"rename onto", false, wire.TypeRenameItem, func(p string) wire.FileRequest { return wire.FileRequest{OldPath: "other", NewPath: p} }, itselfOccupied, nil},
		{
			"rename over", false, wire.TypeRenameItem,
			func(p string) wire.FileRequest {
				return wire.FileRequest{OldPath: "other", NewPath: p, Overwrite: true}
			},
			itself,
			func(_ *testing.T, s *site, c linkCase) { s.holds(c.name, "other") },
		},
		{"rename into", true, wire.TypeRenameItem, func(p string) wire.FileRequest { return wire.FileRequest{OldPath: "other", NewPath: p + "/moved"} }, writes, func(_ *testing.T, s *site, _ linkCase) { s.holds("in/moved", "other") }},
		{
			"create folder at a file", false, wire.TypeCreateFolder, path, occupied, nil,
		},
		{"create folder at a folder", true, wire.TypeCreateFolder, path, writes, content("content")},
		{"create folder below", true, wire.TypeCreateFolder, func(p string) wire.FileRequest { return path(p + "/new/folder") }, writes, func(t *testing.T, s *site, _ linkCase) {
			if !s.exists("in/new/folder") {
				t.Error("in/new/folder is missing")
			}
		}},
		{"copy from", false, wire.TypeCopyFile, func(p string) wire.FileRequest {
			return wire.FileRequest{SourcePath: p, DestinationPath: "copy"}
		}, reads, func(_ *testing.T, s *site, _ linkCase) { s.holds("copy", "content") }},
		{"copy onto", false, wire.TypeCopyFile, func(p string) wire.FileRequest {
			return wire.FileRequest{SourcePath: "other", DestinationPath: p}
		}, occupied, content("content")},
		{"copy over", false, wire.TypeCopyFile, func(p string) wire.FileRequest {
			return wire.FileRequest{SourcePath: "other", DestinationPath: p, Overwrite: true}
		}, writes, stillLink("other")},
		{"copy into", true, wire.TypeCopyFile, func(p string) wire.FileRequest {
			return wire.FileRequest{SourcePath: "other", DestinationPath: p + "/copy"}
		}, writes, func(_ *testing.T, s *site, _ linkCase) { s.holds("in/copy", "other") }},
		{"copy folder from", true, wire.TypeCopyFolder, func(p string) wire.FileRequest {
			return wire.FileRequest{SourcePath: p, DestinationPath: "copy"}
		}, reads, func(_ *testing.T, s *site, _ linkCase) { s.holds("copy/f", "content") }},
		{"copy folder onto", true, wire.TypeCopyFolder, func(p string) wire.FileRequest {
			return wire.FileRequest{SourcePath: "folder", DestinationPath: p}
		}, occupied, content("content")},
		{"copy folder over", true, wire.TypeCopyFolder, func(p string) wire.FileRequest {
			return wire.FileRequest{SourcePath: "folder", DestinationPath: p, Overwrite: true}
		}, writes, func(_ *testing.T, s *site, _ linkCase) { s.holds("in/f", "folder") }},
		{"copy folder into", true, wire.TypeCopyFolder, func(p string) wire.FileRequest {
			return wire.FileRequest{SourcePath: "folder", DestinationPath: p + "/copy"}
		}, writes, func(_ *testing.T, s *site, _ linkCase) { s.holds("in/copy/f", "folder") }},
		{"list a folder", true, wire.TypeGetTreeChildren, path, lists, content("content")},
		{"list a file", false, wire.TypeGetTreeChildren, path, lists, content("content")},
	}
}

func TestEveryVerbThroughEveryKindOfLinkStaysInside(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, outer *site) {
		for _, v := range verbCases() {
			for _, c := range linkCases(v.folder) {
				t.Run(v.name+" "+c.class, func(t *testing.T) {
					s := newSite(t, outer.kind)
					s.file("in/f", "content")
					s.file("other", "other")
					s.file("folder/f", "folder")
					// At the top, so that a name below a linked root is there too.
					s.file("f", "content")
					c.plant(s)
					_, err := s.do(v.verb, v.req(c.name))
					wantCode(t, v.name+" "+c.name, err, v.want[c.class])
					if err == nil && (c.class == inside || c.class == through) && v.check != nil {
						v.check(t, s, c)
					}
					if c.class == dangling && s.exists("in/missing") || s.exists("missing") {
						t.Error("something was made through a link that led nowhere")
					}
				})
			}
		}
	})
}

func TestReadingThroughALinkGivesWhatItLeadsTo(t *testing.T) {
	onBoth(t, func(t *testing.T, outer *site) {
		for _, c := range linkCases(false) {
			if c.class != inside && c.class != through {
				continue
			}
			s := newSite(t, outer.kind)
			s.file("in/f", "content")
			c.plant(s)
			if got, err := s.do(wire.TypeReadFile, wire.FileRequest{Path: c.name}); err != nil || got != "content" {
				t.Errorf("read %s: %v, %v", c.name, got, err)
			}
		}
	})
}

func TestAHardLinkOutsideKeepsItsContent(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		for _, verb := range []string{"write", "copy", "rename", "delete", "folder"} {
			must(t, os.MkdirAll(s.path("d"), 0o755))
			must(t, os.Link(filepath.Join(s.outside, "canary"), s.path("d/hard")))
			s.file("other", "other")
			var err error
			switch verb {
			case "write":
				_, err = s.do(wire.TypeWriteFile, wire.FileRequest{Path: "d/hard", Content: pointer("new")})
				s.holds("d/hard", "new")
			case "copy":
				_, err = s.do(wire.TypeCopyFile, wire.FileRequest{SourcePath: "other", DestinationPath: "d/hard", Overwrite: true})
				s.holds("d/hard", "other")
			case "rename":
				_, err = s.do(wire.TypeRenameItem, wire.FileRequest{OldPath: "other", NewPath: "d/hard", Overwrite: true})
				s.holds("d/hard", "other")
			case "delete":
				_, err = s.do(wire.TypeDeleteFile, wire.FileRequest{Path: "d/hard"})
			case "folder":
				s.file("from/hard", "folder")
				_, err = s.do(wire.TypeCopyFolder, wire.FileRequest{SourcePath: "from", DestinationPath: "d", Overwrite: true})
				s.holds("d/hard", "folder")
			}
			must(t, err)
			s.untouched(t)
			must(t, os.RemoveAll(s.path("d")))
		}
	})
}

func TestTheTreeShowsLinksAsWhatTheyLeadTo(t *testing.T) {
	onBoth(t, func(t *testing.T, s *site) {
		s.file("in/f", "content")
		s.link("in", "toFolder")
		s.link(s.path("in/f"), "toFile")
		s.link("nowhere", "toNothing")
		s.link("../outside/canary", "toOutside")
		s.link("toItself", "toItself")
		got, err := s.do(wire.TypeGetTreeChildren, wire.FileRequest{Path: "root"})
		must(t, err)
		type seen struct {
			Folder  bool
			Size    int64
			Problem bool
		}
		all := map[string]seen{}
		for _, e := range got.([]wire.TreeEntry) {
			all[e.Name] = seen{e.IsFolder, e.Size, e.Problem != ""}
		}
		want := map[string]seen{
			"in": {Folder: true}, "toFolder": {Folder: true}, "toFile": {Size: 7},
			"toNothing": {Problem: true}, "toOutside": {Problem: true}, "toItself": {Problem: true},
		}
		for name, w := range want {
			if w.Problem { // the size is then the link's own, whatever that is
				w.Size = all[name].Size
				want[name] = w
			}
		}
		if len(all) != len(want) {
			t.Errorf("got %v, want %v", all, want)
		}
		for name, w := range want {
			if all[name] != w {
				t.Errorf("%s: got %+v, want %+v", name, all[name], w)
			}
		}
	})
}
