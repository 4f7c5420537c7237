package main

import "sync"

// numbered makes a Reply hook that changes what the suite's runtime counts; m has
// the number n.
func numbered(change func(w *wrapper, n int, m message) []message) func(*wrapper, message, message) []message {
	return func(w *wrapper, _, m message) []message {
		if n, is := m["n"].(float64); is && m.text("type") == "numbered" {
			return change(w, int(n), m)
		}
		return list(m)
	}
}

// awayDefects are those in what waits for the server.
func awayDefects() []defect {
	return []defect{
		{
			Name: "keeps-nine-hundred", Check: "NT-011",
			Doc: "has a queue of fixed length for a server that is away, and drops the oldest",
			Reply: numbered(func(w *wrapper, n int, m message) []message {
				if w.connection() > 1 && n < 100 {
					return nil
				}
				return list(m)
			}),
		},
		{
			Name: "sends-the-last-five-again", Check: "NT-012",
			Doc: "sends on a new connection what it sent last on the one before, in case it was lost",
			Reply: numbered(func(w *wrapper, _ int, m message) []message {
				last, _ := w.kept("last").([]message)
				w.keep("last", append(last[max(0, len(last)-4):len(last):len(last)], m))
				return list(m)
			}),
			Connected: func(w *wrapper) {
				last, _ := w.kept("last").([]message)
				for _, m := range last {
					w.say(m)
				}
			},
		},
		keepsAll(),
	}
}

// keepsAll puts every answer into a queue that grows.
func keepsAll() defect {
	var mu sync.Mutex
	var queue []message
	var sent [][]byte // to be sent again, should the need arise
	more := make(chan struct{}, 1)
	return defect{
		Name: "keeps-all-answers", Check: "NT-013",
		Doc: "keeps answers in memory until the server reads them, and longer, however many",
		Connected: func(w *wrapper) {
			if !w.first("sends") {
				return
			}
			go func() {
				for range more {
					mu.Lock()
					all := queue
					queue = nil
					mu.Unlock()
					for _, m := range all {
						w.say(m)
					}
				}
			}()
		},
		Reply: func(_ *wrapper, _, m message) []message {
			mu.Lock()
			defer mu.Unlock()
			queue, sent = append(queue, m), append(sent, m.with(nil).frame(), m.with(nil).frame())
			select {
			case more <- struct{}{}:
			default: // it knows
			}
			return nil
		},
	}
}

// volumeDefects are those that show with many messages, and with large ones.
func volumeDefects() []defect {
	const limit = 16 << 20
	return []defect{
		{
			Name: "loses-one-of-many", Check: "NT-029",
			Doc: "drops a message of the runtime when a queue is full",
			Reply: numbered(func(_ *wrapper, n int, m message) []message {
				if n == 5000 {
					return nil
				}
				return list(m)
			}),
		},
		{
			Name: "swaps-two-notes", Check: "NT-030",
			Doc: "gives messages to the runtime in threads, of which one was faster than the one before",
			Request: request("agentNote", func(w *wrapper, m message) message {
				switch w.count("note") {
				case 5000:
					w.keep("slower", m)
					return nil
				case 5001:
					slower, _ := w.kept("slower").(message)
					w.tell(m)
					return slower
				}
				return m
			}),
		},
		{
			Name: "takes-no-large-messages", Check: "NT-031",
			Doc: "drops messages of the runtime of more than 16 MiB, which its library refuses",
			Reply: numbered(func(_ *wrapper, _ int, m message) []message {
				if len(m.frame()) > limit {
					return nil
				}
				return list(m)
			}),
		},
		{
			Name: "sends-no-large-messages", Check: "NT-032",
			Doc: "drops messages to the runtime of more than 16 MiB",
			Request: request("snapshotArchiveImport", func(_ *wrapper, m message) message {
				if len(m.frame()) > limit {
					return nil
				}
				return m
			}),
		},
		{
			Name: "takes-what-does-not-fit", Check: "NT-033",
			Doc: "acknowledges a prompt before it knows whether there is room for it",
			Reply: reply("providerAgentStart", func(w *wrapper, request, m message) message {
				if m.text("error") != "" && w.first("overflow") {
					return success(request, "providerAgentStartResponse", nil)
				}
				return m
			}),
		},
		{
			Name: "serves-no-files-while-messages-wait", Check: "NT-034",
			Doc: "has one queue for the runtime and for files, which is full when the runtime reads nothing",
			Request: func(w *wrapper, m message) []message {
				switch m.text("type") {
				case "agentNote":
					w.count("notes")
				case "providerReadFile":
					if notes, _ := w.kept("notes").(int); notes > 10 {
						w.say(failure(m, "providerReadFileResponse", "providerReadFile: too many requests wait", "unavailable"))
						return nil
					}
				}
				return list(m)
			},
		},
	}
}
