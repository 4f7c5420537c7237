package main

import (
	"os"
	"path/filepath"
	"strings"
)

// ofAgents makes a Reply hook that changes frames of agents.
func ofAgents(change func(w *wrapper, m message) []message) func(*wrapper, message, message) []message {
	return func(w *wrapper, _, m message) []message {
		if m.text("agentId") == "" {
			return list(m)
		}
		return change(w, m)
	}
}

// reaching makes a Reply hook that changes what the suite's agent reports as having
// reached it, as if it had been so on its way there.
func reaching(typ string, change func(w *wrapper, heard message) message) func(*wrapper, message, message) []message {
	return ofAgents(func(w *wrapper, m message) []message {
		heard, ok := parse([]byte(m.text("frame")))
		if m.text("message") != "heard" || !ok || heard.text("type") != typ {
			return list(m)
		}
		return list(m.with(message{"frame": string(change(w, heard).frame())}))
	})
}

// told makes a Reply hook that changes frames of a type, which answer nothing.
func told(typ string, change func(w *wrapper, m message) []message) func(*wrapper, message, message) []message {
	return func(w *wrapper, _, m message) []message {
		if m.text("type") == typ {
			return change(w, m)
		}
		return list(m)
	}
}

// given makes a Request hook that changes the message that an agent is given; nil leaves
// it as it came, down to the digits of its numbers.
func given(change func(w *wrapper, envelope message) message) func(*wrapper, message) []message {
	return request("providerAgentStart", func(w *wrapper, m message) message {
		if envelope := m.object("userMessage"); envelope != nil {
			if changed := change(w, envelope); changed != nil {
				return m.with(message{"userMessage": map[string]any(changed)})
			}
		}
		return m
	})
}

// selecting is an envelope that selects an agent with changes.
func selecting(envelope, changes message) message {
	prompt := envelope.object("message")
	selected := prompt.object("selectedAgent").with(changes)
	return envelope.with(message{"message": map[string]any(prompt.with(message{"selectedAgent": map[string]any(selected)}))})
}

// crossed makes a Request hook that gives two answers, which follow each other, to each
// other's requests.
func crossed(nth int) func(*wrapper, message) []message {
	return func(w *wrapper, m message) []message {
		if m.text("type") != "llmResponse" {
			return list(m)
		}
		switch w.count("answer") {
		case nth:
			w.keep("crossed", m)
			return nil
		case nth + 1:
			before, _ := w.kept("crossed").(message)
			return []message{m.with(message{"requestId": before["requestId"]}), before.with(message{"requestId": m["requestId"]})}
		}
		return list(m)
	}
}

// another is what is behind the id of an agent that this defect has made.
const another = "-again"

