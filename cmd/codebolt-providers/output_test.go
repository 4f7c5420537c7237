package main

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

func TestLinesBecomeEventsHoweverTheyArrive(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	lines := &jsonLines{app: &app{stdout: &out}, stream: "stdout"}
	var errs []error
	for _, piece := range []string{"one\ntw", "o\n\nthr", "ee"} {
		_, err := fmt.Fprint(lines, piece)
		errs = append(errs, err)
	}
	if err := errors.Join(append(errs, lines.end(), lines.end())...); err != nil {
		t.Fatal(err)
	}
	want := `{"event":"output","stream":"stdout","data":"one\n"}
{"event":"output","stream":"stdout","data":"two\n"}
{"event":"output","stream":"stdout","data":"\n"}
{"event":"output","stream":"stdout","data":"three"}
`
	if out.String() != want {
		t.Errorf("%s", &out)
	}
}
