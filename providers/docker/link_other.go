//go:build !linux

package main

import (
	"context"
	"net"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// linkable tells that a socket in a mounted folder leads from this system into a
// container. Here the daemon's containers are in another machine.
const linkable = false

func dialLink(context.Context, string) (net.Conn, error) {
	return nil, wire.Errorf(wire.Unsupported, "docker: no socket leads into a container here")
}
