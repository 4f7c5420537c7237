package agentcall

import (
	"errors"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestAnAgentIsAnsweredWhateverCameOfItsRequest(t *testing.T) {
	for name, c := range map[string]struct {
		body any
		err  error
	}{
		"a sentence with bytes":     {nil, errors.New("torn \xe2\x82")},
		"a body with bytes":         {map[string]string{"content": "\xff"}, nil},
		"a body that is no object":  {(*written)(nil), nil},
		"a body with a member more": {map[string]string{"type": "other"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t)
			d.caller.answer(&request{Header: wire.Header{RequestID: "r1"}, verb: verb{response: "someResponse"}}, c.body, c.err)
			m := d.answer()
			same(t, m, map[string]any{"type": "someResponse", "requestId": "r1", "success": false})
			if text, _ := m["error"].(string); strings.TrimSpace(text) == "" || m["message"] != text {
				t.Errorf("the answer is %v", m)
			}
		})
	}
}
