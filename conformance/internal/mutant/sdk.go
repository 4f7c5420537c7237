package main

import (
	"math/rand/v2"
	"os"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// nodeSDK is a provider that does what those on the existing Node SDK cannot do
// otherwise. The profile node-compat must ask nothing of it that it cannot give.
func nodeSDK() defect {
	return defect{
		Name: "node-sdk", Doc: "is as providers on the Node SDK are",
		Connected: func(w *wrapper) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.state["accepted"] = time.Now()
		},
		// Its handlers are attached some time after the socket has opened.
		Raw: func(w *wrapper, _ int, _ []byte) bool {
			w.mu.Lock()
			defer w.mu.Unlock()
			accepted, _ := w.state["accepted"].(time.Time)
			return time.Since(accepted) > 100*time.Millisecond
		},
		// It does not exit by itself.
		Request: request("providerStart", func(_ *wrapper, m message) message { return m.with(message{"keepRunning": true}) }),
		Reply: func(w *wrapper, request, m message) []message {
			switch typ := m.text("type"); {
			case m.text("code") == "unsupported", typ == "setResourceId":
				return nil // no handler answers, and no method sends it
			case m.text("action") == "providerProspectivePathResponse": // not by the SDK
			case request != nil:
				// Ids of its own, and handlers that run in no order.
				m = m.with(message{"requestId": wire.NewID(), "code": nil, "retryable": nil})
				go func() {
					time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond)
					w.say(m)
				}()
				return nil
			case typ == "providerHeartbeat" || typ == "environmentHeartbeat":
				name := w.began().text("environmentName")
				m = m.with(message{"providerId": name, "environmentAlive": nil})
				if typ == "environmentHeartbeat" {
					return list(m.with(message{"environmentId": name}))
				}
				if known, _ := m["connectedEnvironments"].([]any); len(known) > 0 {
					m = m.with(message{"connectedEnvironments": []string{name}})
				}
			}
			return list(m)
		},
		// It does not connect again, has no handlers of signals, and looks after no
		// parent.
		Lost:     func(*wrapper) bool { return false },
		Signal:   func(*wrapper, os.Signal) bool { os.Exit(143); return false },
		Orphaned: func(*wrapper) bool { return false },
	}
}
