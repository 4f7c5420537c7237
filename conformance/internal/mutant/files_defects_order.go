package main

import (
	"os"
	"slices"
	"time"
)

const (
	// room is how many writes wait at most until something else is asked.
	room = 32
	// late is by how much some requests come after those that were sent later.
	late = 5 * time.Millisecond
	// together is how close writes are that count as being at the same time.
	together = time.Second
	// large is what takes longer than the rest.
	large = 100_000
)

// delays makes a Request hook that lets requests of some types come late.
func delays(verbs ...string) func(*wrapper, message) []message {
	return func(w *wrapper, m message) []message {
		if !slices.Contains(verbs, m.text("type")) {
			return list(m)
		}
		time.AfterFunc(late, func() { w.tell(m) })
		return nil
	}
}

func orderDefects() []defect {
	return []defect{
		{
			Name: "has-room-for-32-writes", Check: "FS-060",
			Doc: "collects writes until something else is asked, and forgets those for which there is no room",
			Request: func(w *wrapper, m message) []message {
				if m.text("type") != writeFile.verb {
					w.keep("writes", 0)
					return list(m)
				}
				if w.count("writes") <= room {
					return list(m)
				}
				w.say(success(m, writeFile.verb+"Response", nil))
				return nil
			},
		},
		mixes(defect{
			Name: "mixes-writes", Check: "FS-061", Also: []string{"FS-062"},
			Doc: "writes at the same time what several requests want of a file, so that parts of both are in it",
		}),
		{
			Name: "reads-before-it-writes", Check: "FS-062", Also: []string{"FS-063"}, Request: delays(writeFile.verb),
			Doc: "does not wait for a write before it reads the file",
		},
		{
			Name: "deletes-folders-in-the-background", Check: "FS-063", Request: delays(deleteFolder.verb),
			Doc: "deletes a folder while it is already working on what was asked for next",
		},
		{
			Name: "answers-small-reads-first", Check: "FS-064",
			Doc: "sends an answer as soon as it is made, so that small ones overtake large ones",
			Reply: func(w *wrapper, _, m message) []message {
				if len(m.text("message")) < large {
					return list(m)
				}
				time.AfterFunc(late, func() { w.say(m) })
				return nil
			},
		},
	}
}

// wanted is a write and when it was asked for.
type wanted struct {
	m  message
	at time.Time
}

// mixes makes a defect of one that does not keep writes to one file apart.
func mixes(d defect) defect {
	d.Request = func(w *wrapper, m message) []message {
		w.mu.Lock()
		defer w.mu.Unlock()
		if m.text("type") != writeFile.verb {
			delete(w.state, "other")
			return list(m)
		}
		last, _ := w.state["last"].(wanted)
		if last.m.text("path") == m.text("path") && time.Since(last.at) < together {
			w.state["other"] = last.m
		}
		w.state["last"] = wanted{m, time.Now()}
		return list(m)
	}
	d.Reply = afterwards(writeFile, "", func(w *wrapper, g *grounds, name string, m message) {
		other, is := w.kept("other").(message)
		if !is || other.text("path") != m.text("path") {
			return
		}
		if file, err := g.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0); err == nil {
			_, _ = file.WriteString(other.text("content"))
			_ = file.Close()
		}
	})
	return d
}
