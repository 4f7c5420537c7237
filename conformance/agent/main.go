package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// Main is the program: it runs until its connection ends, and returns the exit status.
func Main(ctx context.Context, stdout, stderr io.Writer) int {
	if err := run(ctx, stdout); err != nil {
		fmt.Fprintln(stderr, "agent:", err)
		return 1
	}
	return 0
}

// frame is a JSON object, as it is said and heard.
type frame = map[string]any

// talker is an agent that is connected.
type talker struct {
	conn   *websocket.Conn
	stdout io.Writer

	writing sync.Mutex

	mu    sync.Mutex
	came  map[string]int // how many frames have, by type and by requestId
	moved chan struct{}  // closed at the next
}

func run(ctx context.Context, stdout io.Writer) error {
	host := os.Getenv("CODEBOLT_SERVER_URL")
	if host == "" {
		host = "localhost"
	}
	query := url.Values{"agentId": {os.Getenv("agentId")}, "parentId": {os.Getenv("parentId")}}
	to := url.URL{Scheme: "ws", Host: net.JoinHostPort(host, os.Getenv("SOCKET_PORT")), Path: "/codebolt", RawQuery: query.Encode()}
	conn, response, err := websocket.DefaultDialer.DialContext(ctx, to.String(), nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	defer func() { _ = conn.Close() }() // it has ended
	t := &talker{conn: conn, stdout: stdout, came: map[string]int{}, moved: make(chan struct{})}
	for {
		_, text, err := conn.ReadMessage()
		if err != nil {
			return err
		}
		if err := t.hear(text); err != nil {
			return err
		}
	}
}

// hear reports a frame, and begins what it asks for.
func (t *talker) hear(text []byte) error {
	var heard struct {
		Type      string `json:"type"`
		RequestID string `json:"requestId"`
		Message   struct {
			UserMessage string `json:"userMessage"`
		} `json:"message"`
	}
	// Members of other types are as good as none: the report has them all the same.
	_ = json.Unmarshal(text, &heard)
	if heard.Type == "registered" || heard.Type == "__ping" {
		return nil
	}
	if err := t.report("heard", frame{"frame": string(text)}); err != nil {
		return err
	}
	t.mu.Lock()
	before := map[string]int{}
	for _, key := range []string{heard.Type, heard.RequestID} {
		t.came[key]++
	}
	for key, n := range t.came {
		before[key] = n
	}
	close(t.moved)
	t.moved = make(chan struct{})
	t.mu.Unlock()
	if heard.Type == "messageResponse" {
		go t.carryOut(heard.Message.UserMessage, before)
	}
	return nil
}

// carryOut does what a message wants and ends it. A connection that breaks meanwhile
// ends the process.
func (t *talker) carryOut(script string, before map[string]int) {
	var steps []Step
	end := frame{"type": "processStoped", "message": "done"}
	if err := json.Unmarshal([]byte(script), &steps); err != nil {
		end = frame{"type": "processStoped", "error": err.Error()}
	}
	for _, step := range steps {
		if t.do(step, before) != nil {
			return
		}
	}
	_ = t.say(end) // as above
}

func (t *talker) do(step Step, before map[string]int) error {
	switch {
	case step.Say != nil:
		return t.say(step.Say)
	case step.Await != "":
		t.await(step.Await, before)
	case step.Count > 0:
		for n := range step.Count {
			if err := t.say(frame{"type": "sendMessage", "message": "numbered", "n": n}); err != nil {
				return err
			}
			time.Sleep(step.Pause)
		}
	case step.Print != "":
		_, err := fmt.Fprintln(t.stdout, step.Print)
		return err
	case step.Environ:
		return t.report("environ", frame{"environ": os.Environ()})
	case step.Exit != nil:
		os.Exit(*step.Exit)
	}
	return nil
}

// await waits until one more has come than before.
func (t *talker) await(key string, before map[string]int) {
	for {
		t.mu.Lock()
		came, moved := t.came[key], t.moved
		t.mu.Unlock()
		if came > before[key] {
			return
		}
		<-moved
	}
}

func (t *talker) report(what string, members frame) error {
	members["type"], members["message"], members["pid"] = "sendMessage", what, os.Getpid()
	return t.say(members)
}

func (t *talker) say(v any) error {
	t.writing.Lock()
	defer t.writing.Unlock()
	return t.conn.WriteJSON(v)
}
