//go:build linux

package transfer_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/transfer"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/google/go-cmp/cmp"
)

// look describes all that is below a directory, by path.
func look(t *testing.T, root string) map[string]string {
	t.Helper()
	seen := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		what := fmt.Sprintf("%v %d", info.Mode(), info.ModTime().UnixNano())
		switch {
		case info.Mode().IsRegular():
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			what += fmt.Sprintf(" %d %.40q", len(data), data)
		case info.Mode()&fs.ModeSymlink != 0:
			what, err = os.Readlink(path)
		}
		seen[strings.TrimPrefix(path, root+"/")] = what
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

func sameTrees(t *testing.T, here, there string) {
	t.Helper()
	if diff := cmp.Diff(look(t, here), look(t, there)); diff != "" {
		t.Fatalf("the trees differ (-sender +receiver):\n%s", diff)
	}
}

func put(t *testing.T, root, name, text string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, root, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantKind(t *testing.T, err error, kind wire.Code) {
	t.Helper()
	if wire.CodeOf(err) != kind {
		t.Fatalf("got %v of kind %q, want kind %q", err, wire.CodeOf(err), kind)
	}
}

func scan(t *testing.T, root string, excludes ...string) *transfer.Index {
	t.Helper()
	x, err := transfer.Scan(t.Context(), root, transfer.ScanOptions{Excludes: excludes})
	must(t, err)
	return x
}

// packed returns the stream of a directory.
func packed(t *testing.T, root string, o transfer.PackOptions) ([]byte, transfer.Result) {
	t.Helper()
	var b bytes.Buffer
	result, err := transfer.Pack(t.Context(), root, &b, o)
	must(t, err)
	return b.Bytes(), result
}

func unpack(t *testing.T, root string, stream []byte, o transfer.UnpackOptions) (transfer.Result, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return transfer.Unpack(ctx, root, bytes.NewReader(stream), o)
}

// synchronise brings there to what is here and returns what was sent and received.
func synchronise(t *testing.T, here, there string, known *transfer.Index) (sent, received transfer.Result) {
	t.Helper()
	stream, sent := packed(t, here, transfer.PackOptions{Known: known})
	received, err := unpack(t, there, stream, transfer.UnpackOptions{Delete: true})
	must(t, err)
	if len(received.Differs) > 0 {
		t.Fatalf("differs: %q", received.Differs)
	}
	return sent, received
}

// through sends an index over the wire.
func through(t *testing.T, x *transfer.Index) *transfer.Index {
	t.Helper()
	var b bytes.Buffer
	n, err := x.WriteTo(&b)
	must(t, err)
	if n != int64(b.Len()) {
		t.Fatalf("WriteTo told %d bytes and wrote %d", n, b.Len())
	}
	y, err := transfer.ReadIndex(io.MultiReader(&b)) // no io.ByteReader
	must(t, err)
	return y
}

// changer makes random changes to a directory.
type changer struct {
	*rand.Rand
	t    *testing.T
	root string
}

var nameParts = []string{
	"a", "B", "b", "-", "a.txt", "a-", " ", "ü", "\xff\xfe", "\n", "=", "line\nbreak", `back\slash`, "..x", "x..", "'q\"", "日本",
	strings.Repeat("n", 120), strings.Repeat("\x80", 255), "PaxHeaders.0", ".codebolt-transfer-list", ".codebolt-transfer-", "\u202e",
}

func (c *changer) name() string { return nameParts[c.IntN(len(nameParts))] }

// dirs returns the directories there are.
func (c *changer) dirs() []string {
	found := []string{c.root}
	_ = filepath.WalkDir(c.root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			found = append(found, path)
		}
		return err
	})
	return found
}

func (c *changer) change() {
	c.t.Helper()
	dirs := c.dirs()
	dir := dirs[c.IntN(len(dirs))]
	path := filepath.Join(dir, c.name())
	mode := fs.FileMode(c.IntN(0o1000))
	stamp := time.Unix(c.Int64N(4e9)-1e9, c.Int64N(1e9))
	// Whatever is there may be another type of thing, or not let us.
	switch c.IntN(8) {
	case 0, 1, 2:
		if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return // nothing is written through a link: it may lead anywhere
		}
		data := make([]byte, c.IntN(3)*c.IntN(2000))
		for i := range data {
			data[i] = byte(c.Uint32())
		}
		if os.WriteFile(path, data, 0o644) == nil {
			_ = os.Chtimes(path, stamp, stamp)
			_ = os.Chmod(path, mode|0o400)
		}
	case 3:
		_ = os.Mkdir(path, 0o755)
	case 4:
		_ = os.Symlink([]string{"a", "/nowhere/outside", "../..", "\xff", "a/b/c"}[c.IntN(5)], path)
	case 5:
		_ = os.RemoveAll(path)
	case 6:
		if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink == 0 {
			_ = os.Chtimes(path, stamp, stamp)
			_ = os.Chmod(path, mode|0o500)
		}
	case 7:
		other := filepath.Join(dirs[c.IntN(len(dirs))], c.name())
		_ = os.Rename(path, other)
	}
}

// writable lets the clean-up remove a tree.
func writable(root string) {
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(path, 0o755)
		}
		return nil
	})
}

// asUser runs the calling test as a user without privileges: it returns true
// there. When this process is root it runs the test once more for that.
func asUser(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		return true
	}
	out, err := runSelf(t, t.Name())
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Fatalf("as another user: %v\n%s", err, out)
	}
	return false
}

const asUserVariable = "TRANSFER_TEST_USER"

func TestMain(m *testing.M) {
	if os.Getenv(asUserVariable) != "" {
		const nobody = 65534
		for _, err := range []error{syscall.Setgroups([]int{nobody}), syscall.Setgid(nobody), syscall.Setuid(nobody)} {
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
	}
	os.Exit(m.Run())
}

func sorted(paths []string) []string { return slices.Sorted(slices.Values(paths)) }
