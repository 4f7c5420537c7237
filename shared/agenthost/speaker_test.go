//go:build linux

package agenthost_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/agenthost"
	"github.com/codeboltai/codebolt-providers/shared/link"
	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// platform is a provider behind which a platform answers what agents ask.
type platform struct {
	*peer
	mu     sync.Mutex
	frames []object
	news   chan struct{}
}

// answers says what was asked.
func answers(p *platform, frame object) {
	if frame["type"] == "inference" {
		p.send(object{"type": "llmResponse", "requestId": frame["requestId"], "completion": frame["message"]})
	}
}

// platform connects one that does something with each frame it hears.
func (r *rig) platform(hear func(p *platform, frame object)) *platform {
	r.t.Helper()
	return r.listen(runtime.ClientOptions{AppID: "test", ProjectName: "p", CurrentProject: r.workspace, Resume: true}, hear)
}

// listen connects in a way.
func (r *rig) listen(o runtime.ClientOptions, hear func(p *platform, frame object)) *platform {
	r.t.Helper()
	p := &platform{peer: &peer{t: r.t}, news: make(chan struct{}, 1)}
	ready := make(chan struct{})
	var err error
	o.Dial, o.Token = r.dial, token
	o.OnMessage = func(_ wire.Header, m link.Message) {
		frame := object{}
		if err := wire.Unmarshal(m.Data, &frame); err != nil {
			r.t.Error(err)
		}
		p.mu.Lock()
		p.frames = append(p.frames, frame)
		p.mu.Unlock()
		select {
		case p.news <- struct{}{}:
		default:
		}
		<-ready
		hear(p, frame)
	}
	p.Client, err = runtime.Connect(r.t.Context(), o)
	if err != nil {
		r.t.Fatal(err)
	}
	close(ready)
	r.t.Cleanup(p.leave)
	return p
}

// await waits for frames for which ok is true, so many of them.
func (p *platform) await(n int, ok func(object) bool) []object {
	p.t.Helper()
	timeout := time.After(120 * time.Second)
	var found []object
	for next := 0; ; {
		p.mu.Lock()
		for ; next < len(p.frames); next++ {
			if ok(p.frames[next]) {
				found = append(found, p.frames[next])
			}
		}
		p.mu.Unlock()
		if len(found) >= n {
			return found
		}
		select {
		case <-p.news:
		case <-timeout:
			p.t.Fatalf("%d of %d came; the last of all: %v", len(found), n, p.frames[max(next-5, 0):next])
		}
	}
}

func ofType(typ string) func(object) bool {
	return func(frame object) bool { return frame["type"] == typ }
}

// ended waits for so many ends.
func (p *platform) ended(n int) []object {
	p.t.Helper()
	return p.await(n, ofType(wire.TypeProcessStopped))
}

// tellAgent gives an agent of this test program a message.
func (p *platform) tellAgent(id, role, messageID, text string) {
	p.t.Helper()
	self, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	p.send(object{"type": wire.TypeMessageResponse, "messageId": messageID, "message": object{
		"userMessage": text, "threadId": "t-" + messageID, "messageId": messageID,
		"selectedAgent": object{"id": id, "agentType": wire.AgentTypeCommand, "agentDetails": object{
			"argv": []string{self}, "endpoint": true, "env": object{agentRole: role},
		}},
	}})
}

func TestAnAgentIsGivenMessagesAndItsAnswersComeBack(t *testing.T) {
	t.Parallel()
	p := start(t, agenthost.Options{}).platform(answers)
	p.tellAgent("coder", "echo", "m1", "first")
	end := p.ended(1)[0]
	result, _ := end["message"].(object)
	if result["answer"] != "first" || end["messageId"] != "m1" || end["threadId"] != "t-m1" || end["agentId"] != "coder" || end["synthetic"] != nil {
		t.Errorf("it ended with %v", end)
	}
	p.tellAgent("coder", "echo", "m2", "second")
	next := p.ended(2)[1]
	if again, _ := next["message"].(object); again["answer"] != "second" || again["pid"] != result["pid"] || next["messageId"] != "m2" || next["threadId"] != "t-m2" {
		t.Errorf("the next message ended with %v after %v", next, end)
	}
	var order []string
	for _, frame := range p.await(0, func(object) bool { return true }) {
		order = append(order, fmt.Sprint(frame["type"]))
		if frame["agentInstanceId"] != end["agentInstanceId"] && frame["type"] != wire.TypeAgentStarted {
			t.Errorf("a frame of somebody else: %v", frame)
		}
	}
	if got := strings.Join(order, " "); got != "agentStarted inference processStoped inference processStoped" {
		t.Error(got)
	}
}

