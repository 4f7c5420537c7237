package suite_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// envFake makes the test program a provider of a kind.
const envFake = "FAKE_PROVIDER"

func TestMain(m *testing.M) {
	if kind, ok := os.LookupEnv(envFake); ok {
		os.Exit(fake(kind))
	}
	os.Exit(m.Run())
}

// fake is a provider with no environment behind it.
func fake(kind string) int {
	odd := func(word string) bool { return slices.Contains(strings.Fields(kind), word) }
	if slices.Contains(os.Args, "--capabilities") {
		if odd("undeclared") {
			return 2
		}
		fmt.Println(`{"requests":["providerStart","providerStop","providerReadFile"],"features":["onStop"]}`)
		return 0
	}
	switch {
	case odd("exits"):
		fmt.Println("this is no provider")
		return 3
	case odd("hangs"):
		time.Sleep(time.Hour) // until it is killed
	case odd("talks"):
		line := strings.Repeat("x", 1<<20)
		for range 1 << 10 {
			fmt.Println(line)
		}
		time.Sleep(time.Hour) // until it is killed
	}
	query := url.Values{}
	for _, name := range []string{"environmentId", "threadToken", "connectionId"} {
		query.Set(name, os.Getenv(name))
	}
	if odd("leaks") {
		fmt.Println("the key is", os.Getenv("CONFORMANCE_API_KEY"))
	}
	address := url.URL{Scheme: "ws", Host: net.JoinHostPort(os.Getenv("CODEBOLT_SERVER_URL"), os.Getenv("SOCKET_PORT")), Path: "/codebolt", RawQuery: query.Encode()}
	conn, response, err := websocket.DefaultDialer.Dial(address.String(), nil)
	if err != nil {
		return 1
	}
	_ = response.Body.Close()
	for {
		var m map[string]any
		if conn.ReadJSON(&m) != nil {
			return 1
		}
		answer := func(action string, message any) {
			_ = conn.WriteJSON(map[string]any{"type": "remoteProviderEvent", "action": action, "message": message, "requestId": m["requestId"]})
		}
		switch m["type"] {
		case "providerStart":
			if odd("litters") {
				_ = os.WriteFile(filepath.Join(os.Getenv("TMPDIR"), "litter"), nil, 0o600)
				left := exec.Command("sleep", "60")
				left.Env = os.Environ()
				_ = left.Start()
			}
			answer("providerStartResponse", map[string]any{
				"success": true, "environmentName": m["environmentName"], "agentServerUrl": "", "workspacePath": m["projectPath"], "transport": "custom",
			})
		case "providerReadFile":
			if m["path"] == "silence" {
				continue
			}
			text, _ := json.Marshal(m["path"])
			answer("providerReadFileResponse", string(text))
		case "providerStop":
			answer("providerStopResponse", map[string]any{"removed": true})
			_ = conn.Close()
			return 0
		case "closeSignal":
			_ = conn.WriteJSON(map[string]any{"type": "closeSignalResponse", "requestId": m["requestId"]})
			_ = conn.Close()
			return 0
		}
	}
}
