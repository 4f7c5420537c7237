package main

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	// buffered is how much some buffer holds.
	buffered = mebibyte
	// block is the size below which a hole in a file is none.
	block    = 4096
	gibibyte = 1 << 30
)

// readText makes a Reply hook that changes what a file is read as.
func readText(change func(text string) string) func(*wrapper, message, message) []message {
	return reply("providerReadFile", func(_ *wrapper, _, m message) message {
		text, is := m["message"].(string)
		if !is {
			return m
		}
		return m.result(change(text))
	})
}

// writtenText makes a Request hook that changes what is written.
func writtenText(change func(m message) message) func(*wrapper, message) []message {
	return request("providerWriteFile", func(_ *wrapper, m message) message { return change(m) })
}

func contentDefects() []defect {
	writes := []string{"providerWriteFile"}
	return []defect{
		{
			Name: "takes-an-empty-content-for-none", Check: "FS-007", Also: []string{"FS-009", "FS-015"},
			Doc: "looks whether there is a content as one looks whether a string is true",
			Request: refuses("invalid", "content is missing", writes, func(_ *wrapper, m message) bool {
				content, given := m["content"].(string)
				return given && content == ""
			}),
		},
		{
			Name: "loses-the-last-byte-of-a-full-buffer", Check: "FS-008",
			Doc: "keeps the last byte of a buffer for a NUL, so that a file that fills it loses one",
			Reply: readText(func(text string) string {
				if len(text) == buffered {
					return text[:buffered-1]
				}
				return text
			}),
		},
		{
			Name: "takes-frames-of-32-mebibytes", Check: "FS-009",
			Doc: "refuses a write that does not fit a frame of 32 MiB",
			Request: refuses("too_large", "the frame is too large", writes, func(_ *wrapper, m message) bool {
				return len(m.frame()) > 32*mebibyte
			}),
		},
		{
			Name: "writes-unix-lines", Check: "FS-010",
			Doc: "makes one kind of ends of lines of all that it writes",
			Request: writtenText(func(m message) message {
				if content := m.text("content"); strings.Contains(content, "\r\n") {
					return m.with(message{"content": strings.ReplaceAll(content, "\r\n", "\n")})
				}
				return m
			}),
		},
		{
			Name: "skips-holes", Check: "FS-011",
			Doc:   "reads what a sparse file has, one piece after another, without what is between",
			Reply: readText(func(text string) string { return strings.ReplaceAll(text, strings.Repeat("\x00", block), "") }),
		},
		{
			Name: "reads-nothing-of-large-files", Check: "FS-012",
			Doc: "answers with an empty text when a file is too large to be read",
			Request: request("providerReadFile", func(w *wrapper, m message) message {
				name := spot(w, m.text("path"))
				if name == "" {
					return m
				}
				if info, err := ground().Stat(name); err != nil || info.Size() < gibibyte {
					return m
				}
				w.say(success(m, "providerReadFileResponse", ""))
				return nil
			}),
		},
	}
}

// notBase64 is what no base64 has.
var notBase64 = regexp.MustCompile(`[^A-Za-z0-9+/]`)

