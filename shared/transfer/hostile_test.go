//go:build linux

package transfer_test

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/transfer"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// item is one entry of a stream made by hand.
type item struct {
	header tar.Header
	data   string
}

func file(name, data string) item {
	return item{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(data)), Format: tar.FormatPAX, ModTime: time.Unix(1, 0)}, data}
}

func link(name, target string) item {
	return item{header: tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Format: tar.FormatPAX}}
}

func folder(name string) item {
	return item{header: tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755, Format: tar.FormatPAX}}
}

// listing is the list of what a directory holds, as the last entry.
func listing(t *testing.T, x *transfer.Index) item {
	t.Helper()
	var b bytes.Buffer
	_, err := x.WriteTo(&b)
	must(t, err)
	last := file(".codebolt-transfer-list", b.String())
	last.header.PAXRecords = map[string]string{"CODEBOLT.list": "1"}
	return last
}

func stream(t *testing.T, items ...item) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, item := range items {
		must(t, w.WriteHeader(&item.header))
		_, err := w.Write([]byte(item.data))
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}

// trap is a directory with another beside it that nothing may reach.
func trap(t *testing.T) (root string, untouched func()) {
	t.Helper()
	parent := t.TempDir()
	root = filepath.Join(parent, "root")
	put(t, root, "old", "old")
	put(t, root, ".git/config", "config")
	put(t, parent, "outside/file", "outside")
	must(t, os.Symlink("../outside", filepath.Join(root, "out")))
	must(t, os.Symlink(filepath.Join(parent, "outside/file"), filepath.Join(root, "outfile")))
	before := look(t, parent)
	return root, func() {
		t.Helper()
		after := look(t, parent)
		for _, name := range []string{"outside", "outside/file", "root/.git", "root/.git/config"} {
			if before[name] != after[name] {
				t.Errorf("%s was %s and is %s", name, before[name], after[name])
			}
		}
		for name := range after {
			if !strings.HasPrefix(name, "root") && !strings.HasPrefix(name, "outside") || strings.Contains(name, ".codebolt-transfer") {
				t.Errorf("%s appeared", name)
			}
		}
	}
}

func TestAHostileStreamIsRefusedAndReachesNothing(t *testing.T) {
	t.Parallel()
	device := item{header: tar.Header{Typeflag: tar.TypeChar, Name: "dev", Devmajor: 1, Devminor: 3, Mode: 0o666}}
	fifo := item{header: tar.Header{Typeflag: tar.TypeFifo, Name: "fifo", Mode: 0o666}}
	hard := item{header: tar.Header{Typeflag: tar.TypeLink, Name: "hard", Linkname: "../outside/file"}}
	global := item{header: tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "global", PAXRecords: map[string]string{"path": "../x"}}}
	kept := file("old", "")
	kept.header.PAXRecords = map[string]string{"CODEBOLT.kept": "nonsense"}
	keptWithData := file("old", "data")
	keptWithData.header.PAXRecords = map[string]string{"CODEBOLT.kept": "3 1"}
	long := strings.Repeat("a/", 2048) + "a"
	for name, items := range map[string][]item{
		"an absolute path":           {file("/tmp/evil", "x")},
		"a path upwards":             {file("../outside/file", "x")},
		"a path upwards in between":  {file("a/../../outside/file", "x")},
		"a dot in between":           {file("a/./b", "x")},
		"an empty part":              {file("a//b", "x")},
		"the root itself":            {folder("./")},
		"only slashes":               {folder("//")},
		"an empty name":              {file("", "x")},
		"dot dot as a directory":     {folder("../")},
		"an excluded name":           {file(".git/config", "x")},
		"an excluded name's case":    {file(".GIT/config", "x")},
		"an excluded directory":      {folder(".git")},
		"an excluded name as a link": {link(".git", "../outside")},
		"a device":                   {device},
		"a fifo":                     {fifo},
		"a hard link":                {hard},
		"a global header":            {global},
		"an empty link":              {link("l", "")},
		"a file twice more":          {file("a", "1"), file("a", "2"), file("a", "3")},
		"a link over a file":         {file("a", "1"), link("a", "../outside/file")},
		"a file over a link":         {link("a", "../outside/file"), file("a", "1")},
		"out of order":               {file("b", "1"), file("a", "2")},
		"back into a directory":      {file("a/x", "1"), file("b", "1"), file("a/y", "2")},
		"a name of a transfer":       {file(".codebolt-transfer-ABCDEFGHIJKLMNOPQRSTUVWXYZ", "1")},
		"a path too long":            {file(long, "1")},
		"a path too deep":            {file(strings.Repeat("a/", 600)+"a", "1")},
		"kept with nonsense":         {kept},
		"kept with data":             {keptWithData},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, untouched := trap(t)
			_, err := unpack(t, root, stream(t, append(items, listing(t, &transfer.Index{}))...), transfer.UnpackOptions{Delete: true, Excludes: []string{".git"}})
			wantKind(t, err, wire.Invalid)
			untouched()
			if got := get(t, root, "old"); got != "old" {
				t.Errorf("old is %q", got)
			}
		})
	}
}

