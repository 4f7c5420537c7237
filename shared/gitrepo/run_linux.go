package gitrepo

import "syscall"

// dieWithParent has the kernel end git when this process is killed.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
