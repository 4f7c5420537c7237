package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// containmentDefects are those of group SC.
func containmentDefects() []defect {
	return slices.Concat(pathDefects(), linkDefects(), raceDefects(), specialDefects(), gitDefects(), commandDefects(), placeDefects())
}

func pathDefects() []defect {
	return []defect{
		{
			Name: "reads-above", Check: "SC-001", Also: []string{"SC-009"},
			Doc:     "joins workspace and path, and reads, lists and copies whatever is there",
			Request: misled(outside(joined), readers...),
		},
		{
			Name: "makes-above", Check: "SC-002", Also: []string{"SC-006", "SC-009"},
			Doc:     "joins workspace and path, and writes whatever is there",
			Request: misled(outside(joined), makers...),
		},
		{
			Name: "removes-above", Check: "SC-003", Also: []string{"SC-006", "SC-009"},
			Doc:     "joins workspace and path, and removes whatever is there",
			Request: misled(outside(joined), removers...),
		},
		{
			Name: "serves-absolute-paths", Check: "SC-004", Also: []string{"SC-005"},
			Doc:     "takes an absolute path as it is",
			Request: misled(outside(absolute), slots...),
		},
		{
			Name: "compares-paths-as-text", Check: "SC-005",
			Doc:     "takes for inside what begins with the text of the workspace's path",
			Request: misled(outside(prefixed), slots...),
		},
		{
			Name: "ends-paths-at-nul", Check: "SC-006",
			Doc:     "hands paths to something that ends them at the first NUL",
			Request: cut,
		},
		{
			Name: "turns-backslashes", Check: "SC-007",
			Doc:     "makes slashes of backslashes after it has looked at a path",
			Request: misled(outside(slashed), slots...),
		},
		{
			Name: "decodes-percent-signs", Check: "SC-008",
			Doc:     "decodes a path after it has looked at it",
			Request: misled(unescaped, slots...),
		},
		{
			Name: "looks-only-at-the-front", Check: "SC-009", Also: []string{"SC-006"},
			Doc:     "refuses paths that begin with ../, and no others",
			Request: misled(outside(fronted), slots...),
		},
	}
}

func linkDefects() []defect {
	follows := func(name, check string, at slot, doc string, also ...string) defect {
		return defect{Name: name, Check: check, Also: also, Doc: "looks at the path and not at where its links lead, and " + doc, Request: misled(outside(linked), at)}
	}
	return []defect{
		follows("reads-through-links", "SC-010", readFile, "reads outside", "SC-025", "SC-038"),
		follows("writes-through-links", "SC-011", writeFile, "writes outside", "SC-026", "SC-038"),
		{
			Name: "writes-through-dangling-links", Check: "SC-011",
			Doc:     "looks where links lead, but not where that does not exist yet",
			Request: misled(outside(dangling), writeFile),
		},
		follows("deletes-through-links", "SC-012", deleteFile, "deletes files outside", "SC-027", "SC-038"),
		follows("deletes-folders-through-links", "SC-013", deleteFolder, "deletes folders outside", "SC-028"),
		follows("moves-from-links", "SC-014", renameFrom, "moves things in from outside", "SC-029"),
		follows("moves-to-links", "SC-015", renameTo, "moves things outside", "SC-029"),
		follows("creates-folders-through-links", "SC-016", createFolder, "creates folders outside", "SC-030"),
		follows("copies-from-links", "SC-017", copyFileFrom, "copies files in from outside", "SC-031", "SC-038"),
		follows("copies-to-links", "SC-018", copyFileTo, "copies files outside", "SC-031"),
		follows("copies-folders-from-links", "SC-019", copyFolderFrom, "copies folders in from outside", "SC-032"),
		follows("copies-folders-to-links", "SC-020", copyFolderTo, "copies folders outside", "SC-032"),
		follows("lists-through-links", "SC-021", listFolder, "lists folders outside", "SC-033"),
		{
			Name: "refuses-every-link", Check: "SC-022",
			Doc:     "refuses a path with a link in it, wherever that leads",
			Request: unlinked,
		},
		{
			Name: "replaces-links", Check: "SC-022",
			Doc:     "puts a file in the place of a link that it is to write to",
			Request: replaces(fs.ModeSymlink),
		},
		{
			Name: "copies-what-links-lead-to", Check: "SC-023",
			Doc:     "copies a folder as cp -rL does",
			Request: misled(laced, copyFolderFrom),
		},
		{
			Name: "writes-in-place", Check: "SC-024",
			Doc:     "opens a file that exists and writes into it",
			Request: misled(inPlace, writeFile),
		},
	}
}

func raceDefects() []defect {
	late := func(name, check string, at ...slot) defect {
		return defect{Name: name, Check: check, Doc: "looks where the path leads, and goes there by the same path afterwards", Request: misled(early, at...)}
	}
	return []defect{
		late("reads-late", "SC-025", readFile),
		late("writes-late", "SC-026", writeFile),
		late("deletes-late", "SC-027", deleteFile),
		late("deletes-folders-late", "SC-028", deleteFolder),
		late("renames-late", "SC-029", renameFrom),
		late("creates-folders-late", "SC-030", createFolder),
		late("copies-late", "SC-031", copyFileFrom),
		late("copies-folders-late", "SC-032", copyFolderFrom),
		late("lists-late", "SC-033", listFolder),
	}
}

