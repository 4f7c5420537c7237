//go:build !linux

package main

import (
	"context"
	"net"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// mountable tells that a socket in a folder there leads from this system into a
// container where that is mounted. Here the daemon's containers are in another
// machine.
func mountable(string) bool { return false }

func dialFolder(context.Context, string) (net.Conn, error) {
	return nil, wire.Errorf(wire.Unsupported, "docker: no socket leads into a container here")
}
