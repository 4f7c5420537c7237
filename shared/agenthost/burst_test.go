//go:build linux

package agenthost_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/agenthost"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestMoreFileCallsAtOnceThanRunAreAllAnswered(t *testing.T) {
	t.Parallel()
	r := start(t, agenthost.Options{})
	p := r.connect(r.dial)
	want := bytes.Repeat([]byte("x"), 128<<10)
	if err := os.WriteFile(filepath.Join(r.workspace, "big"), want, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	files := p.FS(r.workspace)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() {
			if data, err := files.ReadFile(ctx, "big", 1<<20); err != nil || len(data) != len(want) {
				t.Errorf("read %d bytes, %v", len(data), err)
			}
		})
	}
	wg.Wait()
}

func TestEveryMessageOfABurstGetsItsEnd(t *testing.T) {
	t.Parallel()
	r := start(t, agenthost.Options{})
	p := r.connect(r.dial)
	const count = 500
	for i := range count {
		p.send(wire.MessageResponse{Header: wire.Header{Type: wire.TypeMessageResponse}, MessageID: fmt.Sprint(i)}) // selects no agent
	}
	ends := map[string]bool{}
	timeout := time.After(10 * time.Second)
	for len(ends) < count {
		select {
		case h := <-p.heard:
			if h.head.Type != wire.TypeProcessStopped {
				continue
			}
			m := &wire.ProcessStopped{}
			if err := wire.Unmarshal(h.frame, m); err != nil {
				t.Fatal(err)
			}
			ends[m.MessageID] = true
		case <-timeout:
			t.Fatalf("%d of %d messages got an end", len(ends), count)
		}
	}
}

func TestACommandEndsAlsoWhenSomethingOutsideItsGroupHoldsItsOutput(t *testing.T) {
	t.Parallel()
	r := start(t, agenthost.Options{})
	p := r.connect(r.dial)
	p.prompt("a", sh(`setsid sleep 1000 & echo $!; i=0; while [ $i -lt 2000 ]; do echo "line $i"; i=$((i+1)); done`))
	s := p.follow("a", nil)
	first, _, _ := strings.Cut(string(s.stdout), "\n")
	child, err := strconv.Atoi(first)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(child, syscall.SIGKILL); err != nil { // it is in a session of its own
		t.Error(err)
	}
	if s.end.ExitCode == nil || *s.end.ExitCode != 0 || !strings.HasSuffix(string(s.stdout), "line 1999\n") {
		t.Errorf("%d bytes, end %+v", len(s.stdout), s.end)
	}
}
