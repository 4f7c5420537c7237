package agentcall

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
)

// desk is an agent at work in a workspace with a neighbour that nothing may reach.
type desk struct {
	t       *testing.T
	dir     string // the workspace
	outside string // the neighbour: secret.txt
	caller  *Caller
	said    chan map[string]any // to the agent
	told    chan map[string]any // to the platform
	sent    int
}

func newDesk(t *testing.T, change ...func(*Options)) *desk {
	t.Helper()
	base := t.TempDir()
	d := &desk{
		t: t, dir: filepath.Join(base, "ws"), outside: filepath.Join(base, "outside"),
		said: make(chan map[string]any, 1000), told: make(chan map[string]any, 1000),
	}
	d.check(os.Mkdir(d.dir, 0o755))
	d.check(os.Mkdir(d.outside, 0o755))
	d.check(os.WriteFile(filepath.Join(d.outside, "secret.txt"), []byte("secret"), 0o644))
	files, err := workspace.OpenLocal(d.dir, workspace.LocalOptions{})
	d.check(err)
	o := Options{Files: files, Name: "shop"}
	for _, c := range change {
		c(&o)
	}
	server, err := New(o)
	d.check(err)
	collect := func(to chan map[string]any) func([]byte) {
		return func(frame []byte) {
			var m map[string]any
			if err := json.Unmarshal(frame, &m); err != nil {
				t.Errorf("frame %s: %v", frame, err)
			}
			to <- m
		}
	}
	d.caller = server.Caller(Agent{ID: "coder", InstanceID: "i1", ThreadID: "t1", Say: collect(d.said), Tell: collect(d.told)})
	t.Cleanup(func() {
		d.caller.Close()
		d.check(files.Close())
		got, err := os.ReadFile(filepath.Join(d.outside, "secret.txt"))
		if err != nil || string(got) != "secret" {
			t.Errorf("outside the workspace there is now %q, %v", got, err)
		}
	})
	return d
}

