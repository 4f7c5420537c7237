package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// copied is how much of a file a copy has that stops after one buffer.
const copied = 256 << 10

func deletionDefects() []defect {
	return []defect{
		{
			Name: "deletes-backups-too", Check: "FS-037",
			Doc:   "deletes what it takes for the backup of a file along with it",
			Reply: afterwards(deleteFile, "", func(_ *wrapper, g *grounds, name string, _ message) { _ = g.Remove(name + ".bak") }),
		},
		{
			Name: "deletes-what-begins-alike", Check: "FS-038",
			Doc: "deletes folder* when it is to delete the folder",
			Reply: afterwards(deleteFolder, "", func(_ *wrapper, g *grounds, name string, _ message) {
				items, _ := fs.ReadDir(g.FS(), filepath.Dir(name)) // there are none in a folder that is gone
				for _, item := range items {
					if strings.HasPrefix(item.Name(), filepath.Base(name)) && item.Name() != ".git" {
						_ = g.RemoveAll(filepath.Join(filepath.Dir(name), item.Name())) // what is left is left
					}
				}
			}),
		},
		complains(defect{
			Name: "deletes-folders-once", Check: "FS-039", Doc: "finds an error in a folder that is gone already",
		}, deleteFolder, "not_found", "there is no such folder", absent),
		{
			Name: "deletes-what-links-lead-to", Check: "FS-040",
			Doc: "deletes along with a link the file of the workspace that it leads to",
			Request: beforehand(deleteFile, func(w *wrapper, g *grounds, name string, m message) {
				target, err := g.Readlink(name)
				if err != nil || filepath.IsAbs(target) {
					return
				}
				if name = spot(w, filepath.Join(filepath.Dir(m.text("path")), target)); name == "" {
					return
				}
				if info, err := g.Lstat(name); err == nil && info.Mode().IsRegular() {
					_ = g.Remove(name)
				}
			}),
		},
		{
			Name: "resolves-dots-late", Check: "FS-041",
			Doc: "looks for the workspace in the path as it is spelt, and empties it under another spelling",
			Request: func(w *wrapper, m message) []message {
				if !strings.Contains(m.text("path"), "/..") {
					return list(m)
				}
				return emptied(w, m)
			},
		},
	}
}

func copyDefects() []defect {
	return []defect{
		{
			Name: "copies-one-buffer", Check: "FS-042",
			Doc: "copies of a file what one buffer holds",
			Reply: afterwards(copyFileTo, "", func(_ *wrapper, g *grounds, name string, _ message) {
				file, err := g.OpenFile(name, os.O_WRONLY, 0)
				if err != nil {
					return
				}
				defer file.Close()
				if info, err := file.Stat(); err == nil && info.Size() > copied {
					_ = file.Truncate(copied)
				}
			}),
		},
		{
			Name: "copies-no-empty-folders", Check: "FS-043",
			Doc: "copies a folder as git does, without its empty folders",
			Reply: afterwards(copyFolderTo, "", func(_ *wrapper, g *grounds, name string, _ message) {
				var folders []string
				_ = fs.WalkDir(g.FS(), name, func(path string, item fs.DirEntry, err error) error {
					if err == nil && item.IsDir() && path != name {
						folders = append(folders, path)
					}
					return nil
				})
				for _, folder := range slices.Backward(folders) {
					_ = g.Remove(folder) // those that are not empty stay
				}
			}),
		},
		{
			Name: "copies-without-modes", Check: "FS-044",
			Doc:   "gives a copy the mode of a new file",
			Reply: afterwards(copyFileTo, "", func(_ *wrapper, g *grounds, name string, _ message) { _ = g.Chmod(name, 0o644) }),
		},
		{
			Name: "copies-folders-into-themselves", Check: "FS-045",
			Doc: "takes a copy of a folder into itself for done",
			Reply: reply("providerCopyFolder", func(_ *wrapper, asked, m message) message {
				if m.text("code") != "invalid" || !strings.HasPrefix(filepath.Clean(asked.text("destinationPath")), asked.text("sourcePath")+"/") {
					return m
				}
				return success(asked, "providerCopyFolderResponse", nil)
			}),
		},
	}
}

func moveDefects() []defect {
	return []defect{
		{
			Name: "moves-what-a-star-finds", Check: "FS-046",
			Doc: "moves of a folder what is not hidden, as mv folder/* does, and removes the rest",
			Reply: afterwards(renameTo, "", func(_ *wrapper, g *grounds, name string, _ message) {
				items, _ := fs.ReadDir(g.FS(), name) // a file has none
				for _, item := range items {
					if strings.HasPrefix(item.Name(), ".") && item.Name() != ".git" {
						_ = g.RemoveAll(filepath.Join(name, item.Name())) // what is left is left
					}
				}
			}),
		},
		{
			Name: "copies-into-folders-that-are-there", Check: "FS-047",
			Doc: "does not copy a file to where there is no folder",
			Request: refuses("not_found", "the folder above does not exist", []string{copyFileTo.verb}, func(w *wrapper, m message) bool {
				return orphaned(w, m.text(copyFileTo.member))
			}),
		},
		{
			Name: "overwrites-folders", Check: "FS-048",
			Doc: "replaces a folder too, when it may replace a file",
			Request: beforehand(renameTo, func(_ *wrapper, g *grounds, name string, m message) {
				if info, err := g.Lstat(name); err == nil && info.IsDir() && m["overwrite"] == true {
					_ = g.RemoveAll(name) // the rename fails then
				}
			}),
		},
	}
}
