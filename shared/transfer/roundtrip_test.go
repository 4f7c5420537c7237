//go:build linux

package transfer_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/transfer"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/google/go-cmp/cmp"
)

func ownerOf(t *testing.T, path string) (uid, gid uint32) {
	t.Helper()
	info, err := os.Lstat(path)
	must(t, err)
	st := info.Sys().(*syscall.Stat_t)
	return st.Uid, st.Gid
}

func TestWhateverChangesBothSidesAgreeAfterwards(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			here, there := t.TempDir(), t.TempDir()
			t.Cleanup(func() { writable(here); writable(there) })
			c := &changer{rand.New(rand.NewPCG(seed, 1)), t, here}
			d := &changer{rand.New(rand.NewPCG(seed, 2)), t, there}
			for range 4 {
				for range 30 {
					c.change()
				}
				for range seed % 3 * 8 { // the other side changes as well, or not at all
					d.change()
				}
				known := through(t, scan(t, there))
				synchronise(t, here, there, known)
				sameTrees(t, here, there)
				sent, received := synchronise(t, here, there, through(t, scan(t, there)))
				if sent.Files != 0 || sent.Bytes != 0 || received.Files != 0 || received.Deleted != 0 {
					t.Fatalf("the second transfer sent %+v, received %+v", sent, received)
				}
				if diff := cmp.Diff(entries(scan(t, here)), entries(scan(t, there))); diff != "" {
					t.Fatal(diff)
				}
			}
		})
	}
}

func TestDirectoriesWhoseUserIsNobodySpecialAgreeToo(t *testing.T) {
	t.Parallel()
	if !asUser(t) {
		return
	}
	for seed := range uint64(20) {
		here, there := t.TempDir(), t.TempDir()
		t.Cleanup(func() { writable(here); writable(there) })
		c := &changer{rand.New(rand.NewPCG(seed, 3)), t, here}
		for range 4 {
			for range 30 {
				c.change()
			}
			synchronise(t, here, there, through(t, scan(t, there)))
			sameTrees(t, here, there)
		}
	}
}

func entries(x *transfer.Index) []transfer.Entry {
	var all []transfer.Entry
	for e := range x.All() {
		all = append(all, e)
	}
	return all
}

func TestOnlyWhatChangedIsSent(t *testing.T) {
	t.Parallel()
	here, there := t.TempDir(), t.TempDir()
	for i := range 50 {
		put(t, here, fmt.Sprintf("dir/%d", i), strings.Repeat("x", i))
	}
	synchronise(t, here, there, nil)
	put(t, here, "dir/7", "changed")
	must(t, os.Remove(filepath.Join(here, "dir/8")))
	stream, sent := packed(t, here, transfer.PackOptions{Known: scan(t, there)})
	if sent.Files != 1 || sent.Bytes != int64(len("changed")) || len(stream) > 8<<10 {
		t.Errorf("sent %+v in %d bytes", sent, len(stream))
	}
	received, err := unpack(t, there, stream, transfer.UnpackOptions{Delete: true})
	must(t, err)
	if received.Files != 1 || received.Deleted != 1 {
		t.Errorf("received %+v", received)
	}
	sameTrees(t, here, there)
}

func TestAFileWhoseContentIsKnownIsNotSentForItsModeOrTime(t *testing.T) {
	t.Parallel()
	here, there := t.TempDir(), t.TempDir()
	for _, name := range []string{"mode", "time", "content"} {
		put(t, here, name, strings.Repeat("same", 5000))
	}
	synchronise(t, here, there, nil)
	must(t, os.Chmod(filepath.Join(here, "mode"), 0o700))
	now := time.Unix(1e9, 123456789)
	must(t, os.Chtimes(filepath.Join(here, "time"), now, now))
	put(t, here, "content", strings.Repeat("emas", 5000))
	known, err := transfer.Scan(t.Context(), there, transfer.ScanOptions{Sums: true})
	must(t, err)
	sent, _ := synchronise(t, here, there, through(t, known))
	if sent.Files != 1 || sent.Bytes != 20000 {
		t.Errorf("sent %+v", sent)
	}
	sameTrees(t, here, there)
}

func TestAFileThatIsNoLongerTheKnownOneIsToldAndNotBlessed(t *testing.T) {
	t.Parallel()
	here, there := t.TempDir(), t.TempDir()
	put(t, here, "a", "same")
	put(t, here, "b", "same")
	put(t, here, "dir/c", "same")
	synchronise(t, here, there, nil)
	known := scan(t, there)
	must(t, os.Chmod(filepath.Join(here, "a"), 0o700))
	stream, _ := packed(t, here, transfer.PackOptions{Known: known})
	put(t, there, "a", "more")
	put(t, there, "b", "more")
	must(t, os.RemoveAll(filepath.Join(there, "dir")))
	result, err := unpack(t, there, stream, transfer.UnpackOptions{Delete: true})
	must(t, err)
	if diff := cmp.Diff([]string{"a", "b", "dir"}, sorted(result.Differs)); diff != "" {
		t.Error(diff)
	}
	synchronise(t, here, there, scan(t, there))
	sameTrees(t, here, there)
}

