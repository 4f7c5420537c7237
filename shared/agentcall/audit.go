package agentcall

import (
	"time"

	"github.com/codeboltai/codebolt-providers/shared/redact"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// maxAudited is how much of a command is written down.
const maxAudited = 200

// decision is a line of the audit. It holds no content of files, and of commands the
// beginning, without what looks like a secret.
type decision struct {
	Time     string   `json:"time"`
	Agent    string   `json:"agent"`
	Instance string   `json:"instance"`
	Need     string   `json:"need"`
	Request  string   `json:"request"`
	Paths    []string `json:"paths,omitzero"`
	Command  string   `json:"command,omitzero"`
	// Decision is allowed, denied, asked, approved, rejected or timeout.
	Decision string `json:"decision"`
	By       string `json:"by"` // the rule or the mode of the policy, or a person
}

// audit writes down a decision.
func (c *Caller) audit(s *subject, what, by string) {
	w := c.s.opt.Audit
	if w == nil {
		return
	}
	var secrets *redact.Redactor
	line, err := wire.Marshal(&decision{
		Time: time.Now().UTC().Format(time.RFC3339Nano), Agent: c.agent.ID, Instance: c.agent.InstanceID,
		Need: s.need.String(), Request: s.action, Paths: s.shown(), Command: cut(secrets.String(s.line), maxAudited),
		Decision: what, By: by,
	})
	if err == nil {
		c.s.auditing.Lock()
		defer c.s.auditing.Unlock()
		_, err = w.Write(append(line, '\n'))
	}
	if err != nil {
		c.s.opt.Log.Error("audit", "request", s.action, "decision", what, "error", err)
	}
}
