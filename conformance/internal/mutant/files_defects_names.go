package main

import (
	"fmt"
	"path"
	"strings"
	"unicode"
)

// nameMost is how many bytes a name may have.
const nameMost = 255

func nameDefects() []defect {
	const suffix = ".tmp-12345678"
	return []defect{
		{
			Name: "trims-paths", Check: "FS-017", Request: respelt(strings.TrimSpace),
			Doc: "takes spaces at the ends of a path for an oversight",
		},
		{
			Name: "refuses-invisible-characters", Check: "FS-018",
			Doc: "refuses names with characters that cannot be seen, though words and pictures are joined by them",
			Request: refusesPaths("invalid", "an invisible character", fileVerbs, func(path string) bool {
				return strings.ContainsFunc(path, func(r rune) bool { return unicode.Is(unicode.Cf, r) })
			}),
		},
		{
			Name: "composes-names", Check: "FS-019", Request: respelt(strings.NewReplacer("e\u0301", "\u00e9").Replace),
			Doc: "normalises the names that it is given",
		},
		{
			Name: "needs-room-for-a-suffix", Check: "FS-020",
			Doc: "adds to the name of a temporary file, and fails where that makes it too long",
			Request: refusesPaths("invalid", "the name is too long", []string{writeFile.verb}, func(path string) bool {
				return longest(path)+len(suffix) > nameMost
			}),
		},
		{
			Name: "shortens-names", Check: "FS-021", Also: []string{"FS-035"},
			Doc: "cuts a name that is too long",
			Request: respelt(func(path string) string {
				names := strings.Split(path, "/")
				for i, name := range names {
					names[i] = name[:min(len(name), nameMost)]
				}
				return strings.Join(names, "/")
			}),
		},
		{
			Name: "dies-of-long-paths", Check: "FS-022",
			Doc: "ends when a path does not fit the buffer for it",
			Request: func(w *wrapper, m message) []message {
				for _, path := range pathsOf(m) {
					if len(path) > 4096 {
						w.die(2)
					}
				}
				return list(m)
			},
		},
		{
			Name: "reads-root-as-the-workspace", Check: "FS-023",
			Doc: "takes root for the workspace in every request",
			Request: respelt(func(path string) string {
				if path == "root" {
					return "."
				}
				return path
			}),
		},
		{
			Name: "takes-only-clean-paths", Check: "FS-024",
			Doc: "refuses a path that could be spelt shorter",
			Request: refusesPaths("invalid", "not a clean path", changers, func(text string) bool {
				clean := path.Clean(text)
				return text != "" && clean != text && clean != "." && !strings.HasPrefix(clean, "..")
			}),
		},
	}
}

func refusalDefects() []defect {
	return []defect{
		{
			Name: "copies-what-is-not-there", Check: "FS-025",
			Doc: "takes a copy of nothing for done",
			Reply: reply("providerCopyFile", func(_ *wrapper, asked, m message) message {
				if m.text("code") != "not_found" {
					return m
				}
				return success(asked, "providerCopyFileResponse", nil)
			}),
		},
		{
			Name: "writes-over-empty-folders", Check: "FS-026",
			Doc: "makes way for a file by removing the empty folder of its name",
			Request: beforehand(writeFile, func(_ *wrapper, g *grounds, name string, _ message) {
				if info, err := g.Lstat(name); err == nil && info.IsDir() {
					_ = g.Remove(name) // one that is not empty stays
				}
			}),
		},
		{
			Name: "deletes-files-as-folders", Check: "FS-027",
			Doc: "deletes whatever there is when it is to delete a folder, as rm -rf does",
			Request: request("providerDeleteFolder", func(w *wrapper, m message) message {
				name := spot(w, m.text("path"))
				if name == "" {
					return m
				}
				if info, err := ground().Lstat(name); err != nil || !info.Mode().IsRegular() || ground().Remove(name) != nil {
					return m
				}
				w.say(success(m, "providerDeleteFolderResponse", nil))
				return nil
			}),
		},
		{
			Name: "renames-over-files", Check: "FS-028",
			Doc: "replaces what is there by a rename, as rename(2) does",
			Request: request("providerRenameItem", func(_ *wrapper, m message) message {
				if _, said := m["overwrite"]; said {
					return m
				}
				return m.with(message{"overwrite": true})
			}),
		},
		{
			Name: "takes-a-missing-content-for-an-empty-one", Check: "FS-029",
			Doc: "writes an empty file when there is no content",
			Request: writtenText(func(m message) message {
				if _, given := m["content"]; given {
					return m
				}
				return m.with(message{"content": ""})
			}),
		},
		{
			Name: "makes-texts-of-everything", Check: "FS-030",
			Doc: "makes a string of a path and of a content, whatever they are",
			Request: func(_ *wrapper, m message) []message {
				for _, member := range []string{"path", "content", "oldPath", "newPath", "sourcePath", "destinationPath"} {
					switch value := m[member].(type) {
					case nil, string:
					case map[string]any:
						m = m.with(message{member: "[object Object]"})
					default:
						m = m.with(message{member: fmt.Sprint(value)})
					}
				}
				return list(m)
			},
		},
	}
}
