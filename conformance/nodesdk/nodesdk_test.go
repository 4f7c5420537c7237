package nodesdk_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"

	"github.com/codeboltai/codebolt-providers/conformance/nodesdk"
)

func TestMain(m *testing.M) { os.Exit(nodesdk.Main(m)) }

// patience is how long an agent may take for what is done in no time.
const patience = time.Minute

type frame = map[string]any

// playground is a runtime that does nothing by itself: the test reads an agent's
// frames and answers them.
type playground struct {
	t     *testing.T
	query url.Values // of the agent's connection
	conn  *websocket.Conn
}

// play starts the agent in a folder and waits until it has connected.
func play(t *testing.T, dir string) *playground {
	t.Helper()
	type connected struct {
		conn  *websocket.Conn
		query url.Values
	}
	connections := make(chan connected, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := new(websocket.Upgrader).Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		connections <- connected{conn, r.URL.Query()}
	}))
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	var printed bytes.Buffer
	node := exec.CommandContext(t.Context(), "node", filepath.Join(dir, "index.js"))
	node.Dir, node.Stdout, node.Stderr = dir, &printed, &printed
	node.Env = append(os.Environ(), "SOCKET_PORT="+address.Port(), "agentId=a1", "parentId=p1~secret", "threadId=t1")
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- node.Wait() }()
	t.Cleanup(func() {
		_ = node.Process.Kill()
		if err := <-ended; t.Failed() {
			t.Logf("the agent ended with %v and had printed:\n%s", err, &printed)
		}
	})
	select {
	case c := <-connections:
		t.Cleanup(func() { c.conn.Close() })
		if err := c.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		return &playground{t, c.query, c.conn}
	case err := <-ended:
		ended <- err
		t.Fatalf("the agent ended: %v", err)
	case <-time.After(patience):
		t.Fatal("the agent did not connect")
	}
	return nil
}

func (p *playground) prompt(text string) {
	p.t.Helper()
	p.send(frame{"type": "messageResponse", "message": frame{
		"userMessage":   text,
		"selectedAgent": frame{"id": "a1", "name": "an agent", "agentType": "local-path", "agentDetails": "/agent"},
		"threadId":      "t1", "messageId": "m1",
	}})
}

func (p *playground) send(f frame) {
	p.t.Helper()
	if err := p.conn.WriteJSON(f); err != nil {
		p.t.Fatal(err)
	}
}

func (p *playground) read() frame {
	p.t.Helper()
	var f frame
	if err := p.conn.ReadJSON(&f); err != nil {
		p.t.Fatal(err)
	}
	return f
}

// result is the message of the agent's processStoped, which comes next.
func (p *playground) result(into any) {
	p.t.Helper()
	last := p.read()
	if last["type"] != "processStoped" {
		p.t.Fatalf("the agent sends %v, want its processStoped", last)
	}
	text, err := json.Marshal(last["message"])
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

func TestAnAgentOfTheSDKMakesItsCallsInOrderAndTellsItsResult(t *testing.T) {
	for name, form := range map[string]nodesdk.Form{"linked": nodesdk.Linked, "bundled": nodesdk.Bundled} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "agent-1")
			nodesdk.Agent(t, dir, nodesdk.Script, form)
			p := play(t, dir)
			want := url.Values{"id": {"agent-1"}, "agentId": {"a1"}, "parentId": {"p1~secret"}}
			if diff := cmp.Diff(want, p.query); diff != "" {
				t.Errorf("how it connects: %s", diff)
			}
			p.send(frame{"type": "registered", "connectionId": "a1"})
			p.prompt(nodesdk.Task{Read: "src/a.txt", Say: "hello", Command: "make", LimitMS: 20_000}.Message())
			for _, step := range []struct{ want, answer frame }{
				{
					frame{"type": "settingEvent", "action": "getProjectPath"},
					frame{"type": "getProjectPathResponse", "success": true, "projectPath": "/project", "projectName": "project"},
				},
				{
					frame{"type": "fsEvent", "action": "readFile", "message": frame{"filePath": "/project/src/a.txt"}},
					frame{"type": "readFileResponse", "success": true, "content": "text"},
				},
				{
					frame{"type": "fsEvent", "action": "createFile", "message": frame{"fileName": "by-agent.txt", "source": "made by an agent\n", "filePath": "/project"}},
					frame{"type": "createFileResponse", "success": true},
				},
				{
					frame{"type": "fsEvent", "action": "fileList", "message": frame{"folderPath": "/project", "isRecursive": true}},
					frame{"type": "fileListResponse", "success": true, "files": []string{"a"}},
				},
				{
					frame{"type": "fsEvent", "action": "searchFiles", "message": frame{"path": "/project", "regex": "agent", "filePattern": "*"}},
					frame{"type": "searchFilesResponse", "success": false, "error": "no such thing"},
				},
				{
					frame{"type": "executeCommand", "message": "make", "returnEmptyStringOnSuccess": false},
					frame{"type": "commandFinish", "exitCode": 0, "stdout": "made"},
				},
				{frame{"type": "sendMessage", "message": "hello", "payload": frame{}}, nil},
				{
					frame{"type": "inference", "message": frame{"prompt": frame{"messages": []any{frame{"role": "user", "content": "Say hello."}}}, "llmrole": "default"}},
					frame{"type": "llmResponse", "completion": frame{"choices": []any{}}},
				},
			} {
				if diff := cmp.Diff(step.want, p.read()); diff != "" {
					t.Fatal(diff)
				}
				if step.answer != nil {
					p.send(step.answer)
				}
			}
			var got nodesdk.Result
			p.result(&got)
			var names []string
			for _, call := range got.Calls {
				names = append(names, call.Name)
			}
			calls := []string{
				"project.getProjectPath", "fs.readFile", "fs.createFile", "fs.listFile", "fs.searchFiles",
				"terminal.executeCommand", "chat.sendMessage", "llm.inference",
			}
			if diff := cmp.Diff(calls, names); diff != "" {
				t.Error(diff)
			}
			if !slices.Equal(got.Failed, []string{"fs.searchFiles"}) || got.Calls[4].Error != "no such thing" || got.ProjectPath != "/project" {
				t.Errorf("the result is %+v", got)
			}
			if !strings.Contains(string(got.Calls[1].Answer), `"content":"text"`) {
				t.Errorf("it read %s", got.Calls[1].Answer)
			}
		})
	}
}

