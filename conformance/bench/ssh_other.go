//go:build !linux

package main

import (
	"context"
	"fmt"
)

// ssh measures nothing, as the SSH servers of tests run on Linux.
func (b *bench) ssh(context.Context) error {
	fmt.Fprintln(b.log, "  no row of SSH is measured: that works on Linux")
	return nil
}
