package content_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/content"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, dir string, limit int64) *content.Store {
	t.Helper()
	s, err := content.Open(dir, limit)
	must(t, err)
	return s
}

// chunk is one that differs from those of other numbers.
func chunk(n, size int) (content.Sum, []byte) {
	data := bytes.Repeat([]byte{byte(n), byte(n >> 8), 'x', '\n'}, size/4+1)[:size]
	return sha256.Sum256(data), data
}

func pathOf(dir string, sum content.Sum) string {
	digits := hex.EncodeToString(sum[:])
	return filepath.Join(dir, digits[:2], digits[2:])
}

func has(t *testing.T, s *content.Store, n, size int) bool {
	t.Helper()
	sum, data := chunk(n, size)
	if !s.Has(sum, size) {
		return false
	}
	got := make([]byte, size)
	must(t, s.Get(sum, got))
	if !bytes.Equal(got, data) {
		t.Fatalf("chunk %d has another content", n)
	}
	return true
}

func put(t *testing.T, s *content.Store, n, size int) {
	t.Helper()
	sum, data := chunk(n, size)
	must(t, s.Put(sum, data))
}

func TestWhatWasPutIsThereForTheNextOne(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "not", "made", "yet")
	s := open(t, dir, 1<<20)
	put(t, s, 1, 1000)
	if !has(t, s, 1, 1000) || has(t, s, 2, 1000) {
		t.Error("it has not what was put, or more")
	}
	must(t, s.Close(t.Context()))
	s = open(t, dir, 1<<20)
	if !has(t, s, 1, 1000) {
		t.Error("it was forgotten")
	}
	must(t, s.Close(t.Context()))
	if _, err := content.Open(dir, 0); wire.CodeOf(err) != wire.Invalid {
		t.Errorf("a store without room: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("in the folder: %v, %v", left, err)
	}
}

func TestADamagedChunkIsNotFoundAndMayComeAgain(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(string) error{
		"other bytes": func(path string) error { _, other := chunk(2, 1000); return os.WriteFile(path, other, 0o600) },
		"cut":         func(path string) error { return os.Truncate(path, 999) },
		"more":        func(path string) error { return os.Truncate(path, 1001) },
		"a link":      func(path string) error { return os.Rename(path, path+"x") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := open(t, dir, 1<<20)
			put(t, s, 1, 1000)
			sum, data := chunk(1, 1000)
			path := pathOf(dir, sum)
			must(t, damage(path))
			if name == "a link" {
				must(t, os.Symlink(path+"x", path))
			}
			if err := s.Get(sum, make([]byte, 1000)); wire.CodeOf(err) != wire.NotFound {
				t.Errorf("got %v", err)
			}
			must(t, s.Put(sum, data))
			if !has(t, s, 1, 1000) {
				t.Error("it did not come again")
			}
			must(t, s.Close(t.Context()))
		})
	}
}

func TestWhatWasUsedLongestAgoGivesWay(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, 100_000)
	for n := range 10 {
		put(t, s, n, 10_000)
		sum, _ := chunk(n, 10_000)
		at := time.Now().Add(-time.Duration(20-n) * 24 * time.Hour)
		must(t, os.Chtimes(pathOf(dir, sum), at, at))
	}
	must(t, s.Close(t.Context()))
	abandoned := filepath.Join(dir, "00", "new-OFSOMEBODYWHOWASKILLED")
	must(t, os.MkdirAll(filepath.Dir(abandoned), 0o700))
	must(t, os.WriteFile(abandoned, make([]byte, 50_000), 0o600))
	must(t, os.Chtimes(abandoned, time.Unix(1, 0), time.Unix(1, 0)))
	s = open(t, dir, 100_000)
	if !has(t, s, 0, 10_000) { // it is used once more
		t.Fatal("the first is missing")
	}
	for n := range 3 {
		put(t, s, 100+n, 10_000)
	}
	must(t, s.Close(t.Context()))
	s = open(t, dir, 100_000)
	for n, want := range map[int]bool{0: true, 1: false, 2: false, 3: false, 4: true, 9: true, 100: true, 102: true} {
		sum, _ := chunk(n, 10_000)
		if got := s.Has(sum, 10_000); got != want {
			t.Errorf("chunk %d: there is %v", n, got)
		}
	}
	if _, err := os.Stat(abandoned); err == nil {
		t.Error("what nobody finishes stays")
	}
	must(t, s.Close(t.Context()))
}

func TestAStoreStaysNearItsLimitWhileItIsOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, 100_000)
	for n := range 200 {
		put(t, s, n, 10_000)
	}
	var total int64
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			info, err := d.Info()
			must(t, err)
			total += info.Size()
		}
		return err
	}))
	if total > 120_000 {
		t.Errorf("it has %d bytes", total)
	}
	must(t, s.Close(t.Context()))
}

func TestADropTakesBackWhatWasPutAndNoMore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := open(t, dir, 1<<20)
	put(t, s, 1, 1000)
	must(t, s.Close(t.Context()))
	s = open(t, dir, 1<<20)
	put(t, s, 2, 1000)
	s.Drop()
	if !has(t, s, 1, 1000) || has(t, s, 2, 1000) {
		t.Error("a drop took too much, or too little")
	}
	must(t, s.Clear())
	if has(t, s, 1, 1000) {
		t.Error("a clear left something")
	}
	must(t, s.Close(t.Context()))
}

func TestManyUseOneStoreAtATime(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			s, err := content.Open(dir, 30_000)
			if err != nil {
				t.Error(err)
				return
			}
			got := make([]byte, 1000)
			for n := range 200 {
				sum, data := chunk(n, 1000)
				if !s.Has(sum, 1000) {
					if err := s.Put(sum, data); err != nil {
						t.Errorf("put: %v", err)
					}
				}
				if err := s.Get(sum, got); err == nil && !bytes.Equal(got, data) || err != nil && wire.CodeOf(err) != wire.NotFound {
					t.Errorf("get: %v", err)
				}
			}
			if err := s.Close(t.Context()); err != nil {
				t.Errorf("close: %v", err)
			}
		})
	}
	all.Wait()
	s := open(t, dir, 30_000)
	count := 0
	for n := range 200 {
		if sum, _ := chunk(n, 1000); s.Has(sum, 1000) {
			count++
		}
	}
	if count > 30 || count < 20 {
		t.Errorf("%d chunks are left", count)
	}
	must(t, s.Close(t.Context()))
}
