package wire

import (
	"bytes"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// Extra holds the members of a message that its type does not know, as one
// JSON object. They are encoded again after the known ones.
type Extra = jsontext.Value

// Raw is one JSON value that is passed on without being looked at.
type Raw = jsontext.Value

// Marshal encodes a message. A string that is not valid UTF-8 is an error,
// never a silent replacement.
func Marshal(message any) ([]byte, error) { return json.Marshal(message, json.Deterministic(true)) }

// Unmarshal decodes a message. Names match exactly; invalid UTF-8 and members
// that stand twice are errors of kind Invalid, because two readers could take
// such a text for two different messages.
func Unmarshal(data []byte, message any) error {
	if err := json.Unmarshal(data, message); err != nil {
		return Errorf(Invalid, "malformed message: %w", err)
	}
	return nil
}

// ID is a requestId. The protocol has it as a string; a peer that sends
// anything else is read as having sent none, because such an id cannot be
// echoed into a string member.
type ID string

// NewID returns a fresh random id in the form the Node SDK uses, a UUID v4.
func NewID() ID { return ID(uuid.NewString()) }

// UnmarshalJSONFrom implements json.UnmarshalerFrom.
func (id *ID) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	*id = ""
	if dec.PeekKind() != '"' {
		return dec.SkipValue()
	}
	token, err := dec.ReadToken()
	if err == nil {
		*id = ID(token.String())
	}
	return err
}

// OrNew returns id, or a fresh one when it is empty: the requestId of an answer
// to a request that carried none.
func (id ID) OrNew() ID {
	if id == "" {
		return NewID()
	}
	return id
}

// Header is what every message begins with.
type Header struct {
	Type      string `json:"type"`
	Action    string `json:"action,omitzero"`
	RequestID ID     `json:"requestId,omitzero"`
}

// lenient reads what JavaScript writes and reads, which is more than Unmarshal
// takes: half of a character's surrogate pair, as a string cut in the middle of
// an emoji has, and a member that stands twice, of which the last counts.
var lenient = json.JoinOptions(jsontext.AllowInvalidUTF8(true), jsontext.AllowDuplicateNames(true))

// Peek reads the header of a frame without decoding the rest into anything.
// It fails with kind Invalid when the frame is no JSON object or its header is
// not to be read in one way alone. What Unmarshal refuses in the rest has a
// header all the same, so that a request can be answered and what is only passed
// on need not be understood.
func Peek(frame []byte) (Header, error) {
	var h Header
	if jsontext.Value(frame).Kind() != '{' {
		return h, Errorf(Invalid, "malformed message: not a JSON object")
	}
	err := Unmarshal(frame, &h)
	if err == nil {
		return h, nil
	}
	var whole jsontext.Value
	if json.Unmarshal(frame, &whole, lenient) != nil {
		return h, err
	}
	return scanHeader(frame, err)
}

// scanHeader reads the header of a valid object that Unmarshal refuses. It
// returns the refusal when that is for the header itself.
func scanHeader(object []byte, refusal error) (h Header, err error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(object), lenient)
	if _, err := dec.ReadToken(); err != nil {
		return Header{}, refusal
	}
	fields := map[string]any{"type": &h.Type, "action": &h.Action, "requestId": &h.RequestID}
	seen := map[string]bool{}
	for dec.PeekKind() != '}' {
		key, err := dec.ReadToken()
		if err != nil {
			return Header{}, refusal
		}
		name := key.String()
		value, err := dec.ReadValue()
		if err != nil {
			return Header{}, refusal
		}
		if into := fields[name]; into != nil {
			if seen[name] || json.Unmarshal(value, into) != nil {
				return Header{}, refusal
			}
			seen[name] = true
		}
	}
	return h, nil
}

