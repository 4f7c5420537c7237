package gateway_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/shared/gateway"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func from(t *testing.T, x *gateway.Exchange, frame string) gateway.Out {
	t.Helper()
	head, err := wire.Peek([]byte(frame))
	if err != nil {
		t.Fatal(err)
	}
	return x.FromRuntime(head, []byte(frame))
}

func server(t *testing.T, x *gateway.Exchange, frame string) (string, bool) {
	t.Helper()
	head, err := wire.Peek([]byte(frame))
	if err != nil {
		t.Fatal(err)
	}
	reply, mine := x.FromServer(head, []byte(frame))
	return string(reply), mine
}

// asked is the id under which the server is asked.
func asked(t *testing.T, out gateway.Out) wire.ID {
	t.Helper()
	head, err := wire.Peek(out.ToServer)
	if err != nil {
		t.Fatalf("nothing was asked (%v): %s", err, out.ToRuntime)
	}
	return head.RequestID
}

func same(t *testing.T, what, got, want string) {
	t.Helper()
	var a, b any
	if err := json.Unmarshal([]byte(got), &a); err != nil {
		t.Errorf("%s: %v in %s", what, err, got)
		return
	}
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b, a); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

const ask = `{"type":"executionGateway.request","requestId":"%s","originalType":"fsEvent","originalAction":"readFile","originalMessage":{"type":"fsEvent","action":"readFile","requestId":"%s","n":%d}}`

func TestEachRequestGetsItsOwnAnswer(t *testing.T) {
	x := &gateway.Exchange{}
	first, second := from(t, x, fmt.Sprintf(ask, "g1", "a1", 1)), from(t, x, fmt.Sprintf(ask, "g2", "a2", 2))
	same(t, "the first request", string(first.ToServer), `{"type":"fsEvent","action":"readFile","requestId":"a1","n":1}`)
	if asked(t, first) != "a1" || asked(t, second) != "a2" || x.Open() != 2 {
		t.Errorf("asked %q and %q", asked(t, first), asked(t, second))
	}
	// The same type, in the other order.
	reply, mine := server(t, x, `{"type":"readFileResponse","requestId":"a2","success":true,"content":"two"}`)
	if !mine {
		t.Error("the second answer is nobody's")
	}
	same(t, "the second reply", reply, `{"type":"executionGateway.reply","requestId":"reply-g2","replyRequestId":"g2","success":true,"result":{"type":"readFileResponse","requestId":"a2","success":true,"content":"two"}}`)
	reply, _ = server(t, x, `{"type":"readFileResponse","requestId":"a1","success":false,"error":"no such file"}`)
	same(t, "the first reply", reply, `{"type":"executionGateway.reply","requestId":"reply-g1","replyRequestId":"g1","success":false,"result":{"type":"readFileResponse","requestId":"a1","success":false,"error":"no such file"}}`)
	for name, frame := range map[string]string{
		"once more":          `{"type":"readFileResponse","requestId":"a1"}`,
		"of that type alone": `{"type":"readFileResponse"}`,
		"another id":         `{"type":"readFileResponse","requestId":"a9"}`,
		"the gateway's id":   `{"type":"readFileResponse","requestId":"g1"}`,
	} {
		from(t, x, fmt.Sprintf(ask, "g3", "a3", 3))
		if reply, mine := server(t, x, frame); mine {
			t.Errorf("%s: taken for an answer: %s", name, reply)
		}
	}
}