func encodingDefects() []defect {
	return []defect{
		{
			Name: "replaces-what-is-no-text", Check: "FS-013",
			Doc: "reads a file that is no UTF-8 with replacement characters in it",
			Reply: reply("providerReadFile", func(w *wrapper, asked, m message) message {
				name := spot(w, asked.text("path"))
				if name == "" || asked["encoding"] != nil || m.text("code") != "invalid" {
					return m
				}
				data, err := ground().read(name)
				if err != nil || utf8.Valid(data) {
					return m
				}
				return success(asked, "providerReadFileResponse", strings.ToValidUTF8(string(data), "\ufffd"))
			}),
		},
		{
			Name: "does-not-tell-the-encoding", Check: "FS-014",
			Doc: "answers in base64 without saying that it is that",
			Reply: reply("providerReadFile", func(_ *wrapper, _, m message) message {
				if result := m.object("message"); result != nil {
					return m.result(map[string]any{"content": result["content"]})
				}
				return m
			}),
		},
		{
			Name: "writes-base64-as-text", Check: "FS-015",
			Doc: "looks whether a content is base64, and writes it as it came",
			Request: writtenText(func(m message) message {
				if _, err := base64.StdEncoding.DecodeString(m.text("content")); err == nil && m.text("encoding") == "base64" {
					return m.with(message{"encoding": nil})
				}
				return m
			}),
		},
		{
			Name: "decodes-what-it-can", Check: "FS-016",
			Doc: "leaves out what is no base64, as Buffer.from of Node does",
			Request: writtenText(func(m message) message {
				if m.text("encoding") != "base64" {
					return m
				}
				content, _, _ := strings.Cut(m.text("content"), "=")
				content = notBase64.ReplaceAllString(content, "")
				if len(content)%4 == 1 {
					content = content[:len(content)-1]
				}
				data, _ := base64.RawStdEncoding.DecodeString(content) // it is made so that it decodes
				return m.with(message{"content": base64.StdEncoding.EncodeToString(data)})
			}),
		},
	}
}

func writeDefects() []defect {
	return []defect{
		{
			Name: "makes-one-folder-at-a-time", Check: "FS-031",
			Doc: "does not make a folder where there is none to make it in",
			Request: refuses("not_found", "the folder above does not exist", []string{createFolder.verb}, func(w *wrapper, m message) bool {
				return orphaned(w, m.text(createFolder.member))
			}),
		},
		complains(defect{
			Name: "makes-folders-once", Check: "FS-032", Doc: "finds an error in a folder that is there already",
		}, createFolder, "exists", "the folder exists", func(g *grounds, name string) bool { return !absent(g, name) }),
		{
			Name: "gives-every-file-the-same-mode", Check: "FS-033",
			Doc:   "gives what it writes the mode of a new file",
			Reply: afterwards(writeFile, "", func(_ *wrapper, g *grounds, name string, _ message) { _ = g.Chmod(name, 0o644) }),
		},
		{
			Name: "writes-half-by-half", Check: "FS-034", Also: []string{"FS-036", "FS-062"},
			Doc:     "empties a file that it is to write, and fills it piece by piece",
			Request: halves,
		},
		{
			Name: "leaves-its-temporary-file", Check: "FS-035",
			Doc: "copies to a temporary file beside the target, and leaves it there when the target exists",
			Reply: afterwards(copyFileTo, "exists", func(_ *wrapper, g *grounds, name string, _ message) {
				_ = g.WriteFile(name+".tmp-1", nil, 0o600) // as it would fail itself
			}),
		},
		{
			Name: "loses-the-old-content-on-a-full-disk", Check: "FS-036",
			Doc: "empties a file before it knows whether there is room for what it is to write",
			Reply: afterwards(writeFile, "unavailable", func(_ *wrapper, g *grounds, name string, _ message) {
				if file, err := g.OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0); err == nil {
					_ = file.Close()
				}
			}),
		},
	}
}

// orphaned reports that the folder of a path below the workspace is not there.
func orphaned(w *wrapper, path string) bool {
	name := spot(w, path)
	return name != "" && absent(ground(), filepath.Dir(name))
}

// halves writes what exists in two halves.
func halves(w *wrapper, m message) []message {
	content, name := m.text("content"), spot(w, m.text("path"))
	if m.text("type") != writeFile.verb || m["encoding"] != nil || len(content) < 2*block || name == "" {
		return list(m)
	}
	file, err := ground().OpenFile(name, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return list(m)
	}
	defer file.Close()
	for _, half := range []string{content[:len(content)/2], content[len(content)/2:]} {
		if _, err := file.WriteString(half); err != nil {
			return list(m)
		}
	}
	w.say(success(m, writeFile.verb+"Response", nil))
	return nil
}