func TestNeitherAnAgentNorItsCommandsFindTheServer(t *testing.T) {
	t.Parallel()
	p := start(t, agenthost.Options{
		Environ: append(os.Environ(), "threadToken=secret-token", "ENVIRONMENT_CONFIG=secret-config", "SOCKET_PORT=12345", "OF_THE_MACHINE=1", "NAMED=1"),
		Agents:  agenthost.AgentRules{Env: []string{"NAMED"}},
	}).platform(answers)
	p.tellAgent("curious", "environ", "m1", "")
	seen, _ := p.ended(1)[0]["message"].(object)
	own, commands := fmt.Sprint(seen["own"]), fmt.Sprint(seen["commands"])
	for _, text := range []string{own, commands} {
		if strings.Contains(text, "secret-") || strings.Contains(text, "SOCKET_PORT=12345") || !strings.Contains(text, "NAMED=1") {
			t.Errorf("there is %s", text)
		}
	}
	if strings.Contains(own, "OF_THE_MACHINE") || !strings.Contains(commands, "OF_THE_MACHINE") {
		t.Errorf("the agent has %s\nits commands have %s", own, commands)
	}
}

func TestNoAnswerReachesAnotherAgent(t *testing.T) {
	t.Parallel()
	const agents = 20
	times := 100
	if os.Getenv("CODEBOLT_TEST_REQUESTS") == "all" {
		times = 100_000 / agents
	}
	var mu sync.Mutex
	var kept []object
	p := start(t, agenthost.Options{}).platform(func(p *platform, frame object) {
		// Answers leave in another order than the requests came: each is held until
		// another has come, as long as there are any.
		if frame["type"] != "inference" {
			return
		}
		mu.Lock()
		kept = append(kept, frame)
		if len(kept) > agents/2 {
			frame, kept = kept[len(kept)/2], append(kept[:len(kept)/2:len(kept)/2], kept[len(kept)/2+1:]...)
		} else {
			frame = nil
		}
		mu.Unlock()
		if frame != nil {
			p.send(object{"type": "llmResponse", "requestId": frame["requestId"], "completion": frame["message"]})
		}
	})
	stop := make(chan struct{})
	defer close(stop)
	go func() { // those that are held while nobody asks any more
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			mu.Lock()
			rest := kept
			kept = nil
			mu.Unlock()
			for _, frame := range rest {
				p.send(object{"type": "llmResponse", "requestId": frame["requestId"], "completion": frame["message"]})
			}
		}
	}()
	begun := time.Now()
	for i := range agents {
		p.tellAgent(fmt.Sprintf("agent-%d", i), fmt.Sprintf("many:%d", times), fmt.Sprintf("m%d", i), "go")
	}
	for _, end := range p.ended(agents) {
		if end["message"] != float64(times) {
			t.Errorf("%v", end)
		}
	}
	seen := map[any]bool{}
	asked := p.await(0, ofType("inference"))
	for _, frame := range asked {
		if seen[frame["requestId"]] {
			t.Fatalf("two requests are called %v", frame["requestId"])
		}
		seen[frame["requestId"]] = true
	}
	if len(asked) != agents*times {
		t.Errorf("%d requests came, not %d", len(asked), agents*times)
	}
	t.Logf("%d requests of %d agents in %v", len(asked), agents, time.Since(begun))
}

