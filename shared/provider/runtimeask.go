package provider

import (
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// ask passes a request on to codebolt-runtime, which answers it. Where it cannot be
// passed on, it is answered here: another agent server would give it to an agent.
func (s *session) ask(head wire.Header, frame []byte) {
	o, err := s.life.open()
	switch {
	case err != nil:
	case o.bridge == nil:
		err = wire.Errorf(wire.Unsupported, "%s: this environment has no runtime", head.Type)
	case o.bridge.access.Plain:
		err = wire.Errorf(wire.Unsupported, "%s: only codebolt-runtime can do that, and this environment has another agent server", head.Type)
	default:
		err = s.forwardTraced(o.bridge, head, frame)
	}
	if err == nil {
		return
	}
	s.sendJSON(wire.RuntimeRefusal{Header: wire.Header{Type: head.Type + "Response", RequestID: head.RequestID.OrNew()}, Problem: wire.ProblemOf(s.redactor.Error(err))})
}
