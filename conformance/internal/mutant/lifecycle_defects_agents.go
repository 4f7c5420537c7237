package main

import "path/filepath"

// proper reports whether a prompt is one that a runtime understands.
func proper(m message) bool {
	userMessage := m.object("userMessage")
	return userMessage.text("type") != ""
}

// acknowledges makes a Request hook that acknowledges agents in the provider's
// place.
func acknowledges(when func(w *wrapper, m message) bool) func(*wrapper, message) []message {
	return func(w *wrapper, m message) []message {
		if m.text("type") != "providerAgentStart" || !when(w, m) {
			return list(m)
		}
		return answers(w, m, success(m, "providerAgentStartResponse", nil))
	}
}

func wrongAgents() []defect {
	restart := "environmentRestartRequest"
	return []defect{
		{
			Name: "restarts-nothing", Check: "LC-055",
			Doc: "answers that the runtime was restarted, and lets it be",
			Request: func(w *wrapper, m message) []message {
				if m.text("type") != restart || w.root() == "" {
					return list(m)
				}
				return answers(w, m, message{
					"type": "environmentRestartResponse", "environmentId": m["environmentId"], "success": true, "requestId": m["requestId"],
				})
			},
		},
		{
			Name: "restarts-with-a-clean-workspace", Check: "LC-055",
			Doc: "takes the files back with the runtime",
			Reply: reply(restart, func(w *wrapper, _, m message) message {
				drop(filepath.Join(w.root(), "work.txt"))
				return m
			}),
		},
		{
			Name: "restarts-what-is-not-there", Check: "LC-056",
			Doc: "answers a restart of nothing as one of something",
			Reply: reply(restart, func(w *wrapper, _, m message) message {
				if w.root() != "" {
					return m
				}
				return m.with(message{"success": true, "message": nil, "code": nil})
			}),
		},
		{
			Name: "acknowledges-agents-twice", Check: "LC-057",
			Doc: "acknowledges an agent when it is asked for and when it is passed on",
			Reply: func(_ *wrapper, request, m message) []message {
				if request.text("type") != "providerAgentStart" || m.text("error") != "" {
					return list(m)
				}
				return []message{m, m}
			},
		},
		{
			Name: "takes-any-prompt", Check: "LC-058",
			Doc:     "acknowledges a prompt that no runtime understands",
			Request: acknowledges(func(w *wrapper, m message) bool { return w.root() != "" && !proper(m) }),
		},
		{
			Name: "takes-prompts-before-the-start", Check: "LC-059",
			Doc:     "keeps a prompt for an environment that nobody has started",
			Request: acknowledges(func(w *wrapper, _ message) bool { return w.root() == "" }),
		},
	}
}
