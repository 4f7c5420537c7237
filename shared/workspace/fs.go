package workspace

import (
	"context"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"unicode"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// FS is access to the files below one directory, the root.
//
// Names are relative to the root, slash-separated and clean (as [path.Clean]
// leaves them, without ".." at the front); "." is the root. Other names are
// refused with kind Invalid. Symbolic links in a name are followed while they
// lead inside the root, absolute ones too; one that leads outside gives
// OutsideWorkspace, a loop Invalid, and one that leads nowhere NotFound, or
// Conflict when something was to be made through it. Nothing outside the root
// is ever read or changed. FIFOs, sockets and devices are refused with kind
// Invalid and never waited for.
//
// Errors say the operation and the name, and are of the kinds of package wire.
// All methods are safe for concurrent use.
type FS interface {
	// Root is the absolute path of the root, in the form of the system where the
	// files are.
	Root() string

	// ReadFile returns the content of a file: TooLarge when it has more than
	// limit bytes, unless limit is 0 or less.
	ReadFile(ctx context.Context, name string, limit int64) ([]byte, error)

	// WriteFile makes name a file with this content, and the folders above it. A
	// file that was there is replaced at once and whole: a reader sees the old
	// content or the new one, and after a failure the old one is still there. It
	// keeps its permission bits; other hard links to it keep the old content.
	// Through a link, what it leads to is replaced. The data is not forced to
	// the disk: should the machine itself fail in the next seconds, the file may
	// be empty.
	WriteFile(ctx context.Context, name string, data []byte) error

	// Remove deletes a file, or a link and not what it leads to. A folder is
	// Invalid, an absent name NotFound.
	Remove(ctx context.Context, name string) error

	// RemoveAll deletes a folder and all in it; an absent one is fine. A link is
	// deleted itself. A file is Invalid, and so is the root.
	RemoveAll(ctx context.Context, name string) error

	// Rename moves a file, folder or link, making the folders above the target.
	// A target that is there is Exists, unless overwrite is set and neither of
	// the two is a folder.
	Rename(ctx context.Context, from, to string, overwrite bool) error

	// Mkdir makes a folder and those above it; one that is there is fine.
	Mkdir(ctx context.Context, name string) error

	// CopyFile copies a file's content and permission bits, making the folders
	// above the target; where the file system can, the two share their blocks.
	// A target that is there is Exists, unless overwrite is set and it is a file,
	// which is then replaced as by WriteFile.
	CopyFile(ctx context.Context, from, to string, overwrite bool) error

	// CopyFolder copies a folder and all in it, links as links. A target that is
	// there is Exists; with overwrite the two are merged. Into itself is Invalid.
	// When it fails and the target was not there before, it is removed again.
	CopyFolder(ctx context.Context, from, to string, overwrite bool) error

	// Stat describes one item; a link itself, with what it leads to in Target
	// and, when that is inside the root, the size and time of what it leads to.
	Stat(ctx context.Context, name string) (wire.FSEntry, error)

	// ReadDir describes what is in a folder, each item as Stat does, sorted by
	// name. An item that cannot be described has its Problem set. More than limit
	// items is TooLarge, unless limit is 0 or less.
	ReadDir(ctx context.Context, name string, limit int) ([]wire.FSEntry, error)

	// Walk describes what is below a folder, level by level, the items of one
	// folder sorted by name. It enters no links, and leaves out what the tree of
	// a project hides: .DS_Store, a file named .git, and the folders whose name
	// begins with a dot except .codebolt and .codeboltAgents. It reports whether
	// the limits cut it short.
	Walk(ctx context.Context, name string, limits WalkLimits) (entries []wire.FSEntry, truncated bool, err error)
}

// WalkLimits bound a Walk. Zero means no limit.
type WalkLimits struct {
	Entries int // items in all
	Depth   int // levels of folders; 1 lists the folder itself only
}

// checkName refuses what is not a name in the sense of FS. The caller of an FS
// may be at the other end of a wire.
func checkName(op, name string) error {
	switch {
	case name == "":
		return wire.Errorf(wire.Invalid, "%s: the path is missing", op)
	case strings.HasPrefix(name, "/"), name == "..", strings.HasPrefix(name, "../"):
		return wire.Errorf(wire.OutsideWorkspace, "%s %s: the path is outside the workspace", op, show(name))
	case path.Clean(name) != name:
		return wire.Errorf(wire.Invalid, "%s %s: not a clean relative path", op, show(name))
	}
	return checkCharacters(op, name)
}

// checkCharacters refuses control characters, save those that file names do
// contain now and then, and on Windows all that is special there.
func checkCharacters(op, name string) error {
	for _, r := range name {
		if r < ' ' && r != '\n' && r != '\t' && r != '\r' || r == 0x7f {
			return wire.Errorf(wire.Invalid, "%s %s: the path has a control character", op, show(name))
		}
	}
	if runtime.GOOS == "windows" && (strings.Contains(name, `\`) || !filepath.IsLocal(filepath.FromSlash(name))) {
		return wire.Errorf(wire.Invalid, "%s %s: the path is not one that Windows allows", op, show(name))
	}
	return nil
}

// show renders a name for a sentence: as it is when that is unmistakable.
func show(name string) string {
	for _, r := range name {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return quote(name)
		}
	}
	return name
}

// hidden reports whether the tree of a project leaves an item out.
func hidden(name string, folder bool) bool {
	if len(name) == 0 || name[0] != '.' {
		return false
	}
	if folder {
		return name != ".codebolt" && name != ".codeboltAgents"
	}
	return name == ".DS_Store" || name == ".git" || isTemporary(name)
}
