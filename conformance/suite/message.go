package suite

import (
	"encoding/json"
	"fmt"
)

// Message is a JSON object as it crosses the wire. Numbers are float64.
type Message map[string]any

// Type is the member "type", or "".
func (m Message) Type() string { return m.Text("type") }

// Text is a member that is a string; "" when it is absent or no string.
func (m Message) Text(name string) string {
	text, _ := m[name].(string)
	return text
}

// Object is a member that is an object; nil when it is absent or none.
func (m Message) Object(name string) Message {
	object, _ := m[name].(map[string]any)
	return object
}

// Has reports whether there is such a member, whatever its value.
func (m Message) Has(name string) bool {
	_, ok := m[name]
	return ok
}

// With is a copy with further members.
func (m Message) With(more Message) Message {
	all := make(Message, len(m)+len(more))
	for k, v := range m {
		all[k] = v
	}
	for k, v := range more {
		all[k] = v
	}
	return all
}

// String renders the message as JSON.
func (m Message) String() string { return show(m) }

// show renders a value as JSON, shortened.
func show(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		text = fmt.Appendf(nil, "%v", v)
	}
	return shorten(string(text), shownBytes)
}

// shownBytes bounds what is shown of one value.
const shownBytes = 2 << 10

func shorten(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return fmt.Sprintf("%s… (%d bytes in all)", text[:limit], len(text))
}

func decode(frame []byte) (Message, error) {
	var m Message
	err := json.Unmarshal(frame, &m)
	return m, err
}