// Stamp returns the frame with a top-level "timestamp" of now in milliseconds,
// as the Node base adds to what it forwards to a runtime; a frame that carries
// one already is returned as it is. All other bytes stay the same. The frame
// must be a valid JSON object.
func Stamp(frame []byte, now time.Time) ([]byte, error) {
	return withMember(frame, "timestamp", now.UnixMilli())
}

// withMember appends a member to a JSON object unless it has one of that name.
func withMember(object []byte, name string, value any) ([]byte, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(object), lenient)
	if _, err := dec.ReadToken(); err != nil {
		return nil, Errorf(Invalid, "malformed message: %w", err)
	}
	empty := true
	for dec.PeekKind() != '}' {
		empty = false
		key, err := dec.ReadToken()
		if err != nil {
			return nil, Errorf(Invalid, "malformed message: %w", err)
		}
		if key.String() == name {
			return object, nil
		}
		if err := dec.SkipValue(); err != nil {
			return nil, Errorf(Invalid, "malformed message: %w", err)
		}
	}
	end := dec.InputOffset() // after the last value
	member, err := Marshal(map[string]any{name: value})
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(object)+len(member)+1)
	out = append(out, object[:end]...)
	if !empty {
		out = append(out, ',')
	}
	out = append(out, member[1:len(member)-1]...)
	return append(out, object[end:]...), nil
}

// With returns a JSON object with these members and no others of their names, whatever
// it had under them; a nil value leaves the member out. All other bytes stay as they
// are. It fails with kind Invalid when object is no JSON object.
func With(object []byte, members map[string]any) ([]byte, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(object), lenient)
	if token, err := dec.ReadToken(); err != nil || token.Kind() != '{' {
		return nil, Errorf(Invalid, "malformed message: not a JSON object")
	}
	out := append(make([]byte, 0, len(object)+64*len(members)), '{')
	add := func(member []byte) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(out, member...)
	}
	for dec.PeekKind() != '}' {
		begin := dec.InputOffset()
		key, err := dec.ReadToken()
		if err != nil {
			return nil, Errorf(Invalid, "malformed message: %w", err)
		}
		_, replaced := members[key.String()]
		if err := dec.SkipValue(); err != nil {
			return nil, Errorf(Invalid, "malformed message: %w", err)
		}
		if !replaced {
			add(bytes.TrimLeft(object[begin:dec.InputOffset()], ", \t\r\n"))
		}
	}
	if _, err := dec.ReadToken(); err != nil {
		return nil, Errorf(Invalid, "malformed message: %w", err)
	}
	ours := map[string]any{}
	for name, value := range members {
		if value != nil {
			ours[name] = value
		}
	}
	if len(ours) > 0 {
		added, err := Marshal(ours)
		if err != nil {
			return nil, err
		}
		add(added[1 : len(added)-1])
	}
	return append(out, '}'), nil
}

// Time is an instant as the protocol writes it: ISO 8601 in UTC with
// milliseconds, as JavaScript's toISOString gives. The zero Time is omitted
// where a member is optional.
type Time struct{ time.Time }

const isoMilliseconds = "2006-01-02T15:04:05.000Z"

// Now returns the present instant.
func Now() Time { return Time{time.Now()} }

// MarshalJSONTo implements json.MarshalerTo.
func (t Time) MarshalJSONTo(enc *jsontext.Encoder) error {
	buf := append(enc.AvailableBuffer(), '"')
	buf = t.UTC().AppendFormat(buf, isoMilliseconds)
	return enc.WriteValue(append(buf, '"'))
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom. It reads any RFC 3339
// instant and, since some senders write them, milliseconds since 1970.
func (t *Time) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	value, err := dec.ReadValue()
	if err != nil {
		return err
	}
	switch value.Kind() {
	case '0':
		var ms float64
		if err := json.Unmarshal(value, &ms); err != nil {
			return err
		}
		t.Time = time.UnixMilli(int64(ms)).UTC()
		return nil
	case 'n':
		*t = Time{}
		return nil
	default:
		return json.Unmarshal(value, &t.Time)
	}
}
