package manifests

import (
	"regexp"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// unsupported is how a provider that tells no kinds says it.
var unsupported = regexp.MustCompile(`(?i)not supported|unsupported|not implemented`)

// sample is a request of a type with all the members that it must have.
func sample(e *suite.Env, typ suite.Capability) suite.Message {
	m := suite.Message{"type": string(typ)}
	switch string(typ) {
	case "providerReadFile", "providerDeleteFile":
		m["path"] = "README.md"
	case "providerDeleteFolder":
		m["path"] = "docs"
	case "providerCreateFolder", "providerGetTreeChildren":
		m["path"] = "src"
	case "providerWriteFile":
		m["path"], m["content"] = "new.txt", "text"
	case "providerRenameItem":
		m["oldPath"], m["newPath"] = "src/main.txt", "src/moved.txt"
	case "providerCopyFile":
		m["sourcePath"], m["destinationPath"] = "empty.txt", "copy.txt"
	case "providerCopyFolder":
		m["sourcePath"], m["destinationPath"] = "src", "copied"
	case "providerStop":
		m["environmentName"], m["environmentId"] = e.Name(), e.ID()
	case "providerAgentStart":
		m["userMessage"] = map[string]any{"type": "messageResponse", "message": map[string]any{
			"userMessage": "say hello", "threadId": "conformance-thread", "messageId": "conformance-message",
		}}
	case "providerProspectivePath":
		m["environmentName"], m["projectPath"] = "conformance-planned", e.Project
	case "providerHeartbeatRequest", "environmentHeartbeat", "environmentRestartRequest":
		m["environmentId"], m["providerId"], m["timestamp"] = e.ID(), "conformance", time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
	}
	return m
}

func declared() []suite.Check {
	return []suite.Check{
		{
			ID: "MF-012", Level: suite.Must,
			Title: "Every request type that is declared is answered with more than that it is not supported",
			Why:   "A server offers what is declared; a button that never works is worse than none.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				ask := func(typ suite.Capability) {
					if !t.Can(typ) {
						return
					}
					answer := e.Ask(sample(e, typ))
					code, problem := answer.Text("code"), suite.Problem(answer)
					if code == "unsupported" || code == "" && unsupported.MatchString(problem) {
						t.Errorf("%s is declared and answered with: %s", typ, problem)
					}
				}
				for _, typ := range suite.Requests {
					switch typ {
					case "providerStop", "closeSignal", "environmentRestartRequest":
					default:
						ask(typ)
					}
				}
				ask("environmentRestartRequest")
				ask("providerStop")
				e = t.Open(suite.Spec{})
				ask("closeSignal")
			},
		},
		{
			ID: "MF-013", Level: suite.Must, NodeSDK: "it answers nothing to a request type without a handler",
			Title: "Every request type that is not declared is refused as unsupported",
			Why:   "Silence costs the server its whole timeout, and an empty success looks like a result.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				refused := 0
				for _, typ := range suite.Requests {
					if !t.Can(typ) {
						e.Refused(sample(e, typ), "unsupported")
						refused++
					}
				}
				if refused == 0 {
					t.Skipf("the provider declares every request type")
				}
			},
		},
	}
}
