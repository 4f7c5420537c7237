//go:build linux

package main

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/sshconn/sshtest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// says has an agent say in which trace it works, in a message of such a trace.
func says(t *testing.T, s *play, e *server.Environment, id, trace string) string {
	t.Helper()
	heard := stage.Listen(e)
	details, err := wire.Marshal(wire.AgentCommand{Argv: []string{"sh", "-c", `echo "$TRACEPARENT"`}})
	if err != nil {
		t.Fatal(err)
	}
	s.Call(e, map[string]any{
		"type": wire.TypeProviderAgentStart, "traceparent": "00-" + trace + "-00f067aa0ba902b7-01",
		"userMessage": wire.MessageResponse{
			Header: wire.Header{Type: wire.TypeMessageResponse}, MessageID: id,
			Message: wire.Prompt{SelectedAgent: &wire.SelectedAgent{ID: id, AgentType: wire.AgentTypeCommand, AgentDetails: details}},
		},
	}, nil)
	heard.Until(t, "the agent ends", func() bool { return heard.Ends[id] != nil })
	return strings.TrimSpace(heard.Output[id])
}

func TestARuntimeOnAHostIsWatchedThroughItsProvider(t *testing.T) {
	t.Parallel()
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	receiver := stage.NewReceiver(t)
	s := newStage(t, sshtest.Options{}, stage.Settings{"metrics": map[string]any{"listen": "127.0.0.1:0"}})
	s.Environ = append(s.Environ, "OTEL_BSP_SCHEDULE_DELAY=20")

	// The receiver is the provider's alone, as long as nobody says where it is for the host.
	e, _ := s.Opened("near", stage.Settings{"telemetry": map[string]any{"endpoint": receiver.URL}})
	at := says(t, s, e, "one", trace)
	sent := receiver.Await(t, "codebolt-provider-remote-server", "send messageResponse", trace)
	if at != "00-"+trace+"-"+sent.SpanID+"-01" {
		t.Errorf("the agent works in %q, below %s", at, sent.SpanID)
	}
	found, err := filepath.Glob(filepath.Join(s.State, "run", "*", provider.MetricsFile))
	if err != nil || len(found) != 1 {
		t.Fatalf("%v %v", found, err)
	}
	var place provider.MetricsPlace
	if err := wire.Unmarshal([]byte(stage.Read(t, found[0])), &place); err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(stage.Limit(t), http.MethodGet, "http://"+place.Address+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || !strings.Contains(string(text), "\ncodebolt_runtime_prompts_total 1\n") || !strings.Contains(string(text), "\ncodebolt_runtime_agents_running 0\n") {
		t.Errorf("%v: the numbers of the runtime are not in\n%s", err, text)
	}
	s.Stop(e, "removeIfClean")
	if all := receiver.All("process messageResponse"); len(all) != 0 {
		t.Errorf("the runtime found the receiver: %+v", all)
	}

	e, _ = s.Opened("told", stage.Settings{"telemetry": map[string]any{"endpoint": receiver.URL, "runtimeEndpoint": receiver.URL}})
	const other = "0af7651916cd43dd8448eb211c80319c"
	at = says(t, s, e, "two", other)
	works := receiver.Await(t, "codebolt-runtime", "process messageResponse", other)
	if at != "00-"+other+"-"+works.SpanID+"-01" || works.ParentSpanID != receiver.Await(t, "codebolt-provider-remote-server", "send messageResponse", other).SpanID {
		t.Errorf("the agent works in %q, below %+v", at, works)
	}
	s.Stop(e, "removeIfClean")
	s.none()
	s.Clean(0)
}
