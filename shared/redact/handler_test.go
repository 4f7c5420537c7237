package redact_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"testing/slogtest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/shared/redact"
)

type lazy struct{ v any }

func (l lazy) LogValue() slog.Value { return slog.AnyValue(l.v) }

type account struct {
	Name  string
	Token string
}

type opaque struct{ inside string }

type explosive struct{}

func (explosive) MarshalJSON() ([]byte, error) { panic("boom") }

// timeless leaves out the time, whose digits may be those of a secret.
var timeless = &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey && len(groups) == 0 {
		return slog.Attr{}
	}
	return a
}}

func TestALogHoldsNoSecretWhateverCarriesIt(t *testing.T) {
	t.Parallel()
	const secret = "hunter2-hunter2"
	address := &url.URL{Scheme: "ws", Host: "h", User: url.UserPassword("u", secret), RawQuery: "threadToken=zzz&a=b"}
	attrs := map[string]any{
		"text":    "with " + secret,
		"error":   fmt.Errorf("failed: %w", errors.New(secret)),
		"lazy":    lazy{lazy{secret}},
		"group":   slog.GroupValue(slog.String("a", secret), slog.Any("b", lazy{errors.New(secret)})),
		"struct":  account{"n", "zzz"},
		"pointer": &account{"n", "zzz"},
		"private": opaque{secret},
		"map":     map[string]any{"apiKey": "zzz", "list": []string{secret}},
		"bytes":   []byte(secret),
		"raw":     json.RawMessage(`{"token":"zzz"}`),
		"environ": []string{"A_TOKEN=zzz"},
		"address": address,
		"value":   *address,
		"apiKey":  "zzz",
		"pin_key": 4711,
		"cookie":  slog.GroupValue(slog.String("a", "zzz")),
		"token":   lazy{account{"zzz", "zzz"}},
		secret:    1,
	}
	for name, inner := range map[string]func(*bytes.Buffer) slog.Handler{
		"JSON": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, timeless) },
		"text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, timeless) },
	} {
		for key, value := range attrs {
			r := &redact.Redactor{}
			r.Add(secret)
			for _, how := range []string{"record", "with", "secret group"} {
				var b bytes.Buffer
				log := slog.New(redact.NewHandler(inner(&b), r))
				switch how {
				case "record":
					log.Info("told "+secret, key, value)
				case "with":
					log.WithGroup("g").With(key, value).Info("told " + secret)
				case "secret group":
					log.WithGroup("auth").Info("told", "x", "zzz", key, value)
				}
				line := b.String()
				for _, forbidden := range []string{secret, "zzz", "4711"} {
					if strings.Contains(line, forbidden) {
						t.Errorf("%s handler, %s %s: %s", name, how, key, line)
					}
				}
				if !strings.Contains(line, redact.Mask) {
					t.Errorf("%s handler, %s %s: nothing stands for the secret: %s", name, how, key, line)
				}
			}
		}
	}
}

func TestALogKeepsWhatIsNoSecret(t *testing.T) {
	t.Parallel()
	r := &redact.Redactor{}
	r.Add("hunter2-hunter2")
	write := func(wrap func(slog.Handler) slog.Handler) string {
		var b bytes.Buffer
		log := slog.New(wrap(slog.NewJSONHandler(&b, &slog.HandlerOptions{
			AddSource: true,
			ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			},
		})))
		log.Info("message", "s", "text", "n", 1, "f", 1.5, "d", time.Second, "b", true, "t", time.Unix(0, 0).UTC(),
			"nil", nil, "err", errors.New("plain"), "st", account{Name: "n"}, "bytes", json.RawMessage(`{"a":[1]}`), slog.Group("g", "k", 2))
		return b.String()
	}
	plain := write(func(h slog.Handler) slog.Handler { return h })
	redacted := write(func(h slog.Handler) slog.Handler { return redact.NewHandler(h, r) })
	if diff := cmp.Diff(plain, redacted); diff != "" {
		t.Errorf("(-plain +redacted):\n%s", diff)
	}
}

func TestAValueThatPanicsDoesNotEndTheProgram(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	slog.New(redact.NewHandler(slog.NewJSONHandler(&b, nil), &redact.Redactor{})).Info("m", "v", explosive{})
	if !strings.Contains(b.String(), "!PANIC") {
		t.Errorf("got %s", b.String())
	}
}

func TestTheHandlerKeepsTheRulesOfSlog(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	err := slogtest.TestHandler(redact.NewHandler(slog.NewJSONHandler(&b, nil), &redact.Redactor{}), func() []map[string]any {
		var all []map[string]any
		for line := range strings.Lines(b.String()) {
			m := map[string]any{}
			if err := json.Unmarshal([]byte(line), &m); err != nil {
				t.Fatal(err)
			}
			all = append(all, m)
		}
		return all
	})
	if err != nil {
		t.Error(err)
	}
}
