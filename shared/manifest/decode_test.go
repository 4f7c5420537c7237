package manifest_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

type policy string

type settings struct {
	Policy   policy        `config:"onStop"`
	Port     int           `config:"port"`
	Small    uint8         `config:"small"`
	Ratio    float64       `config:"ratio"`
	Keep     bool          `config:"keep"`
	Token    string        `config:"githubToken"`
	Wait     time.Duration `config:"wait"`
	Command  []string      `config:"command"`
	Limit    *int          `config:"limit"`
	Timeouts struct {
		Cleanup time.Duration `config:"cleanup"`
	} `config:"timeouts"`
	Raw     map[string]any `config:"raw"`
	Private string
}

func TestAConfigurationIsDecodedByTag(t *testing.T) {
	t.Parallel()
	got := settings{Private: "untouched"}
	unknown, err := manifest.Decode(map[string]any{
		"onStop": "keep", "port": float64(3001), "small": uint64(255), "ratio": 1, "keep": true, "wait": 1500,
		"command": []any{"a", "b"}, "limit": 7, "githubToken": nil, "raw": map[string]any{"x": []any{1}},
		"timeouts": map[string]any{"cleanup": "1m30s", "claenup": 1}, "Port": 1, "Private": "x", "zzz": 1,
	}, &got)
	if err != nil {
		t.Fatal(err)
	}
	limit := 7
	want := settings{
		Policy: "keep", Port: 3001, Small: 255, Ratio: 1, Keep: true, Wait: 1500 * time.Millisecond,
		Command: []string{"a", "b"}, Limit: &limit, Raw: map[string]any{"x": []any{1}}, Private: "untouched",
	}
	want.Timeouts.Cleanup = 90 * time.Second
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Port", "Private", "timeouts.claenup", "zzz"}, unknown); diff != "" {
		t.Errorf("unknown keys (-want +got):\n%s", diff)
	}
}

func TestWhatAFormSendsAsTextIsUnderstood(t *testing.T) {
	t.Parallel()
	var got settings
	if _, err := manifest.Decode(map[string]any{
		"port": " 3001 ", "keep": "True", "wait": "250", "ratio": "0.5", "small": "",
		"timeouts": map[string]any{"cleanup": json.Number("20")},
	}, &got); err != nil {
		t.Fatal(err)
	}
	want := settings{Port: 3001, Keep: true, Wait: 250 * time.Millisecond, Ratio: 0.5}
	want.Timeouts.Cleanup = 20 * time.Millisecond
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestADurationIsMillisecondsOrText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   any
		want time.Duration
	}{
		{0, 0},
		{uint64(15000), 15 * time.Second},
		{1.5, 1500 * time.Microsecond},
		{-5, -5 * time.Millisecond},
		{"10s", 10 * time.Second},
		{"-1h", -time.Hour},
		{"0", 0},
		{"", 0},
		{time.Minute, time.Minute},
	} {
		var got settings
		if _, err := manifest.Decode(map[string]any{"wait": c.in}, &got); err != nil {
			t.Errorf("%v: %v", c.in, err)
		} else if got.Wait != c.want {
			t.Errorf("%v became %v, want %v", c.in, got.Wait, c.want)
		}
	}
}

