package process

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// Sizes of frames.
const (
	oversized = 104 << 20 // more than the 100 MiB that Node's client takes
	large     = 20 << 20
	depth     = 100_000
)

// survives is a check that a provider that has not been started outlives some
// frames and answers afterwards.
func survives(id, title, why string, send func(e *suite.Env)) suite.Check {
	return suite.Check{
		ID: id, Level: suite.Must, Title: title, Why: why,
		Run: func(t *suite.T) {
			e := t.Env(suite.Spec{})
			e.Launch()
			pid := e.PID()
			send(e)
			answers(t, e, pid)
		},
	}
}

// texts sends each as a frame.
func texts(all ...string) func(e *suite.Env) {
	return func(e *suite.Env) {
		for _, text := range all {
			e.TellText(text)
		}
	}
}

// whole sends a large request, given as it crosses the wire, and returns the
// text that is its result. It takes its time.
func whole(t *suite.T, e *suite.Env, id, members string) string {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	answer, err := e.Call(ctx, []byte(`{`+members+`,"requestId":"`+id+`"}`))
	if err != nil {
		t.Fatalf("%s failed: %v", id, err)
	}
	var m struct {
		Message string `json:"message"`
	}
	if err := json.Unmarshal(answer.Frame, &m); err != nil {
		t.Fatalf("the answer to %s is not as documented: %v", id, err)
	}
	return m.Message
}

func frames() []suite.Check {
	const crashes = "One bad frame would end the provider, and with it the agents that work in its environment."
	oversize := survives(
		"PR-036", fmt.Sprintf("A provider outlives a frame of %d MiB", oversized>>20),
		"Whatever a server passes on from a browser may be too large; the environment must not end by it.",
		func(e *suite.Env) {
			ctx, cancel := context.WithTimeout(context.Background(), suite.AnswerLimit)
			defer cancel()
			// A provider may hang up in the middle of it, and come again.
			_ = e.SendFrame(ctx, 1, []byte(`{"type":"conformance.unknown","padding":"`+strings.Repeat("x", oversized)+`"}`))
		},
	)
	oversize.NodeSDK, oversize.Limit = nodeNoReconnect, 2*time.Minute
	return []suite.Check{
		{
			ID: "PR-031", Level: suite.Must,
			Title: "A message of an unknown type is no request: it ends nothing and is not answered as one that was carried out",
			Why:   "Servers add messages over time; a false success makes them believe that something was done.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				pid, from := e.PID(), e.Now()
				e.TellText(`{"type":"conformance.unknown","requestId":"unknown-1","path":"README.md"}`)
				e.TellText(`{"type":"remoteProviderEvent","action":"conformanceUnknown","requestId":"unknown-2"}`)
				answers(t, e, pid)
				e.Never(from, time.Second, "a success for a type that does not exist", func(m suite.Message) bool {
					return strings.HasPrefix(m.Text("requestId"), "unknown-") && suite.Problem(m) == "" && m.Type() != "notification"
				})
			},
		},
		survives("PR-032", "A provider outlives frames that are no JSON", crashes, texts(
			"", " ", "hello", "{", `{"type":`, `{"type":"providerReadFile"`, `{"type":"providerReadFile"}}`, `{'type':'providerReadFile'}`,
			"{\"type\":\"providerReadFile\",\"path\":\"\x01\"}", "<html></html>", strings.Repeat("{", 1000), `{"type":"providerReadFile","type":"providerStop"`,
		)),
		survives("PR-033", "A provider outlives JSON that is no object", crashes, texts(
			`[]`, `[{"type":"providerReadFile"}]`, `[[1]]`, `"providerReadFile"`, `""`, `7`, `-1e300`, `true`, `null`,
		)),
		survives("PR-034", "A provider outlives messages without a type, or whose type is no string", crashes, texts(
			`{}`, `{"requestId":"typeless"}`, `{"type":""}`, `{"type":null}`, `{"type":7}`, `{"type":true}`, `{"type":{}}`, `{"type":["providerReadFile"]}`,
			`{"type":{"type":"providerReadFile"}}`, `{"action":7,"type":"x"}`, `{"type":"__proto__"}`, `{"type":"constructor"}`, `{"type":"toString"}`,
		)),
		survives("PR-035", "A provider outlives binary frames", crashes, func(e *suite.Env) {
			for _, data := range [][]byte{{}, {0}, {0xff, 0xfe, 0xfd}, []byte("{"), []byte(`[]`), []byte(strings.Repeat("\x00\xff", 1<<16))} {
				e.TellBytes(data)
			}
		}),
		oversize,
		survives("PR-037", "A provider outlives JSON that is nested very deeply", crashes, texts(
			fmt.Sprintf(`{"type":"providerReadFile","path":%s1%s}`, strings.Repeat("[", depth), strings.Repeat("]", depth)),
			fmt.Sprintf(`{"type":"conformance.unknown","x":%s1%s}`, strings.Repeat(`{"x":`, depth), strings.Repeat("}", depth)),
			strings.Repeat("[", depth),
		)),
		{
			ID: "PR-038", Level: suite.Must, Needs: []suite.Capability{"providerWriteFile", "providerReadFile"}, Limit: 5 * time.Minute,
			Title: fmt.Sprintf("A frame of %d MiB is taken and one is sent", large>>20),
			Why:   "Several WebSocket libraries stop at 32 KiB unless told otherwise, and break the connection over an image.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				content := strings.Repeat("0123456789abcdef", large>>4)
				whole(t, e, "large-write", `"type":"providerWriteFile","path":"large.txt","content":"`+content+`"`)
				got := whole(t, e, "large-read", `"type":"providerReadFile","path":"large.txt"`)
				if got != content {
					t.Errorf("a file of %d bytes was written, and one of %d bytes with another content was read", len(content), len(got))
				}
			},
		},
		{
			ID: "PR-039", Level: suite.Must,
			NodeSDK: "it attaches its handlers some time after the socket has opened",
			Title:   "A request sent in the instant of the accept is answered",
			Why:     "Servers send providerStart at once; when it is lost the start hangs until a timeout.",
			Run: func(t *suite.T) {
				t.Options(func(o *server.Options) {
					o.Greet = func(*server.Environment) [][]byte {
						return [][]byte{
							[]byte(`{"type":"providerReadFile","path":"README.md","requestId":"greeting-1"}`),
							[]byte(`{"type":"providerReadFile","path":"README.md","requestId":"greeting-2"}`),
						}
					}
				})
				e := t.Env(suite.Spec{})
				from := e.Now()
				e.Launch()
				for _, id := range []string{"greeting-1", "greeting-2"} {
					e.Await(from, suite.AnswerLimit, "an answer to the request "+id, suite.Answering(id))
				}
			},
		},
	}
}
