//go:build linux

package transfer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/transfer"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/google/go-cmp/cmp"
)

func TestAStreamThatIsCutAnywhereDeletesNothingAndTheNextOneCompletesIt(t *testing.T) {
	t.Parallel()
	here := t.TempDir()
	put(t, here, "a", "new")
	put(t, here, "d/"+strings.Repeat("long", 40), strings.Repeat("x", 700))
	put(t, here, "dir-for-file/x", "x")
	put(t, here, "file-for-dir", "x")
	must(t, os.Symlink("a", filepath.Join(here, "link")))
	whole, _ := packed(t, here, transfer.PackOptions{})
	start := func(t *testing.T) string {
		there := t.TempDir()
		put(t, there, "a", "old")
		put(t, there, "gone/b", "b")
		put(t, there, "dir-for-file", "still a file")
		put(t, there, "file-for-dir/c", "still a directory")
		return there
	}
	// Two empty blocks end an archive, and before them the list is padded; the
	// list proves the stream complete.
	list, err := scan(t, here).WriteTo(io.Discard)
	must(t, err)
	complete := len(whole) - 1024 - int(-list&511)
	for part := range 8 {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			t.Parallel()
			there := start(t)
			for n := part; n < complete; n += 8 {
				if n%512 > 8 && n%512 < 504 && n%61 > 8 {
					continue // every byte around the blocks, some within
				}
				_, err := unpack(t, there, whole[:n], transfer.UnpackOptions{Delete: true})
				if wire.CodeOf(err) != wire.Unavailable || !wire.Retryable(err) {
					t.Fatalf("after %d of %d bytes: %v", n, len(whole), err)
				}
				if get(t, there, "gone/b") != "b" || get(t, there, "dir-for-file") != "still a file" || get(t, there, "file-for-dir/c") != "still a directory" {
					t.Fatalf("after %d bytes something is missing: %v", n, look(t, there))
				}
				if a := get(t, there, "a"); a != "new" && a != "old" {
					t.Fatalf("after %d bytes a is %q", n, a)
				}
				for name := range look(t, there) {
					if strings.Contains(name, ".codebolt-transfer-") {
						t.Fatalf("after %d bytes %s is left", n, name)
					}
				}
			}
			_, err := unpack(t, there, whole, transfer.UnpackOptions{Delete: true})
			must(t, err)
			sameTrees(t, here, there)
		})
	}
}

func TestAConnectionThatBreaksIsUnavailableAndNamesWhy(t *testing.T) {
	t.Parallel()
	here, there := t.TempDir(), t.TempDir()
	put(t, here, "a", strings.Repeat("a", 5000))
	put(t, there, "b", "b")
	whole, _ := packed(t, here, transfer.PackOptions{})
	broke := errors.New("connection reset by peer")
	for n := 0; n < len(whole)-1024; n += 97 {
		r := io.MultiReader(bytes.NewReader(whole[:n]), iotest.ErrReader(broke))
		_, err := transfer.Unpack(t.Context(), there, r, transfer.UnpackOptions{Delete: true})
		wantKind(t, err, wire.Unavailable)
		if !errors.Is(err, broke) || get(t, there, "b") != "b" {
			t.Fatalf("after %d bytes: %v", n, err)
		}
	}
}

func TestASenderWhoseReceiverIsGoneIsUnavailable(t *testing.T) {
	t.Parallel()
	here := t.TempDir()
	put(t, here, "a", strings.Repeat("a", 1<<20))
	r, w := io.Pipe()
	r.Close()
	_, err := transfer.Pack(t.Context(), here, w, transfer.PackOptions{})
	wantKind(t, err, wire.Unavailable)
}

func TestAStreamInSmallestPiecesIsTheSame(t *testing.T) {
	t.Parallel()
	here, there := t.TempDir(), t.TempDir()
	put(t, here, "dir/a", strings.Repeat("a", 3000))
	put(t, here, "\xff", "b")
	whole, _ := packed(t, here, transfer.PackOptions{})
	_, err := transfer.Unpack(t.Context(), there, iotest.OneByteReader(bytes.NewReader(whole)), transfer.UnpackOptions{})
	must(t, err)
	sameTrees(t, here, there)
}

