package worktree

import "os/exec"

func inOwnGroup(*exec.Cmd) {}
