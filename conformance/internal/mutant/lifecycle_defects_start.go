package main

import (
	"os"
	"path/filepath"
)

// wrongStarts give wrong results.
func wrongStarts() []defect {
	return []defect{
		{
			Name: "answers-with-the-safe-name", Check: "LC-001",
			Doc: "gives the environment in its answer the name that its directory has",
			Reply: starts(func(_ *wrapper, _, result message) message {
				return result.with(message{"environmentName": filepath.Base(result.text("workspacePath"))})
			}),
		},
		{
			Name: "promises-a-websocket", Check: "LC-002",
			Doc: "answers that the transport is websocket, and gives no address",
			Reply: starts(func(_ *wrapper, _, result message) message {
				return result.with(message{"transport": "websocket", "agentServerUrl": ""})
			}),
		},
		{
			Name: "has-no-agent-server-url", Check: "LC-002",
			Doc: "leaves agentServerUrl out of the result",
			Reply: starts(func(_ *wrapper, _, result message) message {
				return result.with(message{"agentServerUrl": nil})
			}),
		},
		{
			Name: "announces-under-the-name", Check: "LC-003",
			Doc: "puts the environment's name where setResourceId has its id",
			Reply: func(w *wrapper, _, m message) []message {
				if m.text("type") != "setResourceId" {
					return list(m)
				}
				return list(m.with(message{"environmentId": w.began().text("environmentName")}))
			},
		},
		{
			Name: "announces-nothing", Check: "LC-003",
			Doc: "keeps the resource to itself",
			Reply: func(_ *wrapper, _, m message) []message {
				if m.text("type") == "setResourceId" {
					return nil
				}
				return list(m)
			},
		},
	}
}

// wrongRepeats are surprised by a second start, or by what comes at the wrong
// time.
func wrongRepeats() []defect {
	return []defect{
		{
			Name: "renames-the-resource-at-a-second-start", Check: "LC-004",
			Doc: "makes a new id for the resource at each start",
			Reply: starts(func(w *wrapper, _, result message) message {
				if w.first("started") {
					return result
				}
				return result.with(message{"resourceId": result.text("resourceId") + "-again"})
			}),
		},
		{
			Name: "refuses-a-start-during-another", Check: "LC-005",
			Doc: "fails the second of two starts of the same environment because the first is under way",
			Request: func(w *wrapper, m message) []message {
				if m.text("type") != "providerStart" || underWay(w, "providerStart") < 2 {
					return list(m)
				}
				return answers(w, m, failure(m, "providerStartResponse", "a start is under way already", "conflict"))
			},
		},
		{
			Name: "takes-another-start-for-the-first", Check: "LC-006",
			Doc: "answers a start of something else with what it runs already",
			Reply: func(w *wrapper, request, m message) []message {
				if request.text("type") != "providerStart" {
					return list(m)
				}
				if running, is := w.kept("result").(map[string]any); is && m.text("code") == "conflict" {
					return list(success(request, "providerStartResponse", running))
				}
				if m.text("error") == "" {
					w.keep("result", m["message"])
				}
				return list(m)
			},
		},
		{
			Name: "forgets-requests-during-a-start", Check: "LC-007",
			Doc: "drops what is asked before its environment is ready",
			Request: func(w *wrapper, m message) []message {
				if m.text("type") == "providerReadFile" && underWay(w, "providerStart") > 0 {
					return nil
				}
				return list(m)
			},
		},
		{
			Name: "works-on-the-project-before-the-start", Check: "LC-008",
			Doc: "serves the files of the project until there is an environment",
			Request: func(w *wrapper, m message) []message {
				if w.root() != "" {
					return list(m)
				}
				return serves(w, m, os.Getenv("PROJECT_PATH"))
			},
		},
		{
			Name: "serves-files-after-the-stop", Check: "LC-009",
			Doc: "goes on to read and write files until its process ends",
			Request: func(w *wrapper, m message) []message {
				switch m.text("type") {
				case "providerStart":
					w.keep("stopped", false)
				case "providerStop":
					w.keep("stopped", true)
				}
				if stopped, _ := w.kept("stopped").(bool); !stopped {
					return list(m)
				}
				return serves(w, m, w.root())
			},
		},
	}
}
