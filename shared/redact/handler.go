package redact

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
)

// NewHandler returns a handler that passes records to inner with the message,
// and every attribute at any depth, redacted: by value as [Redactor.String] and
// [Redactor.JSON] do, and wholly when the attribute's key or a group around it
// is a secret's name. Errors keep their type for errors.As; other composite
// values that hold a secret are turned into JSON. It is safe for concurrent use
// when inner is.
func NewHandler(inner slog.Handler, r *Redactor) slog.Handler {
	return &handler{inner: inner, redactor: r}
}

type handler struct {
	inner    slog.Handler
	redactor *Redactor
	secret   bool // within a group that has a secret's name
}

func (h *handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.inner.Enabled(ctx, level)
}

func (h *handler) Handle(ctx context.Context, record slog.Record) error {
	out := slog.NewRecord(record.Time, record.Level, h.redactor.String(record.Message), record.PC)
	record.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(h.redactor.attr(a, h.secret))
		return true
	})
	return h.inner.Handle(ctx, out)
}

func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &handler{h.inner.WithAttrs(h.redactor.attrs(attrs, h.secret)), h.redactor, h.secret}
}

func (h *handler) WithGroup(name string) slog.Handler {
	return &handler{h.inner.WithGroup(name), h.redactor, h.secret || SecretName(name)}
}

func (r *Redactor) attrs(attrs []slog.Attr, secret bool) []slog.Attr {
	out := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		out[i] = r.attr(a, secret)
	}
	return out
}

func (r *Redactor) attr(a slog.Attr, secret bool) slog.Attr {
	secret = secret || SecretName(a.Key)
	return slog.Attr{Key: r.String(a.Key), Value: r.value(a.Value.Resolve(), secret)}
}

func (r *Redactor) value(v slog.Value, secret bool) slog.Value {
	switch v.Kind() {
	case slog.KindGroup:
		return slog.GroupValue(r.attrs(v.Group(), secret)...)
	case slog.KindBool, slog.KindDuration, slog.KindTime:
		return v
	case slog.KindString:
		switch {
		case !secret:
			return slog.StringValue(r.hideString(v.String()))
		case v.String() == "":
			return v
		}
		return slog.StringValue(Mask)
	case slog.KindAny:
		if secret && v.Any() != nil {
			return slog.StringValue(Mask)
		}
		return r.any(v.Any())
	default: // numbers
		if secret {
			return slog.StringValue(Mask)
		}
		return v
	}
}

// any redacts a value of any type. A value that cannot be shown without a panic
// is not shown: logging must not end the program.
func (r *Redactor) any(v any) (out slog.Value) {
	defer func() {
		if p := recover(); p != nil {
			out = slog.StringValue(fmt.Sprintf("!PANIC while logging a %T", v))
		}
	}()
	switch v := v.(type) {
	case nil:
		return slog.AnyValue(nil)
	case error:
		return slog.AnyValue(r.Error(v))
	case *url.URL:
		return slog.StringValue(r.URL(v))
	case url.URL:
		return slog.StringValue(r.URL(&v))
	case json.RawMessage:
		return slog.AnyValue(json.RawMessage(r.JSON(v)))
	case []byte:
		return slog.StringValue(r.hideString(string(v)))
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	text := fmt.Sprintf("%+v", v)
	if err := enc.Encode(v); err != nil {
		return slog.StringValue(r.String(text))
	}
	before := bytes.TrimSpace(buf.Bytes())
	after := r.JSON(before)
	// Handlers print either form, and they can differ in what they show.
	if bytes.Equal(before, after) && r.hideKnown(text) == text {
		return slog.AnyValue(v)
	}
	return slog.AnyValue(json.RawMessage(after))
}
