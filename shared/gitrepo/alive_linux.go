package gitrepo

import (
	"os"
	"path/filepath"
	"strings"
	"time"
)

// gitAlive reports whether a git process works in one of two directories now.
// It errs on the side of yes: about a git whose directory it may not see.
func gitAlive(worktree, common string, _ time.Duration) bool {
	names, _ := filepath.Glob("/proc/[0-9]*/comm")
	for _, comm := range names {
		name, err := os.ReadFile(comm)
		if err != nil || !strings.HasPrefix(string(name), "git") {
			continue
		}
		proc := filepath.Dir(comm)
		if stat, err := os.ReadFile(filepath.Join(proc, "stat")); err != nil || strings.Contains(string(stat), ") Z ") {
			continue // ended, and waits for its parent
		}
		cwd, err := os.Readlink(filepath.Join(proc, "cwd"))
		if err != nil {
			if os.IsNotExist(err) {
				continue
			}
			return true
		}
		for _, dir := range []string{worktree, common, filepath.Dir(common)} {
			if samePath(dir, cwd) || inside(dir, cwd) {
				return true
			}
		}
	}
	return false
}
