package main

import (
	"fmt"
	"os"
	"runtime"
)

func main() {
	// The inner process dies with the thread that started it.
	runtime.LockOSThread()
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: mutant DEFECT PROGRAM ARGS...")
		os.Exit(2)
	}
	d, ok := find(os.Args[1])
	if !ok {
		fmt.Fprintf(os.Stderr, "mutant: there is no defect %q\n", os.Args[1])
		os.Exit(2)
	}
	if d.Relayed != nil && os.Args[2] == relayWord {
		os.Exit(runRelay(*d.Relayed, os.Args[3:]))
	}
	os.Exit(run(&wrapper{defect: d}, os.Args[2:]))
}
