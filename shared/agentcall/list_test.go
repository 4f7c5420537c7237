package agentcall

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// column is one member of each item of a list.
func column(list any, name string) []string {
	all := []string{}
	items, _ := list.([]any)
	for _, item := range items {
		m, _ := item.(map[string]any)
		all = append(all, fmt.Sprint(m[name]))
	}
	return all
}

// text is a list of strings as one line, without the workspace's path.
func (d *desk) text(list any) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(list), "[]"), d.dir+string(os.PathSeparator), "")
}

func TestAFolderIsListedFoldersFirst(t *testing.T) {
	d := newDesk(t)
	for _, name := range []string{"b.txt", "A.txt", "c.log", ".env", "zoo/in", "node_modules/in", ".git/config", "sub/deep/in"} {
		d.file(name, "12345")
	}
	for _, c := range []struct{ message, want, total string }{
		{`{"path":"DIR"}`, "node_modules sub zoo A.txt b.txt c.log", "6 false"},
		{`{"path":""}`, "node_modules sub zoo A.txt b.txt c.log", "6 false"},
		{`{"path":".","show_hidden":true}`, ".git node_modules sub zoo .env A.txt b.txt c.log", "8 false"},
		{`{"path":".","ignore":["*.log","node_modules/","sub"]}`, "zoo A.txt b.txt", "3 false"},
		{`{"path":".","ignore":["DIR/zoo","{A,b}.txt"]}`, "node_modules sub c.log", "3 false"},
		{`{"path":".","limit":2}`, "node_modules sub", "6 true"},
		{`{"path":".","limit":6}`, "node_modules sub zoo A.txt b.txt c.log", "6 false"},
		{`{"path":".","limit":1000000000}`, "node_modules sub zoo A.txt b.txt c.log", "6 false"},
		{`{"path":"sub"}`, "deep", "1 false"},
	} {
		m := d.did("listDirectory", c.message)
		got, total := strings.Join(column(m["entries"], "name"), " "), fmt.Sprint(m["totalCount"], " ", m["hasMore"])
		if got != c.want || total != c.total {
			t.Errorf("%s: %s (%s), want %s (%s)", c.message, got, total, c.want, c.total)
		}
	}
	d.refused("listDirectory", `{"path":"absent"}`, wire.NotFound)
	d.refused("listDirectory", `{"path":"b.txt"}`, wire.Invalid)
	d.refused("listDirectory", `{"path":".","ignore":["["]}`, wire.Invalid)
	d.refused("listDirectory", `{"path":".","limit":-1}`, wire.Invalid)
}

func TestAListDescribesItsEntries(t *testing.T) {
	d := newDesk(t)
	d.file("a", "12345")
	when := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	d.check(os.Chtimes(d.path("a"), when, when))
	want := map[string]any{
		"name": "a", "path": d.path("a"), "isDirectory": false, "type": "file", "size": 5.0,
		"modifiedTime": "2024-05-06T07:08:09.000Z", "isHidden": false,
	}
	if diff := cmp.Diff([]any{want}, d.did("listDirectory", `{"path":"."}`)["entries"]); diff != "" {
		t.Error(diff)
	}
	delete(want, "size")
	delete(want, "modifiedTime")
	if diff := cmp.Diff([]any{want}, d.did("listDirectory", `{"path":".","detailed":false}`)["entries"]); diff != "" {
		t.Error(diff)
	}
	if err := os.Symlink(d.outside, d.path("link")); err != nil {
		t.Skip("no links here:", err)
	}
	d.check(os.Mkdir(d.path("f"), 0o755))
	d.check(os.Symlink("f", d.path("inside")))
	m := d.did("listDirectory", `{"path":"."}`)
	if got := fmt.Sprint(column(m["entries"], "name"), column(m["entries"], "type")); got != "[f inside a link] [directory symlink file symlink]" {
		t.Error(got)
	}
}

func TestFilesAreListedByPath(t *testing.T) {
	d := newDesk(t)
	for _, name := range []string{"b.txt", "sub/deep/in", "sub/a", "node_modules/x/y", ".git/config", ".env"} {
		d.file(name, "")
	}
	for _, c := range []struct{ action, message, want string }{
		{"listFiles", `{"path":"DIR"}`, ".env b.txt node_modules/ sub/"},
		{"listFiles", `{"path":"DIR","options":{"recursive":true}}`, ".env b.txt node_modules/ sub/ sub/a sub/deep/ sub/deep/in"},
		{"fileList", `{"folderPath":"DIR/sub","isRecursive":false}`, "sub/a sub/deep/"},
		{"fileList", `{"folderPath":"sub","isRecursive":true}`, "sub/a sub/deep/ sub/deep/in"},
		{"fileList", `{"folderPath":"node_modules","isRecursive":true}`, "node_modules/x/ node_modules/x/y"},
	} {
		m := d.did(c.action, c.message)
		if got := d.text(m["files"]); got != c.want || m["hasMore"] != false || m["totalCount"] != float64(len(strings.Fields(c.want))) {
			t.Errorf("%s: %s (%v, %v), want %s", c.message, got, m["totalCount"], m["hasMore"], c.want)
		}
	}
	d.refused("listFiles", `{"path":"absent"}`, wire.NotFound)
}

func TestALongListOfFilesIsCut(t *testing.T) {
	d := newDesk(t)
	d.file("sub/in", "")
	for i := range maxFiles {
		d.check(os.WriteFile(d.path(fmt.Sprint("f", i)), nil, 0o644))
	}
	m := d.did("listFiles", `{"path":".","options":{"recursive":true}}`)
	if n := len(m["files"].([]any)); n != maxFiles || m["hasMore"] != true || m["totalCount"] != float64(maxFiles+2) {
		t.Errorf("%d files, totalCount %v, hasMore %v", n, m["totalCount"], m["hasMore"])
	}
	m = d.did("listDirectory", `{"path":"."}`)
	if n := len(m["entries"].([]any)); n != defaultEntries || m["hasMore"] != true {
		t.Errorf("%d entries, hasMore %v", n, m["hasMore"])
	}
}