func (d *desk) check(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// file makes a file, path leads to it.
func (d *desk) file(name, content string) {
	d.t.Helper()
	d.check(os.MkdirAll(filepath.Dir(d.path(name)), 0o755))
	d.check(os.WriteFile(d.path(name), []byte(content), 0o644))
}

func (d *desk) path(name string) string { return filepath.Join(d.dir, filepath.FromSlash(name)) }

func (d *desk) content(name string) string {
	d.t.Helper()
	data, err := os.ReadFile(d.path(name))
	d.check(err)
	return string(data)
}

// send gives a frame as it is, with DIR and OUTSIDE replaced.
func (d *desk) send(frame string) {
	d.t.Helper()
	frame = d.real(frame)
	head, err := wire.Peek([]byte(frame))
	d.check(err)
	if !d.caller.Serve(head, []byte(frame)) {
		d.t.Fatalf("not served: %s", frame)
	}
}

func (d *desk) real(s string) string {
	return strings.NewReplacer("DIR", filepath.ToSlash(d.dir), "OUTSIDE", filepath.ToSlash(d.outside)).Replace(s)
}

// answer waits for the next frame to the agent.
func (d *desk) answer() map[string]any {
	d.t.Helper()
	return d.next(d.said, "answer")
}

func (d *desk) next(from chan map[string]any, what string) map[string]any {
	d.t.Helper()
	select {
	case m := <-from:
		return m
	case <-time.After(20 * time.Second):
		d.t.Fatalf("there is no %s for request %d", what, d.sent)
		return nil
	}
}

// ask sends a request as SDK 6.0.0 does and returns its answer.
func (d *desk) ask(action, message string) map[string]any {
	d.t.Helper()
	d.sent++
	id := fmt.Sprint("r", d.sent)
	d.send(fmt.Sprintf(`{"type":"fsEvent","action":%q,"message":%s,"requestId":%q}`, action, message, id))
	m := d.answer()
	if m["requestId"] != id {
		d.t.Fatalf("%s: the answer has requestId %v, not %s", action, m["requestId"], id)
	}
	return m
}

// did is ask for what must succeed.
func (d *desk) did(action, message string) map[string]any {
	d.t.Helper()
	m := d.ask(action, message)
	if m["success"] != true {
		d.t.Fatalf("%s %s: %v", action, message, m["error"])
	}
	return m
}

// refused is ask for what must fail with a kind.
func (d *desk) refused(action, message string, code wire.Code) map[string]any {
	d.t.Helper()
	m := d.ask(action, message)
	text, _ := m["error"].(string)
	if m["success"] != false || m["code"] != string(code) || text == "" || m["message"] != text {
		d.t.Errorf("%s %s: success %v, code %v, error %q, message %v; want a failure of kind %s", action, message, m["success"], m["code"], text, m["message"], code)
	}
	return m
}

// same compares members of a frame.
func same(t *testing.T, m, want map[string]any) {
	t.Helper()
	for name, v := range want {
		if diff := cmp.Diff(v, m[name]); diff != "" {
			t.Errorf("member %s (-want +got):\n%s", name, diff)
		}
	}
}

func TestBothGenerationsOfTheSDKGetWhatTheyWaitFor(t *testing.T) {
	const with, without = `,"requestId":"r1"}`, `}`
	for _, c := range []struct {
		name, frame, typ string
		file, content    string // there afterwards; "" is absent
	}{
		{"6.0.0 createFile", `{"type":"fsEvent","action":"createFile","message":{"filePath":"DIR/a/new.txt","content":"x"}` + with, "createFileResponse", "a/new.txt", "x"},
		{"6.0.0 writeToFile", `{"type":"fsEvent","action":"writeToFile","message":{"relPath":"a/new.txt","newContent":"x"}` + with, "writeToFileResponse", "a/new.txt", "x"},
		{"6.0.0 updateFile", `{"type":"fsEvent","action":"updateFile","message":{"path":"DIR/old.txt","content":"x"}` + with, "updateFileResponse", "old.txt", "x"},
		{"6.0.0 deleteFile", `{"type":"fsEvent","action":"deleteFile","message":{"filename":"old.txt","filePath":"DIR/old.txt"}` + with, "deleteFileResponse", "old.txt", ""},
		{"6.0.0 deleteFolder", `{"type":"fsEvent","action":"deleteFolder","message":{"foldername":"sub","folderpath":"DIR/sub"}` + with, "deleteFolderResponse", "sub/in.txt", ""},
		{"6.0.0 createFolder", `{"type":"fsEvent","action":"createFolder","message":{"path":"DIR/made"}` + with, "createFolderResponse", "", ""},
		{"6.0.0 listFiles", `{"type":"fsEvent","action":"listFiles","message":{"path":"DIR","options":{"recursive":true}}` + with, "listFilesResponse", "", ""},
		{"6.0.0 listDirectory", `{"type":"fsEvent","action":"listDirectory","message":{"path":"DIR"}` + with, "listDirectoryResponse", "", ""},
		{"the server's listDirectory", `{"type":"fsEvent","action":"list_directory","message":{"path":"DIR"}` + with, "listDirectoryResponse", "", ""},
		{"6.0.0 readManyFiles", `{"type":"fsEvent","action":"readManyFiles","message":{"paths":["DIR/old.txt"]}` + with, "readManyFilesResponse", "", ""},
		{"its synonym", `{"type":"fsEvent","action":"read_many_files","message":{"paths":["old.txt"]}` + with, "readManyFilesResponse", "", ""},
		{"6.0.0 grepSearch", `{"type":"fsEvent","action":"grepSearch","message":{"path":"DIR","pattern":"o","options":{"caseSensitive":true}}` + with, "grepSearchResponse", "", ""},
		{"an older grepSearch", `{"type":"fsEvent","action":"grep_search","message":{"path":"DIR","query":"o","caseSensitive":false}` + with, "grepSearchResponse", "", ""},
		{"searchFiles", `{"type":"fsEvent","action":"searchFiles","message":{"path":"DIR","regex":"o","filePattern":"*"}` + with, "searchFilesResponse", "", ""},
		{"fuzzySearch", `{"type":"fsEvent","action":"fuzzySearch","message":{"query":"old"}` + with, "fuzzySearchResponse", "", ""},
		{"its synonym file_search", `{"type":"fsEvent","action":"file_search","message":{"query":"old"}` + with, "fuzzySearchResponse", "", ""},
		{"smartEdit", `{"type":"fsEvent","action":"smartEdit","message":{"filePath":"old.txt","oldString":"old","newString":"x"}` + with, "smartEditResponse", "old.txt", "x"},

		{"1.1.99 readFile", `{"type":"fsEvent","action":"readFile","message":{"filePath":"old.txt"}` + without, "readFileResponse", "", ""},
		{"1.1.99 createFile", `{"type":"fsEvent","action":"createFile","message":{"fileName":"new.txt","source":"x","filePath":"DIR/a"}` + without, "createFileResponse", "a/new.txt", "x"},
		{"1.1.99 updateFile", `{"type":"fsEvent","action":"updateFile","message":{"filename":"old.txt","filePath":"DIR","newContent":"x"}` + without, "commandOutput", "old.txt", "x"},
		{"1.1.99 deleteFile", `{"type":"fsEvent","action":"deleteFile","message":{"filename":"old.txt","filePath":"DIR"}` + without, "deleteFileResponse", "old.txt", ""},
		{"1.1.99 deleteFolder", `{"type":"fsEvent","action":"deleteFolder","message":{"foldername":"sub","folderpath":"DIR"}` + without, "deleteFolderResponse", "sub/in.txt", ""},
		{"1.1.99 createFolder", `{"type":"fsEvent","action":"createFolder","message":{"folderName":"made","folderPath":"DIR/sub"}` + without, "createFolderResponse", "", ""},
		{"1.1.99 listFile", `{"type":"fsEvent","action":"fileList","message":{"folderPath":"DIR","isRecursive":true}` + without, "fileListResponse", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDesk(t)
			d.file("old.txt", "old")
			d.file("sub/in.txt", "in")
			d.send(c.frame)
			m := d.answer()
			if m["type"] != c.typ || m["success"] != true {
				t.Fatalf("the answer is %v", m)
			}
			if _, has := m["requestId"]; has != strings.HasSuffix(c.frame, with) {
				t.Errorf("requestId: %v", m["requestId"])
			}
			switch data, err := os.ReadFile(d.path(c.file)); {
			case c.file == "":
			case c.content == "" && !os.IsNotExist(err):
				t.Errorf("%s is still there: %v", c.file, err)
			case string(data) != c.content:
				t.Errorf("%s holds %q, %v", c.file, data, err)
			}
		})
	}
}

