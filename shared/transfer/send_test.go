//go:build linux

package transfer_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/codeboltai/codebolt-providers/shared/content"
	"github.com/codeboltai/codebolt-providers/shared/transfer"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

const chunkSize = 512 << 10

// line carries a transfer, and may break or meddle.
type line struct {
	io.Writer
	n     int64
	after int64 // 0: never
	event func() error
}

func (l *line) Write(p []byte) (int, error) {
	if l.after > 0 && l.n+int64(len(p)) > l.after {
		l.after = 0
		if err := l.event(); err != nil {
			return 0, err
		}
	}
	n, err := l.Writer.Write(p)
	l.n += int64(n)
	return n, err
}

// bring sends here to there over a line.
func bring(t *testing.T, here, there string, l *line, o transfer.ReceiveOptions) (sent transfer.Sent, received transfer.Result, serr, rerr error) {
	t.Helper()
	in, w := io.Pipe()
	answers, out := io.Pipe()
	if l == nil {
		l = &line{}
	}
	l.Writer = w
	var both sync.WaitGroup
	both.Go(func() {
		sent, serr = transfer.Send(t.Context(), here, l, answers, transfer.SendOptions{})
		w.CloseWithError(serr)
	})
	received, rerr = transfer.Receive(t.Context(), there, in, out, o)
	in.CloseWithError(rerr)
	out.CloseWithError(rerr)
	both.Wait()
	return sent, received, serr, rerr
}

func brought(t *testing.T, here, there string, o transfer.ReceiveOptions) (transfer.Sent, transfer.Result) {
	t.Helper()
	sent, received, serr, rerr := bring(t, here, there, nil, o)
	must(t, errors.Join(serr, rerr))
	return sent, received
}

func withStore(t *testing.T, dir string, limit int64) (transfer.ReceiveOptions, func()) {
	t.Helper()
	store, err := content.Open(dir, limit)
	must(t, err)
	return transfer.ReceiveOptions{Store: store}, func() { t.Helper(); must(t, store.Close(context.Background())) }
}

// noise is content that cannot be compressed.
func noise(seed uint64, size int) string {
	data := make([]byte, size)
	r := rand.New(rand.NewPCG(seed, 7))
	for i := range data {
		data[i] = byte(r.Uint32())
	}
	return string(data)
}

func TestWhateverADirectoryHoldsArrives(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			here, store := t.TempDir(), t.TempDir()
			t.Cleanup(func() { writable(here) })
			c := &changer{rand.New(rand.NewPCG(seed, 5)), t, here}
			for round := range 3 {
				for range 40 {
					c.change()
				}
				put(t, here, "large", noise(seed, 3*chunkSize+int(seed)))
				put(t, here, "zeros", strings.Repeat("\x00", 3*chunkSize)+"x")
				put(t, here, "again", noise(seed, chunkSize)+"b"+strings.Repeat("c", chunkSize-1)+noise(seed, chunkSize))
				there := t.TempDir()
				t.Cleanup(func() { writable(there) })
				o, end := transfer.ReceiveOptions{}, func() {}
				if seed%2 == 0 {
					o, end = withStore(t, store, 1<<30)
				}
				sent, received := brought(t, here, there, o)
				sameTrees(t, here, there)
				if received.Bytes != sent.Bytes || len(received.Differs)+len(received.Troubles) > 0 {
					t.Errorf("sent %+v, received %+v", sent, received)
				}
				sent, received = brought(t, here, there, o)
				sameTrees(t, here, there)
				if sent.Moved != 0 || received.Deleted != 0 {
					t.Errorf("round %d, once more: %+v, %+v", round, sent, received)
				}
				end()
			}
		})
	}
}