func TestACallThatIsNotAnsweredIsNamed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "agent")
	nodesdk.Agent(t, dir, nodesdk.Script, nodesdk.Bundled)
	p := play(t, dir)
	p.prompt(nodesdk.Task{LimitMS: 20}.Message())
	for range 8 {
		p.read()
	}
	var got nodesdk.Result
	p.result(&got)
	if len(got.Failed) != 7 || got.Calls[0].Error != "no answer within 20 ms" {
		t.Errorf("the result is %+v", got)
	}
}

// caller is an agent that makes the calls of its message, a list as in
// testdata/frames.jsonl, and tells for each whether it returned.
const caller = `
const sdk = require("@codebolt/codeboltjs").default;
sdk.chat.onActionMessage().on("userMessage", async (envelope, done) => {
  const returned = [];
  for (const { call, args } of JSON.parse(envelope.message.userMessage)) {
    const [module, method] = call.split(".");
    let timer;
    const late = new Promise((resolve) => { timer = setTimeout(() => resolve(false), 5000); });
    returned.push(await Promise.race([Promise.resolve(sdk[module][method](...args)).then(() => true), late]));
    clearTimeout(timer);
  }
  done(returned);
});
`

func TestTheSDKSendsAndWaitsForWhatTheTableSays(t *testing.T) {
	type line struct {
		Call     string          `json:"call"`
		Args     json.RawMessage `json:"args"`
		Sends    frame           `json:"sends"`
		WaitsFor string          `json:"waitsFor,omitzero"`
	}
	table, err := os.Open("testdata/frames.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	var lines []line
	for scan := bufio.NewScanner(table); scan.Scan(); {
		var l line
		if err := json.Unmarshal(scan.Bytes(), &l); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
	text, err := json.Marshal(lines)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "agent")
	nodesdk.Agent(t, dir, caller, nodesdk.Bundled)
	p := play(t, dir)
	p.prompt(string(text))
	for _, l := range lines {
		if diff := cmp.Diff(l.Sends, p.read()); diff != "" {
			t.Errorf("%s: %s", l.Call, diff)
		}
		if l.WaitsFor != "" {
			p.send(frame{"type": "another", "requestId": "1"})
			p.send(frame{"type": l.WaitsFor, "success": true})
		}
	}
	var returned []bool
	p.result(&returned)
	for i, ok := range returned {
		if !ok {
			t.Errorf("%s does not return for %q", lines[i].Call, lines[i].WaitsFor)
		}
	}
}

func TestCallsOfOneTypeAtOnceAllTakeTheFirstAnswer(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "agent")
	nodesdk.Agent(t, dir, `
const sdk = require("@codebolt/codeboltjs").default;
sdk.chat.onActionMessage().on("userMessage", async (envelope, done) => {
  const all = await Promise.all([sdk.fs.readFile("/a"), sdk.fs.readFile("/b")]);
  done(all.map((answer) => answer.content));
});`, nodesdk.Bundled)
	p := play(t, dir)
	p.prompt("read")
	p.read()
	p.read()
	p.send(frame{"type": "readFileResponse", "content": "of a"})
	var got []string
	p.result(&got)
	if !slices.Equal(got, []string{"of a", "of a"}) {
		t.Errorf("the calls gave %v; if the SDK tells answers apart now, runtimes may too", got)
	}
}
