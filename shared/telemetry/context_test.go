package telemetry_test

import (
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/telemetry"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

const (
	trace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	span   = "00f067aa0ba902b7"
	parent = "00-" + trace + "-" + span + "-01"
)

func TestAContextIsReadFromTheMessageItselfOnly(t *testing.T) {
	t.Parallel()
	for frame, want := range map[string]telemetry.Context{
		`{"type":"a","traceparent":"` + parent + `"}`:                       {Parent: parent},
		`{"traceparent":"` + parent + `","tracestate":"v=1","x":{"y":[1]}}`: {Parent: parent, State: "v=1"},
		`{"message":{"traceparent":"` + parent + `"}}`:                      {},
		`{"text":"\"traceparent\""}`:                                        {},
		`{"traceparent":"00-0-0-01"}`:                                       {},
		`{"traceparent":"00-` + trace + `-0000000000000000-01"}`:            {},
		`{"traceparent":"` + parent + `","tracestate":"v=\u0000"}`:          {Parent: parent},
		`{"traceparent":"cc-` + trace + `-` + span + `-01-\u0000"}`:         {Parent: parent},
		`{"traceparent":7}`:                                                 {},
		`{"traceparent":"` + parent + `"`:                                   {Parent: parent}, // cut after it
		`["traceparent"]`:                                                   {},
		`{"traceparent"`:                                                    {},
		``:                                                                  {},
	} {
		if got := telemetry.ContextOf([]byte(frame)); got != want {
			t.Errorf("%s: got %+v, want %+v", frame, got, want)
		}
	}
}

func TestAContextTakesThePlaceOfAnotherAndLeavesTheRestAsItIs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		put         telemetry.Context
		frame, want string
	}{
		{telemetry.Context{}, `{"a" : 1 }`, `{"a" : 1 }`},
		{telemetry.Context{Parent: parent}, `{"a" : 1.0,"tracestate":"old=1","traceparent":"old"}`, `{"a" : 1.0,"traceparent":"` + parent + `"}`},
		{telemetry.Context{Parent: parent, State: "v=1"}, `{}`, `{"traceparent":"` + parent + `","tracestate":"v=1"}`},
	} {
		if got, err := c.put.Put([]byte(c.frame)); err != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v", c.frame, got, err)
		}
	}
	if _, err := (telemetry.Context{Parent: parent}).Put([]byte(`[]`)); wire.CodeOf(err) != wire.Invalid {
		t.Errorf("no object: %v", err)
	}
}
