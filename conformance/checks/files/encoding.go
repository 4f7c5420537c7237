package files

import (
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"strings"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// binaries are contents that are no UTF-8.
var binaries = map[string]string{
	"latin1.txt":    "caf\xe9\n",
	"cut.txt":       "half a character \xf0\x9f\x98",
	"overlong.txt":  "\xc0\xaf",
	"surrogate.txt": "\xed\xa0\x80",
	"image.png":     "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\xff\xfe",
}

var inBase64 = suite.Message{"encoding": "base64"}

// encoded is a write of bytes in base64.
func encoded(path, content string) suite.Message {
	return write(path, base64.StdEncoding.EncodeToString([]byte(content))).With(inBase64)
}

func encoding() []suite.Check {
	both := []suite.Capability{readFile, writeFile, suite.Base64}
	return []suite.Check{
		{
			ID: "FS-013", Level: suite.Must, Needs: []suite.Capability{readFile},
			Title: "Bytes that are no UTF-8 are refused as text, and the error says how to get them",
			Why:   "Text with replacement characters looks right, and saving it destroys the file.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				for path, content := range binaries {
					if t.Can(suite.Disk) {
						put(t, e.Path(path), content)
					} else {
						t.Need(suite.Base64)
						do(e, encoded(path, content))
					}
					problem := suite.Problem(e.Refused(read(path), "invalid"))
					if !strings.Contains(problem, path) {
						t.Errorf("the error does not name the file %s: %q", path, problem)
					}
					if t.Can(suite.Base64) && !strings.Contains(problem, "base64") {
						t.Errorf("the error does not say to ask with base64: %q", problem)
					}
				}
			},
		},
		{
			ID: "FS-014", Level: suite.Must, Needs: both,
			Title: "With the encoding base64 a file is read as an object of encoding and content",
			Why:   "Images and archives can be shown and carried only if their bytes arrive as they are.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				for path, content := range binaries {
					if t.Can(suite.Disk) {
						put(t, e.Path(path), content)
					} else {
						do(e, encoded(path, content))
					}
				}
				all := maps.Clone(binaries)
				all["src/main.txt"], all["empty.txt"] = suite.ProjectFiles["src/main.txt"], ""
				for path, content := range all {
					t.Equal(fmt.Sprintf("%s in base64", path), e.Result(read(path).With(inBase64)),
						map[string]any{"encoding": "base64", "content": base64.StdEncoding.EncodeToString([]byte(content))})
				}
			},
		},
		{
			ID: "FS-015", Level: suite.Must, Needs: both,
			Title: "With the encoding base64 a file is written as the bytes that the content stands for",
			Why:   "An image that was stored as its base64 text is no image.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				every := make([]byte, 256<<10)
				for i := range every {
					every[i] = byte(i * 7 >> (i / 256 % 8))
				}
				for _, content := range []string{"plain text\n", "\xff", "\xff\x00", "\xff\x00\xfe", "", string(every)} {
					do(e, encoded("bytes.bin", content))
					got, _ := e.Result(read("bytes.bin").With(inBase64)).(map[string]any)
					same(t, "bytes.bin in base64", got["content"], base64.StdEncoding.EncodeToString([]byte(content)))
					if t.Can(suite.Disk) {
						lies(t, e.Path("bytes.bin"), content)
					}
				}
				do(e, encoded("bytes.bin", "plain text\n"))
				holds(t, e, "bytes.bin", "plain text\n")
			},
		},
		{
			ID: "FS-016", Level: suite.Must, Needs: both,
			Title: "What is no base64, and an encoding that nobody knows, are refused and change nothing",
			Why:   "Half-decoded bytes in place of a file, or text in place of bytes, are found when it is too late.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				for _, content := range []string{"not base64!", "YWJj*", "YW", "YWJjZA=", "====", "caf\u00e9"} {
					e.Refused(write("src/main.txt", content).With(inBase64), "invalid")
					e.Refused(write("new.bin", content).With(inBase64), "invalid")
				}
				e.Refused(write("src/main.txt", "text").With(suite.Message{"encoding": "rot13"}), "invalid")
				e.Refused(read("src/main.txt").With(suite.Message{"encoding": "rot13"}), "invalid")
				holds(t, e, "src/main.txt", suite.ProjectFiles["src/main.txt"])
				e.Refused(read("new.bin"), "not_found")
				if t.Can(suite.Disk) {
					if _, err := os.Lstat(e.Path("new.bin")); err == nil {
						t.Errorf("a write that was refused made the file")
					}
				}
			},
		},
	}
}