// agentDefects are those of group AG.
func agentDefects() []defect {
	return []defect{
		{
			Name: "tells-late-that-an-agent-runs", Check: "AG-001",
			Doc: "sends agentStarted behind the first frame of the agent",
			Reply: ofAgents(func(w *wrapper, m message) []message {
				if m.text("type") == "agentStarted" {
					w.keep("started", m)
					return nil
				}
				if started, ok := w.keep("started", nil).(message); ok {
					return []message{m, started}
				}
				return list(m)
			}),
		},
		{
			Name: "gives-agents-a-message-decoded-and-encoded", Check: "AG-001", Also: []string{"NT-020"},
			Doc:     "rounds the numbers in the message that an agent is given",
			Request: given(func(_ *wrapper, envelope message) message { return envelope.with(nil) }),
		},
		{
			Name: "does-not-say-which-run-asks", Check: "AG-002",
			Doc: "passes requests of agents on without agentInstanceId",
			Reply: ofAgents(func(_ *wrapper, m message) []message {
				if m.text("type") == "inference" {
					m = m.with(message{"agentInstanceId": nil})
				}
				return list(m)
			}),
		},
		{
			Name: "crosses-two-answers", Check: "AG-003", Also: []string{"AG-018"},
			Doc: "gives two answers to each other's requests", Request: crossed(4),
		},
		{
			Name: "starts-a-process-for-each-message", Check: "AG-004", Also: []string{"AG-006"},
			Doc: "starts an agent that runs once more for its next message",
			Request: given(func(w *wrapper, envelope message) message {
				id := envelope.object("message").object("selectedAgent").text("id")
				if w.first("agent " + id) {
					return nil
				}
				return selecting(envelope, message{"id": id + another})
			}),
			Reply: ofAgents(func(_ *wrapper, m message) []message {
				if id, again := strings.CutSuffix(m.text("agentId"), another); again {
					m = m.with(message{"agentId": id})
				}
				return list(m)
			}),
		},
		{
			Name: "passes-every-answer-on", Check: "AG-005",
			Doc: "gives an agent an answer again that it has had",
			Request: func(w *wrapper, m message) []message {
				if m.text("type") == "llmResponse" && !w.first("answer to "+m.text("requestId")) {
					return list(m.with(message{"type": "llmResponseAgain"})) // as another frame, which is let through
				}
				return list(m)
			},
		},
		{
			Name: "does-not-say-how-an-agent-ended", Check: "AG-006",
			Doc: "ends the messages of an agent that crashed without its exit status",
			Reply: ofAgents(func(_ *wrapper, m message) []message {
				if m.text("type") == "processStoped" {
					m = m.with(message{"exitCode": nil})
				}
				return list(m)
			}),
		},
		{
			Name: "ends-twice-what-never-ran", Check: "AG-007",
			Doc: "reports an agent that could not be started when it is refused and when it is forgotten",
			Reply: ofAgents(func(_ *wrapper, m message) []message {
				_, exited := m["exitCode"]
				if m["synthetic"] == true && !exited && m.text("signal") == "" {
					return []message{m, m}
				}
				return list(m)
			}),
		},
		{
			Name: "stops-every-agent", Check: "AG-008",
			Doc:     "does not look whom a stop is for",
			Request: request("stopProcessClicked", func(_ *wrapper, m message) message { return m.with(message{"agentId": nil}) }),
		},
		{
			Name: "writes-agents-files-elsewhere", Check: "AG-009",
			Doc: "tells an agent that its file is written, and has it where nobody else looks",
			Reply: reaching("createFileResponse", func(w *wrapper, heard message) message {
				drop(filepath.Join(w.root(), "made"))
				return heard
			}),
		},
		{
			Name: "relays-files-of-agents", Check: "AG-009", Also: []string{"AG-010"},
			Doc: "asks the server, too, for the files that agents want",
			Reply: reaching("readFileResponse", func(w *wrapper, heard message) message {
				w.say(message{"type": "fsEvent", "action": "readFile", "requestId": heard["requestId"], "agentId": "one"})
				return heard
			}),
		},
		{
			Name: "drops-what-leads-out", Check: "AG-010",
			Doc: "takes a path that begins with ../ for one within",
			Request: given(func(_ *wrapper, envelope message) message {
				prompt := envelope.object("message")
				const out = `"filePath":"../`
				if !strings.Contains(prompt.text("userMessage"), out) {
					return nil
				}
				text := strings.ReplaceAll(prompt.text("userMessage"), out, `"filePath":"`)
				return envelope.with(message{"message": map[string]any(prompt.with(message{"userMessage": text}))})
			}),
		},
		{
			Name: "takes-commands-for-successful", Check: "AG-011",
			Doc: "answers a command that failed as one that has not",
			Reply: reaching("commandFinish", func(_ *wrapper, heard message) message {
				return heard.with(message{"exitCode": 0, "success": true})
			}),
		},
		{
			Name: "names-the-servers-project", Check: "AG-012", Also: []string{"AG-009", "AG-013"},
			Doc: "answers getProjectPath with the path on the server",
			Reply: reaching("getProjectPathResponse", func(w *wrapper, heard message) message {
				return heard.with(message{"projectPath": w.began()["projectPath"]})
			}),
		},
		{
			Name: "gives-ids-to-agents-without", Check: "AG-013",
			Doc: "answers a request without requestId with one",
			Reply: reaching("llmResponse", func(_ *wrapper, heard message) message {
				if heard.text("requestId") != "" {
					return heard
				}
				return heard.with(message{"requestId": "of the runtime"})
			}),
		},
		{
			Name: "believes-agents", Check: "AG-014",
			Doc: "lets an agent say who it is",
			Reply: ofAgents(func(_ *wrapper, m message) []message {
				if m.text("message") == "as another" {
					m = m.with(message{"agentId": "another"})
				}
				return list(m)
			}),
		},
		{
			Name: "lets-agents-speak-for-it", Check: "AG-014",
			Doc: "passes on what only a provider may say",
			Reply: ofAgents(func(w *wrapper, m message) []message {
				if m.text("message") == "as another" {
					w.say(message{"type": "environmentHeartbeat", "environmentId": "e", "agentId": "one", "forged": true})
				}
				return list(m)
			}),
		},
		{
			Name: "loses-an-agents-message-with-the-line", Check: "AG-015",
			Doc: "loses what an agent says first when the connection to the server is back",
			Reply: ofAgents(func(w *wrapper, m message) []message {
				if m.text("message") == "numbered" && m["replay"] != true && w.connection() > 1 && w.first("lost") {
					return nil
				}
				return list(m)
			}),
		},
		{
			Name: "repeats-agents-without-a-word", Check: "AG-016",
			Doc: "does not say of what an agent said before its start that it may have come",
			Reply: ofAgents(func(w *wrapper, m message) []message {
				if w.connection() == 1 && m["replay"] == true {
					m = m.with(message{"replay": nil})
				}
				return list(m)
			}),
		},
		{
			Name: "gives-agents-its-token", Check: "AG-017", Also: []string{"AG-001", "NT-020"},
			Doc: "starts agents with its own variables",
			Request: given(func(_ *wrapper, envelope message) message {
				details := envelope.object("message").object("selectedAgent").object("agentDetails")
				env := details.object("env")
				if env == nil {
					return nil
				}
				env = env.with(message{"threadToken": os.Getenv("threadToken")})
				return selecting(envelope, message{"agentDetails": map[string]any(details.with(message{"env": map[string]any(env)}))})
			}),
		},
		{
			Name: "crosses-answers-of-many", Check: "AG-018",
			Doc: "gives two answers to each other's requests when there are many", Request: crossed(40),
		},
		{
			Name: "forgets-how-a-terminal-ended", Check: "AG-019", Also: []string{"AG-021"},
			Doc: "tells of every program at a terminal that it ended well",
			Reply: told("terminal.exit", func(_ *wrapper, m message) []message {
				return list(m.with(message{"exitCode": 0}))
			}),
		},
		{
			Name: "loses-a-piece-of-a-terminal", Check: "AG-019", Also: []string{"AG-021"},
			Doc: "loses some of what a terminal shows",
			Reply: told("terminal.output", func(w *wrapper, m message) []message {
				if w.count("piece") == 2 {
					return nil
				}
				return list(m)
			}),
		},
		{
			Name: "keeps-a-terminal-as-large-as-it-was", Check: "AG-020",
			Doc: "does not change the size of a terminal",
			Request: request("terminal.resize", func(_ *wrapper, m message) message {
				if m["cols"] == 0.0 {
					return m
				}
				return m.with(message{"cols": 90, "rows": 33})
			}),
		},
		{
			Name: "shows-a-terminal-from-another-place", Check: "AG-021",
			Doc:     "shows who comes back to a terminal what they have seen",
			Request: request("terminal.attach", func(_ *wrapper, m message) message { return m.with(message{"after": nil}) }),
		},
		{
			Name: "lets-agents-think-they-have-a-terminal", Check: "AG-022",
			Doc: "answers an agent that wants a terminal with success",
			Reply: reaching("error", func(_ *wrapper, heard message) message {
				return heard.with(message{"success": true, "error": nil})
			}),
		},
		{
			Name: "tells-changes-twice", Check: "AG-023",
			Doc:   "tells every change of a watched file again",
			Reply: told("watch.changed", func(_ *wrapper, m message) []message { return []message{m, m} }),
		},
		{
			Name: "takes-replaced-files-for-new", Check: "AG-024", Also: []string{"AG-023"},
			Doc: "tells of a file that was replaced as of a new one",
			Reply: told("watch.changed", func(_ *wrapper, m message) []message {
				changes, _ := m["changes"].([]any)
				var changed []any
				for _, c := range changes {
					if one, ok := c.(map[string]any); ok && one["kind"] == "modified" {
						c = map[string]any(message(one).with(message{"kind": "created"}))
					}
					changed = append(changed, c)
				}
				return list(m.with(message{"changes": changed}))
			}),
		},
		{
			Name: "watches-what-is-ignored", Check: "AG-025",
			Doc:     "tells of files that are to be ignored",
			Request: request("watch.start", func(_ *wrapper, m message) message { return m.with(message{"ignore": nil}) }),
		},
	}
}