func TestOnlyChunksThatAreMissingMove(t *testing.T) {
	t.Parallel()
	here := t.TempDir()
	for n := range 40 {
		put(t, here, fmt.Sprintf("dir%d/file%d", n%5, n), noise(uint64(n), 20_000))
	}
	large := noise(100, 8*chunkSize)
	put(t, here, "large", large)
	put(t, here, "copy", large)
	o, end := withStore(t, t.TempDir(), 1<<30)
	defer end()
	first, _ := brought(t, here, t.TempDir(), o)
	if want := int64(40*20_000 + 8*chunkSize); first.Moved != want || first.Stream < want || first.Stream > want+want/50 {
		t.Errorf("at first %+v, want %d", first, want)
	}
	put(t, here, "dir3/file8", noise(1000, 10_000))
	put(t, here, "large", large[:5*chunkSize]+"x"+large[5*chunkSize+1:])
	there := t.TempDir()
	second, _ := brought(t, here, there, o)
	sameTrees(t, here, there)
	if want := int64(10_000 + chunkSize); second.Moved != want || second.Stream > want+10_000 {
		t.Errorf("then %+v, want %d", second, want)
	}
}

func TestATransferThatBrokeGoesOnWhereItWas(t *testing.T) {
	t.Parallel()
	for name, keeps := range map[string]bool{"with a store": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			here, there, dir := t.TempDir(), t.TempDir(), t.TempDir()
			for n := range 40 {
				put(t, here, fmt.Sprint("small", n), noise(uint64(n), 50_000))
			}
			put(t, here, "z-large", noise(100, 10*chunkSize))
			o, end := transfer.ReceiveOptions{}, func() {}
			if keeps {
				o, end = withStore(t, dir, 1<<30)
			}
			l := &line{after: 40*50_000 + 5*chunkSize, event: func() error { return errors.New("connection reset") }}
			_, _, serr, rerr := bring(t, here, there, l, o)
			wantKind(t, serr, wire.Unavailable)
			wantKind(t, rerr, wire.Unavailable)
			end()
			for path := range look(t, there) {
				if strings.Contains(path, "transfer") || path == "z-large" {
					t.Errorf("%s is left", path)
				}
			}
			if keeps {
				o, end = withStore(t, dir, 1<<30)
			}
			sent, _ := brought(t, here, there, o)
			end()
			sameTrees(t, here, there)
			least, most := int64(5*chunkSize), int64(7*chunkSize)
			if !keeps {
				least, most = 10*chunkSize, 10*chunkSize
			}
			if sent.Moved < least || sent.Moved > most {
				t.Errorf("%d chunks moved", sent.Moved/chunkSize)
			}
		})
	}
}

func TestAStreamThatIsCutAnywhereIsUnavailableAndTheNextOneCompletesIt(t *testing.T) {
	t.Parallel()
	here, there := t.TempDir(), t.TempDir()
	put(t, here, "dir/a", noise(1, 3000))
	put(t, here, "dir/b", noise(2, 3000))
	must(t, os.Symlink("a", filepath.Join(here, "dir/link")))
	var whole bytes.Buffer
	in, w := io.Pipe()
	answers, out := io.Pipe()
	go func() {
		_, err := transfer.Send(t.Context(), here, w, answers, transfer.SendOptions{})
		w.CloseWithError(err)
	}()
	_, err := transfer.Receive(t.Context(), t.TempDir(), io.TeeReader(in, &whole), out, transfer.ReceiveOptions{})
	must(t, err)
	out.Close()
	for n := 0; n < whole.Len()-8; n += 23 {
		_, err := transfer.Receive(t.Context(), there, bytes.NewReader(whole.Bytes()[:n]), io.Discard, transfer.ReceiveOptions{})
		if n < 6000 { // then what is there changes what is asked for
			wantKind(t, err, wire.Unavailable)
		}
	}
	brought(t, here, there, transfer.ReceiveOptions{})
	sameTrees(t, here, there)
}

