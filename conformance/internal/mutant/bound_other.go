//go:build !linux

package main

import "os/exec"

// bind does nothing where nothing can be done; the tests of this package run on
// Linux.
func bind(*exec.Cmd) {}
