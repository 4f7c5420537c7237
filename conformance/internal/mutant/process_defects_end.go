package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

// removes loses the environment, and lets the provider go on to its end.
func removes(w *wrapper) {
	if root := w.root(); root != "" {
		_ = os.RemoveAll(root) // what cannot be removed is not removed
	}
}

// lingers is a defect of a process that stays after a request of a type, until
// it is told to go.
func lingers(name, check, typ, doc string) defect {
	return defect{
		Name: name, Check: check, Doc: doc,
		Request: request(typ, func(w *wrapper, m message) message {
			w.keep("asked", true)
			return m
		}),
		Exit: func(w *wrapper, status int) int {
			if w.kept("asked") == nil {
				return status
			}
			told := make(chan os.Signal, 1)
			signal.Notify(told, syscall.SIGTERM)
			select {
			case <-told:
			case <-time.After(time.Minute):
			}
			return status
		},
	}
}

// endings are wrong ways of ending, or of not ending.
func endings() []defect {
	return []defect{
		{
			Name: "stays-without-parent", Check: "PR-023", Also: []string{"PR-024"},
			Doc:      "runs on when whoever started it is gone",
			Orphaned: func(*wrapper) bool { return false },
		},
		{
			Name: "removes-without-parent", Check: "PR-024",
			Doc: "removes its environment when whoever started it is gone",
			Orphaned: func(w *wrapper) bool {
				removes(w)
				return true
			},
		},
		{
			Name: "fails-at-sigterm", Check: "PR-025", Also: []string{"PR-027"},
			Doc: "ends at SIGTERM with the status of a failure once it has an environment",
			Signal: func(w *wrapper, sig os.Signal) bool {
				w.keep("told", isSignal(sig, syscall.SIGTERM))
				return true
			},
			Exit: func(w *wrapper, status int) int {
				if w.kept("told") == true && w.began() != nil {
					return 128 + int(syscall.SIGTERM)
				}
				return status
			},
		},
		{
			Name: "ignores-sigterm-before-a-start", Check: "PR-026",
			Doc:    "listens for signals only when it has an environment to let go of, and has them ignored until then",
			Signal: func(w *wrapper, _ os.Signal) bool { return w.began() != nil },
		},
		{
			Name: "drops-answers-at-sigterm", Check: "PR-027",
			Doc: "takes its time to read a file, and exits at SIGTERM at once, with status 0",
			Request: request("providerReadFile", func(w *wrapper, m message) message {
				go func() {
					time.Sleep(300 * time.Millisecond) // so that something is in flight
					w.tell(m)
				}()
				return nil
			}),
			Signal: func(w *wrapper, _ os.Signal) bool {
				w.die(0)
				return false
			},
		},
		{
			Name: "removes-at-sigterm", Check: "PR-028",
			Doc: "takes SIGTERM for the end of the environment, and removes it",
			Signal: func(w *wrapper, _ os.Signal) bool {
				removes(w)
				return true
			},
		},
		{
			Name: "waits-for-answers-whatever-comes", Check: "PR-029",
			Doc: "ends at SIGTERM only when all is answered, however often it comes and however long that takes",
			Signal: func(w *wrapper, sig os.Signal) bool {
				if w.first("told") {
					go func() {
						for w.open() > 0 {
							time.Sleep(20 * time.Millisecond)
						}
						_ = w.inner.Process.Signal(sig) // it may just have ended
					}()
				}
				return false
			},
		},
		{
			Name: "evades-to-a-second-environment", Check: "PR-030", Also: []string{"LC-029", "LC-030", "LC-031", "LC-060"},
			Doc: "takes what its killed predecessor left for somebody else's, and makes another environment",
			Request: request("providerStart", func(_ *wrapper, m message) message {
				file := crashed(m.text("environmentId"))
				if _, err := os.Stat(file); err == nil {
					return m.with(message{
						"resourceId": nil, "environmentName": m.text("environmentName") + "-2", "environmentId": m.text("environmentId") + "-2",
					})
				}
				_ = os.WriteFile(file, nil, 0o600) // without it nothing is wrong
				return m
			}),
			Exit: func(w *wrapper, status int) int {
				_ = os.Remove(crashed(w.began().text("environmentId"))) // it may never have started
				return status
			},
		},
		lingers("stays-after-close", "PR-055", "closeSignal", "answers closeSignal and runs on until it is told to go"),
		lingers("stays-after-stop", "PR-056", "providerStop", "answers providerStop and runs on until it is told to go"),
	}
}