func TestAFileThatChangesWhileItIsSentIsToldAnewOrRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		meddle func(path string) error
		always bool
		code   wire.Code
	}{
		"is written once": {touch, false, ""},
		"grows once":      {grow, false, ""},
		"shrinks once":    {func(path string) error { return os.Truncate(path, chunkSize+7) }, false, ""},
		"is emptied once": {func(path string) error { return os.Truncate(path, 0) }, false, ""},
		"is a link":       {func(path string) error { return errors.Join(os.Remove(path), os.Symlink("/etc/passwd", path)) }, false, ""},
		"is gone":         {os.Remove, false, ""},
		"always changes": {func(path string) error {
			return os.WriteFile(path, []byte(noise(uint64(time.Now().UnixNano()), 6*chunkSize)), 0o644)
		}, true, wire.Conflict},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			here, there := t.TempDir(), t.TempDir()
			put(t, here, "a", noise(1, 4*chunkSize))
			put(t, here, "b", noise(2, 6*chunkSize))
			put(t, here, "c", noise(3, 1000))
			l := &line{after: chunkSize}
			l.event = func() error {
				if c.always {
					l.after = l.n + chunkSize
				}
				return c.meddle(filepath.Join(here, "b"))
			}
			o, end := withStore(t, t.TempDir(), 1<<30)
			defer end()
			_, received, serr, rerr := bring(t, here, there, l, o)
			if c.code != "" {
				wantKind(t, rerr, c.code)
				wantKind(t, serr, c.code)
				if _, err := os.Lstat(filepath.Join(there, "b")); err == nil {
					t.Error("a file is there that never was")
				}
				return
			}
			must(t, errors.Join(serr, rerr))
			if name == "grows once" { // it is as it was before
				if get(t, there, "b") != noise(2, 6*chunkSize) {
					t.Error("it has another content")
				}
			} else if info, err := os.Lstat(filepath.Join(here, "b")); err == nil && info.Mode().IsRegular() {
				sameTrees(t, here, there)
			} else if _, err := os.Lstat(filepath.Join(there, "b")); err == nil || received.Files != 2 {
				t.Errorf("what is gone has arrived: %+v", received)
			}
		})
	}
}

func TestADamagedChunkInTheStoreComesAgain(t *testing.T) {
	t.Parallel()
	here, dir := t.TempDir(), t.TempDir()
	data := noise(1, 3*chunkSize)
	put(t, here, "a", data)
	put(t, here, "b", "small")
	o, end := withStore(t, dir, 1<<30)
	defer end()
	brought(t, here, t.TempDir(), o)
	sum := sha256.Sum256([]byte(data[chunkSize : 2*chunkSize]))
	digits := hex.EncodeToString(sum[:])
	must(t, os.WriteFile(filepath.Join(dir, digits[:2], digits[2:]), make([]byte, chunkSize), 0o600))
	for _, want := range []int64{chunkSize, 0} {
		there := t.TempDir()
		sent, _ := brought(t, here, there, o)
		sameTrees(t, here, there)
		if sent.Moved != want {
			t.Errorf("%d bytes moved, want %d", sent.Moved, want)
		}
	}
}

func TestTwoReceiversShareAStoreThatIsTooSmallForThem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var both sync.WaitGroup
	for k := range 2 {
		here, there := t.TempDir(), t.TempDir()
		for n := range 60 {
			put(t, here, fmt.Sprint(n), noise(uint64(n+k*30), 40_000))
		}
		both.Go(func() {
			for range 3 {
				store, err := content.Open(dir, 1<<20)
				if err != nil {
					t.Error(err)
					return
				}
				_, _, serr, rerr := bring(t, here, there, nil, transfer.ReceiveOptions{Store: store})
				if err := errors.Join(serr, rerr, store.Close(t.Context()), os.RemoveAll(filepath.Join(there, "7"))); err != nil {
					t.Error(err)
				}
			}
		})
		t.Cleanup(func() {
			must(t, os.RemoveAll(filepath.Join(here, "7")))
			sameTrees(t, here, there)
		})
	}
	both.Wait()
}

