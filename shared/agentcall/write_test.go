package agentcall

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestAWriteSaysWhatItChanged(t *testing.T) {
	d := newDesk(t)
	same(t, d.did("createFile", `{"filePath":"a/b.txt","content":"one\ntwo\n"}`), map[string]any{
		"type": "createFileResponse", "path": d.path("a/b.txt"), "created": true, "isNewFile": true, "bytesWritten": 8.0,
		"originalContent": "", "newContent": "one\ntwo\n",
		"diff": "Index: b.txt\n" + strings.Repeat("=", 67) + "\n--- b.txt\tOriginal\n+++ b.txt\tWritten\n@@ -0,0 +1,2 @@\n+one\n+two\n",
	})
	m := d.did("createFile", `{"filePath":"a/b.txt","content":"one\n2\n"}`)
	same(t, m, map[string]any{
		"created": false, "isNewFile": false, "bytesWritten": 6.0, "originalContent": "one\ntwo\n", "newContent": "one\n2\n",
		"diff": "Index: b.txt\n" + strings.Repeat("=", 67) + "\n--- b.txt\tOriginal\n+++ b.txt\tWritten\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n",
	})
	if _, has := m["diffTruncated"]; has {
		t.Error("a small diff says that it is truncated")
	}
	m = d.did("writeToFile", `{"relPath":"a/b.txt","newContent":""}`)
	same(t, m, map[string]any{"originalContent": "one\n2\n", "newContent": "", "bytesWritten": 0.0, "isNewFile": false})
	if m["result"] == "" {
		t.Error("there is no result")
	}
	same(t, d.did("updateFile", `{"path":"a/b.txt","content":"new"}`), map[string]any{"updated": true, "bytesWritten": 3.0})
	if got := d.content("a/b.txt"); got != "new" {
		t.Errorf("the file holds %q", got)
	}
}

func TestAnUpdateMakesNoFile(t *testing.T) {
	d := newDesk(t)
	d.refused("updateFile", `{"path":"a.txt","content":"x"}`, wire.NotFound)
	d.refused("smartEdit", `{"filePath":"a.txt","oldString":"x","newString":"y"}`, wire.NotFound)
	if _, err := os.Stat(d.path("a.txt")); err == nil {
		t.Error("it did")
	}
}

func TestAWriteWithoutContentIsRefused(t *testing.T) {
	d := newDesk(t)
	d.file("a", "a")
	d.refused("createFile", `{"filePath":"a"}`, wire.Invalid)
	d.refused("updateFile", `{"path":"a","content":null}`, wire.Invalid)
	d.refused("createFile", `{"content":"x"}`, wire.Invalid)
	d.refused("createFile", `{"filePath":".","content":"x"}`, wire.Invalid)
	d.refused("createFile", `{"filePath":".git/config","content":"x"}`, wire.Permission)
	if got := d.content("a"); got != "a" {
		t.Errorf("the file holds %q", got)
	}
}

func TestWhatIsNoTextIsWrittenInBase64(t *testing.T) {
	d := newDesk(t)
	d.file("b", "\xff\xfe")
	m := d.did("createFile", `{"filePath":"b","content":"/wD+AQ==","encoding":"base64"}`)
	same(t, m, map[string]any{"bytesWritten": 4.0, "isNewFile": false})
	if got := d.content("b"); got != "\xff\x00\xfe\x01" {
		t.Errorf("the file holds %q", got)
	}
	for _, name := range []string{"originalContent", "newContent", "diff"} {
		if _, has := m[name]; has {
			t.Errorf("the answer has %s", name)
		}
	}
	d.refused("createFile", `{"filePath":"b","content":"!","encoding":"base64"}`, wire.Invalid)
}

func TestALargeChangeIsNotRepeated(t *testing.T) {
	d := newDesk(t)
	large := strings.Repeat("line of text\n", maxEcho/13+1)
	m := d.did("writeToFile", fmt.Sprintf(`{"relPath":"a","newContent":%q}`, large))
	same(t, m, map[string]any{"diffTruncated": true, "bytesWritten": float64(len(large))})
	m2 := d.did("writeToFile", `{"relPath":"a","newContent":"small"}`)
	same(t, m2, map[string]any{"diffTruncated": true, "newContent": "small", "isNewFile": false})
	for _, m := range []map[string]any{m, m2} {
		if _, has := m["diff"]; has {
			t.Error("there is a diff")
		}
	}
	if _, has := m2["originalContent"]; has {
		t.Error("the large content is repeated")
	}
	if diff("a", strings.Repeat("\n", maxDiffLines), "x\n") != nil {
		t.Error("too many lines are compared")
	}
}

func TestADiffIsAPatchThatApplies(t *testing.T) {
	patch, err := exec.LookPath("git")
	if err != nil {
		t.Skip("there is no git to apply it with")
	}
	numbers := func(except int, with string) string {
		var b strings.Builder
		for i := range 40 {
			if i == except {
				b.WriteString(with)
				continue
			}
			fmt.Fprintln(&b, i)
		}
		return b.String()
	}
	for name, c := range map[string][2]string{
		"in the middle":          {numbers(20, "20\n"), numbers(20, "twenty\n")},
		"no end before":          {numbers(39, "39"), numbers(39, "39\n")},
		"no end after":           {numbers(39, "39\n"), numbers(39, "x")},
		"all of it":              {"a", "b"},
		"deleted":                {numbers(5, "5\n"), ""},
		"two places":             {numbers(2, "two\n"), numbers(35, "x\ny\n")},
		"without an end at once": {"a\nb", "a\nc"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			got := diff("f", c[0], c[1])
			if got == nil {
				t.Fatal("there is no diff")
			}
			if err := os.WriteFile(filepath.Join(dir, "f"), []byte(c[0]), 0o644); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(patch, "apply", "-p0", "-")
			cmd.Dir, cmd.Stdin = dir, strings.NewReader(*got)
			cmd.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s\n%s", err, out, *got)
			}
			after, err := os.ReadFile(filepath.Join(dir, "f"))
			if err != nil || string(after) != c[1] {
				t.Errorf("applied it gives %q, %v", after, err)
			}
		})
	}
}

