package main

import (
	"os"
	"slices"
	"time"
)

const (
	ofProvider    = "providerHeartbeat"
	ofEnvironment = "environmentHeartbeat"
)

// beat makes a Reply hook that changes the heartbeats of one sort that come of
// their own accord; a nil result drops the beat.
func beat(typ string, change func(w *wrapper, m message) message) func(*wrapper, message, message) []message {
	return func(w *wrapper, request, m message) []message {
		if request == nil && m.text("type") == typ {
			return list(change(w, m))
		}
		return list(m)
	}
}

// always makes a Reply hook that sets a member of all heartbeats of one sort.
func always(typ, member string, value any) func(*wrapper, message, message) []message {
	return beat(typ, func(_ *wrapper, m message) message { return m.with(message{member: value}) })
}

// heartbeatDefects are those of group HB.
func heartbeatDefects() []defect {
	return slices.Concat(beatsAtWrongTimes(), beatsWithWrongContents(), beatsThatLie(), wrongHealth())
}

func beatsAtWrongTimes() []defect {
	return []defect{
		{
			Name: "beats-after-the-first-period", Check: "HB-001",
			Doc: "lets a whole period pass before the first heartbeat",
			Request: request("providerStart", func(w *wrapper, m message) message {
				w.keep("begun", time.Now())
				return m
			}),
			Reply: beat(ofProvider, func(w *wrapper, m message) message {
				if begun, _ := w.kept("begun").(time.Time); time.Since(begun) < 8*time.Second {
					return nil
				}
				return m
			}),
		},
		{
			Name: "beats-every-twenty-seconds", Check: "HB-002",
			Also: []string{"HB-005", "HB-006", "HB-007", "HB-008", "HB-010", "HB-014", "HB-015"},
			Doc:  "beats half as often as it should",
			Reply: beat(ofProvider, func(w *wrapper, m message) message {
				if w.count("beat")%2 == 0 {
					return nil
				}
				return m
			}),
		},
		{
			Name: "beats-every-second-for-its-environment", Check: "HB-003",
			Doc: "beats for its environment as often as it looks at it",
			Reply: beat(ofEnvironment, func(w *wrapper, m message) message {
				go func() {
					for range 9 {
						time.Sleep(time.Second)
						w.say(m)
					}
				}()
				return m
			}),
		},
		{
			Name: "beats-every-half-minute-for-its-environment", Check: "HB-003", Also: []string{"HB-006", "HB-007", "HB-009"},
			Doc: "beats for its environment half as often as it should",
			Reply: beat(ofEnvironment, func(w *wrapper, m message) message {
				if w.count("beat")%2 == 0 {
					return nil
				}
				return m
			}),
		},
		{
			Name: "beats-before-the-start", Check: "HB-004",
			Doc: "beats from the moment it has connected",
			Connected: func(w *wrapper) {
				if w.began() == nil {
					w.say(message{
						"type": ofProvider, "providerId": os.Getenv("providerId"), "status": "healthy", "requestId": "first", "uptime": 0,
						"timestamp": time.Now().UTC().Format(time.RFC3339), "connectedEnvironments": []string{},
						"metadata": map[string]any{"transport": "websocket", "initialized": false},
					})
				}
			},
		},
		{
			Name: "beats-after-the-stop", Check: "HB-005",
			Doc: "leaves its timers running after a stop",
			Reply: func(w *wrapper, request, m message) []message {
				if m.text("type") == ofProvider {
					w.keep(ofProvider, m)
				}
				if late, is := w.kept(ofProvider).(message); is && request.text("type") == "providerStop" {
					return []message{m, late}
				}
				return list(m)
			},
		},
		{
			Name: "does-not-beat-while-it-works", Check: "HB-014",
			Doc: "beats in the thread that serves requests",
			Request: func(w *wrapper, m message) []message {
				if w.root() != "" && m.text("type") != "providerHeartbeatResponse" {
					w.keep("worked", time.Now())
				}
				return list(m)
			},
			Reply: beat(ofProvider, func(w *wrapper, m message) message {
				if worked, is := w.kept("worked").(time.Time); is && time.Since(worked) < 2*time.Second {
					return nil
				}
				return m
			}),
		},
		{
			Name: "beats-when-it-has-started", Check: "HB-015",
			Doc: "begins to beat with the answer to the start, as the Node SDK does",
			Reply: func(w *wrapper, request, m message) []message {
				switch {
				case request.text("type") == "providerStart":
					w.keep("answered", true)
					if first, is := w.kept("held").(message); is {
						return []message{m, first}
					}
				case m.text("type") == ofProvider && w.kept("answered") == nil:
					w.keep("held", m)
					return nil
				}
				return list(m)
			},
		},
	}
}

