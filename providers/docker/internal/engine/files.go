package engine

import (
	"context"
	"io"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// CopyTo unpacks a tar stream into a folder of a container, running or not, with
// the owners that the stream names. The folder must exist: NotFound otherwise. It
// fails with kind Permission when the container's root is read-only there, and is
// not tried again. What was unpacked before an error stays.
func (e *Engine) CopyTo(ctx context.Context, id, dir string, tar io.Reader) error {
	if err := named("container", id); err != nil {
		return err
	}
	op := "copy into container " + id
	// What forbids it is asked before: the daemon may hang up on a long stream
	// that it does not want, and the reason with it.
	if err := e.do(ctx, op, broken, func() error { return e.api.stat(ctx, id, dir) }); wire.CodeOf(err) == wire.NotFound {
		if _, err := e.Container(ctx, id); err != nil {
			return err
		}
		return wire.Errorf(wire.NotFound, "docker: %s: there is no folder %s in it; make it first", op, dir)
	} else if err != nil {
		return err
	}
	from := &source{Reader: tar}
	err := e.api.copyTo(ctx, id, dir, from)
	if err != nil && from.err != nil && ctx.Err() == nil {
		return wire.Errorf(wire.CodeOf(from.err), "docker: %s: read what is to be copied: %w", op, from.err)
	}
	return e.fail(op, err)
}

// source remembers why it could not be read.
type source struct {
	io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// CopyFrom returns a file or folder of a container, running or not, as a tar
// stream; its names begin with the last part of path. ctx bounds the reading too.
// It fails with kind NotFound when there is no such path.
func (e *Engine) CopyFrom(ctx context.Context, id, path string) (io.ReadCloser, error) {
	if err := named("container", id); err != nil {
		return nil, err
	}
	op := "copy from container " + id
	body, err := retry(ctx, e, op, broken, func() (io.ReadCloser, error) { return e.api.copyFrom(ctx, id, path) })
	if err != nil {
		return nil, err
	}
	return &kindReader{body, func(err error) error { return e.fail(op, err) }}, nil
}

// kindReader gives the errors of reading their kinds.
type kindReader struct {
	io.ReadCloser
	fail func(error) error
}

func (r *kindReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil && err != io.EOF { //nolint:errorlint // an EOF that is wrapped is a failure
		err = r.fail(err)
	}
	return n, err
}

// CommitSpec says what image is made of a container.
type CommitSpec struct {
	Ref string // name:tag; "" is an image without a name
	// Labels are added to the container's; the value "" takes one of those back.
	Labels map[string]string
	// Like is the image that gives the defaults of the new one: its user, folder,
	// entry point and command.
	Like Image
}

// Commit makes an image of a container's files, pausing it meanwhile, and returns
// its id. Mounts are not part of it. It is not tried again.
func (e *Engine) Commit(ctx context.Context, id string, spec CommitSpec) (imageID string, err error) {
	if err := named("container", id); err != nil {
		return "", err
	}
	if spec.Ref != "" {
		if r, err := parseRef(spec.Ref); err != nil {
			return "", err
		} else if r.named == nil || r.digested {
			return "", wire.Errorf(wire.Invalid, "docker: %q cannot name a new image; use a name with a tag", spec.Ref)
		}
	}
	return retry(ctx, e, "commit container "+id, unsent, func() (string, error) { return e.api.commit(ctx, id, &spec) })
}
