package runtime

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// A runtime's log may have logLimit bytes while it runs. When it has more, the last
// logKept of them stay. It is looked at every logEvery.
const (
	logLimit = 8 << 20
	logKept  = 1 << 20
	logEvery = 2 * time.Second
)

// Log is a log that does not grow without bound while it is written to. What is
// written through it is never torn or lost when it is cut. It is safe for concurrent
// use.
type Log struct {
	mu          sync.Mutex
	file        *os.File
	limit, kept int64
}

// BoundedLog is the log that a file is, or nil when it is none that can be bounded:
// only a regular file that is open for reading and appending is, and on Windows none,
// where a log begins anew when a runtime is started.
func BoundedLog(file *os.File) *Log {
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() || !readsAndAppends(file) {
		return nil
	}
	return &Log{file: file, limit: logLimit, kept: logKept}
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Write(p)
}

// Bound looks again and again whether the log is too long, and cuts it, until ctx ends.
func (l *Log) Bound(ctx context.Context) {
	ticker := time.NewTicker(logEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			_ = l.cut() // it is tried again, and there is no better place to complain
		case <-ctx.Done():
			return
		}
	}
}

// cut drops all but the end of a log that is too long, from a whole line on; a single
// line that is longer than what is kept goes as well. Another process that appends to
// the file loses what it writes in the moment between the last look at the end and the
// cut, but it tears no line: one that is not at its end yet is waited for, unless it is
// as long as the log may be. The file is cut in place because others hold it open.
func (l *Log) cut() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	info, err := l.file.Stat()
	if err != nil || info.Size() <= l.limit {
		return err
	}
	// One byte more is read, so that a line that begins with what is kept stays whole.
	from := info.Size() - l.kept - 1
	end, err := io.ReadAll(io.NewSectionReader(l.file, from, l.limit))
	if err != nil {
		return err
	}
	if !bytes.HasSuffix(end, []byte{'\n'}) && info.Size() < 2*l.limit {
		return nil
	}
	_, end, _ = bytes.Cut(end, []byte{'\n'})
	var text bytes.Buffer
	slog.New(slog.NewJSONHandler(&text, nil)).Warn("earlier lines were dropped, because the log had become too long", "limit", l.limit)
	text.Write(end)
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err = l.file.Write(text.Bytes())
	return err
}

// openEnd opens the log of a private directory that a runtime writes to.
func openEnd(dir string) (*os.File, error) {
	path := filepath.Join(dir, fileLog)
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		return nil, errors.Join(err, os.ErrInvalid)
	}
	return os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
}

// CutLog cuts the log of the runtime in a private directory when it is too long. It
// is for other agent servers, which know nothing of that; ours bounds its own.
func CutLog(dir string) {
	file, err := openEnd(dir)
	if err != nil {
		return // there is none
	}
	defer file.Close()
	if l := BoundedLog(file); l != nil {
		_ = l.cut() // it is tried again, and nobody could do anything about it
	}
}

// boundUpstream cuts the log of another agent server, for as long as this process has
// to do with it. On a host it is cut whenever it is asked there whether the server
// still runs. In both cases the log grows while no provider is there.
func (p *Process) boundUpstream() {
	ticker := time.NewTicker(logEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			CutLog(p.record.Dir)
		case <-p.done:
			return
		case <-p.release:
			return
		}
	}
}
