//go:build linux

package agenthost_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/agenthost"
	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/telemetry"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func init() {
	// witness reads, fails to read, runs a command, says what is refused, and asks.
	roles["witness"] = func(a *scripted, _ string) {
		a.hear()
		a.ask(object{"type": "fsEvent", "action": "readFile", "message": object{"filePath": "there.txt"}})
		a.ask(object{"type": "fsEvent", "action": "readFile", "message": object{"filePath": "nowhere.txt"}})
		a.ask(object{"type": "executeCommand", "message": "echo private output"})
		a.ask(object{"type": "providerHeartbeat"})
		answer := a.ask(object{"type": "inference", "message": "private question"})
		a.done(object{"message": answer["completion"]})
		a.hear()
	}
	// mirror asks with what it was given, and ends with that.
	roles["mirror"] = func(a *scripted, _ string) {
		for {
			m := a.hear()
			a.ask(object{"type": "inference", "message": "x"})
			a.done(object{"message": m})
		}
	}
}

// spans has a receiver take spans, and gives all that it was sent.
func spans(t *testing.T) (*telemetry.Tracer, func() (all []object, text string)) {
	t.Helper()
	bodies := make(chan []byte, 64)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		bodies <- body
	}))
	t.Cleanup(server.Close)
	tracer, err := telemetry.NewTracer(t.Context(), telemetry.TracerOptions{Service: "test", Endpoint: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return tracer, func() (all []object, text string) {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := tracer.Close(ctx); err != nil {
			t.Error(err)
		}
		close(bodies)
		for body := range bodies {
			var request struct {
				ResourceSpans []struct {
					ScopeSpans []struct {
						Spans []object `json:"spans"`
					} `json:"scopeSpans"`
				} `json:"resourceSpans"`
			}
			if err := json.Unmarshal(body, &request); err != nil {
				t.Fatalf("%s: %v", body, err)
			}
			all = append(all, request.ResourceSpans[0].ScopeSpans[0].Spans...)
			text += string(body)
		}
		return all, text
	}
}

func TestWhatAnAgentDoesIsSeenAndNothingOfWhatItSays(t *testing.T) {
	t.Parallel()
	tracer, sent := spans(t)
	r := start(t, agenthost.Options{Tracer: tracer})
	if err := os.WriteFile(filepath.Join(r.workspace, "there.txt"), []byte("private content"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := r.platform(func(*platform, object) {})
	p.tellAgent("seen", "witness", "m1", "private prompt")
	question := p.await(1, ofType("inference"))[0]
	caller := runtime.Caller{Dial: r.dial, Token: token}
	now, err := caller.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(now.Agents) != 1 || now.Questions != 1 || now.History == 0 || time.Since(now.Heard.Time) > time.Minute {
		t.Errorf("now: %+v", now)
	}
	if a := now.Agents[0]; a.ID != "seen" || !a.Working || a.Questions != 1 || a.PID == 0 || a.ThreadID != "t-m1" {
		t.Errorf("the agent is %+v", a)
	}
	p.send(object{"type": "llmResponse", "requestId": question["requestId"], "completion": "private answer"})
	if end := p.ended(1)[0]; end["message"] != "private answer" {
		t.Fatalf("it ended with %v", end)
	}
	if now, err = caller.Status(t.Context()); err != nil || now.Questions != 0 || now.Agents[0].Working {
		t.Errorf("afterwards: %+v, %v", now, err)
	}
	numbers, err := caller.Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		`codebolt_runtime_agent_messages_total{outcome="here"} 3`, `codebolt_runtime_agent_messages_total{outcome="refused"} 1`,
		`codebolt_runtime_prompts_total 1`, `codebolt_runtime_agents_running 1`, `codebolt_runtime_agents_working 0`,
	} {
		if !strings.Contains(string(numbers), line+"\n") {
			t.Errorf("no %s in\n%s", line, numbers)
		}
	}
	if _, err := (runtime.Caller{Dial: r.dial, Token: "wrong"}).Status(t.Context()); wire.CodeOf(err) != wire.Unavailable {
		t.Errorf("without the token: %v", err)
	}
	all, text := sent()
	root := ""
	for _, s := range all {
		if s["name"] == "process messageResponse" {
			root, _ = s["spanId"].(string)
		}
	}
	got := map[string]int{}
	for _, s := range all {
		name, _ := s["name"].(string)
		if status, _ := s["status"].(object); status["code"] == 2.0 {
			name += " failed"
		}
		got[name]++
		if s["spanId"] != root && s["parentSpanId"] != root {
			t.Errorf("%v is not below %s", s, root)
		}
	}
	for _, name := range []string{"process messageResponse", "fsEvent/readFile", "fsEvent/readFile failed", "executeCommand", "inference"} {
		if got[name] != 1 {
			t.Errorf("%d spans %q, want one: %v", got[name], name, got)
		}
	}
	if strings.Contains(text, "private") || !strings.Contains(text, "not_found") {
		t.Errorf("the spans say %s", text)
	}
	if trace, _ := question["traceparent"].(string); !strings.HasPrefix(trace, "00-") {
		t.Errorf("the platform was asked %v", question)
	}
}

func TestWithoutATracerMessagesAreWhatTheyCameAs(t *testing.T) {
	t.Parallel()
	p := start(t, agenthost.Options{}).platform(answers)
	p.tellAgent("mirror", "mirror", "m1", "text")
	given, _ := p.ended(1)[0]["message"].(object)
	if given["messageId"] != "m1" {
		t.Fatalf("it was given %v", given)
	}
	const at = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	p.send(object{"type": wire.TypeMessageResponse, "messageId": "m2", "traceparent": at, "tracestate": "a=b", "message": object{"selectedAgent": object{"id": "mirror"}}})
	again, _ := p.ended(2)[1]["message"].(object)
	if again["traceparent"] != at || again["tracestate"] != "a=b" {
		t.Errorf("it was given %v", again)
	}
	if _, has := given["traceparent"]; has {
		t.Errorf("what came without a trace was given as %v", given)
	}
	for _, frame := range p.await(0, func(object) bool { return true }) {
		if _, has := frame["traceparent"]; has {
			t.Errorf("the platform hears %v", frame)
		}
	}
}
