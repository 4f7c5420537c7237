package redact_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/shared/redact"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestASecretNameIsKnownByItsWords(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"key", "KEY", "apiKey", "API_KEY", "APIKey", "apikey", "e2bApiKey", "githubToken", "threadToken",
		"GITHUB_TOKEN", "GITHUBTOKEN", "token1", "X-Auth-Token", "DB_PASSWORD", "dbpasswd", "client_secret",
		"AWS_SECRET_ACCESS_KEY", "credentials", "Set-Cookie", "Authorization", "SSH_AUTH_SOCK", "oauth2",
		"privateKey", "--token", "fileToken",
	} {
		if !redact.SecretName(name) {
			t.Errorf("%q is not taken for a secret's name", name)
		}
	}
	for _, name := range []string{
		"", "author", "GIT_AUTHOR_NAME", "authorName", "keyboard", "keyboardLayout", "monkey", "MONKEY", "turkey",
		"tokenizer", "TOKENIZER_PATH", "secretary", "environmentName", "PATH", "PWD", "workspacePath",
		"passwordFile", "passphraseFile", "DB_PASSWORD_FILE", "file",
	} {
		if redact.SecretName(name) {
			t.Errorf("%q is taken for a secret's name", name)
		}
	}
}

var lowerEscapes = regexp.MustCompile("%[0-9A-F]{2}")

func TestAKnownSecretIsHiddenInEverySpelling(t *testing.T) {
	t.Parallel()
	const secret = "p/ä&ss w\"ör\\d<1>\n?"
	r := &redact.Redactor{}
	r.Add(secret)
	asJSON, err := json.Marshal(secret)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"plain":             secret,
		"query":             url.QueryEscape(secret),
		"path":              url.PathEscape(secret),
		"lower-case escape": lowerEscapes.ReplaceAllStringFunc(url.QueryEscape(secret), strings.ToLower),
		"JSON":              string(asJSON),
		"quoted":            fmt.Sprintf("%q", secret),
		"base64":            base64.StdEncoding.EncodeToString([]byte(secret)),
		"base64 for URLs":   base64.RawURLEncoding.EncodeToString([]byte(secret)),
	} {
		got := r.String("before " + text + " after")
		if !strings.Contains(got, redact.Mask) || strings.Contains(got, strings.Trim(text, `"`)) ||
			!strings.HasPrefix(got, "before ") || !strings.HasSuffix(got, " after") {
			t.Errorf("%s: %q became %q", name, text, got)
		}
	}
}

func TestASecretWithinBase64IsHiddenWhereverItBegins(t *testing.T) {
	t.Parallel()
	const secret = "correct-horse-battery"
	r := &redact.Redactor{}
	r.Add(secret)
	for _, user := range []string{"", "a", "ab", "abc", "x-access-token"} {
		for _, rest := range []string{"", "!", "!!", "!!!"} {
			text := base64.StdEncoding.EncodeToString([]byte(user + ":" + secret + rest))
			got := r.String(text)
			decoded, _ := base64.RawStdEncoding.DecodeString(strings.TrimRight(got, "="))
			if !strings.Contains(got, redact.Mask) || strings.Contains(string(decoded), "horse") {
				t.Errorf("%q became %q", text, got)
			}
		}
	}
}