func TestASeedHasWhatNeedNotBeSentAndLeadsNowhereElse(t *testing.T) {
	t.Parallel()
	here, there, seed, secret := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	data := noise(1, 4*chunkSize)
	put(t, here, "dir/large", data)
	put(t, here, "same", noise(2, 30_000))
	put(t, here, "out/linked", noise(3, 30_000))
	put(t, here, "direct", noise(3, 30_000))
	put(t, secret, "linked", noise(3, 30_000))
	put(t, seed, "dir/large", data[:chunkSize]+"x"+data[chunkSize+1:])
	put(t, seed, "same", noise(2, 30_000))
	must(t, os.Symlink(secret, filepath.Join(seed, "out")))
	must(t, os.Symlink(filepath.Join(secret, "linked"), filepath.Join(seed, "direct")))
	before := look(t, seed)
	sent, received := brought(t, here, there, transfer.ReceiveOptions{Seeds: []string{filepath.Join(seed, "none"), seed}})
	sameTrees(t, here, there)
	if want := int64(chunkSize + 30_000); sent.Moved != want {
		t.Errorf("%d bytes moved, want %d", sent.Moved, want)
	}
	if len(received.Troubles) != 1 || !strings.Contains(received.Troubles[0], "none") {
		t.Errorf("told: %q", received.Troubles)
	}
	if after := look(t, seed); fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("the seed was %v and is %v", before, after)
	}
}

// tableOf is a stream of a hostile sender, without chunks.
func tableOf(t *testing.T, after string, n int, entries ...string) []byte {
	t.Helper()
	b := []byte("codebolt chunks 1\n" + strings.Join(entries, ""))
	b = binary.AppendUvarint(append(b, 0), uint64(n))
	sum := sha256.Sum256(b)
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out)
	must(t, err)
	_, err = w.Write(append(append(b, sum[:]...), after...))
	must(t, errors.Join(err, w.Close()))
	return out.Bytes()
}

// rawFile is a file of a size whose chunks have a sum.
func rawFile(name string, size uint64, sum [32]byte) string {
	s := raw('f', 0, name, binary.AppendUvarint(make([]byte, 9), size)...)
	for range (size + chunkSize - 1) / chunkSize {
		s += string(sum[:])
	}
	return s
}

func TestAHostileSenderIsRefusedAndReachesNothing(t *testing.T) {
	t.Parallel()
	sum := sha256.Sum256([]byte("evil"))
	evil := "\x01evil"
	for name, c := range map[string]struct {
		stream []byte
		code   wire.Code
	}{
		"nothing":                      {nil, wire.Unavailable},
		"no stream":                    {[]byte("hello, this is nothing of that kind"), wire.Invalid},
		"a path upwards":               {tableOf(t, evil, 1, rawFile("../outside/file", 4, sum)), wire.Invalid},
		"an absolute path":             {tableOf(t, evil, 1, rawFile("/tmp/evil", 4, sum)), wire.Invalid},
		"an excluded name":             {tableOf(t, evil, 1, rawFile(".GIT", 4, sum)), wire.Invalid},
		"a link as parent":             {tableOf(t, evil, 2, raw('l', 0, "link", append([]byte{10}, "../outside"...)...), raw('f', 4, "/file", binary.AppendUvarint(make([]byte, 9), 4)...)+string(sum[:])), wire.Invalid},
		"a file twice":                 {tableOf(t, evil, 2, rawFile("a", 4, sum), rawFile("a", 4, sum)), wire.Invalid},
		"a huge file":                  {tableOf(t, "", 1, raw('f', 0, "a", binary.AppendUvarint(make([]byte, 9), 1<<62)...)), wire.TooLarge},
		"a sum for a file":             {tableOf(t, "", 1, raw('s', 0, "a", make([]byte, 42)...)), wire.Invalid},
		"a count that is wrong":        {tableOf(t, evil, 9, rawFile("a", 4, sum)), wire.Invalid},
		"no byte of a chunk":           {tableOf(t, "\x07evil", 1, rawFile("a", 4, sum)), wire.Invalid},
		"chunks without end":           {tableOf(t, strings.Repeat("\x01live", 9), 1, rawFile("a", 4, sum)), wire.Invalid},
		"another kind anew":            {tableOf(t, "\x00d\x01\x00"+strings.Repeat("\x00", 9), 1, rawFile("a", 4, sum)), wire.Invalid},
		"another path anew":            {tableOf(t, "\x00f\x00\x01b"+strings.Repeat("\x00", 9)+"\x04"+string(sum[:]), 1, rawFile("a", 4, sum)), wire.Invalid},
		"a chunk that is not":          {tableOf(t, "\x01live\x00", 1, rawFile("a", 4, sum)), ""},
		"a parent that is a link here": {tableOf(t, evil, 2, raw('d', 0, "out", make([]byte, 9)...), raw('f', 3, "/file", binary.AppendUvarint(make([]byte, 9), 4)...)+string(sum[:])), ""},
		"a link here":                  {tableOf(t, evil, 1, rawFile("outfile", 4, sum)), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, untouched := trap(t)
			_, err := transfer.Receive(t.Context(), root, bytes.NewReader(c.stream), io.Discard, transfer.ReceiveOptions{Excludes: []string{".git"}})
			if c.code == "" {
				must(t, err)
			} else {
				wantKind(t, err, c.code)
			}
			if _, err := os.Lstat(filepath.Join(root, "a")); err == nil {
				t.Error("a file is there that nobody sent")
			}
			untouched()
		})
	}
}

