package workspace

import (
	"cmp"
	"context"
	"encoding/base64"
	"unicode/utf8"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// The limits of a Files whose fields are zero.
const (
	DefaultMaxRead    = 64 << 20 // bytes
	DefaultMaxEntries = 50_000
	DefaultMaxDepth   = 64 // levels of folders
)

// Files answers the file requests over an FS. It is safe for concurrent use once
// its fields are set.
type Files struct {
	FS FS

	// MaxRead bounds one readFile, in bytes; 0 means DefaultMaxRead.
	MaxRead int64
	// MaxEntries bounds one list; 0 means DefaultMaxEntries. A folder with more
	// is TooLarge, a recursive list is cut short.
	MaxEntries int
	// MaxDepth bounds a recursive list, in levels; 0 means DefaultMaxDepth.
	MaxDepth int
}

// Do carries out a request. verb is the type of its message, such as
// [wire.TypeReadFile]; another is Unsupported. The result is what the answer
// carries: a string or [wire.EncodedContent] for readFile, a []wire.TreeEntry
// that is never nil for getTreeChildren, the same or [wire.FullProject] for
// getFullProject, and nil for all others.
//
// A list is empty, not an error, for a path that is absent or no folder. Folders
// come first; names are compared as [CompareNames] does.
func (f *Files) Do(ctx context.Context, verb string, req *wire.FileRequest) (any, error) {
	switch verb {
	case wire.TypeReadFile:
		return f.read(ctx, req)
	case wire.TypeGetTreeChildren:
		return f.tree(ctx, req.Path)
	case wire.TypeGetFullProject:
		if req.Recursive {
			return f.project(ctx, req)
		}
		return f.tree(ctx, ".")
	case wire.TypeRenameItem:
		return nil, f.two(req.OldPath, req.NewPath, "rename", func(from, to string) error {
			return f.FS.Rename(ctx, from, to, req.Overwrite)
		})
	case wire.TypeCopyFile:
		return nil, f.two(req.SourcePath, req.DestinationPath, "copy", func(from, to string) error {
			return f.FS.CopyFile(ctx, from, to, req.Overwrite)
		})
	case wire.TypeCopyFolder:
		return nil, f.two(req.SourcePath, req.DestinationPath, "copy folder", func(from, to string) error {
			return f.FS.CopyFolder(ctx, from, to, req.Overwrite)
		})
	case wire.TypeWriteFile:
		return nil, f.write(ctx, req)
	case wire.TypeDeleteFile:
		return nil, f.one(req.Path, "delete", func(name string) error { return f.FS.Remove(ctx, name) })
	case wire.TypeDeleteFolder:
		return nil, f.one(req.Path, "delete folder", func(name string) error { return f.FS.RemoveAll(ctx, name) })
	case wire.TypeCreateFolder:
		return nil, f.one(req.Path, "create folder", func(name string) error { return f.FS.Mkdir(ctx, name) })
	}
	return nil, wire.Errorf(wire.Unsupported, "%s is not a file request", show(verb))
}

// Quick tells whether Do as a rule takes no longer for such a request than it
// takes to hand the request to another goroutine: one file or the items of one
// folder, on a local disk.
func (f *Files) Quick(verb string) bool {
	if _, local := f.FS.(*Local); !local {
		return false
	}
	switch verb {
	case wire.TypeReadFile, wire.TypeWriteFile, wire.TypeGetTreeChildren, wire.TypeCreateFolder, wire.TypeRenameItem:
		return true
	}
	return false
}

// Touches returns the names that a request concerns, in the sense of [FS], and
// whether it may change them, for a caller that keeps requests in order. A
// request that Do would refuse for its paths touches nothing. Names are not
// resolved: two that meet only through a link are not seen to meet.
func (f *Files) Touches(verb string, req *wire.FileRequest) (paths []string, write bool) {
	given := []string{req.Path}
	switch verb {
	case wire.TypeReadFile:
	case wire.TypeGetTreeChildren, wire.TypeGetFullProject:
		return []string{"."}, false
	case wire.TypeWriteFile, wire.TypeDeleteFile, wire.TypeDeleteFolder, wire.TypeCreateFolder:
		write = true
	case wire.TypeRenameItem:
		given, write = []string{req.OldPath, req.NewPath}, true
	case wire.TypeCopyFile, wire.TypeCopyFolder:
		given, write = []string{req.SourcePath, req.DestinationPath}, true
	default:
		return nil, false
	}
	for _, p := range given {
		name, err := f.name("", p)
		if err != nil {
			return nil, write
		}
		paths = append(paths, name)
	}
	return paths, write
}

func (f *Files) one(p, op string, do func(name string) error) error {
	name, err := f.name(op, p)
	if err != nil {
		return err
	}
	return do(name)
}

func (f *Files) two(p, q, op string, do func(from, to string) error) error {
	from, err := f.name(op, p)
	if err != nil {
		return err
	}
	to, err := f.name(op, q)
	if err != nil {
		return err
	}
	return do(from, to)
}

func (f *Files) read(ctx context.Context, req *wire.FileRequest) (any, error) {
	if err := checkEncoding("read", req.Encoding); err != nil {
		return nil, err
	}
	name, err := f.name("read", req.Path)
	if err != nil {
		return nil, err
	}
	data, err := f.FS.ReadFile(ctx, name, cmp.Or(f.MaxRead, DefaultMaxRead))
	switch {
	case err != nil:
		return nil, err
	case req.Encoding == wire.Base64:
		return wire.EncodedContent{Encoding: wire.Base64, Content: base64.StdEncoding.EncodeToString(data)}, nil
	case !utf8.Valid(data):
		return nil, wire.Errorf(wire.Invalid, `read %s: the content is not valid UTF-8; ask for it with encoding: "base64"`, show(name))
	}
	return string(data), nil
}

func (f *Files) write(ctx context.Context, req *wire.FileRequest) error {
	if err := checkEncoding("write", req.Encoding); err != nil {
		return err
	}
	name, err := f.name("write", req.Path)
	if err != nil {
		return err
	}
	if req.Content == nil {
		return wire.Errorf(wire.Invalid, "write %s: the content is missing", show(name))
	}
	data, err := decode("write", name, *req.Content, req.Encoding)
	if err != nil {
		return err
	}
	return f.FS.WriteFile(ctx, name, data)
}

func checkEncoding(op, encoding string) error {
	if encoding != "" && encoding != wire.Base64 {
		return wire.Errorf(wire.Invalid, `%s: unknown encoding %s; leave it out or use "base64"`, op, quote(encoding))
	}
	return nil
}

func decode(op, name, content, encoding string) ([]byte, error) {
	if encoding != wire.Base64 {
		return []byte(content), nil
	}
	data, err := base64.StdEncoding.DecodeString(content)
	if err != nil {
		return nil, wire.Errorf(wire.Invalid, "%s %s: the content is not base64: %w", op, show(name), err)
	}
	return data, nil
}
