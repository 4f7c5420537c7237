package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// asks is what an agent of the bench is told to do: to ask so many questions, so many
// of them at once.
type asks struct{ Count, Outstanding int }

// asked is what it says of it.
type asked struct {
	Micros float64 `json:"micros"` // median of one question
	Rate   float64 `json:"rate"`   // questions a second
}

// agentFrame is what the bench reads of a frame.
type agentFrame struct {
	Type, Error, RequestID, AgentID string
	Message                         json.RawMessage
}

// speakAgent is an agent that asks the platform and measures how long the answers take.
// It is the same process whether a runtime starts it or the bench itself.
func speakAgent(ctx context.Context) error {
	query := url.Values{"agentId": {os.Getenv("agentId")}, "parentId": {os.Getenv("parentId")}}
	conn, resp, err := websocket.DefaultDialer.DialContext(ctx, "ws://"+net.JoinHostPort("127.0.0.1", os.Getenv("SOCKET_PORT"))+"/codebolt?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	defer func() { _ = conn.Close() }()
	if err := conn.WriteJSON(map[string]any{"type": "sendMessage", "message": "hello"}); err != nil {
		return err
	}
	for {
		var frame agentFrame
		if err := conn.ReadJSON(&frame); err != nil {
			return nil // whoever started it is done with it
		}
		if frame.Type != "messageResponse" {
			continue
		}
		var prompt struct{ UserMessage string }
		err := json.Unmarshal(frame.Message, &prompt)
		var want asks
		if err == nil {
			err = json.Unmarshal([]byte(prompt.UserMessage), &want)
		}
		if err != nil {
			return err
		}
		said, err := askMuch(conn, want)
		if err != nil {
			return err
		}
		if err := conn.WriteJSON(map[string]any{"type": "processStoped", "message": said}); err != nil {
			return err
		}
	}
}

func askMuch(conn *websocket.Conn, want asks) (*asked, error) {
	text := strings.Repeat("x", 200)
	sent := make(map[string]time.Time, want.Outstanding)
	var took []float64
	begun := time.Now()
	for n := 0; len(took) < want.Count; {
		for ; n < want.Count && len(sent) < want.Outstanding; n++ {
			id := strconv.Itoa(n)
			sent[id] = time.Now()
			if err := conn.WriteJSON(map[string]any{"type": "inference", "requestId": id, "message": text}); err != nil {
				return nil, err
			}
		}
		var answer agentFrame
		if err := conn.ReadJSON(&answer); err != nil {
			return nil, err
		}
		at, ok := sent[answer.RequestID]
		if !ok {
			continue // a greeting
		}
		delete(sent, answer.RequestID)
		took = append(took, float64(time.Since(at).Microseconds()))
	}
	return &asked{Micros: median(took), Rate: float64(want.Count) / time.Since(begun).Seconds()}, nil
}

// platform answers what agents ask on a connection until n of them have ended.
func platform(conn *websocket.Conn, n int) (ends []asked, err error) {
	for len(ends) < n {
		_, text, err := conn.ReadMessage()
		if err != nil {
			return nil, err
		}
		var frame agentFrame
		if err := json.Unmarshal(text, &frame); err != nil {
			return nil, err
		}
		switch frame.Type {
		case "inference":
			err = conn.WriteMessage(websocket.TextMessage, []byte(`{"type":"llmResponse","requestId":"`+frame.RequestID+`","completion":"yes"}`))
		case "processStoped":
			if frame.Error != "" {
				return nil, fmt.Errorf("agent %s: %s", frame.AgentID, frame.Error)
			}
			var end asked
			err = json.Unmarshal(frame.Message, &end)
			ends = append(ends, end)
		}
		if err != nil {
			return nil, err
		}
	}
	return ends, nil
}

// hello waits for the first word of an agent.
func hello(conn *websocket.Conn) error {
	for {
		var frame agentFrame
		switch err := conn.ReadJSON(&frame); {
		case err != nil:
			return err
		case frame.Type == "sendMessage":
			return nil
		case frame.Type == "processStoped":
			return errors.New("the agent did not start: " + frame.Error)
		}
	}
}

func envelope(id string, want asks) map[string]any {
	text, err := json.Marshal(want)
	if err != nil {
		panic(err) // numbers
	}
	return map[string]any{"type": "messageResponse", "messageId": id, "message": map[string]any{
		"userMessage": string(text), "threadId": id, "messageId": id,
	}}
}

// tellAgent gives an agent of the environment a message, and starts it for the first.
func (b *bench) tellAgent(p *peer, self, id string, want asks) error {
	m := envelope(id, want)
	m["message"].(map[string]any)["selectedAgent"] = map[string]any{
		"id": id, "agentType": "command",
		"agentDetails": map[string]any{"argv": []string{self, "-role", "agent"}, "endpoint": true},
	}
	return p.conn.WriteJSON(map[string]any{"type": "providerAgentStart", "requestId": "start-" + id, "userMessage": m})
}

// bareAgent starts an agent that speaks with the bench itself.
func (b *bench) bareAgent(ctx context.Context, id string) (*peer, error) {
	cmd := b.self(ctx, "-role", "agent")
	cmd.Env = append(cmd.Env, "agentId="+id)
	return b.listener.spawn(ctx, cmd)
}

const agentsAtOnce = 20

func (b *bench) agents(ctx context.Context) error {
	if !b.wants("agent") {
		return nil
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	project, err := b.project("agents", 20)
	if err != nil {
		return err
	}
	p, err := b.open(ctx, project, "agents", nil)
	if err != nil {
		return err
	}
	defer func() { _ = away(p) }() // a failure before it is the one to tell
	if err := b.agentStarts(ctx, p, self); err != nil {
		return err
	}
	bare, err := b.bareAgent(ctx, "bare")
	if err != nil {
		return err
	}
	defer bare.end()
	if err := hello(bare.conn); err != nil {
		return err
	}
	for _, work := range []struct {
		name, unit string
		want       asks
	}{
		{"agent asks the platform, one at a time", "µs", asks{4000 / b.scale, 1}},
		{"agent asks the platform, 64 outstanding", "/s", asks{40000 / b.scale, 64}},
	} {
		var ours, theirs []float64
		pick := func(a asked) float64 {
			if work.unit == "µs" {
				return a.Micros
			}
			return a.Rate
		}
		for range max(10/b.scale, 3) {
			if err := b.tellAgent(p, self, "measured", work.want); err != nil {
				return err
			}
			ends, err := platform(p.conn, 1)
			if err != nil {
				return err
			}
			ours = append(ours, pick(ends[0]))
			if err := bare.conn.WriteJSON(envelope("bare", work.want)); err != nil {
				return err
			}
			if ends, err = platform(bare.conn, 1); err != nil {
				return err
			}
			theirs = append(theirs, pick(ends[0]))
		}
		b.reported(work.name, "agent on the server itself", work.unit, ours, theirs)
	}
	return b.manyAgents(ctx, p, self)
}

// agentStarts measures from the request to the agent's first word.
func (b *bench) agentStarts(ctx context.Context, p *peer, self string) error {
	var started, executed []float64
	for i := range max(30/b.scale, 5) {
		begun := time.Now()
		if err := b.tellAgent(p, self, fmt.Sprintf("started-%d", i), asks{}); err != nil {
			return err
		}
		if err := hello(p.conn); err != nil {
			return err
		}
		started = append(started, millis(begun))
		if _, err := platform(p.conn, 1); err != nil {
			return err
		}
		begun = time.Now()
		bare, err := b.bareAgent(ctx, "executed")
		if err == nil {
			err = hello(bare.conn)
		}
		if err != nil {
			return err
		}
		executed = append(executed, millis(begun))
		bare.end()
	}
	b.within("agent start, request to its first word", "exec", started, executed, 20)
	return nil
}

// manyAgents has many agents ask at once, and looks at the memory meanwhile.
func (b *bench) manyAgents(ctx context.Context, p *peer, self string) error {
	want := asks{20000 / b.scale, 4}
	rate := func(ends []asked, begun time.Time) float64 {
		return float64(len(ends)*want.Count) / time.Since(begun).Seconds()
	}
	var bare []*peer
	defer func() {
		for _, a := range bare {
			a.end()
		}
	}()
	for i := range agentsAtOnce {
		a, err := b.bareAgent(ctx, fmt.Sprintf("bare-%d", i))
		if err == nil {
			err = hello(a.conn)
		}
		if err != nil {
			return err
		}
		bare = append(bare, a)
		if err := b.tellAgent(p, self, fmt.Sprintf("many-%d", i), asks{1, 1}); err != nil {
			return err
		}
	}
	if _, err := platform(p.conn, agentsAtOnce); err != nil { // all are there
		return err
	}
	var ours, theirs, provider, runtime []float64
	for range 3 {
		begun := time.Now()
		for i := range agentsAtOnce {
			if err := b.tellAgent(p, self, fmt.Sprintf("many-%d", i), want); err != nil {
				return err
			}
		}
		ends, err := platform(p.conn, agentsAtOnce)
		if err != nil {
			return err
		}
		ours = append(ours, rate(ends, begun))

		begun = time.Now()
		var mu sync.Mutex
		var failed error
		var all sync.WaitGroup
		ends = ends[:0]
		for _, a := range bare {
			all.Go(func() {
				err := a.conn.WriteJSON(envelope("bare", want))
				var end []asked
				if err == nil {
					end, err = platform(a.conn, 1)
				}
				mu.Lock()
				defer mu.Unlock()
				ends, failed = append(ends, end...), errors.Join(failed, err)
			})
		}
		all.Wait()
		if failed != nil {
			return failed
		}
		theirs = append(theirs, rate(ends, begun))
		mib, err := residentMiB(p.cmd.Process.Pid)
		if err != nil {
			return err
		}
		provider = append(provider, mib)
		if mib, err = b.runtimeOf(p); err != nil {
			return err
		}
		runtime = append(runtime, mib)
	}
	b.reported(fmt.Sprintf("%d agents ask the platform at once", agentsAtOnce), "agents on the server itself", "/s", ours, theirs)
	b.reported(fmt.Sprintf("provider with %d agents that ask", agentsAtOnce), "", "MiB", provider, nil)
	b.reported(fmt.Sprintf("codebolt-runtime with %d agents that ask", agentsAtOnce), "", "MiB", runtime, nil)
	return nil
}

// runtimeOf is the memory of a provider's runtime: the child that is one.
func (b *bench) runtimeOf(p *peer) (float64, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		name, rest, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(rest)
		if len(fields) > 1 && strings.HasSuffix(name, "(codebolt-runtim") && fields[1] == strconv.Itoa(p.cmd.Process.Pid) {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			if err != nil {
				return 0, err
			}
			return residentMiB(pid)
		}
	}
	return 0, errors.New("the provider has no runtime")
}
