package engine

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// The streams of a command, as the daemon numbers them.
const (
	stdoutStream = 1
	stderrStream = 2
	daemonStream = 3 // errors of the daemon itself
)

// frames takes apart the stream in which the daemon interleaves a command's
// stdout and stderr: frames with a head of eight bytes. An error of reading, as a
// deadline, loses nothing.
type frames struct {
	src  *bufio.Reader
	kind byte
	left int // of the frame's content
	any  bool
}

// open reads the head of the next frame when it is due. io.EOF is the end.
func (f *frames) open() error {
	for f.left == 0 {
		head, err := f.src.Peek(8)
		if err != nil {
			if err == io.EOF && len(head) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		if head[0] > daemonStream || head[1]|head[2]|head[3] != 0 {
			return fmt.Errorf("the daemon sends no interleaved output: the container has a terminal")
		}
		f.kind, f.left = head[0], int(binary.BigEndian.Uint32(head[4:]))
		if _, err := f.src.Discard(8); err != nil {
			return err
		}
	}
	return nil
}

// next reads a part of one stream.
func (f *frames) next(p []byte) (kind byte, n int, err error) {
	if err := f.open(); err != nil {
		return 0, 0, err
	}
	f.any = true
	n, err = f.src.Read(p[:min(len(p), f.left)])
	f.left -= n
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if n > 0 {
		err = nil // it comes again
	}
	return f.kind, n, err
}

// copy writes everything to where it belongs; nil writers drop it.
func (f *frames) copy(stdout, stderr io.Writer) error {
	buf := make([]byte, 32<<10)
	var complaint []byte
	for {
		kind, n, err := f.next(buf)
		if err == io.EOF { //nolint:errorlint // a wrapped EOF is a broken stream
			break
		}
		if err != nil {
			return err
		}
		to := stdout
		switch kind {
		case stderrStream:
			to = stderr
		case daemonStream:
			complaint = append(complaint, buf[:min(n, 4096-min(len(complaint), 4096))]...)
			continue
		}
		if to == nil {
			continue
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return &writeError{err}
		}
	}
	if complaint != nil {
		return fmt.Errorf("the daemon ended the stream: %s", complaint)
	}
	return nil
}

// writeError is an error of the caller's writer.
type writeError struct{ cause error }

func (e *writeError) Error() string { return "write the output: " + e.cause.Error() }
func (e *writeError) Unwrap() error { return e.cause }

// tail keeps the last bytes written to it.
type tail struct {
	max int
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - t.max; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}
