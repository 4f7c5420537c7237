package agentcall_test

import (
	"strings"
	"testing"
)

// Other systems do not show the environment of processes, by which those are known
// that have left.
func TestClosingEndsAlsoWhatHasLeftItsSession(t *testing.T) {
	t.Parallel()
	c := newConsole(t, nil)
	got := c.run(`setsid sh -c 'echo $$ >pid; exec sleep 1000' </dev/null >/dev/null 2>&1 & while [ ! -s pid ]; do sleep 0.01; done; cat pid`)
	pid := strings.TrimSpace(got["stdout"].(string))
	if !alive(t, pid) {
		t.Fatal("it does not run")
	}
	c.caller.Close()
	awaitDeath(t, pid)
}