func TestAnAgentThatCrashesIsReportedWithItsLastWords(t *testing.T) {
	t.Parallel()
	p := start(t, agenthost.Options{}).platform(answers)
	p.tellAgent("coder", "crash", "m1", "")
	p.await(1, ofType(wire.TypeAgentStarted))
	p.tellAgent("coder", "crash", "m2", "")
	for i, end := range p.ended(2) {
		if end["messageId"] != fmt.Sprintf("m%d", i+1) || end["exitCode"] != float64(3) || end["synthetic"] != true ||
			!strings.Contains(fmt.Sprint(end["error"]), "status 3") || !strings.Contains(fmt.Sprint(end["error"]), "the last word") {
			t.Errorf("%v", end)
		}
	}
	p.tellAgent("coder", "echo", "m3", "once more")
	if end := p.ended(3)[2]; end["messageId"] != "m3" || end["error"] != nil {
		t.Errorf("a new one: %v", end)
	}
}

func TestAnAgentThatLeavesWithNothingToDoIsNoError(t *testing.T) {
	t.Parallel()
	p := start(t, agenthost.Options{}).platform(answers)
	p.tellAgent("coder", "leave", "m1", "")
	gone := p.await(1, ofType(wire.TypeNotification))[0]
	if data, _ := gone["data"].(object); gone["action"] != wire.ActionAgentGone || data["clientId"] != "coder" {
		t.Errorf("%v", gone)
	}
	if ends := p.ended(1); len(ends) != 1 || ends[0]["error"] != nil || ends[0]["message"] != "ready" {
		t.Errorf("%v", ends)
	}
}

func TestAgentsThatDoNotConnectOrPartAreEnded(t *testing.T) {
	t.Parallel()
	p := start(t, agenthost.Options{ConnectTimeout: 200 * time.Millisecond, StopGrace: 100 * time.Millisecond}).platform(answers)
	p.send(object{"type": wire.TypeMessageResponse, "messageId": "m1", "message": object{"selectedAgent": object{
		"id": "silent", "agentType": wire.AgentTypeCommand, "agentDetails": object{"argv": []string{"sleep", "100"}, "endpoint": true},
	}}})
	if end := p.ended(1)[0]; end["code"] != string(wire.Timeout) || !strings.Contains(fmt.Sprint(end["error"]), "did not connect within 200ms") {
		t.Errorf("%v", end)
	}
	p.tellAgent("parting", "parting", "m2", "")
	if end := p.ended(2)[1]; !strings.Contains(fmt.Sprint(end["error"]), "closed its connection") || end["messageId"] != "m2" {
		t.Errorf("%v", end)
	}
	for _, id := range []string{"../up", ".", "", "a/b", "a b", strings.Repeat("x", 129)} {
		p.tellAgent(id, "echo", "bad", "")
	}
	for _, end := range p.ended(8)[2:] {
		if end["agentId"] != "" && end["code"] != string(wire.Invalid) && end["message"] == nil {
			t.Errorf("%v", end)
		}
	}
}

func TestAStoppedAgentMayEndByItself(t *testing.T) {
	t.Parallel()
	p := start(t, agenthost.Options{StopGrace: 200 * time.Millisecond}).platform(answers)
	for _, id := range []string{"obedient", "stubborn"} {
		p.tellAgent(id, id, "m-"+id, "")
	}
	p.await(2, ofType("sendMessage"))
	p.send(wire.StopProcess{Header: wire.Header{Type: wire.TypeStopProcess}, AgentID: "obedient"})
	if end := p.ended(1)[0]; end["message"] != "stopped" || end["synthetic"] != nil || end["agentId"] != "obedient" {
		t.Errorf("%v", end)
	}
	p.send(wire.StopProcess{Header: wire.Header{Type: wire.TypeStopProcess}, AgentID: "stubborn"})
	if end := p.ended(2)[1]; end["agentId"] != "stubborn" || end["signal"] != "SIGKILL" || end["code"] != string(wire.Timeout) {
		t.Errorf("%v", end)
	}
}

func TestAnAgentThatKnowsNoIdsIsAnsweredInItsOrder(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	waiting := 0
	p := start(t, agenthost.Options{}).platform(func(p *platform, frame object) {
		if frame["type"] != "getChatHistory" {
			return
		}
		mu.Lock()
		if waiting++; waiting > 1 {
			t.Error("two requests that one answer would answer are under way")
		}
		mu.Unlock()
		go func() {
			mu.Lock()
			waiting--
			mu.Unlock()
			p.send(object{"type": "getChatHistoryResponse", "requestId": frame["requestId"], "message": frame["message"]})
		}()
	})
	p.tellAgent("old", "old", "m1", "")
	end := p.ended(1)[0]
	if result, _ := end["message"].(object); result["first"] != "first" || result["second"] != "second" || result["named"] != false {
		t.Errorf("%v", end)
	}
}

