package main

import "os"

// notifyResize tells nothing: there is no such signal here.
func notifyResize(chan<- os.Signal) {}
