package main

import (
	"os"

	"golang.org/x/sys/windows"
)

// understands has a console understand what moves the cursor, which it may not do by
// itself, until restore is called.
func understands(screen *os.File) (restore func(), err error) {
	console := windows.Handle(screen.Fd())
	var was uint32
	if err := windows.GetConsoleMode(console, &was); err != nil {
		return nil, err
	}
	if err := windows.SetConsoleMode(console, was|windows.ENABLE_PROCESSED_OUTPUT|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING); err != nil {
		return nil, err
	}
	return func() { _ = windows.SetConsoleMode(console, was) }, nil // it is gone
}
