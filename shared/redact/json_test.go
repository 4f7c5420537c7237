package redact_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/redact"
)

func TestJSONIsHiddenByNameAndByValue(t *testing.T) {
	t.Parallel()
	r := &redact.Redactor{}
	r.Add(`known "phrase"`)
	for in, want := range map[string]string{
		`{"type":"providerStart", "githubToken":"abc",  "n":1e2}`: `{"type":"providerStart", "githubToken":"REDACTED",  "n":1e2}`,
		`{"auth":{"user":"u","n":1,"on":true,"none":null,"":""}}`: `{"auth":{"user":"REDACTED","n":"REDACTED","on":true,"none":null,"":""}}`,
		`{"cookies":["a",{"b":["c"]}],"after":"d"}`:               `{"cookies":["REDACTED",{"b":["REDACTED"]}],"after":"d"}`,
		`{"password":1234,"next":5}`:                              `{"password":"REDACTED","next":5}`,
		`{"text":"a known \"phrase\" b","known \"phrase\"":1}`:    `{"text":"a REDACTED b","REDACTED":1}`,
		`{"config":"{\"apiKey\":\"x\",\"a\":\"b\"}"}`:             `{"config":"{\"apiKey\":\"REDACTED\",\"a\":\"b\"}"}`,
		`["https://u:p@h/",1]`:                                    `["https://u:REDACTED@h/",1]`,
		`{"a":1} {"token":"x"}`:                                   `{"a":1} {"token":"REDACTED"}`,
		`{"author":"me","\u0074oken":"x"}`:                        `{"author":"me","\u0074oken":"REDACTED"}`,
		"  \n":                                                    "  \n",
		"":                                                        "",
	} {
		got := string(r.JSON([]byte(in)))
		if got != want {
			t.Errorf("%s became\n%s, want\n%s", in, got, want)
		}
		if json.Valid([]byte(in)) && !json.Valid([]byte(got)) {
			t.Errorf("%s became invalid: %s", in, got)
		}
	}
}

func TestWhatIsNoJSONIsRedactedAsText(t *testing.T) {
	t.Parallel()
	r := &redact.Redactor{}
	for in, want := range map[string]string{
		`{"token":"abc"`:       `{"token":"REDACTED"`,
		`{"token":"abc"}}`:     `{"token":"REDACTED"}}`,
		`GET /?token=abc HTTP`: `GET /?token=REDACTED HTTP`,
	} {
		if got := string(r.JSON([]byte(in))); got != want {
			t.Errorf("%s became %s, want %s", in, got, want)
		}
	}
}

func FuzzJSONStaysValidAndHidesTheSecret(f *testing.F) {
	f.Add(`{"a":["x","hunter2-hunter2"],"token":{"b":1}}`)
	f.Add("\"\xff\\ud800hunter2-hunter2\"")
	r := &redact.Redactor{}
	r.Add("hunter2-hunter2")
	f.Fuzz(func(t *testing.T, text string) {
		out := string(r.JSON([]byte(text)))
		if json.Valid([]byte(text)) && !json.Valid([]byte(out)) {
			t.Errorf("%q became %q", text, out)
		}
		if strings.Contains(out, "hunter2-hunter2") {
			t.Errorf("%q still holds the secret: %q", text, out)
		}
	})
}

func BenchmarkAFrameWithoutSecrets(b *testing.B) {
	r := &redact.Redactor{}
	r.Add("unrelated-secret")
	frame := []byte(`{"type":"agentOutput","data":"` + strings.Repeat("some output of an agent, ", 40_000) + `"}`)
	b.SetBytes(int64(len(frame)))
	for b.Loop() {
		r.JSON(frame)
	}
}