func TestWhatNeedsAModelIsLeftToThePlatform(t *testing.T) {
	d := newDesk(t)
	for _, action := range []string{"applyDiff", "edit_file_and_apply_diff", "edit_file_with_diff", "listCodeDefinitions", "listCodeDefinitionNames", "unheardOf", ""} {
		head := wire.Header{Type: "fsEvent", Action: action}
		if d.caller.Serve(head, []byte(`{"type":"fsEvent"}`)) {
			t.Errorf("%q is served", action)
		}
	}
}

func TestEveryVerbSaysWhatItNeeds(t *testing.T) {
	writes := map[string]bool{"createFile": true, "writeToFile": true, "updateFile": true, "smartEdit": true, "deleteFile": true, "deleteFolder": true, "createFolder": true}
	for action, v := range fileVerbs["fsEvent"] {
		want := needRead
		if writes[action] {
			want = needWrite
		}
		if v.need != want {
			t.Errorf("%s needs %v, not %v", action, v.need, want)
		}
	}
}

func TestAFileIsReadWhole(t *testing.T) {
	d := newDesk(t)
	d.file("a.txt", "one\ntwo")
	same(t, d.did("readFile", `{"filePath":"DIR/a.txt"}`), map[string]any{
		"type": "readFileResponse", "clientId": "coder", "content": "one\ntwo", "encoding": "utf8", "path": d.path("a.txt"),
		"size": 7.0, "lineCount": 2.0, "isTruncated": false, "truncated": false,
	})
	d.file("empty", "")
	same(t, d.did("readFile", `{"filePath":"empty"}`), map[string]any{"content": "", "size": 0.0})
}

