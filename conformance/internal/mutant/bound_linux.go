package main

import (
	"os/exec"
	"syscall"
)

// bind lets a command end with the thread that starts it, so that a mutant that
// is killed leaves no provider behind.
func bind(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
