//go:build linux

package agenthost_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/agenthost"
	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func init() {
	// gossip asks, and says more than is kept of it before it hears anything.
	roles["gossip"] = func(a *scripted, _ string) {
		a.hear()
		a.say(object{"type": "inference", "requestId": "q1", "message": "asked"})
		for range 200 {
			a.say(object{"type": "sendMessage", "text": strings.Repeat("x", 2000)})
		}
		a.say(object{"type": "sendMessage", "text": "said all"})
		a.hear()
	}
	// asker asks for a file and for something of the platform's, and ends with both.
	roles["asker"] = func(a *scripted, _ string) {
		for {
			a.hear()
			a.say(object{"type": "sendMessage", "text": "said"})
			file := a.ask(object{"type": "fsEvent", "action": "readFile", "message": object{"filePath": "there.txt"}})
			model := a.ask(object{"type": "inference", "message": "asked"})
			listed := a.ask(object{"type": "memoryEvent", "action": "list"})
			a.done(object{"message": object{"content": file["content"], "from": file["from"], "completion": model["completion"], "type": model["type"], "listed": listed["type"], "error": listed["error"]}})
		}
	}
}

// gateway connects a client that speaks as the execution gateway does.
func (r *rig) gateway(id string, hear func(p *platform, frame object)) *platform {
	r.t.Helper()
	return r.listen(runtime.ClientOptions{Gateway: id}, hear)
}

// replies answers what agents ask through the gateway.
func replies(p *platform, frame object) {
	if frame["type"] != wire.TypeGatewayRequest {
		return
	}
	reply := object{"type": wire.TypeGatewayReply, "replyRequestId": frame["requestId"], "success": true}
	switch frame["originalType"] {
	case "inference":
		reply["result"] = object{"completion": frame["originalMessage"].(object)["message"]}
	case "memoryEvent":
		reply["success"], reply["result"] = false, object{"error": "no memory"}
	default:
		reply["result"] = object{"type": "readFileResponse", "success": true, "content": "the platform's", "from": "platform"}
	}
	p.send(reply)
}

// notified is for notifications of an original type.
func notified(typ string) func(object) bool {
	return func(frame object) bool {
		return frame["type"] == wire.TypeGatewayNotification && frame["originalType"] == typ
	}
}

func writeIn(t *testing.T, r *rig, name, text string) {
	t.Helper()
	at := filepath.Join(r.workspace, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func TestAClientOfTheGatewayAnswersAgents(t *testing.T) {
	t.Parallel()
	r := start(t, agenthost.Options{})
	writeIn(t, r, "there.txt", "here")
	p := r.gateway("p1", replies)
	if first := p.await(1, ofType(wire.TypeGatewayClaim))[0]; first["success"] != true || first["data"].(object)["claimed"] != true || first["data"].(object)["pluginId"] != "p1" {
		t.Errorf("it is told %v", first)
	}
	p.tellAgent("coder", "asker", "m1", "go")
	end := p.await(1, notified(wire.TypeProcessStopped))[0]["originalMessage"].(object)
	got := fmt.Sprint(end["message"])
	want := fmt.Sprint(object{"content": "here", "from": nil, "completion": "asked", "type": "inferenceResponse", "listed": "listResponse", "error": "no memory"})
	if got != want || end["messageId"] != "m1" {
		t.Errorf("the agent ended with %v, want %v", end, want)
	}
	if said := p.await(1, notified("sendMessage"))[0]["originalMessage"].(object); said["text"] != "said" || said["agentId"] != "coder" {
		t.Errorf("it said %v", said)
	}
	for _, frame := range p.await(0, func(object) bool { return true }) {
		if typ := fmt.Sprint(frame["type"]); !strings.HasPrefix(typ, "executionGateway.") {
			t.Errorf("a frame that is not wrapped: %v", frame)
		}
	}
}

func TestOneClientAtATimeClaimsTheGateway(t *testing.T) {
	t.Parallel()
	r := start(t, agenthost.Options{})
	writeIn(t, r, "there.txt", "here")
	first := r.gateway("first", func(*platform, object) {})
	second := r.gateway("second", replies)
	if told := second.await(1, ofType(wire.TypeGatewayClaim))[0]; told["success"] != false || told["data"].(object)["claimed"] != false {
		t.Errorf("the second is told %v", told)
	}
	second.send(object{"type": wire.TypeGatewayClaim, "requestId": "c1"})
	refused := second.await(1, func(f object) bool { return f["requestId"] == "c1" })[0]
	if refused["success"] != false || refused["code"] != string(wire.Conflict) {
		t.Errorf("its claim is answered with %v", refused)
	}
	second.send(object{"type": wire.TypeGatewayUnsubscribe, "requestId": "u1"})
	second.await(1, func(f object) bool { return f["requestId"] == "u1" && f["success"] == true })
	first.tellAgent("coder", "asker", "m1", "go")
	first.await(1, func(f object) bool { return f["originalType"] == "inference" })
	// The first leaves it, and what it has not answered is the next one's.
	first.send(object{"type": wire.TypeGatewayRelinquish, "requestId": "r1"})
	first.await(1, func(f object) bool { return f["requestId"] == "r1" && f["data"].(object)["claimed"] == false })
	second.send(object{"type": wire.TypeGatewaySubscribe, "requestId": "s1"})
	second.send(object{"type": wire.TypeGatewayClaim, "requestId": "c2"})
	second.await(1, func(f object) bool { return f["requestId"] == "c2" && f["success"] == true })
	second.await(1, notified(wire.TypeProcessStopped))
	asked := second.await(1, func(f object) bool { return f["originalType"] == "inference" })
	if len(asked) != 1 {
		t.Errorf("the second was asked %v", asked)
	}
	for _, frame := range first.await(0, func(object) bool { return true }) {
		if frame["originalType"] == "memoryEvent" && frame["type"] == wire.TypeGatewayRequest {
			t.Errorf("who has left the gateway was asked %v", frame)
		}
	}
}

func TestTheServersRulesSayWhoAnswersAgents(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ rules, content, from, inference string }{
		"none":               {"", "here", "<nil>", "asked"},
		"files by platform":  {`{"fsEvent:*":"proxy"}`, "the platform's", "platform", "asked"},
		"but for one":        {`{"rules":{"fsEvent:*":"proxy","fsEvent:readFile":"local"}}`, "here", "<nil>", "asked"},
		"what nobody can":    {`{"inference":"local"}`, "here", "<nil>", "<nil>"},
		"broken":             {`{"fsEvent:*":`, "here", "<nil>", "asked"},
		"a word of another":  {`{"fsEvent":"maybe"}`, "here", "<nil>", "asked"},
		"with other members": {`{"version":1,"fsEvent":"proxy"}`, "the platform's", "platform", "asked"},
		"in other letters":   {`{"FSEvent:*":"proxy","Inference":"local"}`, "the platform's", "platform", "<nil>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, agenthost.Options{Agents: agenthost.AgentRules{ProxyRules: true}})
			writeIn(t, r, "there.txt", "here")
			if c.rules != "" {
				writeIn(t, r, ".codebolt/proxyExecution.json", c.rules)
			}
			p := r.gateway("p1", replies)
			p.tellAgent("coder", "asker", "m1", "go")
			end := p.await(1, notified(wire.TypeProcessStopped))[0]["originalMessage"].(object)
			m, _ := end["message"].(object)
			if fmt.Sprint(m["content"]) != c.content || fmt.Sprint(m["from"]) != c.from || fmt.Sprint(m["completion"]) != c.inference {
				t.Errorf("the agent ended with %v", end)
			}
		})
	}
}

