package wire_test

import (
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestAFrameThatOnlyJavaScriptTakesHasAHeaderAndPassesUnchanged(t *testing.T) {
	for _, rest := range []string{`"content":"half \ud83d"`, `"path":"a","path":"b"`, "\"content\":\"\xff\""} {
		frame := `{"type":"providerWriteFile","requestId":"r",` + rest + `}`
		head, err := wire.Peek([]byte(frame))
		if err != nil || head.Type != wire.TypeWriteFile || head.RequestID != "r" {
			t.Errorf("%s: header %+v, %v", frame, head, err)
		}
		if err := wire.Unmarshal([]byte(frame), &wire.FileRequest{}); wire.CodeOf(err) != wire.Invalid {
			t.Errorf("%s is taken for a request: %v", frame, err)
		}
		stamped, err := wire.Stamp([]byte(frame), time.UnixMilli(7))
		if want := frame[:len(frame)-1] + `,"timestamp":7}`; err != nil || string(stamped) != want {
			t.Errorf("stamped as %s, %v", stamped, err)
		}
	}
}
