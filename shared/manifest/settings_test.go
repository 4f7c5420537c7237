package manifest_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

const configured = `name: sample
# The defaults.
config:
  # What to do. One of: keep, remove.
  onStop: keep
  # Secret; empty: a variable.
  token: ""
  # Agents; of the
  # newer kind.
  agents:
    # Where they lie.
    roots: [a]
    network: false
  limits: {}
  # In milliseconds.
  timeouts:
    # Of a start.
    start: 30000
  # One of: low, high. Empty: neither.
  level: ""
  ratio: 1.5
  # Secret. Variables.
  env: {}
`

func TestSettingsAreReadWithTheirComments(t *testing.T) {
	t.Parallel()
	got, err := manifest.Settings([]byte(configured))
	if err != nil {
		t.Fatal(err)
	}
	want := []manifest.Setting{
		{Key: "onStop", Type: "string", Default: "keep", Description: "What to do. One of: keep, remove.", Choices: []string{"keep", "remove"}},
		{Key: "token", Type: "string", Default: "", Description: "Secret; empty: a variable.", Secret: true},
		{Key: "agents.roots", Type: "array", Default: []any{"a"}, Description: "Where they lie.", Group: "Agents; of the newer kind."},
		{Key: "agents.network", Type: "boolean", Default: false, Group: "Agents; of the newer kind."},
		{Key: "limits", Type: "object", Default: map[string]any{}},
		{Key: "timeouts.start", Type: "integer", Default: uint64(30000), Description: "Of a start.", Group: "In milliseconds."},
		{Key: "level", Type: "string", Default: "", Description: "One of: low, high. Empty: neither.", Choices: []string{"low", "high"}},
		{Key: "ratio", Type: "number", Default: 1.5},
		{Key: "env", Type: "object", Default: map[string]any{}, Description: "Secret. Variables.", Secret: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestASchemaTellsAFormAllThatItNeeds(t *testing.T) {
	t.Parallel()
	settings, err := manifest.Settings([]byte(configured))
	if err != nil {
		t.Fatal(err)
	}
	text, err := manifest.Schema("sample", settings)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Properties map[string]map[string]any `json:"properties"`
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"type": "string", "default": "", "description": "One of: low, high. Empty: neither.", "enum": []any{"", "low", "high"}, "x-order": 6.0}
	if diff := cmp.Diff(want, got.Properties["level"]); diff != "" {
		t.Errorf("level (-want +got):\n%s", diff)
	}
	if token := got.Properties["token"]; token["writeOnly"] != true || token["format"] != "password" {
		t.Errorf("token is %v", token)
	}
	agents, _ := got.Properties["agents"]["properties"].(map[string]any)
	if _, ok := agents["roots"].(map[string]any); !ok || got.Properties["agents"]["description"] != "Agents; of the newer kind." {
		t.Errorf("agents is %v", got.Properties["agents"])
	}
}

func TestWithoutAConfigurationThereAreNoSettings(t *testing.T) {
	t.Parallel()
	if got, err := manifest.Settings([]byte("name: a\nversion: b\n")); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := manifest.Settings([]byte("[")); err == nil {
		t.Error("what is no YAML has settings")
	}
}

func TestAValueIsCheckedAgainstItsSetting(t *testing.T) {
	t.Parallel()
	settings, err := manifest.Settings([]byte(configured))
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		key   string
		value any
		want  string // "" is right
	}{
		{"onStop", "remove", ""},
		{"onStop", "burn", "onStop is none of its values; write one of keep, remove"},
		{"onStop", true, "onStop is true or false; write a text, in quotes where need be"},
		{"level", "", ""},
		{"level", "medium", "level is none of its values; write one of low, high"},
		{"token", "s3cret", ""},
		{"token", []any{"s3cret"}, "token is a list; write a text, in quotes where need be"},
		{"token", nil, "token has no value"},
		{"agents.roots", []any{"a", "b"}, ""},
		{"agents.roots", "a", "agents.roots is a text; write a list"},
		{"agents.network", "true", ""},
		{"agents.network", "yes", "agents.network is another text; write true or false"},
		{"timeouts.start", 5000.0, ""},
		{"timeouts.start", "10s", ""},
		{"timeouts.start", "soon", `timeouts.start is a text; write milliseconds, or a text such as "10s"`},
		{"ratio", 2.5, ""},
		{"ratio", "half", "ratio is a text; write a number"},
		{"env", map[string]any{"A": "b"}, ""},
		{"env", "A=b", "env is a text; write keys and values"},
	} {
		at := slices.IndexFunc(settings, func(s manifest.Setting) bool { return s.Key == test.key })
		err := settings[at].Check(test.value)
		got := ""
		if err != nil {
			got = err.Error()
		}
		if got != test.want || (err != nil && wire.CodeOf(err) != wire.Invalid) {
			t.Errorf("%s = %v: %q, want %q", test.key, test.value, got, test.want)
		}
	}
}

func TestASettingThatIsNeededIsToldByItsComment(t *testing.T) {
	t.Parallel()
	settings, err := manifest.Settings([]byte("config:\n  # The image; required.\n  image: \"\"\n  # Where.\n  dir: \"\"\n"))
	if err != nil || len(settings) != 2 || !settings[0].Required || settings[1].Required {
		t.Errorf("%+v, %v", settings, err)
	}
}
