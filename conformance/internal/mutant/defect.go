package main

import (
	"net/url"
	"os"
	"slices"
	"syscall"
	"time"
)

// defect is one way of being wrong. Its zero fields are right.
type defect struct {
	Name string
	// Doc says what a provider with it does wrong.
	Doc string
	// Check is the check that is meant for it; Also are others that cannot but
	// fail too.
	Check string
	Also  []string

	// Lacks are request types that it does not declare.
	Lacks []string
	// Files changes a file of the provider's folder, given by its name: a manifest
	// or the entry point. One without a text is not there.
	Files func(name, text string) string
	// URL changes the address that the provider dials.
	URL func(*url.URL)
	// Environ changes what the inner provider finds in its environment.
	Environ func([]string) []string
	// Begin runs when the process starts, before anything else; a status other
	// than -1 ends it.
	Begin func(w *wrapper) int
	// Connected runs when a connection to the server stands.
	Connected func(w *wrapper)
	// Request sees a message of the server before the provider does. It returns
	// what the provider gets in its place: nothing, the message or several.
	Request func(w *wrapper, m message) []message
	// Reply sees a message of the provider before the server does, with the
	// request it answers, if it answers one. See Request.
	Reply func(w *wrapper, request, m message) []message
	// Raw sees a frame of the server before it is looked at and reports whether to
	// go on with it.
	Raw func(w *wrapper, kind int, frame []byte) bool
	// Vouches is set when the provider's pings are answered without the server.
	Vouches bool
	// Relayed is what is wrong on the way to a runtime that is configured.
	Relayed *relayed
	// Pause makes the defect dial in the provider's place until there is a
	// connection, and is how long to wait before, after so many dials that failed
	// in a row, the last one with that status. After one that failed, a negative
	// pause leaves the rest to the provider.
	Pause func(w *wrapper, failed, status int) time.Duration
	// Dialed sees the outcome of a dial to the server and may end the process with
	// a status other than -1.
	Dialed func(w *wrapper, status int, err error) int
	// Lost runs when the connection to the server is lost; false keeps the
	// provider from making another.
	Lost func(w *wrapper) bool
	// Signal sees a signal and reports whether the provider gets it.
	Signal func(w *wrapper, sig os.Signal) bool
	// Orphaned runs when the parent is gone and reports whether to let go.
	Orphaned func(w *wrapper) bool
	// Exit runs when the provider has ended and may change the exit status.
	Exit func(w *wrapper, status int) int
}

// all are the defects of every group.
func all() []defect {
	return slices.Concat(
		[]defect{{Name: "none", Doc: "Nothing is wrong."}, nodeSDK()},
		processDefects(), lifecycleDefects(), filesDefects(), containmentDefects(), reviewDefects(),
		heartbeatDefects(), networkDefects(), agentDefects(), manifestDefects(), residueDefects(),
	)
}

func find(name string) (defect, bool) {
	defects := all()
	i := slices.IndexFunc(defects, func(d defect) bool { return d.Name == name })
	if i < 0 {
		return defect{}, false
	}
	return defects[i], true
}

// reply makes a Reply hook that changes the answers to one type of request; a
// nil result swallows the answer.
func reply(typ string, change func(w *wrapper, request, answer message) message) func(*wrapper, message, message) []message {
	return func(w *wrapper, request, m message) []message {
		if request.text("type") == typ {
			return list(change(w, request, m))
		}
		return list(m)
	}
}

// request makes a Request hook that changes requests of one type; a nil result
// keeps the request from the provider.
func request(typ string, change func(w *wrapper, m message) message) func(*wrapper, message) []message {
	return func(w *wrapper, m message) []message {
		if m.text("type") == typ {
			return list(change(w, m))
		}
		return list(m)
	}
}

func list(m message) []message {
	if m == nil {
		return nil
	}
	return []message{m}
}

func isSignal(sig os.Signal, want syscall.Signal) bool { return sig == want }
