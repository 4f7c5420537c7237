package process

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// documented are the parameters that a server may get.
var documented = []string{
	"id", "agentId", "parentId", "parentAgentInstanceId", "agentTask", "threadToken", "IS_PROVIDER", "IS_REMOTE_PROVIDER",
	"providerId", "environmentId", "environmentName", "storedTaskId", "threadId", "connectionId", "PROVIDER_ID",
	"ENVIRONMENT_NAME", "PROJECT_PATH", "projectPath", "projectName", "dev",
}

var connectionID = regexp.MustCompile(`^ws_([0-9a-z]+)_[0-9a-z]+$`)

// tapped launches a provider that dials a tap, and returns its requests.
func tapped(t *suite.T, spec suite.Spec) (*suite.Env, []attempt) {
	p := newTap(t)
	spec.Env = append(p.env(), spec.Env...)
	e := t.Env(spec)
	e.Launch()
	return e, p.requests()
}

// query is that of the connection that was accepted.
func query(t *suite.T, requests []attempt) url.Values {
	values, err := url.ParseQuery(requests[len(requests)-1].request.URL.RawQuery)
	if err != nil {
		t.Fatalf("the query is not one: %v", err)
	}
	return values
}

func address() []suite.Check {
	return []suite.Check{
		{
			ID: "PR-002", Level: suite.Must,
			Title: "The provider dials /codebolt and nothing else",
			Why:   "Every other path of the server is somebody else's, and a request there is noise in its log or worse.",
			Run: func(t *suite.T) {
				_, requests := tapped(t, suite.Spec{})
				for _, a := range requests {
					t.Equal("the request", a.request.Method+" "+a.request.URL.Path, "GET /codebolt")
					t.Equal("the header Upgrade", strings.ToLower(a.request.Header.Get("Upgrade")), "websocket")
				}
			},
		},
		{
			ID: "PR-003", Level: suite.Must,
			Title: "Each process connects under an id of its own, ws_<time>_<random>",
			Why:   "The server tells connections apart by it; two with one id take each other's messages.",
			Run: func(t *suite.T) {
				seen := map[string]bool{}
				for range 2 {
					_, requests := tapped(t, suite.Spec{})
					id := query(t, requests).Get("id")
					parts := connectionID.FindStringSubmatch(id)
					if parts == nil {
						t.Fatalf("the parameter id is %q, not ws_<time in base 36>_<random in base 36>", id)
					}
					ms, err := strconv.ParseInt(parts[1], 36, 64)
					if age := time.Since(time.UnixMilli(ms)); err != nil || age.Abs() > time.Hour {
						t.Errorf("the time in the id %q is not the present", id)
					}
					if seen[id] {
						t.Errorf("two processes have the id %q", id)
					}
					seen[id] = true
				}
			},
		},
		{
			ID: "PR-004", Level: suite.Must,
			Title: "The identity that the server gave arrives as it was given",
			Why:   "There is no registration message: a server finds the provider's environment by the query alone.",
			Run: func(t *suite.T) {
				given := map[string]string{
					"agentId": "agent-17", "parentId": "parent-17", "parentAgentInstanceId": "instance-17", "agentTask": "task-17",
					"providerId": "provider-17", "PROVIDER_ID": "provider-17", "environmentName": "name-17", "ENVIRONMENT_NAME": "name-17",
					"storedTaskId": "stored-17", "threadId": "thread-17",
				}
				spec := suite.Spec{Env: []string{"Is_Dev=true"}}
				for name, value := range given {
					spec.Env = append(spec.Env, name+"="+value)
				}
				e, requests := tapped(t, spec)
				maps.Copy(given, map[string]string{
					"environmentId": e.ID(), "PROJECT_PATH": e.Project, "IS_PROVIDER": "true", "IS_REMOTE_PROVIDER": "true", "dev": "true",
				})
				values := query(t, requests)
				for _, name := range slices.Sorted(maps.Keys(given)) {
					t.Equal("the parameter "+name, values[name], []string{given[name]})
				}
			},
		},
		{
			ID: "PR-005", Level: suite.Must, NodeSDK: nodeWholeEnv,
			Title: "The query holds the documented parameters and no others, none of them empty",
			Why:   "A query stands in the logs of the server and of every proxy before it.",
			Run: func(t *suite.T) {
				_, requests := tapped(t, suite.Spec{Env: []string{"CONFORMANCE_HARMLESS=yes", "EDITOR=ed"}})
				values := query(t, requests)
				for _, name := range slices.Sorted(maps.Keys(values)) {
					switch {
					case !slices.Contains(documented, name):
						t.Errorf("the query has the parameter %q, which is not documented", name)
					case len(values[name]) != 1 || values[name][0] == "":
						t.Errorf("the parameter %s has the values %q; it should have one that is not empty", name, values[name])
					}
				}
				if values.Has("dev") {
					t.Errorf("the query has dev although Is_Dev is not set")
				}
			},
		},
		{
			ID: "PR-006", Level: suite.Must, NodeSDK: "it does not escape agentTask and the ids",
			Title: "Values with special characters arrive whole and add no parameters",
			Why:   "A task that contains &dev=true would otherwise say so to the server.",
			Run: func(t *suite.T) {
				given := map[string]string{
					"agentTask": "50% of a&b=c&dev=true + ü\t\"d\" 'q' #x?y;z\\ /", "parentId": "a&agentId=b", "parentAgentInstanceId": "é %41 + ",
					"threadId": "t#1", "storedTaskId": "x=y",
				}
				spec := suite.Spec{}
				for name, value := range given {
					spec.Env = append(spec.Env, name+"="+value)
				}
				_, requests := tapped(t, spec)
				values := query(t, requests)
				for _, name := range slices.Sorted(maps.Keys(given)) {
					t.Equal("the parameter "+name, values[name], []string{given[name]})
				}
				if values.Has("dev") {
					t.Errorf("a part of agentTask became the parameter dev")
				}
			},
		},
		{
			ID: "PR-007", Level: suite.Must, NodeSDK: nodeWholeEnv,
			Title: "The configuration does not travel in the query",
			Why:   "It holds API keys, and a large one makes the server refuse the request with status 431.",
			Run: func(t *suite.T) {
				const secret = "setting-0f6e1c3a"
				_, requests := tapped(t, suite.Spec{Config: map[string]any{"conformance": map[string]any{"note": secret}}})
				for _, a := range requests {
					if text := plainText(a); strings.Contains(text, "ENVIRONMENT_CONFIG") || strings.Contains(text, secret) {
						t.Errorf("the configuration stands in the request: %s", text)
					}
				}
			},
		},
	}
}

// plainText is a request's head with its escapes resolved.
func plainText(a attempt) string {
	text, err := url.QueryUnescape(a.request.URL.RawQuery)
	return fmt.Sprint(a.head, "\n", text, err)
}
