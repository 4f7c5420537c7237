//go:build !windows

package main

import "os"

// understands is for consoles that must be told; terminals elsewhere know what moves the
// cursor.
func understands(*os.File) (restore func(), err error) { return func() {}, nil }
