// Command agentserver plays an upstream agent server for conformance checks; see
// conformance/runtime.
package main

import (
	"context"
	"os"

	"github.com/codeboltai/codebolt-providers/conformance/runtime"
)

func main() { os.Exit(runtime.Main(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }
