package agenthost_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/agenthost"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Other systems do not show the environment of processes, by which those are known
// that have left.
func TestStoppingAnAgentStopsAlsoWhatHasLeftItsSession(t *testing.T) {
	t.Parallel()
	r := start(t, agenthost.Options{})
	p := r.connect(r.dial)
	p.prompt("daemons", sh(`setsid sh -c 'echo $$; exec sleep 1000' </dev/null 2>/dev/null & sleep 1000`))
	s := p.follow("daemons", func(s *story) bool { return strings.HasSuffix(string(s.stdout), "\n") })
	child, err := strconv.Atoi(strings.TrimSpace(string(s.stdout)))
	if err != nil {
		t.Fatal(err)
	}
	p.send(wire.StopProcess{Header: wire.Header{Type: wire.TypeStopProcess}, AgentID: "daemons", GraceMS: 300})
	p.follow("daemons", nil)
	awaitDeath(t, child)
}
