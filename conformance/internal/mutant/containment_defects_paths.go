package main

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// slot is a member of a type of request that holds a path.
type slot struct{ verb, member string }

var (
	readFile       = slot{"providerReadFile", "path"}
	writeFile      = slot{"providerWriteFile", "path"}
	deleteFile     = slot{"providerDeleteFile", "path"}
	deleteFolder   = slot{"providerDeleteFolder", "path"}
	renameFrom     = slot{"providerRenameItem", "oldPath"}
	renameTo       = slot{"providerRenameItem", "newPath"}
	createFolder   = slot{"providerCreateFolder", "path"}
	copyFileFrom   = slot{"providerCopyFile", "sourcePath"}
	copyFileTo     = slot{"providerCopyFile", "destinationPath"}
	copyFolderFrom = slot{"providerCopyFolder", "sourcePath"}
	copyFolderTo   = slot{"providerCopyFolder", "destinationPath"}
	listFolder     = slot{"providerGetTreeChildren", "path"}

	readers  = []slot{readFile, listFolder, copyFileFrom, copyFolderFrom}
	makers   = []slot{writeFile, createFolder, renameTo, copyFileTo, copyFolderTo}
	removers = []slot{deleteFile, deleteFolder, renameFrom}
	slots    = slices.Concat(readers, makers, removers)
)

// leading is what a path means to a defect, an absolute place; "" leaves it to
// the provider. root is the workspace.
type leading func(root, path string) string

// misled makes a Request hook that does by itself what a path leads to.
func misled(leads leading, at ...slot) func(*wrapper, message) []message {
	return func(w *wrapper, m message) []message {
		root, g := w.root(), ground()
		if root == "" || g == nil || !within(g.dir, root) {
			return list(m)
		}
		for _, s := range at {
			place := ""
			if path, given := m[s.member].(string); given && m.text("type") == s.verb {
				place = leads(root, path)
			}
			if place == "" {
				continue
			}
			result, err := g.do(m, func(member string) string {
				if member == s.member {
					return place
				}
				return filepath.Join(root, m.text(member))
			})
			if err == nil {
				w.say(success(m, s.verb+"Response", result))
				return nil
			}
		}
		return list(m)
	}
}

// outside keeps of a way to lead only what leads out of the workspace.
func outside(leads leading) leading {
	return func(root, path string) string {
		if place := leads(root, path); place != "" && !within(root, filepath.Clean(place)) {
			return place
		}
		return ""
	}
}

func joined(root, path string) string {
	if filepath.IsAbs(path) {
		return ""
	}
	return filepath.Join(root, path)
}

func absolute(_, path string) string {
	if !filepath.IsAbs(path) {
		return ""
	}
	return path
}

// prefixed takes for inside what begins with the workspace's name.
func prefixed(root, path string) string {
	place := joined(root, path)
	if place == "" {
		place = filepath.Clean(path)
	}
	if !strings.HasPrefix(place, root) {
		return ""
	}
	return place
}

func slashed(root, path string) string {
	if !strings.Contains(path, `\`) {
		return ""
	}
	return joined(root, strings.ReplaceAll(path, `\`, "/"))
}

func unescaped(root, path string) string {
	plain, err := url.PathUnescape(path)
	if err != nil || plain == path {
		return ""
	}
	return joined(root, plain)
}

// fronted refuses a path only when it begins with the way out.
func fronted(root, path string) string {
	if strings.HasPrefix(path, "../") {
		return ""
	}
	return joined(root, path)
}

// linked follows links.
func linked(root, path string) string {
	place := joined(root, path)
	if place == "" {
		return ""
	}
	return followed(place)
}

// dangling follows a link only where it leads to nothing, for what does not
// exist cannot be outside.
func dangling(root, path string) string {
	place := joined(root, path)
	target, err := os.Readlink(place)
	if _, absent := os.Stat(place); place == "" || err != nil || !os.IsNotExist(absent) {
		return ""
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(place), target)
	}
	return target
}

// early looks where a path leads, finds that it is inside, and goes there a
// little later.
func early(root, path string) string {
	place := joined(root, path)
	if place == "" || !within(root, followed(place)) {
		return ""
	}
	time.Sleep(20 * time.Microsecond) // the gap that every such provider has
	return place
}

// inPlace is for what exists already.
func inPlace(root, path string) string {
	place := joined(root, path)
	if info, err := os.Lstat(place); place == "" || err != nil || !info.Mode().IsRegular() {
		return ""
	}
	return place
}

func inside(root, path string) string {
	place := joined(root, path)
	if place == "" || !within(root, place) {
		return ""
	}
	return place
}

// laced is for a folder with links that lead out.
func laced(root, path string) string {
	place := ofType(fs.ModeDir)(root, path)
	if place == "" {
		return ""
	}
	entries, _ := os.ReadDir(place) // then there are no links
	if !slices.ContainsFunc(entries, func(entry fs.DirEntry) bool { return !within(root, followed(filepath.Join(place, entry.Name()))) }) {
		return ""
	}
	return place
}

// ofType is for what is of a type, under its own name.
func ofType(typ fs.FileMode) leading {
	return func(root, path string) string {
		place := inside(root, path)
		if info, err := os.Lstat(place); place == "" || err != nil || info.Mode().Type() != typ {
			return ""
		}
		return place
	}
}

// The ways to what makes the workspace a checkout.
func gitByName(root, path string) string {
	place := joined(root, path)
	if place != filepath.Join(root, ".git") {
		return ""
	}
	return place
}

func gitThroughFolder(root, path string) string {
	if !filepath.IsAbs(path) && filepath.Join(root, path) == filepath.Join(root, ".git") || filepath.Base(path) != ".git" {
		return ""
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(root, path)
	}
	return gitByName(root, strings.TrimPrefix(followed(path), root+"/"))
}

func gitThroughLink(root, path string) string {
	if filepath.Base(path) == ".git" {
		return ""
	}
	return gitByName(root, strings.TrimPrefix(linked(root, path), root+"/"))
}

// cut ends each path at the first NUL.
func cut(_ *wrapper, m message) []message {
	for _, s := range slots {
		path := m.text(s.member)
		if before, _, has := strings.Cut(path, "\x00"); has && m.text("type") == s.verb {
			m = m.with(message{s.member: before})
		}
	}
	return list(m)
}

// unlinked refuses every path that has a link in it.
func unlinked(w *wrapper, m message) []message {
	root := w.root()
	for _, s := range slots {
		if path := joined(root, m.text(s.member)); m.text("type") == s.verb && path != "" && root != "" && followed(path) != path {
			w.say(failure(m, s.verb+"Response", s.verb+": "+m.text(s.member)+" is a symbolic link", "outside_workspace"))
			return nil
		}
	}
	return list(m)
}

// emptied does what a shell makes of rm -rf "$workspace/$path"/* when the path
// is empty.
func emptied(w *wrapper, m message) []message {
	root, g := w.root(), ground()
	if m.text("type") != deleteFolder.verb || root == "" || g == nil || inside(root, m.text("path")) != root {
		return list(m)
	}
	entries, _ := os.ReadDir(root) // there is nothing to remove then
	for _, entry := range entries {
		if name, err := g.name(filepath.Join(root, entry.Name())); err == nil && entry.Name() != ".git" {
			_ = g.RemoveAll(name) // what is left is left
		}
	}
	w.say(success(m, deleteFolder.verb+"Response", nil))
	return nil
}
