package runtime

import (
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// EnvProgram names codebolt-runtime where it is not found by itself.
const EnvProgram = "CODEBOLT_RUNTIME"

// Spec says which runtime to start, and for what.
type Spec struct {
	// Program is the path of codebolt-runtime; "" looks at $CODEBOLT_RUNTIME,
	// beside this program, and in PATH, in this order.
	Program   string
	Workspace string // directory of the agents; absolute
	Name      string // of the environment
	// Dir is a private directory for the socket, the token and the log. It is
	// made for this runtime and belongs to it alone.
	Dir      string
	Instance string // id of this process, made up by the caller and put on record first
	// Listen is "tcp:host:port" on loopback, where a busy port gives way to the
	// next free one; "" is a unix socket in Dir, and a free loopback port where
	// there are none.
	Listen       string
	OwnerTimeout time.Duration // see agenthost.Options
	StartTimeout time.Duration // default 30 s
	Protected    []string      // names at the workspace's root that file calls never change
	Env          []string      // variables besides those of this process
	Agents       Agents
	// Upstream starts a configured agent server instead.
	Upstream *Upstream
}

// Upstream is an agent server that is not codebolt-runtime.
type Upstream struct {
	// Command is its argv; "{port}" and "{workspace}" are replaced.
	Command []string
	Host    string // default 127.0.0.1
	Port    int    // preferred; 0 or a busy one gives way to a free one
	// Gateway is one that speaks as the direct execution gateway does: it is ready when
	// its port answers, and tells nothing of its health.
	Gateway bool
}

// FindFor finds a program of the runtime for another machine, such as a
// container's: configured, when it is not "", or beside this program or in PATH
// under the name codebolt-runtime-<goos>-<goarch>, or, when that is what this
// machine is, as it is found for this one. It fails with kind Unavailable when
// there is none.
func FindFor(configured, goos, goarch string) (string, error) {
	if configured != "" {
		return usable(configured, "the setting runtime.path")
	}
	name := "codebolt-runtime-" + goos + "-" + goarch
	if path, ok := beside(name); ok {
		return path, nil
	}
	if path, err := exec.LookPath(name); err == nil {
		return filepath.Abs(path)
	}
	if goos == goruntime.GOOS && goarch == goruntime.GOARCH {
		return find("")
	}
	return "", wire.Errorf(wire.Unavailable, "%s was not found beside this program or in PATH: install it there, or set runtime.path", name)
}

// beside looks for a file in the folder of this program.
func beside(name string) (string, bool) {
	self, err := os.Executable()
	if err != nil {
		return "", false
	}
	if target, err := filepath.EvalSymlinks(self); err == nil {
		self = target
	}
	path := filepath.Join(filepath.Dir(self), name)
	_, err = os.Stat(path)
	return path, err == nil
}

// programName is the runtime's file name.
func programName() string {
	if goruntime.GOOS == "windows" {
		return "codebolt-runtime.exe"
	}
	return "codebolt-runtime"
}

// find finds the runtime's program.
func find(configured string) (string, error) {
	if configured != "" {
		return usable(configured, "the setting runtime.path")
	}
	if path := os.Getenv(EnvProgram); path != "" {
		return usable(path, EnvProgram)
	}
	if path, ok := beside(programName()); ok {
		return path, nil
	}
	if path, err := exec.LookPath(programName()); err == nil {
		return path, nil
	}
	return "", wire.Errorf(wire.Unavailable,
		"%s was not found beside this program or in PATH: install it there, or set runtime.path or %s", programName(), EnvProgram)
}

func usable(path, from string) (string, error) {
	found, err := exec.LookPath(path)
	if err != nil {
		return "", wire.Errorf(wire.Invalid, "%s names no program that can be run: %w", from, err)
	}
	return filepath.Abs(found)
}