func TestWithoutDeleteWhatTheSenderLacksStays(t *testing.T) {
	t.Parallel()
	here, there := t.TempDir(), t.TempDir()
	put(t, here, "a", "new")
	put(t, here, "dir/x", "x")
	put(t, there, "a", "old")
	put(t, there, "mine/b", "b")
	put(t, there, "dir", "a file") // gives way, since its name is listed
	stream, _ := packed(t, here, transfer.PackOptions{})
	result, err := unpack(t, there, stream, transfer.UnpackOptions{})
	must(t, err)
	if get(t, there, "mine/b") != "b" || get(t, there, "a") != "new" || get(t, there, "dir/x") != "x" || result.Deleted != 0 {
		t.Errorf("%+v %v", result, look(t, there))
	}
}

func TestWithoutDeleteADirectoryWithFilesGivesWayToNothing(t *testing.T) {
	t.Parallel()
	here, there := t.TempDir(), t.TempDir()
	put(t, here, "a", "a file")
	put(t, there, "a/b", "b")
	stream, _ := packed(t, here, transfer.PackOptions{})
	_, err := unpack(t, there, stream, transfer.UnpackOptions{})
	wantKind(t, err, wire.Conflict)
	if get(t, there, "a/b") != "b" || len(look(t, there)) != 2 {
		t.Errorf("%v", look(t, there))
	}
}

func TestExcludedNamesAreNeitherSentNorTouched(t *testing.T) {
	t.Parallel()
	here, there := t.TempDir(), t.TempDir()
	put(t, here, ".git/config", "here")
	put(t, here, "sub/.git/config", "sent: only the root's is excluded")
	put(t, there, ".git/config", "there")
	put(t, there, "old", "old")
	exclude := []string{".git"}
	stream, _ := packed(t, here, transfer.PackOptions{Excludes: exclude, Known: scan(t, there)})
	_, err := unpack(t, there, stream, transfer.UnpackOptions{Delete: true, Excludes: exclude})
	must(t, err)
	if got := get(t, there, ".git/config"); got != "there" {
		t.Errorf(".git/config is %q", got)
	}
	sameTrees(t, filepath.Join(here, "sub"), filepath.Join(there, "sub"))
	if n := scan(t, there, exclude...).Len(); n != 3 {
		t.Errorf("%d entries", n)
	}
}

func TestSpecialFilesAreToldAndLeftOut(t *testing.T) {
	t.Parallel()
	here, there := t.TempDir(), t.TempDir()
	must(t, syscall.Mkfifo(filepath.Join(here, "fifo"), 0o644))
	must(t, syscall.Mknod(filepath.Join(here, "socket"), syscall.S_IFSOCK|0o644, 0))
	put(t, here, "a", "a")
	must(t, os.Link(filepath.Join(here, "a"), filepath.Join(here, "hard")))
	must(t, os.Chmod(filepath.Join(here, "a"), 0o755|os.ModeSetuid|os.ModeSetgid))
	sent, _ := synchronise(t, here, there, nil)
	if diff := cmp.Diff([]string{"fifo", "socket"}, sent.Skipped); diff != "" {
		t.Error(diff)
	}
	if get(t, there, "hard") != "a" || len(look(t, there)) != 2 {
		t.Errorf("%v", look(t, there))
	}
	info, err := os.Stat(filepath.Join(there, "a"))
	must(t, err)
	if info.Mode() != 0o755 {
		t.Errorf("the mode is %v", info.Mode())
	}
}

func TestWhatAKilledUnpackLeftIsGoneAfterTheNext(t *testing.T) {
	t.Parallel()
	here, there := t.TempDir(), t.TempDir()
	put(t, here, "dir/a", "a")
	put(t, there, "dir/.codebolt-transfer-ABCDEFGHIJKLMNOPQRSTUVWXYZ", "half")
	put(t, here, "dir/.codebolt-transfer-ABCDEFGHIJKLMNOPQRSTUVWXY2", "not to be sent")
	stream, _ := packed(t, here, transfer.PackOptions{})
	_, err := unpack(t, there, stream, transfer.UnpackOptions{})
	must(t, err)
	if seen := look(t, there); len(seen) != 2 {
		t.Errorf("%v", seen)
	}
}
