package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

func TestTheLiveLineTellsWhatRunsAndFitsTheTerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := &progress{out: &out, counts: map[suite.Outcome]int{}, began: time.Now()}
	p.event(suite.Event{Result: &suite.Result{ID: "FS-001"}, Total: 3})
	p.event(suite.Event{Result: &suite.Result{ID: "FS-002"}, Total: 3})
	p.event(suite.Event{Result: &suite.Result{
		ID: "FS-001", Title: "It reads", Outcome: suite.Failed, Level: suite.Should, Failures: []suite.Failure{{Message: "it \x1b[2J does not\nat all"}},
	}, Done: 1, Total: 3})
	if got := p.status(80); got != "1/3, 1 failed  0s  FS-002" {
		t.Errorf("the line is %q", got)
	}
	if got := p.status(10); len(got) >= 10 {
		t.Errorf("the line %q does not fit into 10 columns", got)
	}
	if got := out.String(); got != "fail  FS-001  It reads: it \\u001b[2J does not (SHOULD)\n" {
		t.Errorf("printed %q", got)
	}
}

func TestTheLiveLineIsGoneBeforeAnotherIsPrinted(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := &progress{out: &out, live: &out, counts: map[suite.Outcome]int{}, began: time.Now(), drawn: true}
	p.event(suite.Event{Result: &suite.Result{ID: "FS-001", Outcome: suite.Skipped, Reason: "it cannot"}, Done: 1, Total: 1})
	if got := out.String(); !strings.HasPrefix(got, "\r\x1b[Kskip  FS-001") {
		t.Errorf("printed %q", got)
	}
}
