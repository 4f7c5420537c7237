package archive

import (
	"context"
	"errors"
	"io"
)

// ErrMore says that there is more than what may be read.
var ErrMore = errors.New("there is more than may be read")

// ReadError is an error of the side that is read.
type ReadError struct{ error }

// Unwrap is the error itself.
func (e ReadError) Unwrap() error { return e.error }

// Copy copies up to limit bytes, and fails with [ErrMore] when there are more, and
// with ctx's error when that has ended. Errors of from are a [ReadError].
func Copy(ctx context.Context, to io.Writer, from io.Reader, limit int64) (n int64, err error) {
	buf := make([]byte, 64<<10)
	for {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		got, readErr := from.Read(buf)
		if n+int64(got) > limit {
			return n, ErrMore
		}
		wrote, err := to.Write(buf[:got])
		n += int64(wrote)
		switch {
		case err != nil:
			return n, err
		case errors.Is(readErr, io.EOF):
			return n, nil
		case readErr != nil:
			return n, ReadError{readErr}
		}
	}
}
