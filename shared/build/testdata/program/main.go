// Command program has nothing but its version.
package main

import (
	"os"

	"github.com/codeboltai/codebolt-providers/shared/build"
)

func main() { os.Exit(build.Subcommand("program", os.Args[1:], os.Stdout, os.Stderr)) }