func TestAHostileAgentHarmsNobodyElse(t *testing.T) {
	t.Parallel()
	p := start(t, agenthost.Options{}).platform(answers)
	p.tellAgent("victim", "echo", "m1", "before")
	p.ended(1)
	p.tellAgent("forger", "forge:victim", "m2", "")
	end := p.ended(2)[1]
	result, _ := end["message"].(object)
	refused, _ := result["refused"].([]any)
	for _, success := range refused {
		if success != false {
			t.Errorf("a forged message was taken: %v", result)
		}
	}
	if len(refused) != 7 || result["asOther"] == "<nil>" || result["guess"] == "<nil>" || result["browser"] == "<nil>" {
		t.Errorf("%v", result)
	}
	for _, frame := range p.await(1, ofType("sendMessage")) {
		if frame["agentId"] != "forger" || frame["agentInstanceId"] != end["agentInstanceId"] {
			t.Errorf("it passes for another: %v", frame)
		}
	}
	p.tellAgent("giant", "giant", "m3", "")
	if end := p.ended(3)[2]; end["agentId"] != "giant" || end["synthetic"] != true {
		t.Errorf("%v", end)
	}
	p.tellAgent("flooder", "flood", "m4", "")
	p.tellAgent("victim", "echo", "m5", "after")
	for _, end := range p.ended(5)[3:] {
		if result, _ := end["message"].(object); end["messageId"] == "m5" && result["answer"] != "after" {
			t.Errorf("the victim: %v", end)
		}
	}
	for i, frame := range p.await(20_000, func(f object) bool { return f["agentId"] == "flooder" && f["n"] != nil }) {
		if frame["n"] != float64(i) {
			t.Fatalf("message %v comes at %d", frame["n"], i)
		}
	}
}

func TestAnAgentDoesNotNoticeThatTheProviderIsAway(t *testing.T) {
	t.Parallel()
	const times = 5000 // of 4 KiB: twenty times the history
	r := start(t, agenthost.Options{})
	reached, hold := make(chan struct{}), make(chan struct{})
	first := r.platform(func(_ *platform, frame object) {
		if frame["n"] == float64(10) {
			close(reached)
			<-hold // it reads no more
		}
	})
	first.tellAgent("coder", fmt.Sprintf("patient:%d", times), "m1", "")
	<-reached
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	left := make(chan struct{})
	go func() { _ = first.Close(ended); close(left) }() // cut in the middle
	close(hold)
	<-left
	now := "0"
	for before := ""; before != now || now == ""; { // until it waits
		before = now
		time.Sleep(200 * time.Millisecond)
		now = string(contentOf(t, filepath.Join(r.workspace, "said")))
	}
	if said, err := strconv.Atoi(now); err != nil || said > times/2 {
		t.Errorf("%d messages are kept for nobody: %v", said, err)
	}
	next := r.platform(answers)
	end := next.ended(1)[0]
	if end["message"] != "are you there" {
		t.Errorf("%v", end)
	}
	heard := map[float64]int{}
	for _, p := range []*platform{first, next} {
		for _, frame := range p.await(0, ofType("sendMessage")) {
			if frame["replay"] == nil {
				heard[frame["n"].(float64)]++
			} else if n := frame["n"].(float64); heard[n] == 0 {
				heard[n] = 1 // the first was not told of it, or not to the end
			}
		}
	}
	for i := range times {
		if heard[float64(i)] != 1 {
			t.Fatalf("message %d came %d times", i, heard[float64(i)])
		}
	}
	late := r.platform(answers)
	late.await(1, ofType(wire.TypeProcessStopped))
	if asked := late.await(0, ofType("inference")); len(asked) > 0 {
		t.Errorf("what has its answer is asked again: %v", asked)
	}
}

func contentOf(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
