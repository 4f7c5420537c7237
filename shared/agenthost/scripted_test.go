//go:build linux

package agenthost_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// agentRole is the variable that makes an agent of this test program: a role, and what
// it needs to know behind colons.
const agentRole = "AGENTHOST_TEST_ROLE"

// scripted is an agent of this test program. It speaks as one with the SDK does.
type scripted struct {
	conn *websocket.Conn
	mu   sync.Mutex // of writes
	n    int
}

type object = map[string]any

func connectAgent(agentID, parentID string, header http.Header) (*websocket.Conn, error) {
	address := "ws://localhost:" + os.Getenv("SOCKET_PORT") + "/codebolt?" + url.Values{"agentId": {agentID}, "parentId": {parentID}}.Encode()
	conn, response, err := websocket.DefaultDialer.Dial(address, header)
	if response != nil {
		_ = response.Body.Close() // there is nothing more to it
	}
	return conn, err
}

func beAgent(role string) {
	name, rest, _ := strings.Cut(role, ":")
	conn, err := connectAgent(os.Getenv("agentId"), os.Getenv("parentId"), nil)
	if err != nil {
		fmt.Println("no connection:", err)
		os.Exit(9)
	}
	a := &scripted{conn: conn}
	roles[name](a, rest)
}

// say sends a frame.
func (a *scripted) say(frame object) {
	a.mu.Lock()
	err := a.conn.WriteJSON(frame)
	a.mu.Unlock()
	if err != nil {
		fmt.Println("not said:", err)
		os.Exit(8)
	}
}

// hear gives the next frame of the runtime that is no greeting.
func (a *scripted) hear() object {
	for {
		frame := object{}
		if err := a.conn.ReadJSON(&frame); err != nil {
			fmt.Println("nothing heard:", err)
			os.Exit(7)
		}
		if frame["type"] != wire.TypeRegistered && frame["type"] != wire.TypePing {
			return frame
		}
	}
}

// ask sends a request and gives its answer; another frame ends the agent.
func (a *scripted) ask(frame object) object {
	a.n++
	id := strconv.Itoa(a.n) // the same as every other agent's
	frame["requestId"] = id
	a.say(frame)
	answer := a.hear()
	if answer["requestId"] != id {
		a.done(object{"error": fmt.Sprintf("asked %v and heard %v", frame, answer)})
		os.Exit(6)
	}
	return answer
}

func (a *scripted) done(end object) {
	end["type"] = wire.TypeProcessStopped
	a.say(end)
}

// roles are what the scripted agents do.
var roles = map[string]func(a *scripted, rest string){
	// echo asks the platform what each message says, and ends it with the answer.
	"echo": func(a *scripted, _ string) {
		for {
			m := a.hear()
			text := m["message"].(object)["userMessage"]
			answer := a.ask(object{"type": "inference", "message": text})
			a.done(object{"message": object{"answer": answer["completion"], "pid": os.Getpid()}})
		}
	},
	// environ ends with the variables that it has, and those that its commands have.
	"environ": func(a *scripted, _ string) {
		a.hear()
		answer := a.ask(object{"type": "executeCommand", "message": "env"})
		a.done(object{"message": object{"own": strings.Join(os.Environ(), "\n"), "commands": answer["stdout"]}})
		a.hear()
	},
	// many asks as often as it is told, and checks that each answer is its own.
	"many": func(a *scripted, rest string) {
		times, _ := strconv.Atoi(rest)
		a.hear()
		me := os.Getenv("agentId")
		for i := range times {
			question := fmt.Sprintf("%s/%d", me, i)
			if answer := a.ask(object{"type": "inference", "message": question}); answer["completion"] != question {
				a.done(object{"error": fmt.Sprintf("asked %q and heard %v", question, answer)})
				return
			}
		}
		a.done(object{"message": times})
		a.hear()
	},
	"crash": func(a *scripted, _ string) {
		a.hear()
		a.hear()
		fmt.Println("the last word")
		os.Exit(3)
	},
	"leave": func(a *scripted, _ string) {
		a.hear()
		a.done(object{"message": "ready"})
		os.Exit(0)
	},
	// stubborn hears and says nothing, and no signal ends it.
	"stubborn": func(a *scripted, _ string) {
		signal.Ignore(syscall.SIGTERM)
		a.say(object{"type": "sendMessage", "message": "working"})
		for {
			a.hear()
		}
	},
	"obedient": func(a *scripted, _ string) {
		a.say(object{"type": "sendMessage", "message": "working"})
		for {
			if a.hear()["type"] == wire.TypeStopProcess {
				a.done(object{"message": "stopped"})
			}
		}
	},
	"parting": func(a *scripted, _ string) {
		a.hear()
		_ = a.conn.Close()
		time.Sleep(time.Hour)
	},
	// old asks without ids, as the published SDK does.
	"old": func(a *scripted, _ string) {
		a.hear()
		a.say(object{"type": "getChatHistory", "message": "first"})
		a.say(object{"type": "getChatHistory", "message": "second"})
		first, second := a.hear(), a.hear()
		_, named := first["requestId"]
		a.done(object{"message": object{"first": first["message"], "second": second["message"], "named": named}})
		a.hear()
	},
	"giant": func(a *scripted, _ string) {
		a.hear()
		a.say(object{"type": "inference", "message": strings.Repeat("x", 70<<20)})
		a.hear()
	},
	"flood": func(a *scripted, _ string) {
		a.hear()
		big := strings.Repeat("x", 1<<10)
		for i := range 20_000 {
			a.say(object{"type": "sendMessage", "message": big, "n": i})
		}
		a.done(object{"message": "flooded"})
		a.hear()
	},
	// forge says what only others may say, and calls itself another.
	"forge": func(a *scripted, other string) {
		a.hear()
		var refused []any
		for _, typ := range []string{"remoteProviderEvent", "providerStopResponse", "agentStarted", "providerAppFsResponse", "providerHeartbeat", "executionGateway.reply", "closeSignalResponse"} {
			a.say(object{"type": typ, "agentId": other, "requestId": "r"})
			refused = append(refused, a.hear()["success"])
		}
		a.say(object{"type": "sendMessage", "agentId": other, "agentInstanceId": other, "message": "I am " + other})
		_, err := connectAgent(other, os.Getenv("parentId"), nil)
		_, guess := connectAgent(os.Getenv("agentId"), "test~guess", nil)
		_, browser := connectAgent(os.Getenv("agentId"), os.Getenv("parentId"), http.Header{"Origin": {"http://evil.example"}})
		a.done(object{"message": object{"refused": refused, "asOther": fmt.Sprint(err), "guess": fmt.Sprint(guess), "browser": fmt.Sprint(browser)}})
		a.hear()
	},
	// patient says much, tells in a file how much, and then waits for an answer.
	"patient": func(a *scripted, rest string) {
		a.hear()
		times, _ := strconv.Atoi(rest)
		for i := range times {
			a.say(object{"type": "sendMessage", "message": strings.Repeat("m", 4<<10), "n": i})
			_ = os.WriteFile(filepath.Join(os.Getenv("CODEBOLT_WORKSPACE"), "said"), []byte(strconv.Itoa(i)), 0o600) // the test sees it
		}
		answer := a.ask(object{"type": "inference", "message": "are you there"})
		a.done(object{"message": answer["completion"]})
		a.hear()
	},
	"mute": func(*scripted, string) { time.Sleep(time.Hour) },
}
