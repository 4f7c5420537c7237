package containment

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

const (
	// leastRaced is how many requests, and how many swaps, a race has.
	leastRaced = 20_000
	// inFlight is how many requests are out at a time.
	inFlight = 128
	// burst is how many swaps are made in a row; one more than a multiple of six,
	// after which all is where it was.
	burst = 61
	// leastDone is how many of the requests must have succeeded, for the race to
	// have been one.
	leastDone = 20
	// raceLimit is for a race on a machine with much else to do.
	raceLimit = 3 * time.Minute
)

// inside is what the files hold that may be read.
const inside = "inside"

// race is requests that work in the folder "sub", which is swapped meanwhile for
// links to a folder outside that looks the same.
type race struct {
	steps []suite.Message
	// mend puts back, after a burst of swaps, what the requests take away or leave.
	// sub is the folder wherever it is just now, top the workspace; brought looks
	// at what may have come from outside, and removes it.
	mend func(sub, top *os.Root, brought func(name string))
}

func swaps() []suite.Check {
	const why = "Agents change the workspace while requests run; what is looked at first and opened later can be exchanged between, and the request ends outside."
	check := func(id, what string, r race) suite.Check {
		c := suite.Check{
			ID: id, Level: suite.Must, Needs: []suite.Capability{suite.Disk}, Limit: raceLimit, Why: why,
			Title: what + " stays inside while a folder on the way is swapped for a link 20,000 times",
			Run:   func(t *suite.T) { r.run(t) },
		}
		for _, m := range r.steps {
			c.Needs = append(c.Needs, suite.Capability(m.Type()))
		}
		return c
	}
	put := func(root *os.Root, name string) {
		if root.MkdirAll(filepath.Dir(name), 0o755) == nil {
			_ = root.WriteFile(name, []byte(inside), 0o644) // it is put back after the next burst otherwise
		}
	}
	drop := func(root *os.Root, names ...string) {
		for _, name := range names {
			_ = root.RemoveAll(name) // as above
		}
	}
	return []suite.Check{
		check("SC-025", "Reading", race{steps: []suite.Message{toRead.ask("sub/canary"), toRead.ask("sub/d/canary")}}),
		check("SC-026", "Writing", race{
			steps: []suite.Message{toWrite.ask("sub/canary"), toWrite.ask("sub/new/x")},
			mend:  func(sub, _ *os.Root, _ func(string)) { drop(sub, "new") },
		}),
		check("SC-027", "Deleting a file", race{
			steps: []suite.Message{toDeleteFile.ask("sub/canary"), toDeleteFile.ask("sub/d/canary")},
			mend:  func(sub, _ *os.Root, _ func(string)) { put(sub, "canary"); put(sub, "d/canary") },
		}),
		check("SC-028", "Deleting a folder", race{
			steps: []suite.Message{toDeleteFolder.ask("sub/d")},
			mend:  func(sub, _ *os.Root, _ func(string)) { put(sub, "d/canary"); put(sub, "d/more/canary") },
		}),
		check("SC-029", "Renaming", race{
			steps: []suite.Message{
				{"type": "providerRenameItem", "oldPath": "sub/canary", "newPath": "moved"},
				{"type": "providerRenameItem", "oldPath": "mine.txt", "newPath": "sub/moved"},
			},
			mend: func(sub, top *os.Root, brought func(string)) {
				brought("moved")
				drop(sub, "moved")
				put(sub, "canary")
				put(top, "mine.txt")
			},
		}),
		check("SC-030", "Creating a folder", race{
			steps: []suite.Message{toCreateFolder.ask("sub/made/deep"), toCreateFolder.ask("sub/other")},
			mend:  func(sub, _ *os.Root, _ func(string)) { drop(sub, "made", "other") },
		}),
		check("SC-031", "Copying a file", race{
			steps: []suite.Message{
				{"type": "providerCopyFile", "sourcePath": "sub/canary", "destinationPath": "copied"},
				{"type": "providerCopyFile", "sourcePath": "mine.txt", "destinationPath": "sub/put"},
			},
			mend: func(sub, _ *os.Root, brought func(string)) { brought("copied"); drop(sub, "put") },
		}),
		check("SC-032", "Copying a folder", race{
			steps: []suite.Message{
				{"type": "providerCopyFolder", "sourcePath": "sub/d", "destinationPath": "copies"},
				{"type": "providerCopyFolder", "sourcePath": "src/lib", "destinationPath": "sub/put"},
			},
			mend: func(sub, _ *os.Root, brought func(string)) { brought("copies"); drop(sub, "put") },
		}),
		check("SC-033", "Listing", race{steps: []suite.Message{toList.ask("sub"), toList.ask("sub/d")}}),
	}
}

// tally counts the answers of a race.
type tally struct {
	on         atomic.Bool
	done, fine atomic.Int64
	answered   chan struct{}
	token      []byte
	answers    map[string]bool // the actions that count
	swaps      atomic.Int64

	mu     sync.Mutex
	wrong  string // the first fault
	wrongs int
}

