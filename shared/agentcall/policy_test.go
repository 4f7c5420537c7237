package agentcall_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/shared/agentcall"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func parse(t *testing.T, text string) agentcall.Policy {
	t.Helper()
	p, err := agentcall.ParsePolicy([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newPolicyConsole(t *testing.T, policy string) *console {
	t.Helper()
	return newConsole(t, func(o *agentcall.Options) { o.Policy = parse(t, policy) })
}

// judge is what becomes of a request for files.
func (c *console) judge(write bool, action string, message frame) error {
	c.t.Helper()
	data, err := json.Marshal(frame{"type": "fsEvent", "action": action, "message": message, "requestId": "j"})
	if err != nil {
		c.t.Fatal(err)
	}
	return agentcall.Judge(c.caller, data, write)
}

// question is what a person is asked, from the n-th frame on.
func (c *console) question(n int) frame {
	c.t.Helper()
	return c.await("a question", &c.told, n, func(f frame) bool { return f["type"] == "message" })
}

func (c *console) decide(f frame) bool {
	c.t.Helper()
	f["type"] = "confirmationResponse"
	data, err := json.Marshal(f)
	if err != nil {
		c.t.Fatal(err)
	}
	head, err := wire.Peek(data)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.caller.Decide(head, data)
}

func TestAPolicyIsReadFromJSON(t *testing.T) {
	t.Parallel()
	got := parse(t, `{"mode":"ask-write","allow":{"commands":["git status","go test*"],"write":["docs/**"]},
		"deny":{"write":[".env","**/*.pem"],"read":["secrets/**"],"commands":["rm -rf*"]},"timeoutMs":1500}`)
	want := agentcall.Policy{
		Mode:    agentcall.AskWrite,
		Allow:   agentcall.Rules{Commands: []string{"git status", "go test*"}, Write: []string{"docs/**"}},
		Deny:    agentcall.Rules{Write: []string{".env", "**/*.pem"}, Read: []string{"secrets/**"}, Commands: []string{"rm -rf*"}},
		Timeout: 1500 * time.Millisecond,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(agentcall.Policy{}, parse(t, `{}`)); diff != "" {
		t.Error(diff)
	}
}

func TestAPolicyThatIsNoneIsRefusedWithTheReason(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{"mods":"auto"}`:                    "did you mean mode?",
		`{"deny":{"comands":[]}}`:            "deny.comands is not known (did you mean commands?)",
		`{"mode":"ask"}`:                     `there is no "ask"`,
		`{"allow":{"read":["x"]}}`:           "allow.read is not known",
		`{"deny":{"write":["a["]}}`:          `"a[" is no pattern`,
		`{"deny":{"write":["/etc/**"]}}`:     "is no pattern",
		`{"deny":{"read":["a/../b"]}}`:       "is no pattern",
		`{"deny":{"write":"a"}}`:             "deny.write",
		`{"timeoutMs":0}`:                    "timeoutMs",
		`{"mode":"auto","mode":"read-only"}`: "duplicate",
		`[]`:                                 "object",
		``:                                   "policy",
	} {
		_, err := agentcall.ParsePolicy([]byte(text))
		if !errors.Is(err, wire.Invalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestADeniedPathIsDeniedInEverySpelling(t *testing.T) {
	t.Parallel()
	c := newPolicyConsole(t, `{"deny":{"write":[".env","**/*.pem","locked/"],"read":["secrets/**"]}}`)
	c.write(".env", "")
	c.write("secrets/key", "")
	c.write("locked/a", "")
	c.write("sub/deep/x.pem", "")
	c.write("free", "")
	denied := []frame{
		{"filePath": ".env"},
		{"relPath": "./sub/../.env"},
		{"path": filepath.Join(c.dir, ".env")},
		{"path": c.dir + "/sub/../.env"},
		{"filePath": c.dir, "fileName": ".env"},
		{"filePath": "sub/..", "filename": ".env"},
		{"fileName": ".env"},
		{"fileName": "../.env", "filePath": "sub"},
		{"folderpath": ".", "foldername": "locked"},
		{"path": "locked/b/c"},
		{"path": "new/x.pem"},
		{"path": "secrets/other"}, // an answer would show what was there
		{"paths": []string{"free", "locked/a"}},
	}
	if runtime.GOOS != "windows" {
		for link, target := range map[string]string{"harmless": ".env", "dir": "locked", "abs": filepath.Join(c.dir, "secrets"), "up": "sub/../.."} {
			if err := os.Symlink(target, filepath.Join(c.dir, link)); err != nil {
				t.Fatal(err)
			}
		}
		denied = append(denied, frame{"path": "harmless"}, frame{"path": "dir/new"}, frame{"path": "abs/key"}, frame{"path": "up/" + filepath.Base(c.dir) + "/.env"})
	}
	for _, message := range denied {
		if err := c.judge(true, "createFile", message); !errors.Is(err, wire.Permission) {
			t.Errorf("%v: %v", message, err)
		}
	}
	for _, folder := range []string{".", "sub", "sub/deep"} {
		if err := c.judge(true, "deleteFolder", frame{"folderpath": folder}); !errors.Is(err, wire.Permission) {
			t.Errorf("deleting %s with what is denied: %v", folder, err)
		}
	}
	for _, message := range []frame{{"path": "free"}, {"path": "sub/.env"}, {"path": "secrets2"}, {"path": "x.pem.txt"}, {"path": "../elsewhere/.env"}} {
		if err := c.judge(true, "createFile", message); err != nil {
			t.Errorf("%v: %v", message, err)
		}
	}
	if err := c.judge(false, "readFile", frame{"filePath": "secrets/key"}); !errors.Is(err, wire.Permission) || !strings.Contains(err.Error(), "deny.read secrets/**") {
		t.Errorf("reading: %v", err)
	}
	if err := c.judge(false, "readFile", frame{"filePath": ".env"}); err != nil {
		t.Errorf("reading what only must not be written: %v", err)
	}
	if p := parse(t, `{"deny":{"read":["secrets/"]}}`); !agentcall.Hides(p, "secrets/a/b") || agentcall.Hides(p, "public") {
		t.Error("searches are told wrongly")
	}
}

func TestARequestWhosePathIsNotToBeFoundIsNotAllowed(t *testing.T) {
	t.Parallel()
	c := newPolicyConsole(t, `{"deny":{"write":["x"]}}`)
	if err := c.judge(true, "createFile", frame{"content": "x"}); !errors.Is(err, wire.Invalid) {
		t.Error(err)
	}
}

func TestReadOnlyAllowsReadingAlone(t *testing.T) {
	t.Parallel()
	c := newPolicyConsole(t, `{"mode":"read-only","allow":{"commands":["echo *"],"write":["notes/*"]}}`)
	if err := c.judge(false, "readFile", frame{"filePath": "a"}); err != nil {
		t.Error(err)
	}
	if err := c.judge(true, "writeToFile", frame{"relPath": "a"}); !errors.Is(err, wire.Permission) || !strings.Contains(err.Error(), "may only read") {
		t.Error(err)
	}
	if err := c.judge(true, "writeToFile", frame{"relPath": "notes/a"}); err != nil {
		t.Error(err)
	}
	expect(t, c.run("touch a"), frame{"type": "commandError", "success": false, "code": "permission", "exitCode": 126})
	expect(t, c.run("echo a"), frame{"success": true})
	for _, line := range []string{"echo a; touch a", "echo a & touch a", "echo $(touch a)", "echo a > a", "echo a\ntouch a", "echo `touch a`", "/bin/echo a"} {
		expect(t, c.run(line), frame{"code": "permission"})
	}
	expect(t, c.ask(frame{"type": "gitEvent", "action": "Init"}), frame{"success": false, "code": "permission"})
	if entries, _ := os.ReadDir(c.dir); len(entries) > 0 {
		t.Errorf("there is %v", entries)
	}
}

func TestADeniedCommandIsDeniedAlsoBehindAnother(t *testing.T) {
	t.Parallel()
	c := newPolicyConsole(t, `{"deny":{"commands":["rm -rf*","git push*"]},"allow":{"commands":["rm*"]}}`)
	for _, line := range []string{"rm -rf x", " rm  -rf x", "true && rm -rf x", "true;rm -rf x", "(rm -rf x)"} {
		expect(t, c.run(line), frame{"success": false, "code": "permission"})
	}
	expect(t, c.run("echo rm"), frame{"success": true})
	expect(t, c.ask(frame{"type": "gitEvent", "action": "Push"}), frame{"success": false, "code": "permission"})
}

func TestAPersonAllowsACommandOnce(t *testing.T) {
	t.Parallel()
	c := newPolicyConsole(t, `{"mode":"ask-exec"}`)
	if err := c.judge(true, "createFile", frame{"filePath": "a"}); err != nil {
		t.Errorf("writing is not asked about: %v", err)
	}
	c.send(frame{"type": "executeCommand", "requestId": "1", "message": "echo hi"})
	q := c.question(0)
	expect(t, q, frame{
		"actionType": "EXECUTECOMMAND", "templateType": "EXECUTECOMMAND", "sender": "agent", "threadId": "thread",
		"agentId": "coder", "agentInstanceId": "7a0c8dd6-0000-4000-8000-000000000001",
	})
	expect(t, q["payload"].(frame), frame{"type": "command", "path": c.dir, "content": "echo hi", "stateEvent": "askForConfirmation"})
	if c.decide(frame{"messageId": "another", "userMessage": "approve"}) {
		t.Error("an answer to another question was taken")
	}
	if n := len(c.heard()); n != 0 {
		t.Errorf("%d answers before there is leave", n)
	}
	if !c.decide(frame{"messageId": q["messageId"], "userMessage": " Approve\n"}) {
		t.Error("the answer was not taken")
	}
	expect(t, c.answer("1"), frame{"success": true, "stdout": "hi\n"})
	if c.decide(frame{"messageId": q["messageId"], "userMessage": "approve"}) {
		t.Error("a question was answered twice")
	}
	// The leave was for that once.
	c.send(frame{"type": "executeCommand", "requestId": "2", "message": "echo hi"})
	q = c.question(1)
	c.decide(frame{"messageId": q["messageId"], "userMessage": "not now"})
	expect(t, c.answer("2"), frame{"type": "commandError", "success": false, "error": "rejected: not now", "code": "permission"})
}

func TestOnlyTheWordApproveApproves(t *testing.T) {
	t.Parallel()
	c := newPolicyConsole(t, `{"mode":"ask-exec"}`)
	for i, reply := range []frame{
		{},
		{"userMessage": ""},
		{"userMessage": "approved"},
		{"userMessage": "I do not approve"},
		{"userMessage": true},
		{"userMessage": frame{"text": "approve"}},
		{"userMessage": "no", "message": "approve"},
	} {
		id := string(rune('a' + i))
		c.send(frame{"type": "executeCommand", "requestId": id, "message": "touch ran"})
		reply["messageId"] = c.question(i)["messageId"]
		if !c.decide(reply) {
			t.Errorf("%v is no answer", reply)
		}
		expect(t, c.answer(id), frame{"success": false, "code": "permission"})
	}
	// The forms of other platforms.
	c.send(frame{"type": "executeCommand", "requestId": "z", "message": "echo"})
	c.decide(frame{"requestId": c.question(7)["messageId"], "message": "approve"})
	expect(t, c.answer("z"), frame{"success": true})
	if _, err := os.Stat(filepath.Join(c.dir, "ran")); err == nil {
		t.Error("it ran all the same")
	}
}

func TestAQuestionThatNobodyAnswersIsRefused(t *testing.T) {
	t.Parallel()
	c := newPolicyConsole(t, `{"mode":"ask-write","timeoutMs":30}`)
	got := c.run("touch a")
	expect(t, got, frame{"success": false, "code": "permission"})
	if !strings.HasPrefix(got["error"].(string), "rejected: ") {
		t.Error(got["error"])
	}
	if c.decide(frame{"messageId": c.question(0)["messageId"], "userMessage": "approve"}) {
		t.Error("an answer that is late was taken")
	}
}

func TestClosingRefusesWhatWaitsForAPerson(t *testing.T) {
	t.Parallel()
	c := newPolicyConsole(t, `{"mode":"ask-write"}`)
	c.send(frame{"type": "executeCommand", "requestId": "1", "message": "touch ran"})
	q := c.question(0)
	c.caller.Close()
	if c.decide(frame{"messageId": q["messageId"], "userMessage": "approve"}) {
		t.Error("an answer was taken")
	}
	if _, err := os.Stat(filepath.Join(c.dir, "ran")); err == nil {
		t.Error("it ran")
	}
}

func TestAPersonSeesWhatIsToBeWritten(t *testing.T) {
	t.Parallel()
	c := newPolicyConsole(t, `{"mode":"ask-write","allow":{"write":["docs/**"]}}`)
	for _, message := range []frame{{"path": "docs/a.md", "content": "x"}, {"filePath": "docs/b", "filename": "c"}} {
		if err := c.judge(true, "updateFile", message); err != nil {
			t.Errorf("%v: %v", message, err)
		}
	}
	said := make(chan error, 1)
	go func() {
		said <- c.judge(true, "createFile", frame{"fileName": "b.txt", "filePath": "sub", "source": strings.Repeat("ü", 40000)})
	}()
	q := c.question(0)
	expect(t, q, frame{"actionType": "WRITEFILE"})
	p := q["payload"].(frame)
	expect(t, p, frame{"type": "file", "truncated": true, "action": "fsEvent/createFile"})
	if content := p["content"].(string); content != strings.Repeat("ü", 32<<10) {
		t.Errorf("%d bytes of content", len(content))
	}
	if shown, _ := json.Marshal(p); !strings.Contains(string(shown), "sub/b.txt") {
		t.Errorf("the file is not shown: %v", p["paths"])
	}
	c.decide(frame{"messageId": q["messageId"], "userMessage": "approve"})
	if err := <-said; err != nil {
		t.Error(err)
	}
}

func TestWritingWhatGitObeysCountsAsACommand(t *testing.T) {
	t.Parallel()
	c := newPolicyConsole(t, `{"mode":"ask-exec","timeoutMs":1}`)
	for _, path := range []string{".git/hooks/pre-commit", "sub/.GIT/config", c.dir + "/.git/config"} {
		if err := c.judge(true, "createFile", frame{"path": path}); !errors.Is(err, wire.Permission) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestTheAuditTellsOfDecisionsAndOfNoContent(t *testing.T) {
	t.Parallel()
	var audit lines
	c := newConsole(t, func(o *agentcall.Options) {
		o.Policy = parse(t, `{"mode":"ask-exec","deny":{"write":["*.pem"]}}`)
		o.Audit = &audit
	})
	_ = c.judge(false, "readFile", frame{"filePath": "a"})
	_ = c.judge(true, "createFile", frame{"filePath": "a", "content": "the-content"})
	_ = c.judge(true, "createFile", frame{"filePath": "x/../a.pem", "content": "the-content"})
	line := "curl -H 'Authorization: Bearer abcdefghijklmnopqrstuvwxyz' http://u:hunter2secret@localhost:1/ #" + strings.Repeat("ü", 300)
	for i, reply := range []string{"no, the-reason", "approve"} {
		id := string(rune('a' + i))
		c.send(frame{"type": "executeCommand", "requestId": id, "message": line})
		c.decide(frame{"messageId": c.question(i)["messageId"], "userMessage": reply})
		c.answer(id)
	}
	type short struct{ Need, Request, Decision, By string }
	var got []short
	for text := range strings.Lines(audit.String()) {
		var f frame
		if err := json.Unmarshal([]byte(text), &f); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		expect(t, f, frame{"agent": "coder", "instance": "7a0c8dd6-0000-4000-8000-000000000001"})
		if _, err := time.Parse(time.RFC3339Nano, f["time"].(string)); err != nil {
			t.Error(err)
		}
		if f["decision"] == "denied" {
			if diff := cmp.Diff([]any{"a.pem"}, f["paths"]); diff != "" {
				t.Error(diff)
			}
		}
		if command, _ := f["command"].(string); len(command) > 200 {
			t.Errorf("%d bytes of the command", len(command))
		}
		got = append(got, short{f["need"].(string), f["request"].(string), f["decision"].(string), f["by"].(string)})
	}
	want := []short{
		{"write", "fsEvent/createFile", "allowed", "mode ask-exec"},
		{"write", "fsEvent/createFile", "denied", "deny.write *.pem"},
		{"exec", "executeCommand", "asked", "mode ask-exec"},
		{"exec", "executeCommand", "rejected", "person"},
		{"exec", "executeCommand", "asked", "mode ask-exec"},
		{"exec", "executeCommand", "approved", "person"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, secret := range []string{"the-content", "the-reason", "abcdefghijklmnopqrstuvwxyz", "hunter2secret"} {
		if strings.Contains(audit.String(), secret) {
			t.Errorf("the audit tells %s", secret)
		}
	}
}

// lines is a buffer that may be read while it is written to.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func TestWhatMustNotBeReadIsFoundByNoSearchAndInNoList(t *testing.T) {
	t.Parallel()
	policy, err := agentcall.ParsePolicy([]byte(`{"deny":{"read":["secrets/","**/*.pem"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	c := newConsole(t, func(o *agentcall.Options) { o.Policy = policy })
	for _, name := range []string{"secrets/token.txt", "keys/a.pem", "shown.txt"} {
		c.write(name, "needle")
	}
	for action, message := range map[string]frame{
		"grepSearch":    {"path": ".", "pattern": "needle"},
		"searchFiles":   {"path": ".", "regex": "needle", "filePattern": "*"},
		"fuzzySearch":   {"query": "**/*"},
		"listFiles":     {"path": ".", "options": frame{"recursive": true}},
		"readManyFiles": {"paths": []string{"**/*"}},
	} {
		got := c.ask(frame{"type": "fsEvent", "action": action, "message": message})
		text, err := json.Marshal(got)
		if err != nil || !strings.Contains(string(text), "shown.txt") || strings.Contains(string(text), "token.txt") || strings.Contains(string(text), "a.pem") {
			t.Errorf("%s: %s %v", action, text, err)
		}
	}
	got := c.ask(frame{"type": "fsEvent", "action": "listDirectory", "message": frame{"path": "keys"}})
	if text, _ := json.Marshal(got); got["success"] != true || strings.Contains(string(text), "a.pem") {
		t.Errorf("listDirectory: %s", text)
	}
}
