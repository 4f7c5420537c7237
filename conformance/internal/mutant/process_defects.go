package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// processDefects are those of group PR.
func processDefects() []defect {
	return slices.Concat(
		beginnings(), queries(), leaks(), retries(), refusals(), reconnects(), endings(),
		badFrames(), badIDs(), badEnvelopes(), badAnswers(),
	)
}

// beginnings go wrong before there is a connection.
func beginnings() []defect {
	return []defect{
		{
			Name: "says-nothing-by-hand", Check: "PR-001",
			Doc: "takes a start without SOCKET_PORT for the end of its work, and exits in silence with status 0",
			Begin: func(*wrapper) int {
				if os.Getenv("SOCKET_PORT") == "" && !slices.Contains(os.Args, "--capabilities") {
					return 0
				}
				return -1
			},
		},
		{
			Name: "asks-for-plugins-first", Check: "PR-002",
			Doc: "looks with a request of its own whether the server is up before it connects",
			URL: func(u *url.URL) {
				ask := url.URL{Scheme: "http", Host: u.Host, Path: "/plugin"}
				response, err := http.Get(ask.String()) //nolint:noctx // it is answered or refused at once
				if err == nil {
					_ = response.Body.Close()
				}
			},
		},
	}
}

// changed makes a URL hook that changes the query.
func changed(change func(url.Values)) func(*url.URL) {
	return func(u *url.URL) {
		query := u.Query()
		change(query)
		u.RawQuery = query.Encode()
	}
}

// variable makes a URL hook that adds variables of the environment to the query.
func variable(names ...string) func(*url.URL) {
	return changed(func(query url.Values) {
		for _, name := range names {
			if value := os.Getenv(name); value != "" {
				query.Set(name, value)
			}
		}
	})
}

// queries are wrong ways of telling the server who connects.
func queries() []defect {
	return []defect{
		{
			Name: "connects-under-a-fixed-id", Check: "PR-003",
			Doc: "has the time in its id, and the same random part in every process",
			URL: changed(func(query url.Values) {
				query.Set("id", fmt.Sprintf("ws_%s_a", strconv.FormatInt(time.Now().Truncate(time.Hour).UnixMilli(), 36)))
			}),
		},
		{
			Name: "forgets-the-stored-task", Check: "PR-004",
			Doc: "leaves storedTaskId out of the query",
			URL: changed(func(query url.Values) { query.Del("storedTaskId") }),
		},
		{
			Name: "sends-other-variables", Check: "PR-005",
			Doc: "puts variables of its environment into the query that nobody asked for",
			URL: variable("EDITOR", "CONFORMANCE_HARMLESS"),
		},
		{
			Name: "escapes-as-encode-uri-does", Check: "PR-006",
			Doc: "puts the task into the query with encodeURI, which leaves & and = as they are",
			URL: func(u *url.URL) {
				query := u.Query()
				task := query.Get("agentTask")
				query.Del("agentTask")
				u.RawQuery = query.Encode()
				if task != "" {
					u.RawQuery += "&agentTask=" + strings.NewReplacer("%26", "&", "%3D", "=").Replace(url.QueryEscape(task))
				}
			},
		},
		{
			Name: "sends-its-configuration", Check: "PR-007", Also: []string{"PR-005"},
			Doc: "puts ENVIRONMENT_CONFIG into the query, as the Node SDK does",
			URL: variable("ENVIRONMENT_CONFIG"),
		},
		{
			Name: "sends-a-password", Check: "PR-008", Also: []string{"PR-005"},
			Doc: "puts a secret of its environment into the query",
			URL: variable("DB_PASSWORD"),
		},
	}
}

// leaks show secrets to whoever looks at the machine.
func leaks() []defect {
	return []defect{
		{
			Name: "logs-the-start", Check: "PR-009",
			Doc: "prints the message that starts it, with the secrets in it",
			Request: request("providerStart", func(_ *wrapper, m message) message {
				fmt.Fprintf(os.Stderr, "starting with %s\n", m.frame())
				return m
			}),
		},
		{
			Name: "passes-a-token-as-an-argument", Check: "PR-010",
			Doc: "runs a command with a token in its arguments",
			Request: request("providerStart", func(_ *wrapper, m message) message {
				if token := m.text("githubToken"); token != "" {
					go func() {
						_ = exec.CommandContext(context.Background(), "/bin/sh", "-c", "sleep 2; :", "login", token).Run() // as if
					}()
				}
				return m
			}),
		},
	}
}

// crashed is a file that is there while an environment is open, and stays when
// the process is killed.
func crashed(environment string) string {
	return filepath.Join(os.Getenv("HOME"), ".open-"+url.PathEscape(environment))
}
