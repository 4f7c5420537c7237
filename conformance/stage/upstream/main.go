// Command upstream plays the part of a runtime that speaks as the direct execution
// gateway does, for tests: it takes the flags of codebolt --server, and its one agent does
// what a prompt says.
//
//	two       asks two questions of the same type, and tells the answer of each
//	own       asks a question that has no id of its own
//	say TEXT  says something
//	quiet     asks a question, and ends its connection before the answer
//
// It says "connected" on each connection, makes the noise that such a runtime makes, and
// demands no token.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

func main() {
	serve := flag.Bool("server", false, "serve")
	port := flag.Int("port", 0, "where to listen")
	project := flag.String("project", "", "the workspace")
	flag.Parse()
	if !*serve || *port == 0 || *project == "" {
		fmt.Fprintln(os.Stderr, "want --server --port PORT --project DIR")
		os.Exit(2)
	}
	ln, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	upgrader := websocket.Upgrader{}
	http.HandleFunc("/direct-execution-gateway", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("providerId") == "" {
			http.Error(w, "name the providerId", http.StatusBadRequest)
			return
		}
		socket, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		(&peer{socket: socket, project: *project, replies: map[string]func(message){}}).run()
	})
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second}
	fmt.Fprintln(os.Stderr, server.Serve(ln))
}

type message map[string]any

// peer is the provider.
type peer struct {
	socket  *websocket.Conn
	project string

	mu      sync.Mutex
	asked   int
	replies map[string]func(message)
}

func (p *peer) send(m message) {
	text, err := json.Marshal(m)
	if err != nil {
		panic(err) // it is made of strings
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.socket.WriteMessage(websocket.TextMessage, text) // its end is seen where it is read
}

func (p *peer) run() {
	defer func() { _ = p.socket.Close() }() // it is gone either way
	p.send(message{"type": "executionGateway.claim", "success": true, "data": message{"claimed": true}})
	p.send(message{"type": "__ping", "timestamp": 1})
	p.tell(message{"type": "sendMessage", "text": "connected"})
	for {
		_, frame, err := p.socket.ReadMessage()
		if err != nil {
			return
		}
		m := message{}
		if json.Unmarshal(frame, &m) != nil {
			continue
		}
		switch m["type"] {
		case "executionGateway.reply":
			id, _ := m["replyRequestId"].(string)
			p.mu.Lock()
			then := p.replies[id]
			delete(p.replies, id)
			p.mu.Unlock()
			if then != nil {
				then(m)
			}
		case "messageResponse":
			p.prompted(m)
		}
	}
}

// tell sends a notification of the agent.
func (p *peer) tell(m message) {
	p.send(message{"type": "executionGateway.notification", "originalType": m["type"], "originalMessage": m})
}

// ask sends a request of the agent.
func (p *peer) ask(inner message, then func(message)) {
	p.mu.Lock()
	p.asked++
	id := fmt.Sprintf("gateway-%d", p.asked)
	p.replies[id] = then
	p.mu.Unlock()
	p.send(message{"type": "executionGateway.request", "requestId": id, "originalType": inner["type"], "originalMessage": inner})
}

func (p *peer) prompted(m message) {
	inner, _ := m["message"].(map[string]any)
	text, _ := inner["userMessage"].(string)
	id := m["messageId"]
	end := func() { p.tell(message{"type": "processStoped", "agentId": "upstream", "messageId": id}) }
	told := func(about string) func(message) {
		return func(reply message) {
			p.tell(message{"type": "sendMessage", "about": about, "success": reply["success"], "result": reply["result"]})
		}
	}
	switch text {
	case "two":
		var left sync.WaitGroup
		left.Add(2)
		for _, about := range []string{"first", "second"} {
			p.ask(message{"type": "inference", "requestId": "agent-" + about, "prompt": about}, func(reply message) {
				told(about)(reply)
				left.Done()
			})
		}
		go func() { left.Wait(); end() }()
	case "own":
		p.ask(message{"type": "memoryEvent", "action": "get"}, func(reply message) {
			told("own")(reply)
			end()
		})
	case "quiet":
		p.ask(message{"type": "inference", "requestId": "lost", "prompt": "lost"}, told("lost"))
		_ = p.socket.Close()
	default:
		p.tell(message{"type": "sendMessage", "text": strings.TrimPrefix(text, "say "), "project": p.project})
		end()
	}
}
