//go:build linux

package main

import (
	"strings"
	"sync"
	"testing"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// The trace that the server of these tests works in.
const (
	serverTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	serverSpan   = "00f067aa0ba902b7"
	serverParent = "00-" + serverTrace + "-" + serverSpan + "-01"
	serverState  = "vendor=opaque"
)

// quick has the SDK of OpenTelemetry send spans as they come, so that tests need not wait.
const quick = "OTEL_BSP_SCHEDULE_DELAY=20"

// tell gives the agent a message, with further members of the server's own message.
func tell(t *testing.T, e *server.Environment, agent wire.SelectedAgent, id, text string, members map[string]any) {
	t.Helper()
	message := map[string]any{"type": wire.TypeProviderAgentStart, "userMessage": wire.MessageResponse{
		Header: wire.Header{Type: wire.TypeMessageResponse}, MessageID: id,
		Message: wire.Prompt{UserMessage: text, ThreadID: "thread-" + id, MessageID: id, SelectedAgent: &agent},
	}}
	for name, value := range members {
		message[name] = value
	}
	if _, err := e.Call(stage.Limit(t), message); err != nil {
		t.Fatal(err)
	}
}

// frames keeps all that the server of an environment hears.
type frames struct {
	mu  sync.Mutex
	all []string
}

func record(t *testing.T, e *server.Environment) *frames {
	f := &frames{}
	t.Cleanup(e.Subscribe(func(_ wire.Header, frame []byte) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.all = append(f.all, string(frame))
	}))
	return f
}

func (f *frames) text() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.all, "\n")
}

func TestOneTraceLeadsFromTheServersMessageToTheAgentsRequest(t *testing.T) {
	t.Parallel()
	receiver := stage.NewReceiver(t)
	s := newStage(t)
	s.Environ = append(s.Environ, quick)
	e, _ := s.Opened("traced", stage.Settings{"telemetry": map[string]any{"endpoint": receiver.URL}})
	p := stage.NewPlatform(t, e)
	const secretText = "10" // what the agent is told is a number
	tell(t, e, talker(t), "m1", secretText, map[string]any{"traceparent": serverParent, "tracestate": serverState})
	if end := p.End("m1"); end["error"] != nil {
		t.Fatalf("it ended with %v", end)
	}
	const provider, runtime = "codebolt-provider-git-worktree", "codebolt-runtime"
	got := receiver.Await(t, provider, wire.TypeProviderAgentStart, serverTrace)
	sent := receiver.Await(t, provider, "send messageResponse", serverTrace)
	works := receiver.Await(t, runtime, "process messageResponse", serverTrace)
	asks := receiver.Await(t, runtime, "inference", serverTrace)
	for _, link := range []struct {
		child  stage.Span
		parent string
		kind   int
	}{{got, serverSpan, 2}, {sent, got.SpanID, 4}, {works, sent.SpanID, 5}, {asks, works.SpanID, 3}} {
		if link.child.ParentSpanID != link.parent || link.child.Kind != link.kind || link.child.Status.Code == 2 || link.child.Environment != "traced" {
			t.Errorf("%+v is not of kind %d below %s", link.child, link.kind, link.parent)
		}
	}
	// The platform is told in which trace it is asked, and by which span; what the agent
	// only says is a part of what it works on.
	for typ, span := range map[string]string{"inference": asks.SpanID, "sendMessage": works.SpanID, wire.TypeProcessStopped: works.SpanID} {
		said := p.All(func(s stage.Said) bool { return s["type"] == typ })
		if len(said) == 0 {
			t.Fatalf("nobody said %s", typ)
		}
		for _, one := range said {
			if one["traceparent"] != "00-"+serverTrace+"-"+span+"-01" || one["tracestate"] != serverState {
				t.Errorf("%s came with %v %v, not span %s", typ, one["traceparent"], one["tracestate"], span)
			}
		}
	}
	// Another message without a context is the root of a trace of its own.
	tell(t, e, talker(t), "m2", "10", nil)
	p.End("m2")
	s.Stop(e, "removeIfClean")
	roots := receiver.All(wire.TypeProviderAgentStart)
	if len(roots) != 2 || roots[1].ParentSpanID != "" || roots[1].TraceID == serverTrace {
		t.Fatalf("the second message is %+v", roots)
	}
	receiver.Await(t, runtime, "inference", roots[1].TraceID)
	if starts := receiver.All(wire.TypeProviderStart); len(starts) != 1 {
		t.Errorf("the start of the environment is %+v", starts)
	}
	s.Clean(0)
}

func TestAnAgentFindsTheTraceInItsEnvironment(t *testing.T) {
	t.Parallel()
	receiver := stage.NewReceiver(t)
	s := newStage(t)
	s.Environ = append(s.Environ, quick, "OTEL_EXPORTER_OTLP_ENDPOINT="+receiver.URL, "OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20very-secret-header")
	e, _ := s.Opened("environ", nil)
	heard := stage.Listen(e)
	agent := func(id string) wire.SelectedAgent {
		details, err := wire.Marshal(wire.AgentCommand{Argv: []string{"sh", "-c", `echo "$TRACEPARENT $TRACESTATE [$OTEL_EXPORTER_OTLP_HEADERS]"`}})
		if err != nil {
			t.Fatal(err)
		}
		return wire.SelectedAgent{ID: id, AgentType: wire.AgentTypeCommand, AgentDetails: details}
	}
	tell(t, e, agent("prints"), "m1", "", map[string]any{"traceparent": serverParent, "tracestate": serverState})
	heard.Until(t, "the agent ends", func() bool { return heard.Ends["prints"] != nil })
	works := receiver.Await(t, "codebolt-runtime", "process messageResponse", serverTrace)
	if want := "00-" + serverTrace + "-" + works.SpanID + "-01 " + serverState + " []\n"; heard.Output["prints"] != want {
		t.Errorf("the agent printed %q, not %q", heard.Output["prints"], want)
	}
	s.Stop(e, "removeIfClean")
	if all := s.Log.String() + receiver.Raw(); strings.Contains(all, "very-secret-header") {
		t.Error("the receiver's secret is told")
	}
	s.Clean(0)
}

func TestWithoutTracingNoMessageHasATraceThatItDidNotComeWith(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e, _ := s.Opened("plain", nil)
	p, all := stage.NewPlatform(t, e), record(t, e)
	tell(t, e, talker(t), "m1", "10", nil)
	p.End("m1")
	if text := all.text(); !strings.Contains(text, `"inference"`) || strings.Contains(text, "traceparent") {
		t.Errorf("with tracing off the server heard %s", text)
	}
	// What comes with one goes on with it, as far as it is passed on.
	heard := stage.Listen(e)
	details, err := wire.Marshal(wire.AgentCommand{Argv: []string{"sh", "-c", `echo "$TRACEPARENT"`}})
	if err != nil {
		t.Fatal(err)
	}
	for id, members := range map[string]map[string]any{"with": {"traceparent": serverParent}, "without": nil} {
		tell(t, e, wire.SelectedAgent{ID: id, AgentType: wire.AgentTypeCommand, AgentDetails: details}, id, "", members)
		heard.Until(t, "the agent ends", func() bool { return heard.Ends[id] != nil })
	}
	if heard.Output["with"] != serverParent+"\n" || heard.Output["without"] != "\n" {
		t.Errorf("the agents found %q", heard.Output)
	}
	s.Stop(e, "removeIfClean")
	s.Clean(0)
}
