package workspace

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"unicode/utf8"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Serve answers one file call of a provider: the runtime's side of [Remote]. It
// never fails; errors are in the reply. Paths may also be absolute inside the
// root. A readFile that asks for base64 gets text all the same when the content
// is text, as the reply's encoding says.
func Serve(ctx context.Context, fs FS, req *wire.AppFS) *wire.AppFSReply {
	reply := &wire.AppFSReply{Type: wire.TypeAppFSResponse, RequestID: req.RequestID}
	payload, err := serve(ctx, &Files{FS: fs}, req.Action, &req.Message)
	if err != nil {
		reply.Problem = wire.ProblemOf(err)
		return reply
	}
	reply.Success = true
	reply.Result = &wire.AppFSResult{Payload: payload}
	return reply
}

func serve(ctx context.Context, f *Files, action string, args *wire.AppFSArgs) (p wire.AppFSPayload, err error) {
	switch action {
	case wire.FSRenameItem:
		return p, f.two(args.OldPath, args.NewPath, "rename", func(from, to string) error {
			return f.FS.Rename(ctx, from, to, args.Overwrite)
		})
	case wire.FSCopyFile:
		return p, f.two(args.OldPath, args.NewPath, "copy", func(from, to string) error {
			return f.FS.CopyFile(ctx, from, to, args.Overwrite)
		})
	case wire.FSCopyFolder:
		return p, f.two(args.OldPath, args.NewPath, "copy folder", func(from, to string) error {
			return f.FS.CopyFolder(ctx, from, to, args.Overwrite)
		})
	}
	name, err := f.name(action, args.FilePath)
	if err != nil {
		return p, err
	}
	switch action {
	case wire.FSReadFile:
		return serveRead(ctx, f, name, args)
	case wire.FSWriteFile:
		return p, f.write(ctx, &wire.FileRequest{Path: args.FilePath, Content: args.Content, Encoding: args.Encoding})
	case wire.FSCreateFolder:
		return p, f.FS.Mkdir(ctx, name)
	case wire.FSDeleteFile:
		return p, f.FS.Remove(ctx, name)
	case wire.FSDeleteFolder:
		return p, f.FS.RemoveAll(ctx, name)
	case wire.FSStat:
		entry, err := f.FS.Stat(ctx, name)
		p.Entries = []wire.FSEntry{entry}
		return p, err
	case wire.FSReadDir:
		p.Entries, err = f.FS.ReadDir(ctx, name, bounded(args.Limit))
		return p, err
	case wire.FSWalk:
		p.Entries, p.Truncated, err = f.FS.Walk(ctx, name, WalkLimits{Entries: bounded(args.Limit), Depth: cmp.Or(max(args.MaxDepth, 0), DefaultMaxDepth)})
		return p, err
	}
	return p, wire.Errorf(wire.Unsupported, "%s is not a file call", show(action))
}

// bounded keeps one reply from growing without end when no limit was sent.
func bounded(limit int64) int {
	if limit <= 0 {
		return DefaultMaxEntries
	}
	return int(min(limit, 1<<30))
}

func serveRead(ctx context.Context, f *Files, name string, args *wire.AppFSArgs) (p wire.AppFSPayload, err error) {
	if err := checkEncoding("read", args.Encoding); err != nil {
		return p, err
	}
	data, err := f.FS.ReadFile(ctx, name, cmp.Or(max(args.Limit, 0), DefaultMaxRead))
	if err != nil {
		return p, err
	}
	text := ""
	switch {
	case utf8.Valid(data):
		text = string(data)
	case args.Encoding == wire.Base64:
		text, p.Encoding = base64.StdEncoding.EncodeToString(data), wire.Base64
	default:
		return p, wire.Errorf(wire.Invalid, `read %s: the content is not valid UTF-8; ask for it with encoding: "base64"`, show(name))
	}
	p.Data = &text
	return p, nil
}

// Remote is the FS of a runtime elsewhere that answers with [Serve]. root is its
// root there. call sends one file call, with its id set, and returns the reply;
// it is called concurrently. What it returns as an error is passed on, wrapped.
//
// Where no limit is given, the runtime's own apply: DefaultMaxRead,
// DefaultMaxEntries and DefaultMaxDepth.
func Remote(root string, call func(context.Context, *wire.AppFS) (*wire.AppFSReply, error)) FS {
	return &remote{root: root, call: call}
}

type remote struct {
	root string
	call func(context.Context, *wire.AppFS) (*wire.AppFSReply, error)
}

// Root implements [FS].
func (r *remote) Root() string { return r.root }

