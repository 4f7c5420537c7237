package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/codeboltai/codebolt-providers/providers/docker/internal/engine"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// The link is a folder of this machine that is mounted in the container, where the
// runtime has a second socket. By it the runtime is reached without a process that
// the daemon has to start in the container, and without the daemon carrying every
// byte. Where it cannot be had, all goes the usual way, through the exec stream.
const (
	linkIn     = inside + "/link"
	linkSocket = "sock"
)

// linkOf is the folder of the link, below the private directory of the runtime.
func linkOf(dir string) string { return filepath.Join(dir, "link") }

// prepareLink makes the folder that a container needs to be made or started.
func (b *box) prepareLink(dir string) error {
	if !b.facts.Linked {
		return nil
	}
	b.link = linkOf(dir)
	if err := os.MkdirAll(b.link, 0o700); err != nil {
		return wire.Errorf(wire.CodeOf(err), "docker: the folder of the runtime's socket: %w", err)
	}
	return nil
}

// openLink gives the folder to the container's user, and tells whether that user
// can have a socket there that this process can use.
func (b *box) openLink(ctx context.Context, eng *engine.Engine) (bool, error) {
	if !b.facts.Linked {
		return false, nil
	}
	user, err := b.user(ctx, eng)
	if err != nil {
		return false, err
	}
	switch me := os.Geteuid(); {
	case eng.Info().Rootless:
		if user.UID != 0 { // who is this user, outside
			return false, nil
		}
	case me == 0:
		if err := os.Chown(b.link, user.UID, user.GID); err != nil {
			return false, wire.Errorf(wire.CodeOf(err), "docker: the folder of the runtime's socket: %w", err)
		}
	case me != user.UID:
		return false, nil
	}
	// The socket of an earlier runtime leads nowhere.
	err = os.Remove(filepath.Join(b.link, linkSocket))
	return err == nil || errors.Is(err, fs.ErrNotExist), nil
}
