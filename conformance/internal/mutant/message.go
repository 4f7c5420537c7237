package main

import (
	"encoding/json"
	"maps"
)

// message is a frame that is a JSON object. The bytes it came as are kept, so
// that what nobody changes goes on unchanged.
type message map[string]any

// original is the member under which a message keeps the bytes it came as.
const original = "\x00"

func parse(frame []byte) (message, bool) {
	var m message
	if json.Unmarshal(frame, &m) != nil || m == nil {
		return nil, false
	}
	m[original] = frame
	return m, true
}

func (m message) text(name string) string {
	text, _ := m[name].(string)
	return text
}

func (m message) object(name string) message {
	object, _ := m[name].(map[string]any)
	return object
}

// with is a changed copy; a nil value removes the member.
func (m message) with(changes message) message {
	changed := maps.Clone(m)
	delete(changed, original)
	for name, value := range changes {
		if value == nil {
			delete(changed, name)
		} else {
			changed[name] = value
		}
	}
	return changed
}

// result is an answer with another result.
func (m message) result(value any) message { return m.with(message{"message": value}) }

func (m message) frame() []byte {
	if frame, ok := m[original].([]byte); ok {
		return frame
	}
	frame, err := json.Marshal(map[string]any(m))
	if err != nil {
		panic(err) // it came as JSON
	}
	return frame
}

// success answers a request as a correct provider does.
func success(request message, action string, result any) message {
	m := message{"type": "remoteProviderEvent", "action": action, "requestId": request["requestId"]}
	if result != nil {
		m["message"] = result
	}
	return m
}

// failure answers a request with an error.
func failure(request message, action, sentence, code string) message {
	return message{"type": "remoteProviderEvent", "action": action, "requestId": request["requestId"], "error": sentence, "code": code}
}