// do makes one call. Names are checked before, so that a mistake costs no trip.
func (r *remote) do(ctx context.Context, op, action string, args wire.AppFSArgs) (wire.AppFSPayload, error) {
	names := []string{args.FilePath}
	if args.OldPath != "" || args.NewPath != "" {
		names = []string{args.OldPath, args.NewPath}
	}
	if err := begin(ctx, op, names...); err != nil {
		return wire.AppFSPayload{}, err
	}
	reply, err := r.call(ctx, &wire.AppFS{Type: wire.TypeAppFS, RequestID: wire.NewID(), Action: action, Message: args})
	switch {
	case err != nil:
		return wire.AppFSPayload{}, fail(op, names[0], err)
	case reply == nil:
		return wire.AppFSPayload{}, fail(op, names[0], wire.Errorf(wire.Internal, "the runtime gave no reply"))
	case reply.Success && reply.Result != nil:
		return reply.Result.Payload, nil
	case reply.Success:
		return wire.AppFSPayload{}, nil
	}
	if err := reply.Err(); err != nil {
		return wire.AppFSPayload{}, err // it names the operation already
	}
	return wire.AppFSPayload{}, fail(op, names[0], wire.Errorf(wire.Internal, "the runtime failed without saying why"))
}

// ReadFile implements [FS].
func (r *remote) ReadFile(ctx context.Context, name string, limit int64) ([]byte, error) {
	p, err := r.do(ctx, "read", wire.FSReadFile, wire.AppFSArgs{FilePath: name, Limit: max(limit, 0), Encoding: wire.Base64})
	if err != nil {
		return nil, err
	}
	if p.Data == nil {
		return nil, fail("read", name, wire.Errorf(wire.Internal, "the runtime sent no content"))
	}
	data, err := decode("read", name, *p.Data, p.Encoding)
	if err == nil && limit > 0 && int64(len(data)) > limit {
		return nil, tooLarge("read", name, limit)
	}
	return data, err
}

// WriteFile implements [FS].
func (r *remote) WriteFile(ctx context.Context, name string, data []byte) error {
	args := wire.AppFSArgs{FilePath: name}
	var text string
	if utf8.Valid(data) {
		text = string(data)
	} else {
		text, args.Encoding = base64.StdEncoding.EncodeToString(data), wire.Base64
	}
	args.Content = &text
	_, err := r.do(ctx, "write", wire.FSWriteFile, args)
	return err
}

// Remove implements [FS].
func (r *remote) Remove(ctx context.Context, name string) error {
	_, err := r.do(ctx, "delete", wire.FSDeleteFile, wire.AppFSArgs{FilePath: name})
	return err
}

// RemoveAll implements [FS].
func (r *remote) RemoveAll(ctx context.Context, name string) error {
	_, err := r.do(ctx, "delete folder", wire.FSDeleteFolder, wire.AppFSArgs{FilePath: name})
	return err
}

// Rename implements [FS].
func (r *remote) Rename(ctx context.Context, from, to string, overwrite bool) error {
	return r.pair(ctx, "rename", wire.FSRenameItem, from, to, overwrite)
}

// CopyFile implements [FS].
func (r *remote) CopyFile(ctx context.Context, from, to string, overwrite bool) error {
	return r.pair(ctx, "copy", wire.FSCopyFile, from, to, overwrite)
}

// CopyFolder implements [FS].
func (r *remote) CopyFolder(ctx context.Context, from, to string, overwrite bool) error {
	return r.pair(ctx, "copy folder", wire.FSCopyFolder, from, to, overwrite)
}

func (r *remote) pair(ctx context.Context, op, action, from, to string, overwrite bool) error {
	_, err := r.do(ctx, op, action, wire.AppFSArgs{OldPath: from, NewPath: to, Overwrite: overwrite})
	return err
}

// Mkdir implements [FS].
func (r *remote) Mkdir(ctx context.Context, name string) error {
	_, err := r.do(ctx, "create folder", wire.FSCreateFolder, wire.AppFSArgs{FilePath: name})
	return err
}

// Stat implements [FS].
func (r *remote) Stat(ctx context.Context, name string) (wire.FSEntry, error) {
	p, err := r.do(ctx, "stat", wire.FSStat, wire.AppFSArgs{FilePath: name})
	if err != nil {
		return wire.FSEntry{}, err
	}
	if len(p.Entries) != 1 {
		return wire.FSEntry{}, fail("stat", name, errors.New("the runtime sent no entry"))
	}
	return p.Entries[0], nil
}

// ReadDir implements [FS].
func (r *remote) ReadDir(ctx context.Context, name string, limit int) ([]wire.FSEntry, error) {
	p, err := r.do(ctx, "list", wire.FSReadDir, wire.AppFSArgs{FilePath: name, Limit: int64(max(limit, 0))})
	return p.Entries, err
}

// Walk implements [FS].
func (r *remote) Walk(ctx context.Context, name string, limits WalkLimits) ([]wire.FSEntry, bool, error) {
	p, err := r.do(ctx, "walk", wire.FSWalk, wire.AppFSArgs{FilePath: name, Limit: int64(max(limits.Entries, 0)), MaxDepth: max(limits.Depth, 0)})
	return p.Entries, p.Truncated, err
}