func TestAWrongTypeIsInvalidAndNamesTheKeyButNotTheValue(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	for _, c := range []struct {
		key  string
		in   map[string]any
		want string
	}{
		{"port", map[string]any{"port": secret}, "a text; write a whole number"},
		{"port", map[string]any{"port": 1.5}, "a fraction; write a whole number"},
		{"port", map[string]any{"port": true}, "true or false; write a whole number"},
		{"port", map[string]any{"port": 1e30}, "out of range"},
		{"port", map[string]any{"port": math.NaN()}, "a number; write a whole number"},
		{"small", map[string]any{"small": 256}, "out of range"},
		{"small", map[string]any{"small": -1}, "a negative number"},
		{"ratio", map[string]any{"ratio": []any{}}, "a list; write a number"},
		{"keep", map[string]any{"keep": "yes"}, "another text; write true or false"},
		{"keep", map[string]any{"keep": 1}, "a number; write true or false"},
		{"onStop", map[string]any{"onStop": 5}, "a number; write a text"},
		{"githubToken", map[string]any{"githubToken": []any{secret}}, "a list; write a text"},
		{"wait", map[string]any{"wait": secret}, "a text; write milliseconds"},
		{"wait", map[string]any{"wait": true}, "write milliseconds"},
		{"wait", map[string]any{"wait": 1e300}, "a time out of range"},
		{"command", map[string]any{"command": secret}, "a text; write a list"},
		{"command[1]", map[string]any{"command": []any{"a", 4711}}, "a number; write a text"},
		{"limit", map[string]any{"limit": secret}, "a text; write a whole number"},
		{"timeouts", map[string]any{"timeouts": 4711}, "a number; write keys and values"},
		{"timeouts.cleanup", map[string]any{"timeouts": map[string]any{"cleanup": secret}}, "a text; write milliseconds"},
		{"raw", map[string]any{"raw": secret}, "a text; write keys and values"},
	} {
		_, err := manifest.Decode(c.in, &settings{})
		if !errors.Is(err, wire.Invalid) {
			t.Errorf("%v: got %v, want an error of kind invalid", c.in, err)
			continue
		}
		text := err.Error()
		if !strings.HasPrefix(text, "configuration: "+c.key+" is ") || !strings.Contains(text, c.want) ||
			strings.Contains(text, secret) || strings.Contains(text, "4711") {
			t.Errorf("%v: got %q", c.in, text)
		}
	}
}

func TestEveryWrongKeyIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := manifest.Decode(map[string]any{"port": "x", "keep": "x", "timeouts": map[string]any{"cleanup": "x"}}, &settings{})
	want := `configuration: keep is another text; write true or false; port is a text; write a whole number; ` +
		`timeouts.cleanup is a text; write milliseconds, or a text such as "10s"`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestLaterLayersWinAndMapsAreMerged(t *testing.T) {
	t.Parallel()
	layers := []map[string]any{
		{"a": 1, "list": []any{1, 2}, "timeouts": map[string]any{"x": 1, "deep": map[string]any{"p": 1}}, "m": map[string]any{"k": 1}, "s": 1},
		nil,
		{"b": 2, "list": []any{3}, "timeouts": map[string]any{"y": 2, "deep": map[string]any{"q": 2}}, "m": "flat", "s": map[string]any{"k": 1}},
		{"a": 3, "timeouts": map[string]any{"x": 4}, "b": nil, "new": nil},
	}
	before, err := json.Marshal(layers)
	if err != nil {
		t.Fatal(err)
	}
	got := manifest.Merge(layers...)
	want := map[string]any{
		"a": 3, "b": 2, "list": []any{3}, "m": "flat", "s": map[string]any{"k": 1}, "new": nil,
		"timeouts": map[string]any{"x": 4, "y": 2, "deep": map[string]any{"p": 1, "q": 2}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	got["list"].([]any)[0] = "changed"
	got["s"].(map[string]any)["k"] = "changed"
	got["timeouts"].(map[string]any)["deep"].(map[string]any)["p"] = "changed"
	after, err := json.Marshal(layers)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(before), string(after)); diff != "" {
		t.Errorf("the layers changed:\n%s", diff)
	}
	if empty := manifest.Merge(); empty == nil || len(empty) != 0 {
		t.Errorf("no layers give %#v", empty)
	}
}

func TestTheNearestKeyIsSuggested(t *testing.T) {
	t.Parallel()
	known := []string{"onStop", "agentServerPort", "agentServerHost", "branchPrefix", "timeouts", "lfs", ""}
	for _, c := range []struct{ key, want string }{
		{"onstop", "onStop"},
		{"onSotp", "onStop"},
		{"agentServerPrt", "agentServerPort"},
		{"agent_server_host", "agentServerHost"},
		{"timeout", "timeouts"},
		{"lsf", "lfs"},
		{"environmentColor", ""},
		{"x", ""},
		{"", ""},
	} {
		got, ok := manifest.Nearest(c.key, known)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("%q: got %q, %v, want %q", c.key, got, ok, c.want)
		}
	}
	if got, ok := manifest.Nearest("a", nil); ok {
		t.Errorf("got %q out of nothing", got)
	}
}
