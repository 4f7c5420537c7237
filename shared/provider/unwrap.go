package provider

import (
	"errors"

	"github.com/codeboltai/codebolt-providers/shared/link"
	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// unwrap makes of a message of the execution gateway what goes to the server; nil when
// nothing does.
func (b *bridge) unwrap(head wire.Header, frame []byte) (wire.Header, []byte) {
	out := b.gate.FromRuntime(head, frame)
	if out.ToRuntime != nil {
		b.reply(out.ToRuntime)
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

// reply answers the runtime itself. It may be called as soon as the runtime speaks, when
// connectBridge has not returned yet.
func (b *bridge) reply(frame []byte) {
	b.mu.Lock()
	client := b.client
	if client == nil {
		b.early = append(b.early, frame)
	}
	b.mu.Unlock()
	if client == nil {
		return
	}
	if err := client.Send(frame); err != nil && !errors.Is(err, link.ErrClosed) {
		b.s.log.Warn("request of the runtime not answered", "error", err)
	}
}

// connected takes the client, and has it say what was kept until now.
func (b *bridge) connected(client *runtime.Client) {
	b.mu.Lock()
	b.client = client
	early := b.early
	b.early = nil
	b.mu.Unlock()
	for _, frame := range early {
		b.reply(frame)
	}
}
