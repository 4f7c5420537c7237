package terminal

import (
	"sync"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// program is what runs in a terminal: nothing, here.
type program struct{}

func (t *Terminal) start(Options, *sync.WaitGroup) error {
	return wire.Errorf(wire.Unsupported, "open a terminal: there are none on Windows yet; run commands instead")
}

func (*program) resize(Size) error   { return nil }
func (*program) signal(string) error { return nil }
func (*program) hangup()             {}
func (*program) kill()               {}
