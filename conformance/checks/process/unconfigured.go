package process

import (
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// unset are the variables that a server sets and a person's shell does not.
var unset = []string{
	"SOCKET_PORT", "CODEBOLT_SERVER_URL", "agentId", "threadToken", "providerId", "PROVIDER_ID", "environmentId", "environmentName",
	"ENVIRONMENT_NAME", "PROJECT_PATH", "ENVIRONMENT_CONFIG", "IS_PROVIDER", "IS_REMOTE_PROVIDER", "connectionId",
	"parentId", "parentAgentInstanceId", "agentTask", "Is_Dev", "storedTaskId", "threadId",
}

// traces are what uncaught errors print.
var traces = []string{"goroutine ", "panic:", "\n    at ", "Traceback (most recent", "thread 'main' panicked", "core dumped"}

// explainLimit is how long a program may take to say that it cannot run: two
// seconds, and as much as a busy machine takes.
const explainLimit = 10 * time.Second

func unconfigured() []suite.Check {
	return []suite.Check{{
		ID: "PR-001", Level: suite.Must,
		Title:   "Started by hand, the program says what is missing and exits with an error",
		Why:     "Who tries the program in a shell sees it hang, or a stack trace, and does not learn that a server must start it.",
		NodeSDK: "it dials localhost:12345 and exits 0",
		Run: func(t *suite.T) {
			out := newRecorder(t)
			e := t.Env(suite.Spec{Wrap: func(program string, args []string) (string, []string) {
				program, args = out.wrap(program, args)
				var options []string
				for _, name := range unset {
					options = append(options, "-u", name)
				}
				return "/usr/bin/env", append(append(options, program), args...)
			}})
			if !launching(t, e).within(explainLimit) {
				t.Fatalf("without SOCKET_PORT and CODEBOLT_SERVER_URL the program still runs after %v", explainLimit)
			}
			if status := e.Exit(explainLimit); status <= 0 {
				t.Errorf("the exit status is %d; it should be an error's", status)
			}
			text := out.text()
			if !strings.Contains(text, "SOCKET_PORT") && !strings.Contains(text, "CODEBOLT_SERVER_URL") {
				t.Errorf("what it prints names neither SOCKET_PORT nor CODEBOLT_SERVER_URL: %q", text)
			}
			for _, trace := range traces {
				if strings.Contains(text, trace) {
					t.Errorf("it prints a stack trace in place of a sentence: %q", text)
				}
			}
		},
	}}
}
