package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/codeboltai/codebolt-providers/shared/runtime"
)

// launch starts as a file says; it is the command of containers.
func launch(ctx context.Context, args []string, stdin io.Reader, stdout *os.File, stderr io.Writer) int {
	fail := func(status int, err error) int {
		fmt.Fprintln(stderr, "codebolt-runtime: launch:", err)
		return status
	}
	if helpOr(args, 2) == 0 {
		fmt.Fprintln(stderr, "codebolt-runtime launch FILE starts as the file says; it is the command of containers.")
		return 0
	}
	if len(args) != 1 {
		return fail(2, errors.New("name the file that says how"))
	}
	data, err := os.ReadFile(args[0])
	if err != nil {
		return fail(1, err)
	}
	var l runtime.Launch
	if err := json.Unmarshal(data, &l); err != nil {
		return fail(1, fmt.Errorf("%s is no launch file", args[0])) // its text may hold secrets
	}
	for name, value := range l.Environ {
		if err := os.Setenv(name, value); err != nil {
			return fail(1, fmt.Errorf("the variable %q cannot be set", name))
		}
	}
	if l.Home != "" && !writable(os.Getenv("HOME")) {
		if err := os.MkdirAll(l.Home, 0o700); err != nil {
			return fail(1, err)
		}
		if err := os.Setenv("HOME", l.Home); err != nil {
			return fail(1, err)
		}
	}
	switch {
	case l.Hold:
		<-ctx.Done()
		return 0
	case len(l.Command) > 0:
		return fail(126, replace(l.Command))
	}
	return run(ctx, l.Args, stdin, stdout, stderr)
}

// writable reports whether a home directory is of use. The root directory, which
// users without one get, is not.
func writable(dir string) bool {
	if dir == "" || dir == "/" {
		return false
	}
	probe, err := os.MkdirTemp(dir, ".codebolt-*")
	if err != nil {
		return false
	}
	return os.Remove(probe) == nil
}
