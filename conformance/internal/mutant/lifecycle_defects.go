package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// lifecycleDefects are those of group LC.
func lifecycleDefects() []defect {
	return slices.Concat(
		wrongStarts(), wrongRepeats(), wrongStops(), wrongFailures(), wrongFaults(), wrongHealing(),
		wrongNames(), wrongCrowds(), wrongWork(), wrongRemovals(), wrongNeighbours(), wrongPlaces(), wrongAgents(),
	)
}

// put writes a file of the check.
func put(path, text string) {
	if g := ground(); g != nil {
		name, err := g.name(path)
		_ = g.write(name, []byte(text), err) // what cannot be written is not
	}
}

// drop removes what is at a path of the check.
func drop(path string) {
	if g := ground(); g != nil {
		if name, err := g.name(path); err == nil {
			_ = g.RemoveAll(name) // what cannot be removed stays
		}
	}
}

// folder makes a folder of the check.
func folder(path string) {
	if g := ground(); g != nil {
		if name, err := g.name(path); err == nil {
			_ = g.MkdirAll(name, 0o755) // what cannot be made is not
		}
	}
}

// there reports whether something is at a path of the check.
func there(path string) bool {
	g := ground()
	if g == nil {
		return false
	}
	name, err := g.name(path)
	if err == nil {
		_, err = g.Lstat(name)
	}
	return err == nil
}

// change runs git in a repository of the check: one that it finds anywhere else
// is left alone.
func change(dir string, args ...string) string {
	common := strings.TrimSpace(git(dir, "rev-parse", "--path-format=absolute", "--git-common-dir"))
	if g := ground(); g == nil || common == "" || !within(g.dir, followed(common)) {
		return ""
	}
	return git(dir, args...)
}

// begins makes a repository of a folder of the check, with all that is in it.
func begins(dir string) {
	folder(dir)
	if !there(filepath.Join(dir, ".git")) {
		git(dir, "init", "--quiet")
	}
	change(dir, "add", "--all")
	change(dir, "commit", "--quiet", "--allow-empty", "--message", "Begin")
}

// home is a place in the home directory of the check.
func home(elem ...string) string {
	return filepath.Join(append([]string{os.Getenv("HOME")}, elem...)...)
}

// leaveProcess starts what nobody ends.
func leaveProcess() {
	g := ground()
	if g == nil {
		return
	}
	cmd := exec.CommandContext(context.Background(), "sleep", "60")
	cmd.Dir = g.dir
	if cmd.Start() == nil {
		go func() { _ = cmd.Wait() }() // the suite ends it
	}
}

// starts makes a Reply hook that changes the results of starts.
func starts(change func(w *wrapper, request, result message) message) func(*wrapper, message, message) []message {
	return reply("providerStart", func(w *wrapper, request, m message) message {
		result := m.object("message")
		if m.text("error") != "" || result == nil {
			return m
		}
		return m.result(change(w, request, result))
	})
}

// started makes a Reply hook that does something when a start has succeeded.
func started(do func(w *wrapper, request message)) func(*wrapper, message, message) []message {
	return starts(func(w *wrapper, request, result message) message {
		do(w, request)
		return result
	})
}

// refused makes a Reply hook that does something when a start has failed.
func refused(do func(w *wrapper, request, answer message)) func(*wrapper, message, message) []message {
	return reply("providerStart", func(w *wrapper, request, m message) message {
		if m.text("error") != "" {
			do(w, request, m)
		}
		return m
	})
}

// before makes a Request hook that does something before the provider gets
// requests of a type.
func before(typ string, do func(w *wrapper, m message)) func(*wrapper, message) []message {
	return request(typ, func(w *wrapper, m message) message {
		do(w, m)
		return m
	})
}

// removed makes a Reply hook that does something when an environment was
// removed.
func removed(do func(w *wrapper)) func(*wrapper, message, message) []message {
	return reply("providerStop", func(w *wrapper, _, m message) message {
		if gone, _ := m.object("message")["removed"].(bool); gone {
			do(w)
		}
		return m
	})
}

// underWay is the number of requests of a type without an answer.
func underWay(w *wrapper, typ string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.requests {
		if m.text("type") == typ {
			n++
		}
	}
	return n
}

// answers answers a request in the provider's place.
func answers(w *wrapper, request, m message) []message {
	w.mu.Lock()
	delete(w.requests, request.text("requestId"))
	w.mu.Unlock()
	w.say(m)
	return nil
}

// serves answers a request for files from a folder of the check.
func serves(w *wrapper, m message, dir string) []message {
	typ := m.text("type")
	g := ground()
	if g == nil || dir == "" || !slices.Contains([]string{"providerReadFile", "providerWriteFile"}, typ) {
		return list(m)
	}
	value, err := g.do(m, func(member string) string { return filepath.Join(dir, m.text(member)) })
	if err != nil {
		return list(m)
	}
	return answers(w, m, success(m, typ+"Response", value))
}
