package main

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/gorilla/websocket"
)

// dies is a defect of a process that ends by frames of some kind.
func dies(name, check, doc string, of func(kind int, frame []byte) bool, also ...string) defect {
	return defect{
		Name: name, Check: check, Also: also, Doc: doc,
		Raw: func(w *wrapper, kind int, frame []byte) bool {
			if of(kind, frame) {
				w.die(2)
			}
			return true
		},
	}
}

// nested is how deep the brackets of a text are at most.
func nested(frame []byte) int {
	depth, most := 0, 0
	for _, b := range frame {
		switch b {
		case '[', '{':
			depth++
			most = max(most, depth)
		case ']', '}':
			depth--
		}
	}
	return most
}

// object reports whether JSON is an object.
func object(frame []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(frame), []byte("{")) }

const (
	mebibyte   = 1 << 20
	mostFrame  = 100 * mebibyte
	mostAnswer = 16 * mebibyte
	mostDepth  = 10_000
	// unready is how long some handlers are missing after a connection opens.
	unready = 100 * time.Millisecond
)

// badFrames are frames that a provider does not take.
func badFrames() []defect {
	return []defect{
		{
			Name: "grants-every-event", Check: "PR-031",
			Doc: "answers a remoteProviderEvent as carried out, whatever its action",
			Request: request("remoteProviderEvent", func(w *wrapper, m message) message {
				action := m.text("action")
				if action == "providerProspectivePath" {
					return m
				}
				w.say(success(m, action+"Response", nil))
				return nil
			}),
		},
		dies("dies-of-malformed-json", "PR-032", "ends by an uncaught error when a frame is no JSON",
			func(kind int, frame []byte) bool {
				return kind == websocket.TextMessage && !json.Valid(frame) && nested(frame) < mostDepth
			},
			"PR-009"),
		dies("dies-of-json-that-is-no-object", "PR-033", "ends when a frame is JSON in which it finds no members",
			func(kind int, frame []byte) bool {
				return kind == websocket.TextMessage && json.Valid(frame) && !object(frame)
			}),
		dies("dies-without-a-type", "PR-034", "ends when a message's type is absent or no string",
			func(_ int, frame []byte) bool {
				m, ok := parse(frame)
				_, typed := m["type"].(string)
				return ok && !typed
			}),
		dies("dies-of-binary-frames", "PR-035", "ends when a frame is no text",
			func(kind int, _ []byte) bool { return kind == websocket.BinaryMessage }),
		dies("dies-of-large-frames", "PR-036", "ends when a frame is larger than it takes",
			func(_ int, frame []byte) bool { return len(frame) > mostFrame }),
		dies("dies-of-deep-json", "PR-037", "ends with its stack when it decodes JSON that is nested too deeply",
			func(_ int, frame []byte) bool { return nested(frame) > mostDepth }),
		{
			Name: "cuts-large-answers", Check: "PR-038",
			Doc: "sends no more of a file than fits a frame of 16 MiB",
			Reply: func(_ *wrapper, _, m message) []message {
				if text := m.text("message"); len(text) > mostAnswer {
					return list(m.result(text[:mostAnswer]))
				}
				return list(m)
			},
		},
		{
			Name: "listens-too-late", Check: "PR-039", Also: []string{"PR-041", "PR-044", "MF-009"},
			Doc:       "attaches the handlers of file requests a moment after the connection has opened",
			Connected: func(w *wrapper) { w.keep("opened", time.Now()) },
			Request: request("providerReadFile", func(w *wrapper, m message) message {
				if opened, _ := w.kept("opened").(time.Time); time.Since(opened) < unready {
					return nil
				}
				return m
			}),
		},
	}
}