func TestIdsThatAgentsShareOrLackAreReplaced(t *testing.T) {
	x := &gateway.Exchange{}
	first, second, third := from(t, x, fmt.Sprintf(ask, "g1", "same", 1)), from(t, x, fmt.Sprintf(ask, "g2", "same", 2)), from(t, x, fmt.Sprintf(ask, "g3", "", 3))
	if a, b, c := asked(t, first), asked(t, second), asked(t, third); a != "same" || b == "same" || b == "" || c == "" || c == b {
		t.Errorf("asked as %q, %q and %q", a, b, c)
	}
	reply, _ := server(t, x, fmt.Sprintf(`{"type":"r","requestId":%q}`, asked(t, second)))
	same(t, "the second", reply, `{"type":"executionGateway.reply","requestId":"reply-g2","replyRequestId":"g2","success":true,"result":{"type":"r","requestId":"same"}}`)
	if out := from(t, x, fmt.Sprintf(ask, "g1", "other", 1)); out.ToServer != nil || out.ToRuntime == nil {
		t.Errorf("an id of the gateway's that waits already: %s", out.ToServer)
	}
	if x.Open() != 2 || x.Forget() != 2 || x.Open() != 0 {
		t.Error("what waits is counted wrong")
	}
	if id := asked(t, from(t, x, fmt.Sprintf(ask, "g1", "again", 1))); id != "again" {
		t.Errorf("after a new connection it was asked as %q", id)
	}
}

func TestWhatSaysThatItFailedHasFailed(t *testing.T) {
	for answer, success := range map[string]bool{
		`{"type":"r","requestId":"a"}`:                                               true,
		`{"type":"r","requestId":"a","success":true,"error":""}`:                     true,
		`{"type":"r","requestId":"a","success":true,"error":null}`:                   true,
		`{"type":"r","requestId":"a","success":false,"error":{"message":"no"}}`:      false,
		`{"type":"r","requestId":"a","success":false,"message":"no"}`:                false,
		`{"type":"r","requestId":"a","error":"no"}`:                                  false,
		`{"type":"r","requestId":"a","success":"yes","error":["no"]}`:                false,
		`{"type":"r","requestId":"a","success":true,"error":"that is an error too"}`: false,
	} {
		x := &gateway.Exchange{}
		from(t, x, fmt.Sprintf(ask, "g1", "a", 1))
		reply, _ := server(t, x, answer)
		var got struct {
			Success bool `json:"success"`
		}
		if err := json.Unmarshal([]byte(reply), &got); err != nil || got.Success != success {
			t.Errorf("%s: %s (%v)", answer, reply, err)
		}
	}
}

func TestNotificationsAreUnwrapped(t *testing.T) {
	x := &gateway.Exchange{}
	for frame, want := range map[string]string{
		`{"type":"executionGateway.notification","originalType":"sendMessage","originalMessage":{"type":"sendMessage","text":"x"}}`:        `{"type":"sendMessage","text":"x"}`,
		`{"type":"executionGateway.notification","originalType":"processStoped","originalMessage":{"message":"x"}}`:                        `{"type":"processStoped","message":"x"}`,
		`{"type":"executionNotification","originalType":"fsnotify","result":{"type":"other","n":1},"originalMessage":{"type":"fsnotify"}}`: `{"type":"other","n":1}`,
		`{"type":"agentMessage","requestId":"x"}`: `{"type":"agentMessage","requestId":"x"}`,
	} {
		same(t, frame, string(from(t, x, frame).ToServer), want)
	}
	for _, frame := range []string{
		`{"type":"executionGateway.claim","success":true}`,
		`{"type":"executionGateway.notification","originalType":"x","originalMessage":5}`,
		`{"type":"executionGateway.request","originalType":"x","originalMessage":{"type":"x"}}`,
	} {
		if out := from(t, x, frame); out.ToServer != nil || out.ToRuntime != nil {
			t.Errorf("%s became %s%s", frame, out.ToServer, out.ToRuntime)
		}
	}
	if out := from(t, x, `{"type":"executionGateway.request","requestId":"g","originalType":"x","originalMessage":5}`); out.ToRuntime == nil || x.Open() != 0 {
		t.Errorf("a request without a message: %+v", out)
	}
}

func TestRequestsThatWaitAreBounded(t *testing.T) {
	x := &gateway.Exchange{}
	for i := range 4096 {
		if out := from(t, x, fmt.Sprintf(ask, fmt.Sprint("g", i), fmt.Sprint("a", i), i)); out.ToServer == nil {
			t.Fatalf("request %d was refused: %s", i, out.ToRuntime)
		}
	}
	if out := from(t, x, fmt.Sprintf(ask, "one", "more", 0)); out.ToRuntime == nil || x.Open() != 4096 {
		t.Errorf("one more: %+v", out)
	}
}
