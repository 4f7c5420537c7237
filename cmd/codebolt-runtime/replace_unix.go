//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// replace makes this process another program. It returns only when that fails.
func replace(argv []string) error {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return fmt.Errorf("%s cannot be run: %w", argv[0], err)
	}
	return syscall.Exec(path, argv, os.Environ())
}
