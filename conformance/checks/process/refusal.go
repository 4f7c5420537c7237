package process

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// bouncer refuses every connection.
type bouncer struct {
	status int

	mu    sync.Mutex
	times []time.Time
	token string
}

// refuse makes the check's server refuse with a status.
func refuse(t *suite.T, status int) *bouncer {
	b := &bouncer{status: status}
	t.Options(func(o *server.Options) {
		o.Admit = func(_ *server.Environment, r *http.Request) int {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.times = append(b.times, time.Now())
			b.token = r.URL.Query().Get("threadToken")
			return b.status
		}
	})
	return b
}

func (b *bouncer) seen() ([]time.Time, string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.times), b.token
}

// refusedFor is how long a refused provider is watched, and refusedTries how
// often it may come meanwhile.
const (
	refusedFor   = 12 * time.Second
	refusedTries = 12
)

func refusal() []suite.Check {
	check := func(id string, status int) suite.Check {
		return suite.Check{
			ID: id, Level: suite.Must,
			Title: fmt.Sprintf("A provider that is refused with status %d gives up or backs off", status),
			Why:   "One whose token has expired would knock at the server for ever, as fast as it can.",
			Run: func(t *suite.T) {
				b := refuse(t, status)
				e := t.Env(suite.Spec{})
				if launching(t, e).within(refusedFor) && e.Exit(suite.ExitLimit) == 0 && t.Profile() == suite.Strict {
					t.Errorf("the process gave up and exited with status 0, as if all were well")
				}
				if times, _ := b.seen(); len(times) == 0 || len(times) > refusedTries {
					t.Errorf("in at most %v it tried %d times to connect", refusedFor, len(times))
				}
			},
		}
	}
	return []suite.Check{
		check("PR-020", http.StatusUnauthorized),
		check("PR-021", http.StatusForbidden),
		{
			ID: "PR-022", Level: suite.Must,
			Title: "What the program prints of a refusal does not hold the token that was refused",
			Why:   "An error of dialing names the URL with its query, and the token may be good for another server or a minute later.",
			Run: func(t *suite.T) {
				b, out := refuse(t, http.StatusUnauthorized), newRecorder(t)
				launching(t, t.Env(suite.Spec{Wrap: out.wrap})).within(3 * time.Second)
				times, token := b.seen()
				if len(times) == 0 || token == "" {
					t.Fatalf("the provider did not present a token")
				}
				if text := out.text(); strings.Contains(text, token) {
					t.Errorf("the program prints the token: %s", strings.ReplaceAll(text, token, "[the token]"))
				}
			},
		},
	}
}
