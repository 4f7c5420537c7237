package suite

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/manifest"
)

// Capability is something a provider may or may not be able to do: a request
// type, such as "providerGetDiffFiles", or one of the features below.
type Capability string

// The features that are no request types.
const (
	// Runtime: each environment has a remote runtime; agents run in it.
	Runtime Capability = "runtime"
	// RuntimeCommand: the setting runtime.command puts another agent server in
	// the runtime's place.
	RuntimeCommand Capability = "runtime.command"
	// Agents: a runtime starts agents of the type "command" that connect and speak as
	// those with the SDK do.
	Agents Capability = "agents"
	// Terminal: terminals can be opened in an environment.
	Terminal Capability = "terminal"
	// Watch: the files of an environment can be watched.
	Watch Capability = "watch"
	// OnStop: the member onStop of providerStop says what becomes of the
	// environment.
	OnStop Capability = "onStop"
	// ErrorCodes: an error carries its kind in "code" and "retryable".
	ErrorCodes Capability = "errorCodes"
	// Base64: file contents may be base64, with "encoding".
	Base64 Capability = "base64"
	// Overwrite: rename and copy take "overwrite".
	Overwrite Capability = "overwrite"
	// Recursive: providerGetFullProject takes "recursive".
	Recursive Capability = "recursive"
	// Git: the workspace is a git checkout of the project's repository.
	Git Capability = "git"
	// Local: the workspace is a directory of this machine. The suite finds that
	// out itself.
	Local Capability = "local"
	// Disk: what is in the workspace can be looked at, and changed, as files of this
	// machine: where it is Local, and where the target tells where they are.
	Disk Capability = "disk"
	// Manifest: the manifest files were given. The suite knows that itself.
	Manifest Capability = "manifest"
)

// Requests are the request types that a provider may do without: all others are
// required of every one.
var Requests = []Capability{
	"providerStop", "closeSignal", "providerAgentStart",
	"providerReadFile", "providerWriteFile", "providerDeleteFile", "providerDeleteFolder", "providerRenameItem",
	"providerCreateFolder", "providerCopyFile", "providerCopyFolder", "providerGetTreeChildren", "providerGetFullProject",
	"providerGetDiffFiles", "providerMergeAsPatch", "providerSendPR", "createPatchRequest", "createPullRequestRequest",
	"providerHeartbeatRequest", "environmentHeartbeat", "environmentRestartRequest", "providerProspectivePath",
}

// Capabilities are what a provider declares.
type Capabilities map[Capability]bool

// Sorted lists them.
func (c Capabilities) Sorted() []Capability {
	return slices.Sorted(maps.Keys(maps.Collect(func(yield func(Capability, bool) bool) {
		for name, has := range c {
			if has && !yield(name, true) {
				return
			}
		}
	})))
}

// Missing returns the first of the needs that is not declared, or "".
func (c Capabilities) Missing(needs []Capability) Capability {
	for _, need := range needs {
		if !c[need] {
			return need
		}
	}
	return ""
}

const (
	askLimit = 5 * time.Second // for --capabilities
	askBytes = 1 << 20
)

// declared is what --capabilities prints, and what a manifest's capabilities may
// hold.
type declared struct {
	Requests []Capability `json:"requests"`
	Features []Capability `json:"features"`
}

func (d declared) set() Capabilities {
	c := Capabilities{}
	for _, name := range slices.Concat(d.Requests, d.Features) {
		c[name] = true
	}
	return c
}

// Discover finds out what a provider declares: what its program prints when it
// is called with --capabilities, else what its manifest says under
// capabilities.requests and capabilities.features. When neither says anything,
// every request type is expected and no feature. from says which it was.
func Discover(ctx context.Context, target *Target) (c Capabilities, from string) {
	if d, err := ask(ctx, target); err == nil {
		return d.set(), "--capabilities"
	}
	if m := target.Manifest; m != nil {
		if d := fromManifest(m); len(d.Requests) > 0 {
			return d.set(), "the manifest"
		}
	}
	return declared{Requests: Requests}.set(), "nothing: every request type is expected, and no feature"
}

func ask(ctx context.Context, target *Target) (declared, error) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	var d declared
	cmd := exec.CommandContext(ctx, target.Program, append(slices.Clone(target.Args), "--capabilities")...)
	cmd.WaitDelay, cmd.Dir, cmd.Env = time.Second, target.Dir, append(os.Environ(), target.Env...)
	own(cmd)
	out := &tail{limit: askBytes}
	cmd.Stdout, cmd.Stderr = out, io.Discard
	err := cmd.Run()
	killGroup(cmd)
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(out.bytes(), &d); err != nil {
		return d, fmt.Errorf("%s --capabilities does not print JSON: %w", target.Program, err)
	}
	if len(d.Requests) == 0 {
		return d, fmt.Errorf("%s --capabilities names no requests", target.Program)
	}
	return d, nil
}

func fromManifest(m *manifest.Manifest) declared {
	var d declared
	text, err := json.Marshal(m.Capabilities.Extra)
	if err == nil {
		err = json.Unmarshal(text, &d)
	}
	if err != nil {
		return declared{}
	}
	return d
}