func TestNothingIsWrittenThroughALink(t *testing.T) {
	t.Parallel()
	for name, items := range map[string][]item{
		"one that was there":                 {file("out/file", "x")},
		"one that was there, to a file":      {file("outfile", "x")},
		"one that came before":               {link("a", "../outside"), file("a/file", "x")},
		"one that came before, in a folder":  {link("a", "../outside"), folder("a/b"), file("a/b/file", "x")},
		"one that came before, deeper":       {folder("d"), link("d/a", "../../outside"), file("d/a/file", "x")},
		"a file that became a directory":     {file("a", "1"), file("a/b", "2"), link("a/c", "../../outside"), file("a/c/file", "3")},
		"the mode of what is behind it":      {{header: tar.Header{Typeflag: tar.TypeReg, Name: "outfile", Mode: 0o777, PAXRecords: map[string]string{"CODEBOLT.kept": "7 1"}}}},
		"a directory where the link was one": {{header: tar.Header{Typeflag: tar.TypeDir, Name: "out", Mode: 0o777}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, untouched := trap(t)
			_, err := unpack(t, root, stream(t, append(items, listing(t, scan(t, root, ".git")))...), transfer.UnpackOptions{Excludes: []string{".git"}})
			must(t, err)
			untouched()
		})
		t.Run(name+", with deletion", func(t *testing.T) {
			t.Parallel()
			root, untouched := trap(t)
			_, err := unpack(t, root, stream(t, append(items, listing(t, &transfer.Index{}))...), transfer.UnpackOptions{Delete: true, Excludes: []string{".git"}})
			must(t, err)
			untouched()
			if n := scan(t, root, ".git").Len(); n != 0 {
				t.Errorf("%d entries are left", n)
			}
		})
	}
}

func TestAListThatNamesWhatIsExcludedOrIsFollowedIsRefused(t *testing.T) {
	t.Parallel()
	other := t.TempDir()
	put(t, other, ".git/hooks", "x")
	with := scan(t, other)
	good := listing(t, &transfer.Index{})
	padded, broken := good, good
	padded.data += "x"
	padded.header.Size++
	broken.data = "c" + strings.Repeat("x", 100)
	broken.header.Size = int64(len(broken.data))
	for name, items := range map[string][]item{
		"excluded":           {listing(t, with)},
		"followed by a file": {good, file("a", "x")},
		"there twice":        {good, good},
		"followed by bytes":  {padded},
		"no list":            {broken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root, untouched := trap(t)
			_, err := unpack(t, root, stream(t, items...), transfer.UnpackOptions{Delete: true, Excludes: []string{".git"}})
			wantKind(t, err, wire.Invalid)
			untouched()
			if get(t, root, "old") != "old" {
				t.Error("something was deleted")
			}
		})
	}
}