func TestAFileThatIsNoTextIsReadInBase64(t *testing.T) {
	d := newDesk(t)
	d.file("b.bin", "\xff\x00\xfe\x01")
	m := d.refused("readFile", `{"filePath":"b.bin"}`, wire.Invalid)
	if text := m["error"].(string); !strings.Contains(text, "b.bin") || !strings.Contains(text, "base64") {
		t.Errorf("the sentence is no help: %s", text)
	}
	same(t, d.did("readFile", `{"filePath":"b.bin","encoding":"base64"}`), map[string]any{"content": "/wD+AQ==", "encoding": "base64", "size": 4.0})
	d.refused("readFile", `{"filePath":"b.bin","encoding":"rot13"}`, wire.Invalid)
}

func TestAVeryLargeFileIsNotRead(t *testing.T) {
	d := newDesk(t)
	d.file("big", "")
	d.check(os.Truncate(d.path("big"), maxRead+1))
	d.refused("readFile", `{"filePath":"big"}`, wire.TooLarge)
	d.refused("readManyFiles", `{"paths":["big"]}`, wire.TooLarge)
}

func TestFoldersAreMadeAndDeleted(t *testing.T) {
	d := newDesk(t)
	same(t, d.did("createFolder", `{"path":"a/b"}`), map[string]any{"path": d.path("a/b"), "created": true})
	same(t, d.did("createFolder", `{"path":"a/b"}`), map[string]any{"created": false})
	d.file("a/b/.hidden/x", "x")
	d.file("a/y", "y")
	same(t, d.did("deleteFolder", `{"foldername":"a","folderpath":"DIR/a"}`), map[string]any{"path": d.path("a"), "deleted": true, "itemsDeleted": 5.0})
	d.refused("deleteFolder", `{"foldername":"a","folderpath":"DIR/a"}`, wire.NotFound)
	d.refused("deleteFile", `{"filename":"a","filePath":"DIR/a"}`, wire.NotFound)
}

func TestAFolderMayHoldAnItemOfItsOwnName(t *testing.T) {
	d := newDesk(t)
	d.file("x/x/in", "")
	d.did("deleteFolder", `{"foldername":"x","folderpath":"DIR/x"}`)
	if _, err := os.Stat(d.path("x")); err != nil {
		t.Errorf("the outer folder is gone: %v", err)
	}
	d.did("createFile", `{"fileName":"x","source":"s","filePath":"DIR/x"}`)
	if got := d.content("x/x"); got != "s" {
		t.Errorf("x/x is %q", got)
	}
}

func TestTheWorkspaceItselfIsNotDeleted(t *testing.T) {
	d := newDesk(t)
	d.file("a", "a")
	for _, where := range []string{"DIR", ".", "./", "DIR/x/.."} {
		d.refused("deleteFolder", `{"folderpath":"`+where+`"}`, wire.Invalid)
		d.refused("deleteFile", `{"filePath":"`+where+`"}`, wire.Invalid)
	}
	d.content("a")
}

func TestNothingOutsideTheWorkspaceIsReached(t *testing.T) {
	d := newDesk(t)
	d.file("in.txt", "in")
	if err := os.Symlink(d.outside, d.path("out")); err != nil {
		t.Skip("no links here:", err)
	}
	d.check(os.Symlink(filepath.Join(d.outside, "secret.txt"), d.path("leak.txt")))
	for _, p := range []string{"../outside/secret.txt", "OUTSIDE/secret.txt", "DIR/../outside/secret.txt", "out/secret.txt", "leak.txt", "DIR/out/secret.txt", "/etc/hostname"} {
		for action, message := range map[string]string{
			"readFile":    `{"filePath":"PLACE"}`,
			"createFile":  `{"filePath":"PLACE","content":"x"}`,
			"writeToFile": `{"relPath":"PLACE","newContent":"x"}`,
			"smartEdit":   `{"filePath":"PLACE","oldString":"secret","newString":"x"}`,
		} {
			d.refused(action, strings.ReplaceAll(message, "PLACE", p), wire.OutsideWorkspace)
		}
		if m := d.ask("readManyFiles", `{"paths":["`+p+`"]}`); m["success"] != false {
			t.Errorf("readManyFiles %s: %v", p, m)
		}
	}
	for _, p := range []string{"..", "OUTSIDE", "out", "DIR/out", "/"} {
		for action, message := range map[string]string{
			"listDirectory": `{"path":"PLACE"}`,
			"listFiles":     `{"path":"PLACE","options":{"recursive":true}}`,
		} {
			d.refused(action, strings.ReplaceAll(message, "PLACE", p), wire.OutsideWorkspace)
		}
		if m := d.ask("grepSearch", `{"path":"`+p+`","pattern":"secret"}`); m["success"] != false && m["totalCount"] != 0.0 {
			t.Errorf("grepSearch %s: %v", p, m)
		}
	}
	d.refused("createFile", `{"fileName":"../../outside/new","source":"x","filePath":"DIR"}`, wire.OutsideWorkspace)
	d.refused("fuzzySearch", `{"query":"/etc/*"}`, wire.OutsideWorkspace)
	if m := d.did("grepSearch", `{"pattern":"secret"}`); m["totalCount"] != 0.0 {
		t.Errorf("a link outside was searched: %v", m)
	}
}

