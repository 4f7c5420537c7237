package redact

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// JSON returns the text with everything hidden that stands under a secret's name
// and everything that [Redactor.String] hides in a string. Text that was valid
// JSON stays so, and what is not hidden keeps every byte; text that was not is
// treated as a plain string. It may be a sequence of values. The argument is not
// changed, but may be returned.
func (r *Redactor) JSON(text []byte) []byte {
	out, err := r.redactJSON(text)
	if err != nil {
		return []byte(r.String(string(text)))
	}
	return out
}

// container is an object or array being read.
type container struct {
	object bool
	secret bool // stands under a secret's name
	name   bool // a name comes next
	hide   bool // the value that comes next has a secret's name
}

func (r *Redactor) redactJSON(text []byte) ([]byte, error) {
	dec := jsontext.NewDecoder(bytes.NewBuffer(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	var (
		out   []byte
		kept  int // how much of text is in out
		stack = []container{{}}
	)
	for {
		top := &stack[len(stack)-1]
		switch kind := dec.PeekKind(); kind {
		case '{', '[':
			if _, err := dec.ReadToken(); err != nil {
				return nil, err
			}
			secret := top.secret || top.hide
			top.hide, top.name = false, top.object
			stack = append(stack, container{object: kind == '{', name: kind == '{', secret: secret})
		case '}', ']':
			if _, err := dec.ReadToken(); err != nil {
				return nil, err
			}
			stack = stack[:len(stack)-1]
		default:
			value, err := dec.ReadValue()
			if errors.Is(err, io.EOF) {
				if out == nil {
					return text, nil
				}
				return append(out, text[kept:]...), nil
			}
			if err != nil {
				return nil, err
			}
			replacement, err := r.scalar(value, top)
			if err != nil {
				return nil, err
			}
			if replacement != nil {
				end := int(dec.InputOffset())
				out = append(append(out, text[kept:end-len(value)]...), replacement...)
				kept = end
			}
		}
	}
}

// scalar is what stands instead of a value or a name; nil when it may stay.
func (r *Redactor) scalar(value jsontext.Value, in *container) ([]byte, error) {
	isName := in.object && in.name
	secret := !isName && (in.secret || in.hide)
	in.name = in.object && !in.name
	in.hide = false
	switch value.Kind() {
	case '0':
		if secret {
			return []byte(`"` + Mask + `"`), nil
		}
		return nil, nil
	case '"':
	default:
		return nil, nil
	}
	var before string
	if err := json.Unmarshal(value, &before); err != nil {
		return nil, err
	}
	if isName {
		in.hide = SecretName(before)
	}
	if secret {
		if before == "" {
			return nil, nil
		}
		return []byte(`"` + Mask + `"`), nil
	}
	after := r.hideString(before)
	if after == before {
		return nil, nil
	}
	return jsontext.AppendQuote(nil, after)
}

// hideString treats a string that is a JSON document as one, such as the value
// of ENVIRONMENT_CONFIG: names tell more about it than shapes.
func (r *Redactor) hideString(text string) string {
	if trimmed := strings.TrimSpace(text); strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "[") {
		if out, err := r.redactJSON([]byte(text)); err == nil {
			return string(out)
		}
	}
	return r.String(text)
}
