package resource

import (
	"os"
	"path/filepath"
	"runtime"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// EnvStateDir overrides where state is kept.
const EnvStateDir = "CODEBOLT_STATE_DIR"

// StateDir is where everything is kept that is not a user's project:
// $CODEBOLT_STATE_DIR, else $XDG_STATE_HOME/codebolt, else
// ~/.local/state/codebolt (on Windows %LocalAppData%\codebolt\state). It makes
// the directory, for its owner only, and returns its absolute path.
func StateDir() (string, error) {
	dir := os.Getenv(EnvStateDir)
	if dir == "" {
		base := os.Getenv("XDG_STATE_HOME")
		if runtime.GOOS == "windows" {
			base = filepath.Join(os.Getenv("LocalAppData"), "codebolt", "state")
		} else if base != "" && filepath.IsAbs(base) {
			base = filepath.Join(base, "codebolt")
		} else {
			home, err := os.UserHomeDir()
			if err != nil {
				return "", wire.Errorf(wire.Unavailable, "find the state directory: set %s: %w", EnvStateDir, err)
			}
			base = filepath.Join(home, ".local", "state", "codebolt")
		}
		dir = base
	}
	dir, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return "", wire.Errorf(wire.CodeOf(err), "make the state directory: %w", err)
	}
	return dir, nil
}
