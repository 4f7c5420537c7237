package main

import (
	"cmp"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	treeVerb    = "providerGetTreeChildren"
	projectVerb = "providerGetFullProject"
)

// lists makes a Reply hook that changes what is in a folder, or for nil gives
// an error.
func lists(change func(w *wrapper, folder string, items []any) []any) func(*wrapper, message, message) []message {
	return func(w *wrapper, asked, m message) []message {
		items, is := m["message"].([]any)
		verb, folder := asked.text("type"), asked.text("path")
		switch {
		case !is || verb != treeVerb && verb != projectVerb:
			return list(m)
		case verb == projectVerb || folder == "root" || folder == "/":
			folder = "."
		}
		if items = change(w, folder, items); items == nil {
			return list(failure(asked, verb+"Response", verb+": "+folder+" is no folder", "invalid"))
		}
		return list(m.result(items))
	}
}

// entry is an item of a list.
func entry(item any) message {
	object, _ := item.(map[string]any)
	return object
}

func listDefects() []defect {
	return []defect{
		{
			Name: "counts-characters", Check: "FS-049",
			Doc: "gives the size of a file in characters",
			Reply: lists(func(w *wrapper, folder string, items []any) []any {
				for _, item := range items {
					name, size := spot(w, path.Join(folder, entry(item).text("name"))), entry(item)["size"]
					if name == "" || entry(item)["isFolder"] == true {
						continue
					}
					if data, err := ground().read(name); err == nil && size == float64(len(data)) {
						entry(item)["size"] = utf8.RuneCount(data)
					}
				}
				return items
			}),
		},
		{
			Name: "sorts-by-bytes", Check: "FS-050",
			Doc: "sorts names by their bytes, capital letters first",
			Reply: lists(func(_ *wrapper, _ string, items []any) []any {
				slices.SortStableFunc(items, func(a, b any) int {
					if entry(a)["isFolder"] != entry(b)["isFolder"] {
						return 0
					}
					return cmp.Compare(entry(a).text("name"), entry(b).text("name"))
				})
				return items
			}),
		},
		{
			Name: "hides-settings", Check: "FS-051",
			Doc: "hides .env, for there may be secrets in it",
			Reply: lists(func(_ *wrapper, _ string, items []any) []any {
				return slices.DeleteFunc(items, func(item any) bool { return entry(item).text("name") == ".env" })
			}),
		},
		{
			Name: "gives-up-at-broken-links", Check: "FS-052",
			Doc: "shows nothing of a folder in which one item cannot be looked at",
			Reply: lists(func(w *wrapper, folder string, items []any) []any {
				name := spot(w, folder)
				if name == "" {
					return items
				}
				dir, err := ground().Open(name)
				if err != nil {
					return items
				}
				defer dir.Close()
				names, _ := dir.Readdirnames(-1) // a file has none
				for _, item := range names {
					if _, err := ground().Stat(filepath.Join(name, item)); err != nil {
						return []any{}
					}
				}
				return items
			}),
		},
		{
			Name: "does-not-know-the-slash", Check: "FS-053",
			Doc: "looks for a folder of the name /, which is not there",
			Request: request(treeVerb, func(w *wrapper, m message) message {
				if m.text("path") != "/" {
					return m
				}
				w.say(success(m, treeVerb+"Response", []any{}))
				return nil
			}),
		},
		{
			Name: "makes-ids-of-paths-as-given", Check: "FS-054",
			Doc: "makes the id of an item of the path that it was asked for and the name",
			Reply: lists(func(_ *wrapper, folder string, items []any) []any {
				if clean := path.Clean(folder); clean == "." || path.IsAbs(folder) {
					return items
				}
				for _, item := range items {
					entry(item)["id"] = folder + "/" + entry(item).text("name")
				}
				return items
			}),
		},
		{
			Name: "refuses-to-list-files", Check: "FS-055",
			Doc: "finds an error in a list of a file",
			Reply: lists(func(w *wrapper, folder string, items []any) []any {
				if name := spot(w, folder); name != "" {
					if info, err := ground().Lstat(name); err == nil && info.Mode().IsRegular() {
						return nil
					}
				}
				return items
			}),
		},
		{
			Name: "cuts-long-lists", Check: "FS-056",
			Doc: "shows 50,000 items of a folder that has too many, and does not say so",
			Reply: reply(treeVerb, func(w *wrapper, asked, m message) message {
				name := spot(w, asked.text("path"))
				if name == "" || m.text("code") != "too_large" {
					return m
				}
				items, err := ground().list(name, filepath.Join(w.root(), asked.text("path")))
				if err != nil {
					return m
				}
				return success(asked, treeVerb+"Response", items[:min(len(items), 50_000)])
			}),
		},
	}
}

func projectDefects() []defect {
	return []defect{
		{
			Name: "tells-the-whole-project-always", Check: "FS-057",
			Doc: "lists all levels of the project, though nobody asked for them",
			Request: request(projectVerb, func(_ *wrapper, m message) message {
				if m["recursive"] == true {
					return m
				}
				return m.with(message{"recursive": true})
			}),
		},
		{
			Name: "forgets-hidden-files", Check: "FS-058",
			Doc: "leaves out of the folders of the whole project the files that begin with a dot, which a list of the folder has",
			Reply: reply(projectVerb, func(_ *wrapper, _, m message) message {
				result := m.object("message")
				items, is := result["entries"].([]any)
				if !is {
					return m
				}
				items = slices.DeleteFunc(items, func(item any) bool {
					e := entry(item)
					return strings.Contains(e.text("id"), "/") && strings.HasPrefix(e.text("name"), ".") && e["isFolder"] == false
				})
				return m.result(map[string]any(result.with(message{"entries": items})))
			}),
		},
		{
			Name: "goes-as-deep-as-it-gets", Check: "FS-059",
			Doc: "does not look at maxDepth",
			Request: request(projectVerb, func(_ *wrapper, m message) message {
				if m["maxDepth"] == nil {
					return m
				}
				return m.with(message{"maxDepth": nil})
			}),
		},
	}
}
