package main

import (
	"encoding/json"
	"os"
	"slices"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/manifest"
)

// entryPoint is what the manifests name as that; where the provider is built
// there is none.
const entryPoint = "dist/index.js"

// manifestDefects are those of group MF.
func manifestDefects() []defect {
	return slices.Concat(keyDefects(), configurationDefects(), declarationDefects(), launcherDefects())
}

// saying makes a Files hook that has one text in the place of another, in the
// file of that name or, for "", in both.
func saying(file, old, text string) func(name, text string) string {
	return func(name, content string) string {
		if file != "" && file != name {
			return content
		}
		return strings.Replace(content, old, text, 1)
	}
}

func keyDefects() []defect {
	return []defect{
		{
			Name: "has-one-manifest", Check: "MF-001", Also: []string{"MF-002", "MF-003", "MF-004", "MF-005", "MF-006"},
			Doc: "is published without the file that servers read",
			Files: func(name, text string) string {
				if name == manifest.ProvidersFile {
					return ""
				}
				return text
			},
		},
		{
			Name: "has-a-version-of-one-number", Check: "MF-002", Files: saying("", "version: 1.0.0", "version: 1"),
			Doc: "has a version that is a number",
		},
		{
			Name: "defaults-to-a-mode-it-lacks", Check: "MF-003", Files: saying("", "defaultSyncMode: git", "defaultSyncMode: workspace_sync"),
			Doc: "has a default among the modes of synchronisation that it does not support",
		},
		{
			Name: "has-two-opinions", Check: "MF-004", Files: saying(manifest.ProvidersFile, "branchPrefix: codebolt/", "branchPrefix: agents/"),
			Doc: "has another default in the file that servers read",
		},
		{
			Name: "takes-another-id", Check: "MF-005", Files: saying("", "unique_id: codebolt-git-worktree", "unique_id: git-worktree"),
			Doc: "has the id of the provider that it was made after",
		},
		{
			Name: "publishes-a-token", Check: "MF-006", Files: saying("", `githubToken: ""`, "githubToken: conformance"),
			Doc: "is published with the token of its author",
		},
	}
}

// environment is what the process was configured with.
func environment() message {
	var config message
	_ = json.Unmarshal([]byte(os.Getenv("ENVIRONMENT_CONFIG")), &config) // without one there is none
	return config
}

// refusesStarts makes a Request hook that refuses a start with a sentence, if
// there is one.
func refusesStarts(problem func(m message) string) func(*wrapper, message) []message {
	return request("providerStart", func(w *wrapper, m message) message {
		sentence := problem(m)
		if sentence == "" {
			return m
		}
		w.say(message{"type": "providerStartResponse", "requestId": m["requestId"], "error": "providerStart: " + sentence, "code": "invalid"})
		return nil
	})
}

func configurationDefects() []defect {
	timeouts := []string{"agentServerStartup", "wsConnection", "gitOperations", "cleanup", "fileOperations", "review"}
	return []defect{
		{
			Name: "wants-its-configuration-twice", Check: "MF-007",
			Doc: "finds an error in a start that does not repeat what the process was configured with",
			Request: refusesStarts(func(m message) string {
				if environment()["branchPrefix"] != nil && m["branchPrefix"] == nil {
					return "branchPrefix is missing"
				}
				return ""
			}),
		},
		{
			Name: "ignores-a-port-that-is-none", Check: "MF-008",
			Doc: "takes the default where a value is of another type",
			Request: request("providerStart", func(_ *wrapper, m message) message {
				if _, number := m["agentServerPort"].(float64); number || m["agentServerPort"] == nil {
					return m
				}
				return m.with(message{"agentServerPort": nil})
			}),
		},
		{
			Name: "refuses-timeouts-it-does-not-know", Check: "MF-009",
			Doc: "finds an error in a timeout that a newer provider has",
			Request: refusesStarts(func(m message) string {
				for key := range m.object("timeouts") {
					if !slices.Contains(timeouts, key) {
						return "there is no timeout " + key
					}
				}
				return ""
			}),
		},
		{
			Name: "is-configured-by-the-start", Check: "MF-010", Also: []string{"MF-011"},
			Doc: "does not read the environment's configuration",
			Environ: func(environ []string) []string {
				return append(without(environ, "ENVIRONMENT_CONFIG"), "ENVIRONMENT_CONFIG={}")
			},
		},
		{
			Name: "replaces-groups", Check: "MF-011",
			Doc: "takes a group of settings from one layer whole, and nothing of it from the others",
			Request: request("providerStart", func(_ *wrapper, m message) message {
				for key := range environment() {
					if environment().object(key) != nil && m.object(key) != nil {
						m = m.with(message{key: nil})
					}
				}
				return m
			}),
		},
	}
}

func declarationDefects() []defect {
	return []defect{
		{
			Name: "declares-patches-it-lacks", Check: "MF-012", Also: []string{"DF-026", "PR-042", "PR-050"},
			Doc: "declares createPatchRequest, for which it has nothing but an error",
			Request: request("createPatchRequest", func(w *wrapper, m message) message {
				w.say(message{"type": "createPatchRequestResponse", "requestId": m["requestId"], "error": "createPatchRequest is not supported", "code": "unsupported"})
				return nil
			}),
		},
		{
			Name: "grants-what-it-lacks", Check: "MF-013", Also: []string{"PR-053"}, Lacks: []string{"createPullRequestRequest"},
			Doc: "answers a request that it does not support as carried out",
			Request: request("createPullRequestRequest", func(w *wrapper, m message) message {
				w.say(message{"type": "createPullRequestRequestResponse", "requestId": m["requestId"]})
				return nil
			}),
		},
	}
}

// launcher is the text of an entry point that is right. The program and its
// arguments are put in when it is known where they are.
const launcher = `const { spawn } = require("node:child_process");
const [program, ...args] = PROGRAM;
const child = spawn(program, args, { stdio: "inherit", env: process.env });
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => child.kill(signal));
child.on("exit", (status, signal) => process.exit(signal ? 1 : status));
`

// launched makes a Files hook that puts an entry point there.
func launched(old, text string) func(name, text string) string {
	return func(name, content string) string {
		if name != entryPoint {
			return content
		}
		return strings.Replace(launcher, old, text, 1)
	}
}

func launcherDefects() []defect {
	return []defect{
		{Name: "launched", Files: launched("", ""), Doc: "Nothing is wrong, and there is a launcher."},
		{
			Name: "launches-without-environment", Check: "MF-014", Also: []string{"MF-016"},
			Files: launched("env: process.env", "env: { PATH: process.env.PATH }"),
			Doc:   "has a launcher that starts the provider with an environment of its own making",
		},
		{
			Name: "launches-without-status", Check: "MF-015", Files: launched("process.exit(signal ? 1 : status)", "process.exit(0)"),
			Doc: "has a launcher that ends well, however the provider does",
		},
		{
			Name: "launches-without-signals", Check: "MF-016", Files: launched("child.kill(signal)", "process.exit(143)"),
			Doc: "has a launcher that ends at a signal, and leaves the provider to find that out",
		},
	}
}
