package suite

import (
	"io/fs"

	"github.com/codeboltai/codebolt-providers/shared/manifest"
)

// Profile says what may be asked of a provider.
type Profile string

// The profiles.
const (
	// Strict is the contract whole.
	Strict Profile = "strict"
	// NodeCompat is for providers on the existing Node SDK. What that SDK makes
	// impossible is skipped with the reason, answers are found by their name
	// where ids are not echoed, and nothing is said in the instant of an accept.
	NodeCompat Profile = "node-compat"
)

// Target is a provider under test.
type Target struct {
	// Program is the executable, and Args what comes before everything else.
	Program string
	Args    []string
	// Dir is the working directory of its processes; "" is the suite's own. A
	// broken provider may do anything to it.
	Dir string
	// Env holds further variables of the provider's process, as os.Environ.
	Env []string
	// Files is the folder with the two manifest files; nil when there is none.
	Files fs.FS
	// Manifest is what Files hold, when they can be read: its defaults are the
	// lowest layer of the configuration.
	Manifest *manifest.Manifest
	// Config is the configuration of every environment.
	Config map[string]any
	// Capabilities are what the provider declares; see [Discover], which nil asks.
	// With a value for [Local] the run believes it and does not first try whether
	// the program is a provider at all.
	Capabilities Capabilities
	// RuntimeProgram is the argv, as far as conformance/runtime.Main does not parse
	// it, of the agent server that the setting runtime.command puts in the place of
	// the provider's own. Without one, checks that need [RuntimeCommand] are skipped.
	RuntimeProgram []string
	// AgentProgram is the argv of the agent that checks start in environments; see
	// conformance/agent. Without one, checks that need [Agents] are skipped. So they are
	// where the environment does not have the program.
	AgentProgram []string
	// Elsewhere tells that agents do not see what is at workspacePath here, such as when
	// they work on another machine: nothing is [Local].
	Elsewhere bool
	// Disk tells where on this machine the files of an open environment are, when they
	// are Elsewhere, such as on another machine that is this one in a test: by the
	// resource id and the workspacePath of its start. It implies Elsewhere. nil is for
	// those that are nowhere here.
	Disk func(resourceID, workspacePath string) (string, error)
}
