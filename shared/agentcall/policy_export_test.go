package agentcall

import "github.com/codeboltai/codebolt-providers/shared/wire"

// Judge has the policy judge a request for files, whoever carries it out.
func Judge(c *Caller, frame []byte, write bool) error {
	head, err := wire.Peek(frame)
	if err != nil {
		return err
	}
	r := &request{Header: head, frame: frame, verb: verb{need: needRead}}
	if write {
		r.verb.need = needWrite
	}
	return c.allow(c.ctx, r)
}

// Hides is what searches ask the policy.
func Hides(p Policy, name string) bool { return p.hides(name) }