func TestAHostileReceiverIsRefused(t *testing.T) {
	t.Parallel()
	here := t.TempDir()
	put(t, here, "a", noise(1, 1000))
	put(t, here, "dir/b", noise(2, 1000))
	for name, c := range map[string]struct {
		answers string
		code    wire.Code
	}{
		"nothing":              {"", wire.Unavailable},
		"an end at once":       {"\n{}\n", wire.Unavailable},
		"an answer of no kind": {"x", wire.Invalid},
		"too many chunks":      {"n\x03\x07", wire.Invalid},
		"a number without end": {"n" + strings.Repeat("\xff", 20), wire.Invalid},
		"chunks without end":   {"n\xff\xff\xff\x7f", wire.Invalid},
		"again before":         {"a\x01\x00", wire.Invalid},
		"a folder again":       {"n\x02\x00a\x01\x01", wire.Invalid},
		"what there is not":    {"n\x02\x00a\x01\x09", wire.Invalid},
		"a file twice":         {"n\x02\x00a\x02\x00\x00", wire.Invalid},
		"a cut":                {"n\x02", wire.Unavailable},
		"again and again":      {strings.Repeat("n\x02\x03a\x02\x00\x02", 1) + strings.Repeat("n\x02\x03a\x02\x00\x02", 9), wire.Conflict},
		"good":                 {"p\x01\x02n\x02\x01a\x00\n{}\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			_, err := transfer.Send(t.Context(), here, &out, strings.NewReader(c.answers), transfer.SendOptions{})
			if c.code == "" {
				must(t, err)
				return
			}
			wantKind(t, err, c.code)
			if out.Len() > 20_000 {
				t.Errorf("%d bytes were sent", out.Len())
			}
		})
	}
}

// Not parallel: what other tests allocate would count.
func TestChunksTakeNoMoreMemoryForALargeFile(t *testing.T) {
	const most = 32 << 20 // both sides together
	here, there := t.TempDir(), t.TempDir()
	f, err := os.Create(filepath.Join(here, "large"))
	must(t, err)
	for n := range 400 { // 200 MiB
		must(t, binary.Write(f, binary.LittleEndian, int64(n)))
		_, err = f.Seek(chunkSize-8, io.SeekCurrent)
		must(t, err)
	}
	must(t, errors.Join(f.Truncate(400*chunkSize), f.Close()))
	o, end := withStore(t, t.TempDir(), 1<<30)
	defer end()
	used := peak(t)
	sent, received := brought(t, here, there, o)
	if heap := used(); received.Bytes != 400*chunkSize || sent.Moved != 400*chunkSize || heap > most {
		t.Errorf("it took %d MiB for %+v", heap>>20, sent)
	}
}
