//go:build linux

package runtime_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/link"
	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// The greeting belongs to the connection; a server takes it for an agent's.
func TestTheGreetingOfARuntimeIsNotPassedOnAsAMessage(t *testing.T) {
	t.Parallel()
	p := start(t, spec(t))
	var (
		mu  sync.Mutex
		got []string
	)
	asked := make(chan struct{})
	c, err := runtime.Connect(t.Context(), runtime.ClientOptions{
		Dial: p.Dial, Token: p.Token(), Resume: true,
		OnMessage: func(head wire.Header, _ link.Message) {
			mu.Lock()
			defer mu.Unlock()
			if got = append(got, head.Type); len(got) == 1 {
				close(asked)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer leave(c)
	// A message for an agent that is not there is answered with an error.
	if err := c.Send([]byte(`{"type":"messageResponse","messageId":"m","message":{"selectedAgent":{"id":"a","agentType":"nothing"}}}`)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-asked:
	case <-time.After(20 * time.Second):
		t.Fatal("the runtime says nothing")
	}
	mu.Lock()
	defer mu.Unlock()
	if slices.Contains(got, wire.TypeRegistered) {
		t.Errorf("messages %v", got)
	}
}
