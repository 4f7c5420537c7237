package server_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// envFake makes the test program a provider; its value lists what is odd about
// it.
const envFake = "FAKE_PROVIDER"

func TestMain(m *testing.M) {
	if mode, ok := os.LookupEnv(envFake); ok {
		f := &fake{odd: map[string]bool{}}
		for word := range strings.FieldsSeq(mode) {
			f.odd[word] = true
		}
		os.Exit(f.run())
	}
	os.Exit(m.Run())
}

type message = map[string]any

// fake is a provider with no environment behind it.
type fake struct {
	odd    map[string]bool
	conn   *websocket.Conn
	starts []message
	held   []message
}

func (f *fake) run() int {
	fmt.Fprintln(os.Stderr, "fake provider of", os.Getenv("ENVIRONMENT_NAME"))
	switch {
	case f.odd["exits"]:
		return 7
	case f.odd["hangs"]:
		time.Sleep(time.Hour) // until it is killed
	case f.odd["stubborn"]:
		signal.Ignore(syscall.SIGTERM)
	}
	end, err := wire.ServerEndpoint(os.Environ())
	if err != nil {
		return 2
	}
	for {
		conn, response, err := websocket.DefaultDialer.Dial(end.URL.String(), nil)
		if err != nil {
			return 1
		}
		_ = response.Body.Close()
		f.conn = conn
		for {
			var m message
			if err := conn.ReadJSON(&m); err != nil {
				break
			}
			if status := f.handle(m); status >= 0 {
				_ = conn.Close()
				return status
			}
		}
	}
}

func (f *fake) send(m message) {
	_ = f.conn.WriteJSON(m) // a lost connection ends the reading
}

func (f *fake) answer(m message, action string, result any) {
	id := m["requestId"]
	if f.odd["node"] {
		id = wire.NewID()
	}
	f.send(message{"type": "remoteProviderEvent", "action": action, "message": result, "requestId": id})
}

// handle returns the status to exit with, or -1.
func (f *fake) handle(m message) int {
	switch m["type"] {
	case "providerStart":
		if f.odd["dies-at-restart"] && m["resourceId"] != nil {
			return 3
		}
		f.starts = append(f.starts, m)
		if f.odd["refuses"] {
			f.send(message{"type": "providerStartResponse", "error": "the port is busy", "code": "conflict", "requestId": m["requestId"]})
			return -1
		}
		if m["resourceId"] == nil {
			f.send(message{"type": "setResourceId", "resourceId": "res-of-" + fmt.Sprint(os.Getpid()), "environmentId": m["environmentId"]})
		}
		f.answer(m, "providerStartResponse", message{
			"success": true, "environmentName": m["environmentName"], "agentServerUrl": "", "workspacePath": "/w", "transport": "custom",
		})
	case "providerStop":
		if f.odd["keeps-stopped"] {
			f.send(message{"type": "remoteProviderEvent", "action": "providerStopResponse", "error": "unpushed work", "code": "conflict", "requestId": m["requestId"]})
			return -1
		}
		f.answer(m, "providerStopResponse", nil)
		if f.odd["exits-on-stop"] {
			return 0
		}
	case "closeSignal":
		if f.odd["leaves-unanswered"] {
			return 0
		}
		f.send(message{"type": "closeSignalResponse", "requestId": m["requestId"]})
		if !f.odd["stubborn"] && !f.odd["stays"] {
			return 0
		}
	case "providerReadFile":
		switch path := m["path"]; path {
		case "hold":
			f.held = append(f.held, m)
			if m["tell"] != nil {
				f.send(message{"type": "holding"})
			}
		case "release":
			f.answer(m, "providerReadFileResponse", path)
			for i := len(f.held) - 1; i >= 0; i-- {
				f.answer(f.held[i], "providerReadFileResponse", f.held[i]["n"])
			}
			f.held = nil
		case "missing":
			f.send(message{"type": "remoteProviderEvent", "action": "providerReadFileResponse", "error": "no such file", "code": "not_found", "requestId": m["requestId"]})
		default:
			f.answer(m, "providerReadFileResponse", path)
		}
	case "environmentRestartRequest":
		f.send(message{"type": "environmentRestartResponse", "success": false, "message": "no runtime", "code": "unsupported", "requestId": m["requestId"]})
	case "providerHeartbeatRequest", "beat":
		f.send(message{"type": "providerHeartbeat", "providerId": "p", "status": "healthy", "connectedEnvironments": []string{}, "requestId": m["requestId"]})
	case "providerHeartbeatResponse":
		f.send(message{"type": "acknowledged", "ack": m})
	case "providerAgentStart":
		f.send(message{"type": "notification", "action": "taken", "data": m["userMessage"]})
		f.answer(m, "providerAgentStartResponse", nil)
	case "say":
		for i := range int(m["count"].(float64)) {
			f.send(message{"type": "agentOutput", "offset": i})
		}
		f.send(message{"type": "said", "requestId": m["requestId"]})
	case "inspect":
		f.send(message{"type": "inspected", "requestId": m["requestId"], "starts": f.starts, "environ": os.Environ(), "pid": os.Getpid()})
	case "echo":
		f.send(message{"type": "echoed", "requestId": m["requestId"], "data": m["data"]})
	case "raw":
		_ = f.conn.WriteMessage(websocket.TextMessage, []byte(m["text"].(string)))
	case "exit":
		return 5
	}
	return -1
}

// inspection is what the fake tells of itself.
type inspection struct {
	Starts  []message `json:"starts"`
	Environ []string  `json:"environ"`
	PID     int       `json:"pid"`
}

func (i *inspection) decode(t *testing.T, frame []byte) {
	t.Helper()
	if err := json.Unmarshal(frame, i); err != nil {
		t.Fatal(err)
	}
}