func TestTheLongerOfTwoSecretsWins(t *testing.T) {
	t.Parallel()
	r := &redact.Redactor{}
	r.Add("abcdef")
	r.Add("abcdef-and-more")
	if got, want := r.String("x abcdef-and-more abcdef y"), "x REDACTED REDACTED y"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestShortValuesAreNoSecrets(t *testing.T) {
	t.Parallel()
	r := &redact.Redactor{}
	for _, value := range []string{"", "a", "true", "12345", "          "} {
		r.Add(value)
	}
	const text = "a true story of 12345 words          "
	if got := r.String(text); got != text {
		t.Errorf("got %q", got)
	}
}

func TestAPrivateKeyIsHiddenLineByLine(t *testing.T) {
	t.Parallel()
	r := &redact.Redactor{}
	r.Add("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0B\nAQEFAASCBKcwggSjAgEAAoIB\n-----END PRIVATE KEY-----\n")
	if got := r.String("line 2 is AQEFAASCBKcwggSjAgEAAoIB"); got != "line 2 is REDACTED" {
		t.Errorf("got %q", got)
	}
}

func TestShapesOfSecretsAreHiddenByTheZeroRedactor(t *testing.T) {
	t.Parallel()
	var r redact.Redactor
	for text, want := range map[string]string{
		"clone https://me:hunter2@example.com/a.git failed": "clone https://me:REDACTED@example.com/a.git failed",
		"https://x:p@ss@example.com/":                       "https://x:REDACTED@example.com/",
		"Authorization: Bearer abcDEF.123":                  "Authorization: Bearer REDACTED",
		"authorization: basic dXNlcjpwYXNz":                 "authorization: basic REDACTED",
		`{"Authorization":["Bearer abc"]}`:                  `{"Authorization":["Bearer REDACTED"]}`,
		"sent bearer 0123456789abcdef to it":                "sent bearer REDACTED to it",
		"ghp_0123456789abcdefABCDEF0123456789abcd":          "REDACTED",
		`line\nghp_0123456789abcdefABCDEF0123456789`:        `line\nREDACTED`,
		"(github_pat_11ABCDEFG0123456789_abcdef)":           "(REDACTED)",
		"key sk-proj-0123456789abcdef, next":                "key REDACTED, next",
		"e2b_0123456789abcdef0123456789abcdef":              "REDACTED",
		"AKIA0123456789ABCDEF":                              "REDACTED",
		"jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln end": "jwt REDACTED end",
		"ws://h:1/codebolt?id=1&threadToken=abc&x=2":        "ws://h:1/codebolt?id=1&threadToken=REDACTED&x=2",
		`"ws://h/?a=1\u0026apiKey=abc"`:                     `"ws://h/?a=1\u0026apiKey=REDACTED"`,
		"GITHUB_TOKEN=abc HOME=/root":                       "GITHUB_TOKEN=REDACTED HOME=/root",
		"run --token=abc --dir=x":                           "run --token=REDACTED --dir=x",
		`got {"apiKey": "a\"b", "name": "n"}`:               `got {"apiKey": "REDACTED", "name": "n"}`,
		`"{\"apiKey\":\"a\\\"b\",\"name\":\"n\"}"`:          `"{\"apiKey\":\"REDACTED\",\"name\":\"n\"}"`,
	} {
		got := r.String(text)
		if got != want {
			t.Errorf("%q became\n%q, want\n%q", text, got, want)
		}
		if again := r.String(got); again != got {
			t.Errorf("redacted twice, %q became %q", got, again)
		}
	}
}

func TestOrdinaryTextStaysAsItIs(t *testing.T) {
	t.Parallel()
	r := &redact.Redactor{}
	r.Add("unrelated-secret")
	for _, text := range []string{
		"", "open: the branch codebolt/a exists; choose another name",
		"ssh://git@github.com/a/b.git", "https://example.com:8080/a@b", "http://[::1]:80/",
		"the bearer authentication is missing", "run task-force-one-and-more-words-here",
		"pip install sk-learn-contrib-and-friends", "author=me&keyboard=us", "a=b&c=d",
		"key: see the manual", `{"author":"me","n":1}`,
	} {
		if got := r.String(text); got != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestSecretsOfAConfigurationAreFoundAtAnyDepth(t *testing.T) {
	t.Parallel()
	r := &redact.Redactor{}
	r.AddSecrets(map[string]any{
		"githubToken": "value-one",
		"author":      "not-hidden",
		"nested":      map[string]any{"list": []any{map[string]any{"password": "value-two"}}},
		"credentials": map[string]any{"any": []any{"value-three"}},
		"env":         map[string]string{"A_KEY": "value-four", "B": "still-here"},
		"cookies":     []string{"value-five"},
	})
	got := r.String("value-one not-hidden value-two value-three value-four still-here value-five")
	if want := "REDACTED not-hidden REDACTED REDACTED REDACTED still-here REDACTED"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestARedactedErrorIsOfTheSameKind(t *testing.T) {
	t.Parallel()
	r := &redact.Redactor{}
	r.Add("hunter2hunter2")
	inner := &fs.PathError{Op: "open", Path: "/hunter2hunter2", Err: fs.ErrNotExist}
	err := r.Error(wire.Errorf(wire.Unavailable, "push with hunter2hunter2: %w", inner))
	if got, want := err.Error(), "push with REDACTED: open /REDACTED: file does not exist"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	var pathError *fs.PathError
	if !errors.Is(err, wire.Unavailable) || !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &pathError) {
		t.Error("the error's kind is lost")
	}
	if wire.CodeOf(err) != wire.Unavailable || !wire.Retryable(err) || wire.Retryable(r.Error(wire.Permanent(err))) {
		t.Errorf("code %q, retryable %v", wire.CodeOf(err), wire.Retryable(err))
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%q"} {
		if text := fmt.Sprintf(verb, err); strings.Contains(text, "hunter2") {
			t.Errorf("%s prints %s", verb, text)
		}
	}
	if r.Error(nil) != nil {
		t.Error("nil became an error")
	}
	if plain := errors.New("plain"); !errors.Is(r.Error(plain), plain) {
		t.Error("an error without a secret was replaced")
	}
}

func TestTheEnvironmentIsHiddenByNameAndByValue(t *testing.T) {
	t.Parallel()
	r := &redact.Redactor{}
	r.Add("known-secret")
	in := []string{
		"GITHUB_TOKEN=abc", "HOME=/root", "EMPTY_TOKEN=", "X=a known-secret b", "bare",
		`ENVIRONMENT_CONFIG={"apiKey":"xyz","port":1}`, "=C:=C:\\",
	}
	before := append([]string(nil), in...)
	want := []string{
		"GITHUB_TOKEN=REDACTED", "HOME=/root", "EMPTY_TOKEN=", "X=a REDACTED b", "bare",
		`ENVIRONMENT_CONFIG={"apiKey":"REDACTED","port":1}`, "=C:=C:\\",
	}
	if diff := cmp.Diff(want, r.Environ(in)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, in); diff != "" {
		t.Errorf("the argument changed:\n%s", diff)
	}
}

func TestAnAddressIsShownWithoutItsSecrets(t *testing.T) {
	t.Parallel()
	r := &redact.Redactor{}
	r.Add("known/secret")
	for in, want := range map[string]string{
		"wss://u:p@h:1/codebolt?id=1&threadToken=a%20b&dev=true": "wss://u:REDACTED@h:1/codebolt?id=1&threadToken=REDACTED&dev=true",
		"https://git@h/x":                   "https://git@h/x",
		"https://h/x?api%4Bey=1&token":      "https://h/x?api%4Bey=REDACTED&token",
		"https://h/known%2Fsecret/y?token=": "https://h/REDACTED/y?token=",
	} {
		u, err := url.Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		got := r.URL(u)
		if got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
		if _, err := url.Parse(got); err != nil {
			t.Errorf("no longer an address: %v", err)
		}
		if u.String() != in {
			t.Errorf("the argument became %q", u)
		}
	}
	if got := r.URL(nil); got != "" {
		t.Errorf("nil is shown as %q", got)
	}
}

func TestANilRedactorStillKnowsShapes(t *testing.T) {
	t.Parallel()
	var r *redact.Redactor
	r.Add("ignored-without-panic")
	if got := r.String("x?token=abc ignored-without-panic"); got != "x?token=REDACTED ignored-without-panic" {
		t.Errorf("got %q", got)
	}
}

func TestSecretsMayBeAddedWhileTextIsRedacted(t *testing.T) {
	t.Parallel()
	r := &redact.Redactor{}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 50 {
				secret := fmt.Sprintf("secret-%d-%d-end", i, j)
				r.Add(secret)
				if got := r.String("<" + secret + ">"); got != "<REDACTED>" {
					t.Errorf("%s became %s right after it was added", secret, got)
				}
			}
		})
	}
	group.Wait()
}