func specialDefects() []defect {
	return []defect{
		{
			Name: "waits-for-a-fifo", Check: "SC-034",
			Doc:     "opens a FIFO as it opens a file, and waits until the request's time is over",
			Request: waits(readFile),
		},
		{
			Name: "replaces-sockets", Check: "SC-035",
			Doc:     "puts a file in the place of a socket that it is to write to",
			Request: replaces(fs.ModeSocket),
		},
		{
			Name: "reads-devices", Check: "SC-036",
			Doc:     "reads a device as it reads a file",
			Request: misled(ofType(fs.ModeDevice|fs.ModeCharDevice), readFile),
		},
		{
			Name: "waits-in-lists", Check: "SC-037",
			Doc:     "opens every item of a folder to tell its size, FIFOs too",
			Request: waits(listFolder),
		},
		{
			Name: "reads-proc", Check: "SC-038",
			Doc:     "reads files of /proc, where links lead there",
			Request: readsProc,
		},
	}
}

// patience is the time that a request has.
const patience = 9 * time.Second

// waits makes a Request hook that waits for the other end of a FIFO: the one
// that is asked for, or one in the folder that is.
func waits(at slot) func(*wrapper, message) []message {
	return func(w *wrapper, m message) []message {
		place := inside(w.root(), m.text(at.member))
		if m.text("type") != at.verb || place == "" {
			return list(m)
		}
		items, _ := filepath.Glob(filepath.Join(place, "*")) // a fixed pattern
		for _, path := range append(items, place) {
			if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
				time.AfterFunc(patience, func() {
					w.say(failure(m, at.verb+"Response", at.verb+": the time is over", "timeout"))
				})
				return nil
			}
		}
		return list(m)
	}
}

// replaces makes a Request hook that removes what is of a type before the
// provider writes there, as renaming a finished file to its name does.
func replaces(typ fs.FileMode) func(*wrapper, message) []message {
	return request(writeFile.verb, func(w *wrapper, m message) message {
		if g := ground(); g != nil {
			if name, err := g.name(ofType(typ)(w.root(), m.text("path"))); err == nil {
				_ = g.Remove(name) // the write fails then
			}
		}
		return m
	})
}

// readsProc reads what tells nothing that is secret.
func readsProc(w *wrapper, m message) []message {
	root := w.root()
	target, err := os.Readlink(filepath.Join(root, m.text("path")))
	if m.text("type") != readFile.verb || root == "" || err != nil || target != "/proc/self/status" {
		return list(m)
	}
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return list(m)
	}
	w.say(success(m, readFile.verb+"Response", string(data)))
	return nil
}

func gitDefects() []defect {
	return []defect{
		{
			Name: "writes-dot-git", Check: "SC-039",
			Doc:     "takes .git for a name like any other",
			Request: misled(gitByName, writeFile),
		},
		{
			Name: "looks-at-the-first-name", Check: "SC-040",
			Doc:     "keeps away from .git only where it is the first name of the path",
			Request: misled(gitThroughFolder, writeFile),
		},
		{
			Name: "writes-where-a-link-to-dot-git-leads", Check: "SC-041",
			Doc:     "looks for .git in the path, and not in where it leads",
			Request: misled(gitThroughLink, writeFile),
		},
		{
			Name: "empties-the-workspace", Check: "SC-042", Also: []string{"FS-041"},
			Doc:     "takes an empty path for the workspace, and deletes what is in it",
			Request: emptied,
		},
	}
}

func placeDefects() []defect {
	return []defect{
		{
			Name: "proposes-by-raw-name", Check: "SC-048",
			Doc: "joins the folder of environments and the name",
			Reply: reply("providerProspectivePath", func(_ *wrapper, request, m message) message {
				data := m.object("data")
				path := data.text("environmentPath")
				if path == "" {
					return m
				}
				raw := data.with(message{"environmentPath": filepath.Join(filepath.Dir(path), request.text("environmentName"))})
				return m.with(message{"data": map[string]any(raw), "message": map[string]any(raw)})
			}),
		},
		{
			Name: "is-made-in-dot-git", Check: "SC-049",
			Doc: "makes an environment below the project's .git, when told to",
			Reply: reply("providerStart", func(_ *wrapper, request, m message) message {
				path := request.text("environmentPath")
				if m.text("error") == "" || !strings.Contains(path, "/.git/") {
					return m
				}
				return success(request, "providerStartResponse", map[string]any{
					"success": true, "environmentName": request.text("environmentName"), "workspacePath": path,
				})
			}),
		},
		{
			Name: "leaves-files-where-it-may-not-be", Check: "SC-049",
			Doc: "begins to fill a folder before it finds that other things are there",
			Reply: reply("providerStart", func(_ *wrapper, request, m message) message {
				g := ground()
				path := filepath.Join(request.text("environmentPath"), "codebolt.json")
				if m.text("error") == "" || !filepath.IsAbs(path) || g == nil {
					return m
				}
				if name, err := g.name(path); err == nil {
					_ = g.WriteFile(name, []byte("{}\n"), 0o600) // where there is no folder nothing is left
				}
				return m
			}),
		},
	}
}
