package transfer_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/transfer"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

const magic = "codebolt index 1\n"

// raw is the encoding of one entry that shares so many bytes with the one before.
func raw(kind byte, shared uint64, suffix string, rest ...byte) string {
	b := binary.AppendUvarint([]byte{kind}, shared)
	b = binary.AppendUvarint(b, uint64(len(suffix)))
	return string(append(append(b, suffix...), rest...))
}

// sealed is a whole encoding with a right end.
func sealed(n int, entries ...string) []byte {
	b := []byte(magic + strings.Join(entries, ""))
	b = binary.AppendUvarint(append(b, 0), uint64(n))
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

var (
	dirRest  = make([]byte, 9)  // mode, time
	fileRest = make([]byte, 10) // mode, time, size
)

func TestAnIndexThatNobodyWouldWriteIsRefused(t *testing.T) {
	t.Parallel()
	for name, encoded := range map[string][]byte{
		"no index":             []byte("hello, this is nothing of that kind"),
		"an absolute path":     sealed(1, raw('f', 0, "/a", fileRest...)),
		"a path upwards":       sealed(1, raw('f', 0, "..", fileRest...)),
		"an empty path":        sealed(1, raw('f', 0, "", fileRest...)),
		"a NUL":                sealed(1, raw('f', 0, "a\x00b", fileRest...)),
		"no order":             sealed(2, raw('f', 0, "b", fileRest...), raw('f', 0, "a", fileRest...)),
		"a path twice":         sealed(2, raw('f', 0, "a", fileRest...), raw('f', 1, "", fileRest...)),
		"no directory":         sealed(1, raw('f', 0, "a/b", fileRest...)),
		"a file as directory":  sealed(2, raw('f', 0, "a", fileRest...), raw('f', 1, "/b", fileRest...)),
		"an unknown type":      sealed(1, raw('x', 0, "a", fileRest...)),
		"more shared than was": sealed(1, raw('f', 5, "a", fileRest...)),
		"a long name":          sealed(1, raw('f', 0, strings.Repeat("a", 5000), fileRest...)),
		"setuid":               sealed(1, raw('f', 0, "a", append([]byte{0x80, 0x20}, fileRest[1:]...)...)),
		"an endless number":    []byte(magic + "f" + strings.Repeat("\xff", 100)),
		"a wrong count":        sealed(7, raw('d', 0, "a", dirRest...)),
		"an empty target":      sealed(1, raw('l', 0, "a", 0)),
		"a wrong sum":          append(sealed(0)[:len(sealed(0))-1], 'x'),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := transfer.ReadIndex(bytes.NewReader(encoded))
			if wire.CodeOf(err) != wire.Invalid {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := transfer.ReadIndex(bytes.NewReader(sealed(2, raw('d', 0, "a", dirRest...), raw('f', 1, "/b", fileRest...)))); err != nil {
		t.Errorf("a good one: %v", err)
	}
}

func TestAnIndexThatEndsTooEarlyIsUnavailable(t *testing.T) {
	t.Parallel()
	whole := sealed(3, raw('d', 0, "a", dirRest...), raw('f', 1, "/b", fileRest...), raw('l', 0, "b", 1, 'x'))
	if _, err := transfer.ReadIndex(bytes.NewReader(whole)); err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if _, err := transfer.ReadIndex(bytes.NewReader(whole[:n])); wire.CodeOf(err) != wire.Unavailable {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

func TestAnIndexThatGrowsWithoutBoundIsTooLarge(t *testing.T) {
	t.Parallel()
	// Each entry has a few bytes and means a path of four thousand.
	dirs := raw('d', 0, strings.Repeat("a", 4090), dirRest...)
	bomb := func(yield func([]byte) bool) {
		if !yield([]byte(magic + dirs)) {
			return
		}
		for i := range 1 << 20 {
			suffix := string([]byte{'a' + byte(i>>16), 1 + byte(i>>8&0x7f), 1 + byte(i&0x7f)})
			if !yield([]byte(raw('d', 4090, suffix, dirRest...))) {
				return
			}
		}
	}
	r, w := io.Pipe()
	go func() {
		for piece := range bomb {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
		w.Close()
	}()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := transfer.ReadIndex(r)
	r.Close()
	runtime.ReadMemStats(&after)
	if code := wire.CodeOf(err); code != wire.TooLarge && code != wire.Invalid {
		t.Errorf("got %v", err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<30 {
		t.Errorf("it took %d MiB", used>>20)
	}
}

func FuzzReadIndex(f *testing.F) {
	f.Add(sealed(0))
	f.Add(sealed(3, raw('d', 0, "a", dirRest...), raw('f', 1, "/b", fileRest...), raw('l', 0, "b", 1, 'x')))
	f.Add(sealed(1, raw('s', 0, "a", append(fileRest, make([]byte, 32)...)...)))
	f.Fuzz(func(t *testing.T, encoded []byte) {
		x, err := transfer.ReadIndex(bytes.NewReader(encoded))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if _, err := x.WriteTo(&b); err != nil {
			t.Fatal(err)
		}
		if _, err := transfer.ReadIndex(&b); err != nil {
			t.Errorf("what was read cannot be written and read again: %v", err)
		}
	})
}