func TestATransferThatIsCancelledEndsAndLeavesNoHalfFile(t *testing.T) {
	t.Parallel()
	here, there := t.TempDir(), t.TempDir()
	put(t, here, "a", strings.Repeat("a", 20<<20))
	put(t, there, "a", "old")
	whole, _ := packed(t, here, transfer.PackOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	_, err := transfer.Unpack(ctx, there, bytes.NewReader(whole), transfer.UnpackOptions{Progress: func(int64, int64) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("unpack: %v", err)
	}
	if seen := look(t, there); len(seen) != 1 || get(t, there, "a") != "old" {
		t.Errorf("%v", seen)
	}
	ctx, cancel = context.WithCancel(t.Context())
	_, err = transfer.Pack(ctx, here, io.Discard, transfer.PackOptions{Progress: func(int64, int64) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("pack: %v", err)
	}
	if _, err = transfer.Scan(ctx, here, transfer.ScanOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("scan: %v", err)
	}
}

// meddler calls a function once when so many bytes have passed.
type meddler struct {
	bytes.Buffer
	after  int
	meddle func()
	times  int
}

func (m *meddler) Write(b []byte) (int, error) {
	n, err := m.Buffer.Write(b)
	if m.meddle != nil && m.Len() >= m.after && m.times > 0 {
		m.times--
		m.after = m.Len() + 3<<20
		m.meddle()
	}
	return n, err
}

func TestAFileThatChangesWhileItIsSentIsSentOnceMoreOrTold(t *testing.T) {
	t.Parallel()
	const size = 3 << 20
	for name, test := range map[string]struct {
		meddle func(path string) error
		times  int
		told   []string
	}{
		"grows once":     {grow, 1, nil},
		"shrinks once":   {func(path string) error { return os.Truncate(path, size-700_000) }, 1, nil},
		"is empty once":  {func(path string) error { return os.Truncate(path, 0) }, 1, nil},
		"is written":     {touch, 1, nil},
		"is gone":        {os.Remove, 1, nil},
		"always grows":   {grow, 9, []string{"a"}},
		"always shrinks": {shrink, 9, []string{"a"}},
		"always changes": {touch, 9, []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			here, there := t.TempDir(), t.TempDir()
			path := filepath.Join(here, "a")
			put(t, here, "a", strings.Repeat("a", size))
			must(t, os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0)))
			put(t, here, "b", "b")
			out := &meddler{after: 1 << 20, times: test.times}
			out.meddle = func() { must(t, test.meddle(path)) }
			result, err := transfer.Pack(t.Context(), here, out, transfer.PackOptions{})
			must(t, err)
			if diff := cmp.Diff(test.told, result.Unsteady); diff != "" {
				t.Error(diff)
			}
			received, err := unpack(t, there, out.Bytes(), transfer.UnpackOptions{Delete: true})
			must(t, err)
			if len(received.Differs) > 0 || received.Files != 2 {
				t.Errorf("received %+v", received)
			}
			if name == "is gone" {
				return // it was still open, and is as it was
			}
			if test.told == nil {
				sameTrees(t, here, there)
			}
			synchronise(t, here, there, scan(t, there))
			sameTrees(t, here, there)
		})
	}
}

func grow(path string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(strings.Repeat("g", 500_000))
	return err
}

func shrink(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return os.Truncate(path, info.Size()*2/3)
}

func touch(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString("changed")
	return err
}

func TestADirectoryThatChangesAllTheTimeIsSentAnyway(t *testing.T) {
	t.Parallel()
	here, there := t.TempDir(), t.TempDir()
	for i := range 200 {
		put(t, here, fmt.Sprintf("d%d/a/b", i%20), "x")
		put(t, here, fmt.Sprintf("d%d/%d", i%20, i), "x")
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			dir := filepath.Join(here, fmt.Sprintf("d%d", i%20))
			_ = os.Rename(filepath.Join(dir, "a"), filepath.Join(dir, "c"))
			_ = os.Symlink("/etc", filepath.Join(dir, "a"))
			_ = os.Remove(filepath.Join(dir, "a"))
			_ = os.WriteFile(filepath.Join(dir, "a"), []byte("a file now"), 0o644)
			_ = os.Remove(filepath.Join(dir, "a"))
			_ = os.Rename(filepath.Join(dir, "c"), filepath.Join(dir, "a"))
		}
	}()
	end := sync.OnceFunc(func() { close(stop); <-done })
	t.Cleanup(end)
	for range 20 {
		stream, _ := packed(t, here, transfer.PackOptions{Known: scan(t, there)})
		_, err := unpack(t, there, stream, transfer.UnpackOptions{Delete: true})
		must(t, err)
	}
	end()
	synchronise(t, here, there, scan(t, there))
	sameTrees(t, here, there)
}