func beatsWithWrongContents() []defect {
	return []defect{
		{
			Name: "changes-its-id-on-reconnect", Check: "HB-006",
			Doc: "beats under the id of the connection, which is another one each time",
			Reply: beat(ofProvider, func(w *wrapper, m message) message {
				if w.connection() < 2 {
					return m
				}
				return m.with(message{"providerId": "ws_2_b"})
			}),
		},
		{
			Name: "beats-under-names", Check: "HB-007", Also: []string{"HB-006"},
			Doc: "has the environment's name in the place of all ids, as the Node SDK does",
			Reply: func(w *wrapper, request, m message) []message {
				name := w.began().text("environmentName")
				switch {
				case request != nil:
				case m.text("type") == ofProvider:
					return list(m.with(message{"providerId": name, "connectedEnvironments": []string{name}}))
				case m.text("type") == ofEnvironment:
					return list(m.with(message{"providerId": name, "environmentId": name}))
				}
				return list(m)
			},
		},
		{
			Name: "counts-milliseconds-since-1970", Check: "HB-008",
			Doc: "stamps its heartbeats with a number",
			Reply: beat(ofProvider, func(_ *wrapper, m message) message {
				return m.with(message{"timestamp": time.Now().UnixMilli()})
			}),
		},
		{
			Name: "does-not-say-alive", Check: "HB-009", Also: []string{"HB-012"},
			Doc:   "leaves environmentAlive out, as the Node SDK does",
			Reply: always(ofEnvironment, "environmentAlive", nil),
		},
		{
			Name: "is-always-new", Check: "HB-010", Reply: always(ofProvider, "uptime", 0),
			Doc: "counts the seconds since the beat began",
		},
	}
}

func beatsThatLie() []defect {
	return []defect{
		{
			Name: "is-always-healthy", Check: "HB-011", Also: []string{"HB-013"}, Reply: always(ofProvider, "status", "healthy"),
			Doc: "reports health without a look",
		},
		{
			Name: "is-always-alive", Check: "HB-012", Reply: always(ofEnvironment, "environmentAlive", true),
			Doc: "vouches for its environment without a look",
		},
		{
			Name: "looks-at-the-workspace-alone", Check: "HB-013",
			Doc: "is healthy as long as there is a directory, whatever became of the runtime",
			Reply: beat(ofProvider, func(w *wrapper, m message) message {
				if _, err := os.Stat(w.root()); err != nil {
					return m
				}
				return m.with(message{"status": "healthy"})
			}),
		},
	}
}

func wrongHealth() []defect {
	return []defect{
		{
			Name: "answers-for-itself-alone", Check: "HB-016",
			Doc: "answers providerHeartbeatRequest under its own id",
			Reply: reply("providerHeartbeatRequest", func(w *wrapper, _, m message) message {
				return m.with(message{"providerId": w.began().text("environmentName")})
			}),
		},
		{
			Name: "has-words-of-its-own", Check: "HB-017",
			Doc: "reports the health of its environment in other words",
			Reply: reply(ofEnvironment, func(_ *wrapper, _, m message) message {
				if m.text("status") == "active" {
					return m.with(message{"status": "healthy", "remoteExecutorStatus": "connected"})
				}
				return m
			}),
		},
		{
			Name: "vouches-for-others", Check: "HB-018",
			Doc: "reports its own environment's health whichever is asked for",
			Reply: reply(ofEnvironment, func(w *wrapper, _, m message) message {
				if w.root() != "" {
					return m.with(message{"status": "active", "remoteExecutorStatus": "running"})
				}
				return m
			}),
		},
		{
			Name: "is-active-before-a-start", Check: "HB-019",
			Doc: "reports an environment as active that was never started",
			Reply: reply(ofEnvironment, func(w *wrapper, _, m message) message {
				if w.root() == "" {
					return m.with(message{"status": "active", "remoteExecutorStatus": "stopped"})
				}
				return m
			}),
		},
	}
}
