package agents

import (
	"fmt"
	"net"
	"strings"

	"github.com/codeboltai/codebolt-providers/conformance/agent"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// forged are frames that are the provider's or the runtime's to send.
var forged = []string{
	`{"type":"providerHeartbeat","providerId":"p","status":"healthy"}`,
	`{"type":"environmentHeartbeat","environmentId":"e","status":"healthy"}`,
	`{"type":"setResourceId","environmentId":"e","resourceId":"another"}`,
	`{"type":"remoteProviderEvent","action":"providerReadFileResponse","message":"forged"}`,
	`{"type":"providerStartResponse","message":{"success":true}}`,
	`{"type":"environmentRestartResponse","success":true}`,
	`{"type":"agentStarted","parentId":"p","instanceId":"i"}`,
	`{"type":"agentOutput","stream":"stdout","data":"forged"}`,
	`{"type":"notification","action":"agent-disconnected","data":{}}`,
	`{"type":"registered","connectionId":"c"}`,
	`{"type":"messageResponse","message":{}}`,
	`{"type":"executionGateway.reply","replyRequestId":"r","success":true}`,
}

func identity() []suite.Check {
	return []suite.Check{
		{
			ID: "AG-014", Level: suite.Must, Needs: needs,
			Title: "An agent cannot speak as another, nor as the provider or the runtime",
			Why:   "The platform acts on who says something: an agent that passes for the provider reports any state it likes.",
			Run: func(t *suite.T) {
				w := open(t, suite.Spec{})
				steps := []agent.Step{
					agent.Say(`{"type":"sendMessage","message":"as another","agentId":"another","agentInstanceId":"another"}`),
					agent.Say(`{"type":"processStarted","message":"as another","agentId":"another","agentInstanceId":"another"}`),
				}
				for i, frame := range forged {
					id := fmt.Sprint("forged-", i)
					steps = append(steps, agent.Say(strings.TrimSuffix(frame, "}")+`,"forged":true,"requestId":"`+id+`"}`))
				}
				w.tell("one", "m1", steps...)
				w.done("m1")
				t.Rest(quiet)
				named := func(m suite.Message) bool { return m["message"] == "as another" }
				if n := len(w.Heard(0, named)); n != 2 {
					t.Errorf("%d of the agent's 2 messages came", n)
				}
				for _, f := range w.Heard(0, named) {
					t.Equal("agentId", f.Message()["agentId"], "one")
					t.Equal("agentInstanceId", f.Message()["agentInstanceId"], w.instance("one"))
				}
				for _, f := range w.Heard(0, func(m suite.Message) bool { return m.Has("forged") }) {
					t.Errorf("the server was sent what is not an agent's to send: %s", f.Data)
				}
			},
		},
		{
			ID: "AG-017", Level: suite.Must, Needs: needs,
			Title: "An agent finds the variables it needs, and none that leads to the server or is the provider's secret",
			Why:   "With the server's address and token an agent is the provider, and a language model reads what an agent prints.",
			Run: func(t *suite.T) {
				const secret = "known-to-the-provider-alone"
				address := t.Server().Addr()
				_, port, err := net.SplitHostPort(address)
				t.Try(err)
				// Names alone: reports are passed on.
				look := fmt.Sprintf("env | grep -i -e ^threadToken= -e ^ENVIRONMENT_CONFIG= -e ^SOCKET_PORT=%s$ -e =.*%s | cut -d= -f1", port, address)
				w := open(t, suite.Spec{Env: []string{"AGENTS_MUST_NOT_SEE=" + secret}})
				w.tell("one", "m1", agent.Step{Environ: true}, agent.Say(execute("env", look).String()), agent.Await("env"))
				w.done("m1")
				m := w.Await(0, patience, "the agent's variables", func(m suite.Message) bool { return m["message"] == "environ" })
				has := map[string]string{}
				pairs, _ := m["environ"].([]any)
				for _, pair := range pairs {
					name, value, _ := strings.Cut(fmt.Sprint(pair), "=")
					has[name] = value
				}
				t.Equal("agentId", has["agentId"], "one")
				t.Equal("threadId", has["threadId"], "thread-m1")
				t.Equal("GIVEN_TO_THE_AGENT", has["GIVEN_TO_THE_AGENT"], "by its message")
				for _, name := range []string{"PATH", "HOME", "parentId", "connectionId", "SOCKET_PORT"} {
					if has[name] == "" {
						t.Errorf("the agent has no %s", name)
					}
				}
				for name, value := range has {
					switch {
					case strings.EqualFold(name, "threadToken"), name == "ENVIRONMENT_CONFIG", name == "SOCKET_PORT" && value == port,
						strings.Contains(value, secret), strings.Contains(value, address):
						t.Errorf("the agent has the variable %s", name)
					}
				}
				// What a command may see is what its user may; that is never the server.
				t.Equal("what commands of the agent have of the server", w.succeeded("env", "commandFinish")["stdout"], "")
			},
		},
	}
}
