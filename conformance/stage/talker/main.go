// Command talker is an agent for tests. It speaks as agents with the SDK do: for each
// message it is given, whose text is a number, it says so many things to the platform,
// asks it at every tenth, and ends with what it was answered.
package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/gorilla/websocket"
)

// pause is between two things it says, so that something can happen meanwhile.
const pause = 2 * time.Millisecond

type frame = map[string]any

func main() {
	if err := talk(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func talk() error {
	query := url.Values{"agentId": {os.Getenv("agentId")}, "parentId": {os.Getenv("parentId")}}
	conn, response, err := websocket.DefaultDialer.Dial("ws://localhost:"+os.Getenv("SOCKET_PORT")+"/codebolt?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	defer func() { _ = conn.Close() }()
	for {
		m, err := hear(conn, func(f frame) bool { return f["type"] == "messageResponse" })
		if err != nil {
			return err
		}
		message, _ := m["message"].(frame)
		count, err := strconv.Atoi(fmt.Sprint(message["userMessage"]))
		if err != nil {
			return err
		}
		var answers []any
		for i := range count {
			if err := conn.WriteJSON(frame{"type": "sendMessage", "message": "working", "n": i, "requestId": "say-" + strconv.Itoa(i)}); err != nil {
				return err
			}
			time.Sleep(pause)
			if i%10 != 9 {
				continue
			}
			id := "ask-" + strconv.Itoa(i)
			if err := conn.WriteJSON(frame{"type": "inference", "message": i, "requestId": id}); err != nil {
				return err
			}
			answer, err := hear(conn, func(frame) bool { return true })
			if err != nil {
				return err
			}
			if answer["requestId"] != id {
				return fmt.Errorf("asked %s and heard %v", id, answer)
			}
			answers = append(answers, answer["completion"])
		}
		if err := conn.WriteJSON(frame{"type": "processStoped", "message": answers}); err != nil {
			return err
		}
	}
}

// hear gives the next frame that is wanted.
func hear(conn *websocket.Conn, wanted func(frame) bool) (frame, error) {
	for {
		_, text, err := conn.ReadMessage()
		if err != nil {
			return nil, err
		}
		f := frame{}
		if err := json.Unmarshal(text, &f); err != nil {
			return nil, err
		}
		if f["type"] != "registered" && f["type"] != "__ping" && wanted(f) {
			return f, nil
		}
	}
}
