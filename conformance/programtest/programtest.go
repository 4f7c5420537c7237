// Package programtest builds the programs that a package's tests run as
// processes of their own.
package programtest

import (
	"context"
	"flag"
	"fmt"
	"go/build"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
)

// AtOnce lets so many tests for each processor run at the same time, where most of the
// time they wait. It is called first in a TestMain; the flag -parallel goes before it.
func AtOnce(perProcessor int) {
	if err := flag.Set("test.parallel", strconv.Itoa(perProcessor*runtime.NumCPU())); err != nil {
		panic(err) // there is that flag in every test
	}
}

// Tests are what Main runs: a *testing.M, or what runs one in its turn.
type Tests interface{ Run() int }

// Main is the body of a TestMain: it builds each program, given by its name and its
// main package, which is a folder that begins with a dot or an import path, into a
// temporary folder, tells that folder
// through dir, runs the tests and returns the status to exit with. The folder is
// gone afterwards.
func Main(m Tests, dir *string, programs map[string]string) int {
	var err error
	if *dir, err = os.MkdirTemp("", "programs"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(*dir) }() // the next clean of the temporary folder gets the rest
	for name, main := range programs {
		folder := "."
		if build.IsLocalImport(main) {
			folder, main = main, "." // it may be of another module
		}
		command := exec.CommandContext(context.Background(), "go", "build", "-o", filepath.Join(*dir, name), main)
		// As they are released, so that they also run where there is no C library.
		command.Dir, command.Env = folder, append(os.Environ(), "CGO_ENABLED=0")
		if out, err := command.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build %s: %v\n%s", name, err, out)
			return 1
		}
	}
	return m.Run()
}
