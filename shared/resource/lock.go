package resource

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Lock is an exclusive advisory lock, held until Release or the end of the
// process, however it ends.
type Lock struct {
	path string
	once sync.Once
	err  error
	file *os.File
}

// lockPoll is the longest pause between two tries.
const lockPoll = 25 * time.Millisecond

// Acquire waits for the lock named by a file path and takes it. It excludes
// other processes and other goroutines alike. It never proceeds without the
// lock: when ctx ends first, it fails with kind Conflict and names the holder.
// The file is removed again by Release; one that a killed holder left behind is
// taken over.
func Acquire(ctx context.Context, path string) (*Lock, error) {
	for {
		lock, err := tryLock(path)
		if err != nil || lock != nil {
			return lock, err
		}
		pause := time.NewTimer(lockPoll/5 + rand.N(lockPoll*4/5))
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return nil, wire.Errorf(wire.Conflict, "lock %s: held by %s: %w", path, holder(path), context.Cause(ctx))
		}
	}
}

// TryAcquire is Acquire without waiting.
func TryAcquire(path string) (*Lock, error) {
	lock, err := tryLock(path)
	if err == nil && lock == nil {
		err = wire.Errorf(wire.Conflict, "lock %s: held by %s", path, holder(path))
	}
	return lock, err
}

// tryLock returns nil without an error when another holds the lock.
func tryLock(path string) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "lock: %w", err)
	}
	held, err := lockFile(f)
	if err != nil || !held {
		return nil, errors.Join(err, f.Close())
	}
	// The holder before us removed the file, and another may have made a new one
	// since we opened ours: only the lock on the file that has the name counts.
	ours, err1 := f.Stat()
	named, err2 := os.Stat(path)
	if err1 != nil || err2 != nil || !os.SameFile(ours, named) {
		err = errors.Join(err1, f.Close())
		if err2 != nil && !errors.Is(err2, fs.ErrNotExist) {
			err = errors.Join(err, err2)
		}
		return nil, err
	}
	// Who holds it is for people who wait; the lock itself does not need it.
	if err := f.Truncate(0); err == nil {
		started, _ := ProcessStarted(os.Getpid())
		_, _ = fmt.Fprintf(f, "%d %s\n", os.Getpid(), started)
	}
	return &Lock{path: path, file: f}, nil
}

// holder says who holds a lock, as far as the file tells.
func holder(path string) string {
	data, err := os.ReadFile(path)
	if pid, _, _ := strings.Cut(strings.TrimSpace(string(data)), " "); err == nil && pid != "" {
		return "process " + pid
	}
	return "another process"
}

// holding is the process that a lock's file names, if that still runs. It takes no lock.
func holding(path string) (pid int, ok bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	number, started, _ := strings.Cut(strings.TrimSpace(string(data)), " ")
	pid, err = strconv.Atoi(number)
	if err != nil || started == "" {
		return 0, false
	}
	now, alive := ProcessStarted(pid)
	return pid, alive && now == started
}

// Release gives the lock up and removes its file. It is idempotent.
func (l *Lock) Release() error {
	l.once.Do(func() { l.err = unlockFile(l.path, l.file) })
	return l.err
}
