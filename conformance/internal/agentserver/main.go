// Command agentserver plays an upstream agent server for conformance checks, see
// conformance/runtime, and with the argument "agent" an agent, see conformance/agent.
package main

import (
	"context"
	"os"

	"github.com/codeboltai/codebolt-providers/conformance/agent"
	"github.com/codeboltai/codebolt-providers/conformance/runtime"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "agent" {
		os.Exit(agent.Main(context.Background(), os.Stdout, os.Stderr))
	}
	os.Exit(runtime.Main(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
}
