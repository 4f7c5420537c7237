package manifests

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
)

const noConfig = "its base passes no configuration on to a provider"

// launch starts a process whose ENVIRONMENT_CONFIG holds what this target needs
// and these keys, and no default.
func launch(t *suite.T, config map[string]any) *suite.Env {
	text, err := json.Marshal(manifest.Merge(t.Target().Config, config))
	t.Try(err)
	e := t.Env(suite.Spec{Env: []string{"ENVIRONMENT_CONFIG=" + string(text)}})
	e.Launch()
	return e
}

// start is a providerStart that carries these keys, and no default.
func start(e *suite.Env, config map[string]any) suite.Message {
	return suite.Message(config).With(suite.Message{
		"type": "providerStart", "environmentName": e.Name(), "environmentId": e.ID(),
		"projectPath": e.Project, "projectName": filepath.Base(e.Project),
	})
}

// stopped starts an environment from two layers of configuration, stops it as it
// was left by the start, and reports whether it was removed.
func stopped(t *suite.T, environment, spread map[string]any) bool {
	e := launch(t, environment)
	e.Result(start(e, spread))
	answer := e.Stop("")
	if problem := suite.Problem(answer); problem != "" {
		t.Fatalf("the stop failed: %s", problem)
	}
	removed, _ := answer.Object("message")["removed"].(bool)
	return removed
}

// nested makes a configuration of one key such as timeouts.cleanup.
func nested(key string, value any) map[string]any {
	parts := strings.Split(key, ".")
	for _, part := range slices.Backward(parts) {
		value = map[string]any{part: value}
	}
	return value.(map[string]any)
}

// wrong is a value that is of another type than a default.
func wrong(value any) any {
	switch value.(type) {
	case []any, []string:
		return map[string]any{"conformance": true}
	}
	return []any{"conformance"}
}

// defaults is the configuration of the manifest.
func defaults(t *suite.T) map[string]any {
	config := parse(t, first).Object("config")
	if len(config) == 0 {
		t.Skipf("the manifest has no configuration")
	}
	return config
}

func configuration() []suite.Check {
	layered := []suite.Capability{suite.Manifest, suite.OnStop, "providerStop"}
	return []suite.Check{
		{
			ID: "MF-007", Level: suite.Must, Needs: needs,
			Title: "A start with every key at its default succeeds, whichever way the configuration comes",
			Why:   "A form that was saved without a change sends all defaults; a provider that refuses its own cannot be started.",
			Run: func(t *suite.T) {
				config := defaults(t)
				for _, layers := range [][2]map[string]any{{nil, nil}, {config, nil}, {nil, config}, {config, config}} {
					e := launch(t, layers[0])
					result, ok := e.Result(start(e, layers[1])).(map[string]any)
					if !ok || result["success"] != true {
						t.Errorf("the start did not succeed: %v", result)
					}
				}
			},
		},
		{
			ID: "MF-008", Level: suite.Must, Needs: needs, NodeSDK: noConfig, Limit: 90 * time.Second,
			Title: "A value of the wrong type is refused, in a sentence that names its key",
			Why:   "A setting that is ignored without a word is found when what it should have done is missed.",
			Run: func(t *suite.T) {
				config := defaults(t)
				wrongs := leaves(config)
				for key, value := range config {
					if _, ok := value.(map[string]any); ok {
						wrongs[key] = value
					}
				}
				e := launch(t, nil)
				for _, key := range slices.Sorted(maps.Keys(wrongs)) {
					top, _, _ := strings.Cut(key, ".")
					if _, given := t.Target().Config[top]; given || wrongs[key] == nil {
						continue // the target's own counts, or any type is right
					}
					problem := suite.Problem(e.Refused(start(e, nested(key, wrong(wrongs[key]))), "invalid"))
					if problem == "" {
						return // it runs now
					}
					if !strings.Contains(problem, key) {
						t.Errorf("the sentence does not name %s: %q", key, problem)
					}
				}
				e.Result(start(e, config))
			},
		},
		{
			ID: "MF-009", Level: suite.Must, Needs: append([]suite.Capability{"providerReadFile"}, needs...),
			Title: "A key that nobody knows does not fail a start",
			Why:   "Servers spread keys of their own into a start, and an older provider gets a newer one's configuration.",
			Run: func(t *suite.T) {
				unknown := map[string]any{
					"conformance": map[string]any{"deep": []any{1, nil}}, "conformanceList": []any{}, "timeouts": map[string]any{"conformance": "x"},
				}
				for _, layers := range [][2]map[string]any{{unknown, nil}, {nil, unknown}} {
					e := launch(t, layers[0])
					e.Result(start(e, layers[1]))
					t.Equal("a file", e.Result(suite.Message{"type": "providerReadFile", "path": "src/main.txt"}), suite.ProjectFiles["src/main.txt"])
				}
			},
		},
		{
			ID: "MF-010", Level: suite.Must, Needs: layered, NodeSDK: noConfig,
			Title: "What a start carries counts before the defaults, and the environment's configuration before both",
			Why:   "A person's setting for one environment must not be undone by what is meant for all.",
			Run: func(t *suite.T) {
				if defaults(t)["onStop"] != "keep" {
					t.Skipf("the default of onStop is not keep")
				}
				if _, given := t.Target().Config["onStop"]; given {
					t.Skipf("the target's own configuration says onStop")
				}
				keep, remove := map[string]any{"onStop": "keep"}, map[string]any{"onStop": "removeIfClean"}
				for _, c := range []struct {
					what                string
					environment, spread map[string]any
					removed             bool
				}{
					{"by default", nil, nil, false},
					{"when the start says removeIfClean", nil, remove, true},
					{"when the environment says removeIfClean", remove, nil, true},
					{"when the environment says removeIfClean and the start keep", remove, keep, true},
					{"when the environment says keep and the start removeIfClean", keep, remove, false},
				} {
					t.Equal("whether a clean environment was removed "+c.what, stopped(t, c.environment, c.spread), c.removed)
				}
			},
		},
		{
			ID: "MF-011", Level: suite.Must, Needs: needs, NodeSDK: noConfig,
			Title: "Only the layer that counts is judged, and groups of keys are merged key by key",
			Why:   "Setting one timeout must not take back all the others.",
			Run: func(t *suite.T) {
				group, a, b := pair(t)
				ok := func(key string) any { return defaults(t)[group].(map[string]any)[key] }
				one := func(key string, value any) map[string]any { return nested(group+"."+key, value) }
				bad := []any{"conformance"}

				e := launch(t, one(a, ok(a)))
				if problem := suite.Problem(e.Refused(start(e, one(b, bad)), "invalid")); !strings.Contains(problem, b) {
					t.Errorf("the sentence does not name %s: %q", b, problem)
				}
				e.Result(start(e, one(a, bad))) // which the environment's configuration hides

				e = launch(t, one(a, bad))
				if problem := suite.Problem(e.Refused(start(e, one(a, ok(a))), "invalid")); !strings.Contains(problem, a) {
					t.Errorf("the sentence does not name %s: %q", a, problem)
				}
			},
		},
	}
}

// pair is a group of the configuration with two keys of it that are no lists.
func pair(t *suite.T) (group, a, b string) {
	config := defaults(t)
	for _, group := range slices.Sorted(maps.Keys(config)) {
		inner, _ := config[group].(map[string]any)
		if _, given := t.Target().Config[group]; given {
			continue
		}
		var plain []string
		for _, key := range slices.Sorted(maps.Keys(inner)) {
			switch inner[key].(type) {
			case nil, []any, map[string]any:
			default:
				plain = append(plain, key)
			}
		}
		if len(plain) >= 2 {
			return group, plain[0], plain[1]
		}
	}
	t.Skipf("the configuration has no group of two keys")
	return "", "", ""
}