func TestTheWorstDiffEndsSoon(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	text := func() string {
		var b strings.Builder
		for range maxDiffLines / 2 {
			fmt.Fprintln(&b, random.IntN(130))
		}
		return b.String()
	}
	start := time.Now()
	diff("a", text(), text())
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %v", took)
	} else {
		t.Log(took)
	}
}

func TestASmartEditReplacesExactlyWhatWasMeant(t *testing.T) {
	d := newDesk(t)
	d.file("a", "x y x")
	d.refused("smartEdit", `{"filePath":"a","oldString":"z","newString":"y"}`, wire.Conflict)
	d.refused("smartEdit", `{"filePath":"a","oldString":"x","newString":"y","expectedReplacements":1}`, wire.Conflict)
	d.refused("smartEdit", `{"filePath":"a","oldString":"x","newString":"y","expectedReplacements":0}`, wire.Invalid)
	d.refused("smartEdit", `{"filePath":"a","oldString":"","newString":"y"}`, wire.Invalid)
	d.refused("smartEdit", `{"filePath":"a","oldString":"x"}`, wire.Invalid)
	if got := d.content("a"); got != "x y x" {
		t.Fatalf("a refused edit left %q", got)
	}
	same(t, d.did("smartEdit", `{"filePath":"a","oldString":"x","newString":"zz","expectedReplacements":2}`), map[string]any{
		"replacements": 2.0, "originalContent": "x y x", "newContent": "zz y zz",
	})
	if got := d.content("a"); got != "zz y zz" {
		t.Errorf("the file holds %q", got)
	}
	same(t, d.did("smartEdit", `{"filePath":"a","oldString":"zz","newString":""}`), map[string]any{"newContent": " y "})
}

func TestASmartEditDoesNotMakeAFileHuge(t *testing.T) {
	d := newDesk(t)
	d.file("a", strings.Repeat("x", 1<<20))
	d.refused("smartEdit", `{"filePath":"a","oldString":"x","newString":"`+strings.Repeat("y", 1000)+`"}`, wire.TooLarge)
}

func TestThePlatformIsToldOfWhatWasWritten(t *testing.T) {
	d := newDesk(t)
	d.file("a", "old")
	for _, c := range []struct{ action, message, content string }{
		{"createFile", `{"filePath":"a","content":"one"}`, "one"},
		{"writeToFile", `{"relPath":"a","newContent":"two"}`, "two"},
		{"updateFile", `{"path":"a","content":"three"}`, "three"},
		{"smartEdit", `{"filePath":"a","oldString":"th","newString":"T"}`, "Tree"},
	} {
		id := d.did(c.action, c.message)["requestId"]
		same(t, d.next(d.told, "notice"), map[string]any{
			"type": "fsnotify", "action": "writeToFileResult", "data": map[string]any{"filePath": d.path("a"), "content": c.content},
			"requestId": id, "toolUseId": id, "threadId": "t1", "agentId": "coder", "agentInstanceId": "i1", "isError": false,
		})
	}
	d.did("createFile", `{"filePath":"a","content":"`+strings.Repeat("€", 5000)+`"}`)
	same(t, d.next(d.told, "notice"), map[string]any{"data": map[string]any{
		"filePath": d.path("a"), "content": strings.Repeat("€", maxTold/3), "truncated": true,
	}})
	d.did("createFile", `{"filePath":"a","content":"/w==","encoding":"base64"}`)
	same(t, d.next(d.told, "notice"), map[string]any{"data": map[string]any{"filePath": d.path("a"), "content": "", "truncated": true}})

	d.ask("updateFile", `{"path":"absent","content":"three"}`)
	d.ask("smartEdit", `{"filePath":"a","oldString":"absent","newString":"T"}`)
	d.ask("readFile", `{"filePath":"a","encoding":"base64"}`)
	if n := len(d.told); n != 0 {
		t.Errorf("there are %d notices of what failed, or of what was read: %v", n, <-d.told)
	}
}

func TestThePlatformIsToldOfReadsWhereThatIsWanted(t *testing.T) {
	d := newDesk(t, func(o *Options) { o.TellReads = true })
	d.file("a", "text")
	d.did("readFile", `{"filePath":"a"}`)
	same(t, d.next(d.told, "notice"), map[string]any{"type": "fsnotify", "action": "readFileResult", "threadId": "t1", "data": map[string]any{"filePath": d.path("a"), "content": "text"}})
	d.did("readManyFiles", `{"paths":["a"]}`)
	same(t, d.next(d.told, "notice"), map[string]any{"action": "readFileResult"})
	d.did("readManyFiles", `{"paths":["a"],"notifyUser":false}`)
	d.ask("readFile", `{"filePath":"absent"}`)
	if n := len(d.told); n != 0 {
		t.Errorf("there are %d notices too many: %v", n, <-d.told)
	}
}
