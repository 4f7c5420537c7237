package gateway_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/gateway"
)

// late makes an exchange whose replies to requests that waited too long are collected.
func late(patience time.Duration) (*gateway.Exchange, chan string) {
	said := make(chan string, 16)
	return &gateway.Exchange{Patience: patience, Late: func(reply []byte) { said <- string(reply) }}, said
}

// none fails when something was said.
func none(t *testing.T, what string, said chan string) {
	t.Helper()
	synctest.Wait()
	select {
	case reply := <-said:
		t.Errorf("%s: %s", what, reply)
	default:
	}
}

func TestAnswersThatDoNotComeAreSaidNotToCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, said := late(0)
		from(t, x, fmt.Sprintf(ask, "g1", "a1", 1))
		time.Sleep(gateway.DefaultPatience - time.Second)
		none(t, "before its time", said)
		time.Sleep(time.Second)
		synctest.Wait()
		same(t, "the reply", <-said, `{"type":"executionGateway.reply","requestId":"reply-g1","replyRequestId":"g1","success":false,"result":{"error":"Request timed out","code":"timeout","retryable":true}}`)
		if x.Open() != 0 {
			t.Error("it still waits")
		}
	})
}

func TestAPersonMayTakeAnyTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, said := late(0)
		for i, typ := range []string{"inference", "confirmationRequest", "waitforReply"} {
			from(t, x, fmt.Sprintf(`{"type":"executionGateway.request","requestId":"g%d","originalType":%q,"originalMessage":{"type":%[2]q,"requestId":"a%[1]d"}}`, i, typ))
		}
		time.Sleep(24 * time.Hour)
		none(t, "a person was hurried", said)
		if _, matched := server(t, x, `{"type":"llmResponse","requestId":"a0"}`); !matched || x.Open() != 2 {
			t.Errorf("after a day, %d wait", x.Open())
		}
	})
}

func TestADeadlineIsOfOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, said := late(time.Minute)
		from(t, x, fmt.Sprintf(ask, "g1", "a", 1))
		time.Sleep(40 * time.Second)
		server(t, x, `{"type":"r","requestId":"a"}`)
		from(t, x, fmt.Sprintf(ask, "g2", "a", 2)) // the agent uses its id again
		time.Sleep(40 * time.Second)
		none(t, "the first one's deadline ended the second", said)
		x.Forget()
		from(t, x, fmt.Sprintf(ask, "g3", "a", 3))
		time.Sleep(40 * time.Second)
		none(t, "a deadline from before the connection broke ended another", said)
		if x.Open() != 1 {
			t.Errorf("%d wait", x.Open())
		}
	})
}

func TestAnAnswerTooManyIsDroppedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, _ := late(time.Minute)
		answer := `{"type":"readFileResponse","requestId":"a1","content":"x"}`
		drops := func(what, frame string) {
			t.Helper()
			before := x.Dropped()
			if out, matched := server(t, x, frame); out != "" || matched || x.Dropped() != before+1 {
				t.Errorf("%s: became %s, and %d were dropped", what, out, x.Dropped()-before)
			}
		}
		passes := func(what, frame string) {
			t.Helper()
			before := x.Dropped()
			if out, matched := server(t, x, frame); out != frame || matched || x.Dropped() != before {
				t.Errorf("%s: became %s", what, out)
			}
		}
		passes("what was never asked", answer)
		from(t, x, fmt.Sprintf(ask, "g1", "a1", 1))
		server(t, x, answer)
		drops("the second time", answer)
		passes("a further message of another type", `{"type":"progress","requestId":"a1"}`)
		from(t, x, fmt.Sprintf(ask, "g2", "a1", 2))
		if _, matched := server(t, x, answer); !matched {
			t.Error("an id that is used again has no answer")
		}
		from(t, x, fmt.Sprintf(ask, "g3", "a3", 3))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		drops("too late", `{"type":"readFileResponse","requestId":"a3"}`)
		from(t, x, fmt.Sprintf(ask, "g4", "a4", 4))
		x.Forget()
		drops("after the connection broke", `{"type":"readFileResponse","requestId":"a4"}`)
		passes("a message without an id", `{"type":"messageResponse"}`)

		// What has ended is remembered for so long, and not for ever.
		for i := range 1024 {
			from(t, x, fmt.Sprintf(ask, "g", fmt.Sprint("b", i), i))
			server(t, x, fmt.Sprintf(`{"type":"r","requestId":"b%d"}`, i))
		}
		passes("what ended long ago", `{"type":"readFileResponse","requestId":"a4"}`)
		drops("the oldest that is remembered", `{"type":"r","requestId":"b0"}`)
	})
}
