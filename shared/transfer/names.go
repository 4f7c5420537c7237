package transfer

import (
	"crypto/rand"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Bounds of one path.
const (
	maxPath  = 4096 // bytes, of a link's target too
	maxDepth = 512  // directories in one another
)

// checkPath refuses what no path of an entry can be.
func checkPath(name string) error {
	if len(name) > maxPath || strings.Count(name, "/") >= maxDepth {
		return wire.Errorf(wire.Invalid, "transfer: a path is longer than %d bytes or deeper than %d directories: %s…", maxPath, maxDepth, show(name[:min(len(name), 60)]))
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == "" || part == "." || part == ".." || strings.IndexByte(part, 0) >= 0 {
			return wire.Errorf(wire.Invalid, "transfer: %s is not a path below the directory", show(name))
		}
		if isTemporary(part) {
			return wire.Errorf(wire.Invalid, "transfer: %s is a name that only a transfer uses", show(name))
		}
	}
	return nil
}

// checkLocal refuses what this system would take for another path.
func checkLocal(name string) error {
	if runtime.GOOS == "windows" && (strings.Contains(name, `\`) || !filepath.IsLocal(filepath.FromSlash(name))) {
		return wire.Errorf(wire.Invalid, "transfer: %s is not a path that Windows allows; rename it or exclude it", show(name))
	}
	return nil
}

func checkTarget(name, target string) error {
	if target == "" || len(target) > maxPath || strings.IndexByte(target, 0) >= 0 {
		return wire.Errorf(wire.Invalid, "transfer: the link %s has a target that no link can have", show(name))
	}
	return nil
}

// excludes are names at the root that are left alone. Case counts nowhere: a
// disk that ignores it can be on either side.
type excludes []string

func newExcludes(names []string) (excludes, error) {
	for _, name := range names {
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
			return nil, wire.Errorf(wire.Invalid, "transfer: cannot exclude %s; name something directly in the directory", show(name))
		}
	}
	return excludes(names), nil
}

// match reports whether a path is one of the names or below it.
func (x excludes) match(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	switch runtime.GOOS {
	case "windows":
		first = strings.TrimRight(first, ". ")
	case "darwin":
		first = strings.Map(func(r rune) rune {
			if r >= 0x200b && r <= 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x206a && r <= 0x206f || r == 0xfeff {
				return -1 // HFS+ ignores these
			}
			return r
		}, first)
	}
	for _, exclude := range x {
		if strings.EqualFold(first, exclude) || runtime.GOOS == "windows" && shortens(first, exclude) {
			return true
		}
	}
	return false
}

// shortens reports whether a name may be the short name that Windows gives
// another, as GIT~1 is for .git.
func shortens(short, name string) bool {
	begin, _, ok := strings.Cut(short, "~")
	name = strings.TrimLeft(name, ".")
	return ok && len(begin) <= len(name) && strings.EqualFold(begin, name[:len(begin)])
}

const temporaryPrefix = ".codebolt-transfer-"

func temporaryName() string { return temporaryPrefix + rand.Text() }

func isTemporary(name string) bool {
	return len(name) == len(temporaryPrefix)+26 && strings.HasPrefix(name, temporaryPrefix)
}
