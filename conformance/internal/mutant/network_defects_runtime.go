package main

import (
	"time"

	"github.com/gorilla/websocket"
)

// runtimeStartDefects are those at the start of a runtime.
func runtimeStartDefects() []defect {
	return []defect{
		{
			Name: "waits-two-seconds-for-a-runtime", Check: "NT-014",
			Doc: "fails a start that takes longer than two seconds",
			Request: request("providerStart", func(w *wrapper, m message) message {
				time.AfterFunc(2*time.Second, func() {
					if w.root() == "" && w.first("start") {
						w.say(failure(m, "providerStartResponse", "providerStart: the runtime does not listen", "timeout"))
					}
				})
				return m
			}),
			Reply: reply("providerStart", func(w *wrapper, _, m message) message {
				if !w.first("start") {
					return nil
				}
				return m
			}),
		},
		{
			Name: "starts-without-a-runtime", Check: "NT-015",
			Doc: "reports a start as successful whose runtime does not answer",
			Reply: reply("providerStart", func(_ *wrapper, request, m message) message {
				if m.text("error") == "" {
					return m
				}
				return success(request, "providerStartResponse", map[string]any{
					"success": true, "environmentName": request.text("environmentName"), "workspacePath": request.text("projectPath"),
				})
			}),
		},
		{
			Name: "does-not-wait-for-registered", Check: "NT-016", Relayed: &relayed{Greets: true},
			Doc: "sends to the runtime from the moment that the connection stands",
		},
	}
}

// forwardingDefects are those in what passes between server and runtime.
func forwardingDefects() []defect {
	return []defect{
		{
			Name: "passes-registered-on", Check: "NT-017",
			Doc: "passes everything on to the server that the runtime says, as upstream does",
			Reply: func(_ *wrapper, request, m message) []message {
				if request.text("type") == "providerStart" {
					return []message{m, {"type": "registered", "connectionId": "app-1", "connectionType": "app"}}
				}
				return list(m)
			},
		},
		{
			Name: "decodes-what-it-passes-on", Check: "NT-018",
			Doc:     "decodes messages to the runtime and encodes them anew, with numbers as floating-point ones",
			Request: request("getAppStateResponse", func(_ *wrapper, m message) message { return m.with(nil) }),
		},
		{
			Name: "tells-the-runtime-of-requests", Check: "NT-019",
			Doc: "gives the runtime everything that the server sends",
			Request: func(_ *wrapper, m message) []message {
				if m.text("type") != "providerReadFile" {
					return list(m)
				}
				return []message{m, m.with(message{"type": "readFile", "requestId": nil})}
			},
		},
		{
			Name: "makes-prompts-anew", Check: "NT-020",
			Doc: "makes a message for the runtime of the parts of a prompt that it knows",
			Request: request("providerAgentStart", func(_ *wrapper, m message) message {
				known := message{}
				for name, value := range m.object("userMessage") {
					switch name {
					case "type", "messageId", "message", "sender":
						known[name] = value
					}
				}
				return m.with(message{"userMessage": map[string]any(known)})
			}),
		},
		{
			Name: "decodes-what-the-runtime-says", Check: "NT-021",
			Doc: "decodes messages of the runtime and encodes them anew, with numbers as floating-point ones",
			Reply: func(_ *wrapper, request, m message) []message {
				if request == nil && m.text("type") == "getAppStateResponse" {
					return list(m.with(nil))
				}
				return list(m)
			},
		},
	}
}

// watched makes a defect that remembers what the heartbeats tell of the runtime.
func watched(d defect) defect {
	d.Reply = beat(ofProvider, func(w *wrapper, m message) message {
		switch healthy := m.text("status") == "healthy"; {
		case healthy:
			w.keep("well", true)
		case w.kept("well") == true:
			w.keep("lost", true)
		}
		return m
	})
	return d
}

// hasLost reports whether a heartbeat has told that the runtime, once well, is
// not. It stays so: when the runtime comes back is a matter of luck.
func hasLost(w *wrapper) bool { return w.kept("lost") == true }

