package main

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lineDefects are those on slow lines and on lines that break.
func lineDefects() []defect {
	return []defect{
		{
			Name: "swaps-two-reads", Check: "NT-001",
			Doc: "reads files in threads, of which one was faster than the one before",
			Reply: reply("providerReadFile", func(w *wrapper, _, m message) message {
				switch w.count("read") {
				case 11:
					w.keep("slower", m)
					return nil
				case 12:
					slower, _ := w.kept("slower").(message)
					w.say(m)
					return slower
				}
				return m
			}),
		},
		{
			Name: "gives-up-slow-sends", Check: "NT-002",
			Doc: "cuts the connection when a message was not delivered within two seconds",
			Reply: reply("providerReadFile", func(w *wrapper, _, m message) message {
				if len(m.frame()) > 1<<19 {
					time.AfterFunc(2*time.Second, w.reset)
				}
				return m
			}),
		},
		{
			Name: "ends-with-its-connection", Check: "NT-003",
			Doc:  "takes the loss of its connection for the end",
			Lost: func(w *wrapper) bool { w.die(1); return false },
		},
		{
			Name: "writes-while-it-receives", Check: "NT-004",
			Doc: "writes what has arrived of a file",
			Lost: func(w *wrapper) bool {
				if g := ground(); g != nil && w.root() != "" {
					if name, err := g.name(filepath.Join(w.root(), "part.txt")); err == nil {
						_ = g.WriteFile(name, []byte("0123456789abcdef"), 0o644) // the check sees it when it is there
					}
				}
				return true
			},
		},
		writesAgain(),
		{
			Name: "sends-the-last-answer-again", Check: "NT-006",
			Doc: "sends on a new connection, for each reason that there is to, what was under way on the last",
			Reply: reply("providerReadFile", func(w *wrapper, _, m message) message {
				w.keep("answer", m)
				return m
			}),
			Connected: func(w *wrapper) {
				if answer, is := w.kept("answer").(message); is {
					w.say(answer)
					w.say(answer)
				}
			},
		},
		{
			Name: "reads-certificates-for-each-connection", Check: "NT-007",
			Doc: "opens a hundred files for each connection and never closes them",
			Connected: func(*wrapper) {
				for range 100 {
					_, _ = syscall.Open(os.DevNull, syscall.O_RDONLY|syscall.O_CLOEXEC, 0) // as if
				}
			},
		},
	}
}

// reset loses the connection to the server with all that is on the way.
func (w *wrapper) reset() {
	w.mu.Lock()
	p := w.pair
	w.mu.Unlock()
	if tcp, is := p.server.NetConn().(*net.TCPConn); is {
		_ = tcp.SetLinger(0) // it may just be closed
	}
	_ = p.server.Close()
}

// writesAgain carries out the last write of the connection before once more,
// some time after the new one stands.
func writesAgain() defect {
	const own = "again"
	return defect{
		Name: "writes-again-on-reconnect", Check: "NT-005",
		Doc: "carries out once more what it had not confirmed when the connection broke",
		Connected: func(w *wrapper) {
			if lost, is := w.kept("write").(message); is {
				w.keep("lost", lost)
			}
		},
		Request: func(w *wrapper, m message) []message {
			switch lost, is := w.kept("lost").(message); {
			case m.text("type") == "providerWriteFile":
				w.keep("write", m)
			case m.text("type") == "providerReadFile" && is:
				w.keep("lost", nil)
				repeated := lost.with(message{"requestId": own})
				return []message{repeated, m}
			}
			return list(m)
		},
		Reply: func(_ *wrapper, _, m message) []message {
			if m.text("requestId") == own {
				return nil
			}
			return list(m)
		},
	}
}

// silentLineDefects are those on lines that carry nothing.
func silentLineDefects() []defect {
	return []defect{
		{
			Name: "waits-for-ever", Check: "NT-008", Vouches: true, Also: []string{"NT-009"},
			Doc: "reads without a deadline, and does not ask whether anybody is there",
		},
		whenSilent(defect{
			Name: "ends-when-nothing-comes", Check: "NT-009", Also: []string{"NT-008", "NT-010"},
			Doc: "ends when nothing has come for 15 seconds",
		}, func(w *wrapper) { w.die(1) }),
		whenSilent(defect{
			Name: "is-impatient", Check: "NT-010",
			Doc: "cuts a connection over which nothing came for 15 seconds",
		}, (*wrapper).drop),
	}
}

// whenSilent has a defect do something when nothing has come for 15 seconds.
func whenSilent(d defect, do func(*wrapper)) defect {
	heard := func(w *wrapper) { w.keep("heard", time.Now()) }
	d.Raw = func(w *wrapper, _ int, _ []byte) bool { heard(w); return true }
	d.Connected = func(w *wrapper) {
		heard(w)
		here := w.connection()
		go func() {
			for here == w.connection() {
				time.Sleep(time.Second / 2)
				if last, is := w.kept("heard").(time.Time); is && time.Since(last) > 15*time.Second {
					do(w)
					return
				}
			}
		}()
	}
	return d
}