func TestAWriteIsDoneBeforeTheReadThatFollowsIt(t *testing.T) {
	d := newDesk(t)
	const rounds = 50
	for i := range rounds {
		d.send(fmt.Sprintf(`{"type":"fsEvent","action":"writeToFile","message":{"relPath":"a","newContent":"%d"},"requestId":"w"}`, i))
		d.send(`{"type":"fsEvent","action":"readFile","message":{"filePath":"a"},"requestId":"r"}`)
	}
	for i := range rounds {
		d.answer()
		if m := d.answer(); m["content"] != fmt.Sprint(i) {
			t.Fatalf("round %d read %v", i, m["content"])
		}
	}
}

func TestAHostileRequestGetsASentence(t *testing.T) {
	d := newDesk(t)
	d.file("a", "a")
	long := strings.Repeat("x", 100_000)
	for action := range fileVerbs["fsEvent"] {
		for _, message := range []string{
			`null`, `7`, `"text"`, `[]`, `{"path":7,"filePath":{},"relPath":[],"paths":"a","pattern":1,"query":2}`,
			`{"path":"a\u0000b","filePath":"a\u0000b","relPath":"a\u0000b","folderPath":"a\u0000b","paths":["a\u0000b"],"pattern":"(","query":"[","oldString":"a","newString":"b","content":"c","newContent":"c"}`,
			`{"path":"../a","filePath":"../a","relPath":"../a","folderPath":"../a","paths":["../a"],"pattern":"a","query":"../*","oldString":"a","newString":"b","content":"c","newContent":"c"}`,
			`{"path":"` + long + `","filePath":"` + long + `","relPath":"` + long + `","folderPath":"` + long + `","paths":["` + long + `"],"pattern":"` + long + `","query":"` + long + `","oldString":"a","newString":"b","content":"c","newContent":"c"}`,
			`{"limit":-1,"max_files":-1,"path":"a/absent","filePath":"a/absent","paths":["a"],"pattern":"\\1","query":""}`,
			`{"limit":1e99,"max_files":1e99,"path":"a/absent","filePath":"a/absent","paths":["a"],"pattern":"(?=a)","query":" "}`,
			`{"path":"a/absent","path":"a","filePath":"\ud800"}`,
		} {
			m := d.ask(action, message)
			text, _ := m["error"].(string)
			if m["success"] != false || text == "" || len(text) > 3*maxPath {
				t.Errorf("%s %.80s: %.300v", action, message, m)
			}
			if m["code"] == string(wire.Internal) {
				t.Errorf("%s %.80s: nobody classified %s", action, message, text)
			}
		}
		d.sent++
		d.send(fmt.Sprintf(`{"type":"fsEvent","action":%q,"requestId":"no message"}`, action))
		if m := d.answer(); m["success"] != false || !strings.Contains(m["error"].(string), "missing") {
			t.Errorf("%s without a message: %v", action, m)
		}
	}
	if got := d.content("a"); got != "a" {
		t.Errorf("a is now %q", got)
	}
}
