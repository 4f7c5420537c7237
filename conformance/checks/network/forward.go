package network

import (
	"context"
	"encoding/json"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/runtime"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
	"github.com/codeboltai/codebolt-providers/shared/faultproxy"
)

// odd is a message whose numbers, names and texts do not survive a careless
// translation.
const odd = `{"type":"getAppStateResponse","messageId":"odd","requestId":"r-1","state":{"big":12345678901234567890,"exact":0.10,"none":null,"list":[],"empty":{},"deep":[[["x"]]],"text":"a\u0000b \u2028 <&> \ud83d\ude00"},"data":{"agentId":"echo"}}`

func forward() []suite.Check {
	return []suite.Check{
		{
			ID: "NT-017", Level: suite.Must, Needs: playsRuntime, NodeSDK: "it passes both on, as upstream does",
			Title: "Neither registered nor __ping of the runtime reaches the server",
			Why:   "They belong to the connection between provider and runtime; servers take an unknown message for one of an agent.",
			Run: func(t *suite.T) {
				w := openPlay(t)
				w.steer(func(ctx context.Context) error {
					return w.rt.Send(ctx, suite.Message{"type": "__ping", "timestamp": 1})
				})
				w.marker(suite.AnswerLimit)
				before := w.noted(runtime.Greeted)
				w.steer(func(ctx context.Context) error { return w.rt.Cut(ctx, faultproxy.Orderly) })
				t.Eventually(reconnectLimit, "the runtime is connected again", func() bool { return w.noted(runtime.Greeted) > before })
				w.marker(suite.AnswerLimit)
				for _, f := range w.Heard(0, func(m suite.Message) bool {
					return m.Type() == "registered" || m.Type() == "__ping" || m.Type() == "__pong"
				}) {
					t.Errorf("the server was sent %s", f.Data)
				}
			},
		},
		{
			ID: "NT-018", Level: suite.Must, Needs: playsRuntime,
			Title: "A message that is no request reaches the runtime unchanged but for a timestamp",
			Why:   "It is an agent's reply; a number that was rounded or a member that was dropped is wrong data in its hands.",
			Run: func(t *suite.T) {
				w := openPlay(t)
				w.TellText(odd)
				w.TellText(`{"type":"somethingNew","messageId":"own","timestamp":"1795418403347"}`)
				w.awaitTold(suite.AnswerLimit, "own")
				told := w.told()
				if len(told) != 2 {
					t.Fatalf("the runtime was told %d messages, not two: %v", len(told), told)
				}
				stamp, _ := told[0]["timestamp"].(json.Number)
				if ms, err := stamp.Int64(); err != nil || time.Since(time.UnixMilli(ms)).Abs() > time.Hour {
					t.Errorf("the timestamp that was added is %v and not the time in milliseconds", told[0]["timestamp"])
				}
				delete(told[0], "timestamp")
				same(t, "the message", told[0], decode([]byte(odd)))
				t.Equal("a timestamp that was there", told[1]["timestamp"], "1795418403347")
			},
		},
		{
			ID: "NT-019", Level: suite.Must, Needs: playsRuntime,
			Title:   "Requests and acknowledgements of the server never reach the runtime",
			Why:     "An agent server hands what it does not know to any agent; a file request then leaks to, and is answered by, somebody else.",
			NodeSDK: "it gives every message to the handler that forwards",
			Run: func(t *suite.T) {
				w := openPlay(t)
				for _, m := range []suite.Message{
					{"type": "providerReadFile", "path": "README.md"},
					{"type": "providerWriteFile", "path": "b1.txt", "content": "x"},
					{"type": "providerCopyFile", "sourcePath": "b1.txt", "destinationPath": "b2.txt"},
					{"type": "providerRenameItem", "oldPath": "b2.txt", "newPath": "b3.txt"},
					{"type": "providerDeleteFile", "path": "b3.txt"},
					{"type": "providerCreateFolder", "path": "b1"},
					{"type": "providerCopyFolder", "sourcePath": "b1", "destinationPath": "b2"},
					{"type": "providerDeleteFolder", "path": "b1"},
					{"type": "providerGetTreeChildren", "path": "root"},
					{"type": "providerGetFullProject"},
					{"type": "providerGetDiffFiles"},
					{"type": "providerMergeAsPatch"},
					{"type": "createPatchRequest"},
					{"type": "providerHeartbeatRequest", "providerId": "p", "timestamp": "2026-01-01T00:00:00.000Z"},
					{"type": "environmentHeartbeat", "environmentId": w.ID(), "providerId": "p", "timestamp": "2026-01-01T00:00:00.000Z"},
					{"type": "providerProspectivePath", "projectPath": w.Project, "environmentName": "elsewhere"},
					w.StartMessage(),
				} {
					w.Tell(m.With(suite.Message{"requestId": "known-" + m.Type()}))
				}
				for _, typ := range []string{"providerHeartbeatResponse", "providerHeartbeatAck"} {
					w.Tell(suite.Message{"type": typ, "providerId": "p", "received": true, "timestamp": "2026-01-01T00:00:00.000Z"})
				}
				w.TellText(odd)
				w.awaitTold(suite.AnswerLimit, "odd")
				w.Stop("")
				for _, m := range w.told() {
					if m.Text("messageId") != "odd" {
						t.Errorf("the runtime was told %s", m)
					}
				}
			},
		},
		{
			ID: "NT-020", Level: suite.Must, Needs: playsRuntime,
			Title: "An agent start reaches the runtime as its userMessage, unchanged but for a timestamp",
			Why:   "The agent server finds agent and thread in that envelope; wrapped or rewritten it starts nothing.",
			Run: func(t *suite.T) {
				w := openPlay(t)
				sent := prompt("start", 10).With(suite.Message{"unknown": map[string]any{"kept": true}})
				w.Result(agentStart(sent))
				w.awaitTold(suite.AnswerLimit, "start")
				told := w.told()
				if !told[0].Has("timestamp") {
					t.Errorf("the prompt has no timestamp")
				}
				delete(told[0], "timestamp")
				t.Equal("the prompt", told[0], sent)
			},
		},
		{
			ID: "NT-021", Level: suite.Must, Needs: playsRuntime,
			Title: "What the runtime says reaches the server unchanged",
			Why:   "The server answers agents by what they said; a number that was rounded is another request.",
			Run: func(t *suite.T) {
				w := openPlay(t)
				from := w.Now()
				w.steer(func(ctx context.Context) error { return w.rt.Send(ctx, json.RawMessage(odd)) })
				w.Await(from, suite.AnswerLimit, "the runtime's message", suite.OfType("getAppStateResponse"))
				for _, f := range w.Heard(from, suite.OfType("getAppStateResponse")) {
					same(t, "the message", decode(f.Data), decode([]byte(odd)))
				}
			},
		},
	}
}

// same compares messages down to the digits of their numbers.
func same(t *suite.T, what string, got, want suite.Message) {
	if g, w := got.String(), want.String(); g != w {
		t.Errorf("%s is %s, not %s", what, g, w)
	}
}