// heldID is the requestId of a prompt that is given to the provider later.
const heldID = "held"

// runtimeAwayDefects are those while the runtime is away, and when it is back.
func runtimeAwayDefects() []defect {
	const started = "providerAgentStartResponse"
	swaps := watched(defect{
		Name: "swaps-two-prompts", Check: "NT-022", Also: []string{"NT-033"},
		Doc: "gives prompts that waited to the runtime in threads, of which one was faster than the one before",
		Request: request("providerAgentStart", func(w *wrapper, m message) message {
			if !hasLost(w) {
				return m
			}
			switch w.count("prompt") {
			case 20:
				w.say(success(m, started, nil))
				w.keep("slower", m.with(message{"requestId": heldID}))
				return nil
			case 21:
				slower, _ := w.kept("slower").(message)
				w.tell(m)
				return slower
			}
			return m
		}),
	})
	status := swaps.Reply
	swaps.Reply = func(w *wrapper, request, m message) []message {
		if m.text("requestId") == heldID {
			return nil
		}
		return status(w, request, m)
	}
	const kept = 3
	return []defect{
		swaps,
		{
			Name: "repeats-to-the-runtime", Check: "NT-023",
			Doc: "sends on a new connection to the runtime again what it sent on the one before",
			Relayed: &relayed{
				Up: func(r *relay, p *pair, frame []byte) {
					if r.firstOf(p) {
						r.remember(frame, 1)
					}
				},
				Opened: func(r *relay, p *pair) {
					for _, frame := range r.forget() {
						p.say(websocket.TextMessage, frame)
					}
				},
			},
		},
		{
			Name: "repeats-of-the-runtime", Check: "NT-024",
			Doc: "passes on again, when the runtime is back, what it said last before",
			Relayed: &relayed{
				Down: func(r *relay, _ *pair, frame []byte) { r.remember(frame, kept) },
				Opened: func(r *relay, p *pair) {
					for _, frame := range r.forget() {
						p.tell(websocket.TextMessage, frame)
					}
				},
			},
		},
		{
			Name: "does-not-tell-of-its-runtime", Check: "NT-025", Also: []string{"NT-022", "NT-026", "NT-027", "NT-033", "HB-011", "HB-013"},
			Doc: "reports health as long as its own process is well", Reply: always(ofProvider, "status", "healthy"),
		},
		watched(defect{
			Name: "serves-no-files-without-a-runtime", Check: "NT-026",
			Doc: "refuses file requests once the runtime has gone",
			Request: func(w *wrapper, m message) []message {
				if m.text("type") != "providerReadFile" || !hasLost(w) {
					return list(m)
				}
				w.say(failure(m, "providerReadFileResponse", "providerReadFile: the runtime is gone", "unavailable"))
				return nil
			},
		}),
		watched(defect{
			Name: "loses-the-first-prompt", Check: "NT-027", Also: []string{"NT-022", "NT-033"},
			Doc: "acknowledges the first prompt after the runtime has died, and loses it",
			Request: request("providerAgentStart", func(w *wrapper, m message) message {
				if !hasLost(w) || !w.first("prompt lost") {
					return m
				}
				w.say(success(m, started, nil))
				return nil
			}),
		}),
		{
			Name: "calls-without-a-pause", Check: "NT-028",
			Doc:     "connects at once to a runtime that hung up, time and again",
			Relayed: &relayed{Lost: callAgain},
		},
	}
}

// callAgain connects to the runtime a hundred times, as long as it hangs up.
func callAgain(r *relay) {
	for range 100 {
		conn, err := r.dial("clientType=app")
		if err != nil {
			return
		}
		_ = conn.SetReadDeadline(time.Now().Add(time.Second / 5)) // a failure shows when it reads
		for err == nil {
			_, _, err = conn.ReadMessage()
		}
		_ = conn.Close()
	}
}
