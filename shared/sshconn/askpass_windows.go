package sshconn

import "os/exec"

// alone is of no effect here, where a program is ended by itself.
func alone(*exec.Cmd) {}
