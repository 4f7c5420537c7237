package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"syscall"
	"time"
)

// pauses makes a Pause hook for servers that are away: next is how long to wait
// after so many failures in a row.
func pauses(next func(failed int) time.Duration) func(*wrapper, int, int) time.Duration {
	return func(_ *wrapper, failed, status int) time.Duration {
		switch {
		case failed == 0:
			return 0
		case status != 0: // it was refused
			return -1
		}
		return next(failed)
	}
}

// power is base to the exponent, in seconds.
func power(base, exponent int) time.Duration {
	all := time.Second
	for range exponent {
		all *= time.Duration(base)
	}
	return all
}

// retries are wrong ways of waiting for a server.
func retries() []defect {
	return []defect{
		{
			Name: "needs-a-server-at-once", Check: "PR-011", Also: []string{"PR-009"},
			Doc: "gives up when the first dial is refused",
			Dialed: func(_ *wrapper, _ int, err error) int {
				if errors.Is(err, syscall.ECONNREFUSED) {
					return 1
				}
				return -1
			},
		},
		{
			Name: "retries-late", Check: "PR-012", Also: []string{"PR-013"},
			Doc: "waits ten seconds before it dials for the second time",
			Pause: pauses(func(failed int) time.Duration {
				if failed == 1 {
					return 10 * time.Second
				}
				return -1
			}),
		},
		{
			Name: "retries-without-a-pause", Check: "PR-013", Also: []string{"PR-015"},
			Doc:   "dials twenty times a second while there is no server",
			Pause: pauses(func(int) time.Duration { return time.Second / 20 }),
		},
		{
			Name: "retries-every-second", Check: "PR-013", Also: []string{"PR-015"},
			Doc:   "waits for the same second before each dial, however often",
			Pause: pauses(func(int) time.Duration { return time.Second }),
		},
		{
			Name: "waits-ever-longer", Check: "PR-014",
			Doc: "triples the wait with each dial that fails, without a bound",
			Pause: pauses(func(failed int) time.Duration {
				return power(3, failed-1) * time.Duration(90+rand.IntN(20)) / 100
			}),
		},
		{
			Name: "retries-in-step", Check: "PR-015",
			Doc:   "waits one, two, four, eight seconds, without any chance in it",
			Pause: pauses(func(failed int) time.Duration { return min(power(2, failed-1), 30*time.Second) }),
		},
	}
}

// refusals are wrong answers to a server that says no.
func refusals() []defect {
	return []defect{
		{
			Name: "knocks-when-unauthorized", Check: "PR-020",
			Doc: "dials again and again with a token that the server does not take",
			Pause: func(_ *wrapper, failed, status int) time.Duration {
				if failed > 0 && status != http.StatusUnauthorized {
					return -1
				}
				return time.Second / 10
			},
		},
		{
			Name: "leaves-content-when-forbidden", Check: "PR-021",
			Doc: "exits with status 0 when it is forbidden to connect",
			Dialed: func(_ *wrapper, status int, _ error) int {
				if status == http.StatusForbidden {
					return 0
				}
				return -1
			},
		},
		{
			Name: "prints-where-it-was-refused", Check: "PR-022",
			Doc: "names the whole URL in the error of a dial that was refused",
			Dialed: func(w *wrapper, status int, err error) int {
				if status == http.StatusUnauthorized {
					fmt.Fprintf(os.Stderr, "dial %v: %v\n", w.kept("address"), err)
				}
				return -1
			},
		},
	}
}

// reconnects are wrong ways of going on after a connection that broke.
func reconnects() []defect {
	return []defect{
		{
			Name: "reconnects-slowly", Check: "PR-016",
			Doc: "lets six seconds pass before it connects again",
			Pause: func(w *wrapper, failed, _ int) time.Duration {
				switch {
				case failed > 0:
					return -1
				case w.connection() > 0:
					return 6 * time.Second
				}
				return 0
			},
		},
		{
			Name: "starts-again-on-reconnect", Check: "PR-017",
			Doc: "runs the start again, and answers it again, whenever it has connected again",
			Connected: func(w *wrapper) {
				if start := w.began(); start != nil && w.connection() > 1 {
					w.tell(start)
				}
			},
		},
		{
			Name: "forgets-its-environment-on-reconnect", Check: "PR-017",
			Doc: "wants another start after it has connected again",
			Request: func(w *wrapper, m message) []message {
				if m.text("type") != "providerReadFile" || w.connection() < 2 {
					return list(m)
				}
				w.say(failure(m, "providerReadFileResponse", "no environment was started", "NOT_RUNNING"))
				return nil
			},
		},
		{
			Name: "answers-only-where-it-was-asked", Check: "PR-018",
			Doc: "drops an answer when the connection its request came over is gone",
			Request: func(w *wrapper, m message) []message {
				w.keep("came "+m.text("requestId"), w.connection())
				return list(m)
			},
			Reply: func(w *wrapper, request, m message) []message {
				if request != nil && w.kept("came "+request.text("requestId")) != w.connection() {
					return nil
				}
				return list(m)
			},
		},
		{
			Name: "keeps-descriptors-of-connections", Check: "PR-019",
			Doc: "opens files for each connection and never closes them",
			Connected: func(*wrapper) {
				for range 20 {
					_, _ = syscall.Open(os.DevNull, syscall.O_RDONLY|syscall.O_CLOEXEC, 0) // as if
				}
			},
		},
		{
			Name: "keeps-threads-of-connections", Check: "PR-019",
			Doc: "gives each connection threads that nobody ends",
			Connected: func(w *wrapper) {
				for range 20 {
					go func() {
						runtime.LockOSThread()
						<-w.ended
					}()
				}
			},
		},
	}
}