func TestASparseFileThatClaimsToBeHugeIsRefused(t *testing.T) {
	t.Parallel()
	// A header of the old GNU format, whose map says: nothing until 1 TiB.
	h := make([]byte, 512)
	copy(h, "sparse")
	copy(h[100:], "0000644\x000000000\x000000000\x0000000000000\x0000000000000\x00        S")
	copy(h[257:], "ustar  \x00")
	copy(h[386:], "00000000000\x0000000000000\x00") // offset and length of the one piece
	h[483] = 0x80
	binary.BigEndian.PutUint64(h[487:], 1<<40)
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	copy(h[148:], strings.Repeat("0", 6-len(octal(sum)))+octal(sum)+"\x00 ")
	if _, err := tar.NewReader(bytes.NewReader(h)).Next(); err != nil {
		t.Fatalf("the test's own header is not valid: %v", err)
	}
	root, untouched := trap(t)
	_, err := unpack(t, root, h, transfer.UnpackOptions{})
	wantKind(t, err, wire.Invalid)
	// The same in PAX format, which Go's own writer refuses to make.
	records := map[string]string{"GNU_sparse_major": "1", "GNU_sparse_minor": "0", "GNU_sparse_realsize": "16777216"}
	body := file("a", "1\n0\n1\n"+strings.Repeat("\x00", 506)+"x")
	body.header.PAXRecords = records
	forged := bytes.ReplaceAll(stream(t, body), []byte("GNU_sparse_"), []byte("GNU.sparse."))
	if h, err := tar.NewReader(bytes.NewReader(forged)).Next(); err != nil || h.Size != 16<<20 {
		t.Fatalf("the test's own stream is not sparse: %v %v", h, err)
	}
	_, err = unpack(t, root, forged, transfer.UnpackOptions{Limits: transfer.Limits{Bytes: -1}})
	wantKind(t, err, wire.Invalid)
	untouched()
}

func octal(n int) string {
	text := ""
	for ; n > 0; n /= 8 {
		text = string(rune('0'+n%8)) + text
	}
	return text
}

func TestLimitsStopAStreamBeforeItFillsTheDisk(t *testing.T) {
	t.Parallel()
	huge := item{header: tar.Header{Typeflag: tar.TypeReg, Name: "c", Mode: 0o644, Size: 1 << 50, Format: tar.FormatPAX}}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	must(t, w.WriteHeader(&huge.header))
	root, untouched := trap(t)
	_, err := unpack(t, root, b.Bytes(), transfer.UnpackOptions{})
	wantKind(t, err, wire.TooLarge)
	items := []item{file("a", "12345"), file("b", "12345")}
	_, err = unpack(t, root, stream(t, items...), transfer.UnpackOptions{Limits: transfer.Limits{Bytes: 9}})
	wantKind(t, err, wire.TooLarge)
	_, err = unpack(t, root, stream(t, items...), transfer.UnpackOptions{Limits: transfer.Limits{Entries: 1}})
	wantKind(t, err, wire.TooLarge)
	_, err = unpack(t, root, stream(t, listing(t, scan(t, root))), transfer.UnpackOptions{Limits: transfer.Limits{Entries: 2}})
	wantKind(t, err, wire.TooLarge)
	untouched()
}

func TestSetuidAndSetgidBitsOfAStreamAreDropped(t *testing.T) {
	t.Parallel()
	root, _ := trap(t)
	suid, dir := file("tool", "x"), folder("dir")
	suid.header.Mode, dir.header.Mode = 0o6755, 0o7777
	_, err := unpack(t, root, stream(t, dir, suid, listing(t, scan(t, root))), transfer.UnpackOptions{})
	must(t, err)
	for _, name := range []string{"tool", "dir"} {
		info, err := os.Stat(filepath.Join(root, name))
		must(t, err)
		if info.Mode()&(os.ModeSetuid|os.ModeSetgid|os.ModeSticky) != 0 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
}
