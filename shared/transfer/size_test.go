//go:build linux

package transfer_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/transfer"
)

// peak measures the largest heap, beyond what was there before, until the
// returned function is called.
func peak(t *testing.T) func() uint64 {
	t.Helper()
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var most atomic.Uint64
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			var now runtime.MemStats
			runtime.ReadMemStats(&now)
			if now.HeapAlloc > before.HeapAlloc {
				most.Store(max(most.Load(), now.HeapAlloc-before.HeapAlloc))
			}
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-done
		return most.Load()
	}
}

// pipe packs here and unpacks there at the same time.
func pipe(t *testing.T, here, there string, known *transfer.Index) (sent, received transfer.Result) {
	t.Helper()
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		var err error
		sent, err = transfer.Pack(t.Context(), here, w, transfer.PackOptions{Known: known})
		w.CloseWithError(err)
		done <- err
	}()
	received, err := transfer.Unpack(t.Context(), there, r, transfer.UnpackOptions{Delete: true})
	r.CloseWithError(err)
	must(t, err)
	must(t, <-done)
	return sent, received
}

// Not parallel: what other tests allocate would count.
func TestMemoryDoesNotGrowWithAFile(t *testing.T) {
	const most = 16 << 20
	here, there := t.TempDir(), t.TempDir()
	put(t, here, "large", "begin")
	must(t, os.Truncate(filepath.Join(here, "large"), 1<<30))
	used := peak(t)
	result, err := transfer.Pack(t.Context(), here, io.Discard, transfer.PackOptions{})
	must(t, err)
	if heap := used(); result.Bytes != 1<<30 || heap > most {
		t.Errorf("sending %d bytes took %d MiB", result.Bytes, heap>>20)
	}
	must(t, os.Truncate(filepath.Join(here, "large"), 128<<20))
	used = peak(t)
	_, received := pipe(t, here, there, nil)
	if heap := used(); received.Bytes != 128<<20 || heap > most {
		t.Errorf("receiving %d bytes took %d MiB", received.Bytes, heap>>20)
	}
	must(t, os.Chtimes(filepath.Join(here, "large"), time.Time{}, time.Unix(1, 1)))
	used = peak(t)
	known, err := transfer.Scan(t.Context(), there, transfer.ScanOptions{Sums: true})
	must(t, err)
	sent, _ := pipe(t, here, there, known)
	if heap := used(); sent.Bytes != 0 || heap > most {
		t.Errorf("comparing sent %d bytes and took %d MiB", sent.Bytes, heap>>20)
	}
}

func TestManyFilesTakeModestMemory(t *testing.T) {
	const (
		files = 10_000
		most  = 16<<20 + files*1000 // both sides together
	)
	here, there := t.TempDir(), t.TempDir()
	for i := range files {
		dir := fmt.Sprintf("packages/module-%03d/source/deep/inside", i/200)
		if i%200 == 0 {
			must(t, os.MkdirAll(filepath.Join(here, dir), 0o755))
		}
		must(t, os.WriteFile(filepath.Join(here, dir, fmt.Sprintf("file-%06d.txt", i)), []byte("content"), 0o644))
	}
	used := peak(t)
	start := time.Now()
	pipe(t, here, there, nil)
	first := time.Since(start)
	start = time.Now()
	var b bytes.Buffer
	x := scan(t, there)
	scanned := time.Since(start)
	_, err := x.WriteTo(&b)
	must(t, err)
	size := b.Len()
	known, err := transfer.ReadIndex(&b)
	must(t, err)
	start = time.Now()
	sent, received := pipe(t, here, there, known)
	second := time.Since(start)
	if sent.Files != 0 || received.Deleted != 0 || len(received.Differs) > 0 {
		t.Errorf("the second time %+v was sent and %+v received", sent, received)
	}
	heap := used()
	if heap > most {
		t.Errorf("both sides took %d MiB", heap>>20)
	}
	t.Logf("%d files: first %v, scan %v, unchanged %v, index %d bytes, both sides' heap %d MiB", files, first, scanned, second, size, heap>>20)
}

func TestProgressIsToldWithinLargeFilesAndAtTheEnd(t *testing.T) {
	t.Parallel()
	here, there := t.TempDir(), t.TempDir()
	put(t, here, "a", strings.Repeat("a", 30<<20))
	put(t, here, "b", "b")
	var calls int
	var files, size int64
	progress := func(f, b int64) {
		if f < files || b < size {
			t.Errorf("from %d, %d to %d, %d", files, size, f, b)
		}
		calls, files, size = calls+1, f, b
	}
	stream, _ := packed(t, here, transfer.PackOptions{Progress: progress})
	if calls != 5 || files != 2 || size != 30<<20+1 {
		t.Errorf("sent: %d calls, %d files, %d bytes", calls, files, size)
	}
	calls, files, size = 0, 0, 0
	_, err := unpack(t, there, stream, transfer.UnpackOptions{Progress: progress})
	must(t, err)
	if calls < 5 || files != 2 || size != 30<<20+1 {
		t.Errorf("received: %d calls, %d files, %d bytes", calls, files, size)
	}
}
