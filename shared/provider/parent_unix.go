//go:build unix

package provider

import (
	"os"
	"sync"
	"time"
)

// parentPoll is how often the parent is looked for. There is no portable event
// for it; end of file on stdin is none, because a parent may start its children
// with stdin closed.
const parentPoll = time.Second

// watchParent calls gone once when the process that started this one ends. A
// process whose parent is init from the beginning has nobody to miss.
func watchParent(gone func()) (stop func()) {
	parent := os.Getppid()
	if parent == 1 {
		return func() {}
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		ticker := time.NewTicker(parentPoll)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				if os.Getppid() != parent {
					gone()
					return
				}
			}
		}
	})
	return func() {
		close(done)
		wg.Wait()
	}
}