func TestManyFilesAreRead(t *testing.T) {
	d := newDesk(t)
	for _, name := range []string{"a.ts", "b.md", "sub/c.ts", "sub/deep/d.ts", "sub/c.test.ts", "node_modules/e.ts", "pages/[id].ts", ".git/f.ts"} {
		d.file(name, name)
	}
	d.file("sub/pic.ts", "\x00\xff")
	for _, c := range []struct{ message, want string }{
		{`{"paths":["DIR/a.ts","sub/c.ts"]}`, "a.ts sub/c.ts"},
		{`{"paths":["a.ts","./a.ts","DIR/a.ts","*.ts"],"exclude":["sub","pages"]}`, "a.ts"},
		{`{"paths":["sub"]}`, "sub/c.test.ts sub/c.ts sub/deep/d.ts"},
		{`{"paths":["sub"],"recursive":false}`, "sub/c.test.ts sub/c.ts"},
		{`{"paths":["sub"],"exclude":["*.test.ts"]}`, "sub/c.ts sub/deep/d.ts"},
		{`{"paths":["sub"],"exclude":["deep/**"]}`, "sub/c.test.ts sub/c.ts"},
		{`{"paths":["DIR"],"include":["*.md"]}`, "b.md"},
		{`{"paths":["sub/**/*.ts"]}`, "sub/c.test.ts sub/c.ts sub/deep/d.ts"},
		{`{"paths":["DIR/sub/*.ts"]}`, "sub/c.test.ts sub/c.ts"},
		{`{"paths":["{a,b}.{ts,md}"]}`, "a.ts b.md"},
		{`{"paths":["pages/[id].ts"]}`, "pages/[id].ts"},
		{`{"paths":["node_modules"]}`, "node_modules/e.ts"},
		{`{"paths":["**/e.ts"],"use_default_excludes":false}`, "node_modules/e.ts"},
	} {
		m := d.did("readManyFiles", c.message)
		got := d.text(column(m["results"], "path"))
		if got != c.want || m["totalFailed"] != 0.0 || m["totalSuccessful"] != float64(len(strings.Fields(c.want))) {
			t.Errorf("%s: %s, errors %v, want %s", c.message, got, m["errors"], c.want)
		}
	}
}

func TestReadingManyFilesTellsOfEach(t *testing.T) {
	d := newDesk(t)
	d.file("a", "one\ntwo\n")
	d.file("pic", "\x00\xff")
	m := d.did("readManyFiles", `{"paths":["a","absent","../outside/secret.txt","pic","*.none"],"include_metadata":true}`)
	r := m["results"].([]any)[0].(map[string]any)
	same(t, r, map[string]any{"path": d.path("a"), "content": "one\ntwo\n", "isTruncated": false, "linesShown": []any{1.0, 2.0}, "originalLineCount": 2.0, "size": 8.0})
	if r["modifiedTime"] == nil {
		t.Error("the metadata is missing")
	}
	if got := fmt.Sprint(column(m["errors"], "path")); got != "[absent *.none ../outside/secret.txt pic]" && got != "[absent ../outside/secret.txt *.none pic]" {
		t.Errorf("errors of %s", got)
	}
	same(t, m, map[string]any{
		"totalRequested": 5.0, "totalSuccessful": 1.0, "totalFailed": 4.0,
		"summary": map[string]any{"total": 5.0, "successful": 1.0, "failed": 4.0},
	})
	m = d.refused("readManyFiles", `{"paths":["absent","../outside/secret.txt"]}`, wire.NotFound)
	same(t, m, map[string]any{"totalFailed": 2.0, "totalSuccessful": 0.0, "results": []any{}})
	d.refused("readManyFiles", `{"paths":[]}`, wire.Invalid)
	d.refused("readManyFiles", `{"paths":["*.none"]}`, wire.NotFound)
	d.refused("readManyFiles", `{"paths":["."],"exclude":["["]}`, wire.Invalid)
	if m := d.did("readManyFiles", `{"paths":["[","a"]}`); m["totalFailed"] != 1.0 {
		t.Errorf("a glob that is none: %v", m)
	}
}

func TestReadingManyFilesHasLimits(t *testing.T) {
	d := newDesk(t)
	for i := range defaultMany + 1 {
		d.file(fmt.Sprintf("f%03d", i), "12345")
	}
	for _, c := range []struct {
		message   string
		read      int
		failed    float64
		truncated bool
	}{
		{`{"paths":["."]}`, defaultMany, 0, true},
		{`{"paths":["."],"max_files":1000000000}`, defaultMany + 1, 0, false},
		{`{"paths":["f001","f002","f003"],"max_files":2}`, 2, 1, true},
		{`{"paths":["f001","f002","f003"],"max_total_size":12}`, 2, 1, true},
		{`{"paths":["f00*"],"max_total_size":10}`, 2, 0, true},
		{`{"paths":["f001"],"max_total_size":5}`, 1, 0, false},
	} {
		m := d.did("readManyFiles", c.message)
		if n := len(m["results"].([]any)); n != c.read || m["totalFailed"] != c.failed || m["truncated"] != c.truncated {
			t.Errorf("%s: %d read, %v failed, truncated %v", c.message, n, m["totalFailed"], m["truncated"])
		}
	}
}