// sees counts a frame and reports whether it is one of the race. A race has so
// many that only those that show a fault are kept.
func (y *tally) sees(f server.Frame) bool {
	if !y.on.Load() {
		return false
	}
	var answer struct {
		Type, Action string
		Error        json.RawMessage
		Message      json.RawMessage
	}
	if json.Unmarshal(f.Data, &answer) != nil {
		return false
	}
	if f.Direction == server.Out {
		return y.answers[answer.Type+"Response"]
	}
	if !y.answers[answer.Action] {
		return false
	}
	var text string
	strange := bytes.Contains(f.Data, y.token) || answer.Action == "providerReadFileResponse" && answer.Error == nil &&
		(json.Unmarshal(answer.Message, &text) != nil || text != inside)
	if strange {
		y.note(string(f.Data[:min(len(f.Data), 500)]))
	}
	if answer.Error == nil {
		y.fine.Add(1)
	}
	y.done.Add(1)
	y.answered <- struct{}{}
	return !strange
}

func (y *tally) note(what string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.wrongs++; y.wrong == "" {
		y.wrong = what
	}
}

func (r *race) run(t *suite.T) {
	y := &tally{answered: make(chan struct{}, 2*inFlight), answers: map[string]bool{}}
	for _, m := range r.steps {
		y.answers[m.Type()+"Response"] = true
	}
	t.Options(func(o *server.Options) {
		keep := o.OnFrame
		o.OnFrame = func(f server.Frame) {
			if !y.sees(f) {
				keep(f)
			}
		}
	})
	e := t.Open(suite.Spec{})
	c, outside := hatch(t)
	y.token = []byte(c.token)
	sub := r.arrange(t, e, outside)
	defer sub.Close()
	top, err := os.OpenRoot(e.Path())
	t.Try(err)
	defer top.Close()

	stop := make(chan struct{})
	var swapper sync.WaitGroup
	swapper.Go(func() { r.swap(e, y, sub, top, stop) })
	y.on.Store(true)
	r.ask(t, e, y)
	close(stop)
	swapper.Wait()
	y.on.Store(false)
	t.Logf("%d requests, %d of them successful, and %d swaps", y.done.Load(), y.fine.Load(), y.swaps.Load())
	if y.wrongs > 0 {
		t.Errorf("%d times something outside was reached: %s", y.wrongs, y.wrong)
	}
	if y.fine.Load() < leastDone {
		t.Errorf("only %d of %d requests succeeded, though the folder was there a third of the time", y.fine.Load(), y.done.Load())
	}
	c.sings(e)
}

// arrange makes the folder and the two links that change places with it, and
// tries whether they can.
func (r *race) arrange(t *suite.T, e *suite.Env, outside string) *os.Root {
	for _, name := range []string{"sub/canary", "sub/d/canary", "mine.txt"} {
		t.Try(os.MkdirAll(filepath.Dir(e.Path(name)), 0o755))
		t.Try(os.WriteFile(e.Path(name), []byte(inside), 0o644))
	}
	relative, err := filepath.Rel(e.Path(), outside)
	t.Try(err)
	t.Try(os.Symlink(outside, e.Path("swap-abs")))
	t.Try(os.Symlink(relative, e.Path("swap-rel")))
	sub, err := os.OpenRoot(e.Path("sub"))
	t.Try(err)
	for range 2 {
		if err := exchange(e.Path("sub"), e.Path("swap-abs")); err != nil {
			sub.Close()
			t.Skipf("two names cannot change places in one step here: %v", err)
		}
	}
	return sub
}

// swap swaps until it is told to stop. The folder, the absolute and the relative
// link go round, so that each is called sub a third of the time.
func (r *race) swap(e *suite.Env, y *tally, sub, top *os.Root, stop chan struct{}) {
	brought := func(name string) {
		for _, path := range []string{name, name + "/canary"} {
			if data, err := top.ReadFile(path); err == nil && bytes.Contains(data, y.token) {
				y.note(path + " has come from there")
			}
		}
		_ = top.RemoveAll(name) // it is tried again after the next burst
	}
	at, with := e.Path("sub"), []string{e.Path("swap-abs"), e.Path("swap-rel")}
	for {
		for i := range burst {
			if exchange(at, with[i%2]) == nil {
				y.swaps.Add(1)
			}
		}
		if r.mend != nil {
			r.mend(sub, top, brought)
		}
		select {
		case <-stop:
			return
		case <-time.After(time.Millisecond): // the pace: the provider must get its turn
		}
	}
}

// ask sends requests, many at a time, until there were enough of them and of
// swaps, and waits for the last answer.
func (r *race) ask(t *suite.T, e *suite.Env, y *tally) {
	answer := func() {
		select {
		case <-y.answered:
		case <-t.Context().Done():
			t.Fatalf("after %d requests no answer came any more", y.done.Load())
		}
	}
	out := 0
	for n := 0; n < leastRaced || y.swaps.Load() < leastRaced; n++ {
		if out == inFlight {
			answer()
			out--
		}
		m := r.steps[n%len(r.steps)].With(suite.Message{"requestId": fmt.Sprintf("race-%d", n)})
		frame, err := json.Marshal(m)
		t.Try(err)
		if err := e.SendFrame(t.Context(), 1, frame); err != nil {
			t.Fatalf("request %d could not be sent: %v", n, errors.Unwrap(err))
		}
		out++
	}
	for ; out > 0; out-- {
		answer()
	}
}
