package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// crash is the file by which a process knows that the one before it was killed
// while it did something.
func crash(w *wrapper) string {
	return home(fmt.Sprintf(".underway-%x", sha256.Sum256([]byte(w.began().text("environmentId"))))[:24])
}

// afterCrash is a defect that shows in the first start after a crash: during the
// first of the requests that counts, or later. change changes that start, and
// then is done when it has succeeded; either may be nil.
func afterCrash(d defect, counts func(m message) bool, change func(w *wrapper, m message) []message, then func(w *wrapper, request message)) defect {
	d.Request = func(w *wrapper, m message) []message {
		crashed := start(m) && w.first("looked") && there(crash(w))
		if crashed {
			w.keep("crashed", true)
		}
		if counts(m) {
			put(crash(w), "")
		}
		if crashed && change != nil {
			return change(w, m)
		}
		return list(m)
	}
	d.Reply = started(func(w *wrapper, request message) {
		if crashed, _ := w.kept("crashed").(bool); crashed && then != nil {
			then(w, request)
		}
	})
	d.Exit = func(w *wrapper, status int) int {
		drop(crash(w))
		return status
	}
	return d
}

func removal(m message) bool { return m.text("type") == "providerStop" && m.text("onStop") != "" }

func start(m message) bool { return m.text("type") == "providerStart" }

func wrongHealing() []defect {
	stale := afterCrash(defect{
		Name: "is-locked-out-by-a-dead-start", Check: "LC-029",
		Doc: "waits for the lock of a start that was killed",
	}, start, func(w *wrapper, m message) []message {
		return answers(w, m, failure(m, "providerStartResponse", "another process is starting this environment", "conflict"))
	}, nil)
	stale.Reply = reply("providerStart", func(w *wrapper, _, m message) message {
		drop(crash(w))
		return m
	})
	return []defect{
		stale,
		afterCrash(defect{
			Name: "begins-anew-after-a-crash", Check: "LC-030", Also: []string{"LC-029"},
			Doc: "makes another workspace when it finds that it was killed",
		}, start, func(_ *wrapper, m message) []message {
			return list(m.with(message{"environmentId": m.text("environmentId") + "-anew", "resourceId": nil}))
		}, nil),
		afterCrash(defect{
			Name: "shows-half-a-removal", Check: "LC-031",
			Doc: "takes what a removal that was killed has left for the environment",
		}, removal, nil, func(w *wrapper, _ message) { drop(filepath.Join(w.root(), "src", "main.txt")) }),
		afterCrash(defect{
			Name: "loses-the-snapshot-of-a-killed-removal", Check: "LC-060",
			Doc: "goes on with a removal that was killed, and takes back its snapshot",
		}, func(m message) bool { return removal(m) && m.text("onStop") == "snapshotAndRemove" }, nil, func(w *wrapper, request message) {
			project := request.text("projectPath")
			for _, ref := range strings.Fields(change(project, "for-each-ref", "--format=%(refname)", "refs/codebolt")) {
				change(project, "update-ref", "-d", ref)
			}
			drop(filepath.Join(w.root(), "work.txt"))
		}),
		{
			Name: "makes-the-workspace-anew-with-the-runtime", Check: "LC-032", Also: []string{"LC-055"},
			Doc:   "cleans the workspace when its runtime is another",
			Reply: started(func(w *wrapper, _ message) { w.keep("runtime", runtimeOf(w.root())) }),
			Request: before("providerReadFile", func(w *wrapper, _ message) {
				if before := w.kept("runtime"); before != nil && before != runtimeOf(w.root()) {
					change(w.root(), "clean", "--quiet", "-f", "-d")
				}
			}),
		},
		{
			Name: "follows-its-policy-at-a-close", Check: "LC-033",
			Doc: "removes the environment at a closeSignal as it does at a stop",
			Request: request("closeSignal", func(w *wrapper, m message) message {
				if policy := w.began().text("onStop"); policy != "" {
					return m.with(message{"type": "providerStop", "onStop": policy})
				}
				return m
			}),
			Reply: reply("closeSignal", func(_ *wrapper, request, _ message) message {
				return message{"type": "closeSignalResponse", "requestId": request["requestId"], "success": true}
			}),
		},
	}
}

// runtimeOf is the folder below /proc of the process that is told a workspace.
func runtimeOf(workspace string) string {
	found, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is right
	for _, path := range found {
		argv, err := os.ReadFile(path)
		if err == nil && workspace != "" && strings.Contains(string(argv), "--workspace\x00"+workspace+"\x00") {
			return filepath.Dir(path)
		}
	}
	return ""
}
