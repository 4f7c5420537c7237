package provider

import (
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// gatewayPatience is how long what a runtime asks through the gateway waits for its
// answer, unless a person or a model has to give it.
const gatewayPatience = 2 * time.Minute

// unwrap makes of a message of the execution gateway what goes to the server; nil when
// nothing does.
func (b *bridge) unwrap(head wire.Header, frame []byte) (wire.Header, []byte) {
	out := b.gate.FromRuntime(head, frame)
	if out.ToRuntime != nil {
		b.reply(out.ToRuntime)
	}
	if out.Asked != "" && !out.Patient {
		time.AfterFunc(gatewayPatience, func() {
			if reply, waited := b.gate.Expire(out); waited {
				b.reply(reply)
			}
		})
	}
	if out.ToServer == nil {
		return head, nil
	}
	inner, err := wire.Peek(out.ToServer)
	if err != nil {
		return head, nil // what is in a wrapper has been read already
	}
	return inner, out.ToServer
}

// reply answers the runtime itself.
func (b *bridge) reply(frame []byte) {
	if err := b.client.Send(frame); err != nil {
		b.s.log.Warn("request of the runtime not answered", "error", err)
	}
}
