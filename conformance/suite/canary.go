package suite

import (
	"bytes"
	"crypto/rand"
	"sync"
)

// canaries are secrets that every provider finds in its environment and that no
// one must ever see again.
type canaries struct {
	variables map[string]string

	mu    sync.Mutex
	seen  map[string]bool
	leaks []string
}

// canary begins each secret, so that most texts are searched once.
const canary = "canary-"

func newCanaries() *canaries {
	c := &canaries{variables: map[string]string{}, seen: map[string]bool{}}
	for _, name := range []string{"CONFORMANCE_API_KEY", "AWS_SECRET_ACCESS_KEY", "E2B_API_KEY", "CONFORMANCE_PASSWORD"} {
		c.variables[name] = canary + rand.Text()
	}
	return c
}

// look notes a canary in some text.
func (c *canaries) look(where string, text []byte) {
	if !bytes.Contains(text, []byte(canary)) {
		return
	}
	for name, value := range c.variables {
		if !bytes.Contains(text, []byte(value)) {
			continue
		}
		c.mu.Lock()
		if leak := name + " in " + where; !c.seen[leak] {
			c.seen[leak] = true
			c.leaks = append(c.leaks, leak)
		}
		c.mu.Unlock()
	}
}

// found returns the leaks so far.
func (c *canaries) found() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.leaks...)
}