func TestRulesOfTheWorkspaceCountOnlyWhenTold(t *testing.T) {
	t.Parallel()
	r := start(t, agenthost.Options{})
	writeIn(t, r, "there.txt", "here")
	writeIn(t, r, ".codebolt/proxyExecution.json", `{"fsEvent":"proxy"}`)
	p := r.gateway("p1", replies)
	p.tellAgent("coder", "asker", "m1", "go")
	end := p.await(1, notified(wire.TypeProcessStopped))[0]["originalMessage"].(object)
	if m, _ := end["message"].(object); m["content"] != "here" {
		t.Errorf("a file that anybody may have written sent a request to the platform: %v", end)
	}
}

func TestWhatNobodyHasClaimedIsAskedOfTheNext(t *testing.T) {
	t.Parallel()
	r := start(t, agenthost.Options{History: 64 << 10})
	p := r.gateway("p1", func(*platform, object) {})
	p.send(object{"type": wire.TypeGatewayRelinquish, "requestId": "r1"})
	p.await(1, func(f object) bool { return f["requestId"] == "r1" })
	p.tellAgent("coder", "gossip", "m1", "go")
	// It says more than is kept, and waits then: what it has asked is not let go.
	p.await(1, notified("sendMessage"))
	p.send(object{"type": wire.TypeGatewayClaim, "requestId": "c1"})
	p.await(1, func(f object) bool { return f["originalType"] == "inference" })
	p.await(1, func(f object) bool {
		m, _ := f["originalMessage"].(object)
		return m["text"] == "said all"
	})
}

func TestTheSecondOfOneNameHasNotClaimed(t *testing.T) {
	t.Parallel()
	r := start(t, agenthost.Options{})
	r.gateway("same", func(*platform, object) {}).await(1, ofType(wire.TypeGatewayClaim))
	if told := r.gateway("same", func(*platform, object) {}).await(1, ofType(wire.TypeGatewayClaim))[0]; told["success"] != false {
		t.Errorf("the second is told %v", told)
	}
}

func TestWhatIsAskedGoesToOne(t *testing.T) {
	t.Parallel()
	r := start(t, agenthost.Options{})
	writeIn(t, r, "there.txt", "here")
	app := r.platform(func(*platform, object) {})
	p := r.gateway("p1", func(*platform, object) {})
	p.tellAgent("coder", "asker", "m1", "go")
	p.await(1, func(f object) bool { return f["originalType"] == "inference" })
	app.await(1, ofType("sendMessage"))
	if both := app.await(0, ofType("inference")); len(both) > 0 {
		t.Errorf("both were asked: %v", both)
	}
	// When the one that has claimed it goes, the other is asked.
	p.leave()
	app.await(1, ofType("inference"))
}
