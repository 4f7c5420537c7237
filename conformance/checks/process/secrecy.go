package process

import (
	"fmt"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// secrets are in the environment of a check's provider, under names that tools
// read.
var secrets = map[string]string{
	"GITHUB_TOKEN": "ghp-conformance-5d1b7f", "ANTHROPIC_API_KEY": "sk-conformance-77aa31", "DB_PASSWORD": "pw-conformance-c0ffee",
	"AWS_SESSION_TOKEN": "aws-conformance-91e2d4",
}

func secretEnv() []string {
	var env []string
	for name, value := range secrets {
		env = append(env, name+"="+value)
	}
	return env
}

// given is a secret of a start message.
const given = "start-conformance-3be8a0"

func secrecy() []suite.Check {
	return []suite.Check{
		{
			ID: "PR-008", Level: suite.Must, NodeSDK: nodeWholeEnv,
			Title: "No secret of the environment is in the request that connects",
			Why:   "The request line is not encrypted, and servers and proxies log it.",
			Run: func(t *suite.T) {
				_, requests := tapped(t, suite.Spec{Env: secretEnv()})
				for _, a := range requests {
					text := plainText(a)
					for name, value := range secrets {
						if strings.Contains(text, value) {
							t.Errorf("the request holds the value of %s", name)
						}
					}
					t.Look("the request that connects", []byte(text))
				}
			},
		},
		{
			ID: "PR-009", Level: suite.Must,
			Title: "Nothing that the program prints holds a secret, the connection's token included",
			Why:   "The server keeps what it prints as the environment's log, which people send around.",
			Run: func(t *suite.T) {
				p, out := newTap(t), newRecorder(t)
				strict := t.Profile() == suite.Strict
				if strict {
					p.absent() // errors of dialing like to name the URL
				}
				e := t.Env(suite.Spec{
					Env: append(append(p.env(), "CODEBOLT_LOG_LEVEL=debug", "DEBUG=*"), secretEnv()...), Wrap: out.wrap,
					Start: map[string]any{"githubToken": given, "conformanceApiKey": given},
				})
				launched := launching(t, e)
				if strict {
					t.Rest(1500 * time.Millisecond)
					p.again()
				}
				if err := launched.connects(longestGap); err != nil {
					t.Fatalf("the provider did not connect: %v", err)
				}
				e.Start()
				pid := e.PID()
				e.TellText(fmt.Sprintf(`{"type":"providerReadFile","path":5,"token":%q}`, given))
				e.TellText(fmt.Sprintf(`{"type":"providerReadFile","apiKey":%q`, given))
				e.TellText(fmt.Sprintf(`{"type":"conformance.unknown","apiKey":%q}`, given))
				if strict {
					p.cut()
				}
				answers(t, e, pid)
				e.Stop("")
				text := out.text()
				all := map[string]string{"threadToken": query(t, p.requests()).Get("threadToken"), "a secret of a message": given}
				for name, value := range secrets {
					all[name] = value
				}
				for name, value := range all {
					if at := strings.Index(text, value); at >= 0 {
						begin, end := max(0, at-200), min(len(text), at+200)
						t.Errorf("the program prints %s: …%s…", name, strings.ReplaceAll(text[begin:end], value, "[the secret]"))
					}
				}
			},
		},
		{
			ID: "PR-010", Level: suite.Must,
			Title: "No secret is in the command line of any process",
			Why:   "Every user of the machine can read command lines.",
			Run: func(t *suite.T) {
				p := newTap(t)
				e := t.Env(suite.Spec{Env: append(p.env(), secretEnv()...), Start: map[string]any{"githubToken": given}})
				e.Launch()
				needProcesses(t, e)
				all := map[string]string{"threadToken": query(t, p.requests()).Get("threadToken"), "githubToken of providerStart": given}
				for name, value := range secrets {
					all[name] = value
				}
				look := func() {
					for _, process := range t.Processes() {
						for name, value := range all {
							if strings.Contains(process.Command, value) {
								t.Errorf("the command line of process %d holds %s: %s", process.PID, name, strings.ReplaceAll(process.Command, value, "[the secret]"))
							}
						}
					}
				}
				started, watched := make(chan struct{}), make(chan struct{})
				go func() {
					defer close(watched)
					for {
						look()
						select {
						case <-started:
							return
						case <-time.After(20 * time.Millisecond):
						}
					}
				}()
				_, err := e.TryStart()
				close(started)
				<-watched
				if err != nil {
					t.Fatalf("the start failed: %v", err)
				}
				look()
			},
		},
	}
}
