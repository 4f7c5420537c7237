package main

import "golang.org/x/sys/unix"

// The requests by which the modes of a terminal are read and written.
const (
	getTermios = unix.TCGETS
	setTermios = unix.TCSETS
)
