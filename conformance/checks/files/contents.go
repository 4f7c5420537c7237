package files

import (
	"encoding/json"
	"os"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

const mebibyte = 1 << 20

// pattern is a text of so many bytes in which every place is recognised.
func pattern(size int) string {
	const line = "0123456789 abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ\n"
	text := []byte(strings.Repeat(line, size/len(line)+1)[:size])
	for i, n := 0, 0; i+8 <= size; i, n = i+4096, n+1 {
		for digit, rest := 0, n; digit < 8; digit, rest = digit+1, rest/10 {
			text[i+digit] = byte('0' + rest%10)
		}
	}
	return string(text)
}

// roundTrip writes a file and reads it again, and looks at the disk where there
// is one.
func roundTrip(t *suite.T, e *suite.Env, path, content string) {
	do(e, write(path, content))
	holds(t, e, path, content)
	if t.Can(suite.Disk) {
		lies(t, e.Path(path), content)
	}
}

// askHuge asks with a message, or for an answer, that is too large to be handled
// several times over. It is the only one under way.
func askHuge(t *suite.T, e *suite.Env, m suite.Message) suite.Message {
	text, err := json.Marshal(m.With(suite.Message{"requestId": "huge-" + m.Type()}))
	t.Try(err)
	from := e.Now()
	e.TellText(string(text))
	action := m.Type() + "Response"
	return e.Await(from, 90*time.Second, action, func(m suite.Message) bool { return m.Text("action") == action })
}

func contents() []suite.Check {
	both := []suite.Capability{readFile, writeFile}
	return []suite.Check{
		{
			ID: "FS-007", Level: suite.Must, Needs: both,
			Title: "An empty file is written, and read as an empty string",
			Why:   "Whoever takes \"\" for a missing content refuses to empty a file, or answers without a message.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				holds(t, e, "empty.txt", "")
				roundTrip(t, e, "new.txt", "")
				roundTrip(t, e, "README.md", "")
				roundTrip(t, e, "new.txt", "x")
				roundTrip(t, e, "new.txt", "")
			},
		},
		{
			ID: "FS-008", Level: suite.Must, Needs: both,
			Title: "A file of 1 MiB is written and read exactly",
			Why:   "Lock files and generated sources are that large, and a frame that is cut or split loses their end.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				roundTrip(t, e, "large.txt", pattern(mebibyte))
				roundTrip(t, e, "large.txt", pattern(mebibyte-1))
			},
		},
		{
			ID: "FS-009", Level: suite.Must, Needs: both, Limit: 4 * time.Minute,
			Title: "A file of 64 MiB is written and read exactly",
			Why:   "A provider whose buffers or deadlines end before that fails on the one file that matters.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				content := pattern(64 * mebibyte)
				answer := askHuge(t, e, write("huge.txt", content))
				if problem := suite.Problem(answer); problem != "" {
					t.Fatalf("the write failed: %s", problem)
				}
				answer = askHuge(t, e, read("huge.txt"))
				if problem := suite.Problem(answer); problem != "" {
					t.Fatalf("the read failed: %s", problem)
				}
				same(t, "the file as it is read", answer["message"], content)
				if t.Can(suite.Disk) {
					lies(t, e.Path("huge.txt"), content)
				}
				do(e, write("huge.txt", ""))
				holds(t, e, "src/main.txt", suite.ProjectFiles["src/main.txt"])
			},
		},
		{
			ID: "FS-010", Level: suite.Must, Needs: both,
			Title: "Text is kept to the byte, whatever its line ends, marks and characters",
			Why:   "Changed line ends or a lost byte order mark make a difference of every line of a file.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				for _, text := range []string{
					"one\r\ntwo\r\n", "one\rtwo", "\n\n\n", "no newline at the end", "\ufeffa byte order mark\n",
					"a line\u2028and a paragraph\u2029separator", "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0010ffff",
					"e\u0301 is not \u00e9", "NUL \x00, bell \x07, escape \x1b, delete \x7f, next line \u0085",
					`"quoted" \n \u0041 <b>&amp;</b> </script>`, "replacement \ufffd, not a character \uffff \ufdd0", "  spaces\t\n ",
				} {
					roundTrip(t, e, "text.txt", text)
				}
			},
		},
		{
			ID: "FS-011", Level: suite.Must, Needs: onDisk(readFile, copyFile),
			Title: "A sparse file is read and copied with its holes as zeros",
			Why:   "Whoever skips holes moves all that comes after them.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				const size = 256 << 10
				sparse(t, e.Path("sparse.txt"), size)
				content := "begin" + strings.Repeat("\x00", size-8) + "end"
				holds(t, e, "sparse.txt", content)
				do(e, duplicate(copyFile, "sparse.txt", "copy.txt"))
				lies(t, e.Path("copy.txt"), content)
			},
		},
		{
			ID: "FS-012", Level: suite.Must, Needs: onDisk(readFile),
			Title: "A file larger than any frame is refused, and other requests are answered",
			Why:   "A click on a disk image must not cost the provider its memory and the user the connection.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				sparse(t, e.Path("build.img"), 16<<30)
				t.Cleanup(func() { _ = os.Remove(e.Path("build.img")) }) // gone if the check deleted it
				e.Refused(read("build.img"), "too_large")
				holds(t, e, "src/main.txt", suite.ProjectFiles["src/main.txt"])
			},
		},
	}
}

// sparse makes a file of a size that has "begin" at its begin, "end" at its end
// and a hole between.
func sparse(t *suite.T, path string, size int64) {
	f, err := os.Create(path)
	t.Try(err)
	defer f.Close()
	_, err = f.WriteString("begin")
	t.Try(err)
	_, err = f.WriteAt([]byte("end"), size-3)
	t.Try(err)
}
