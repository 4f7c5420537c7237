package transfer_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/transfer"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/google/go-cmp/cmp"
)

// runSelf runs one test of this program as another user.
func runSelf(t *testing.T, name string) ([]byte, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^"+name+"$", "-test.v", "-test.timeout=120s")
	cmd.Env = append(os.Environ(), asUserVariable+"=1", "TMPDIR=/tmp")
	cmd.Dir = "/"
	return cmd.CombinedOutput()
}

func TestAUserWithoutPrivilegesCannotGiveFilesAway(t *testing.T) {
	t.Parallel()
	if !asUser(t) {
		return
	}
	here, there := t.TempDir(), t.TempDir()
	put(t, here, "dir/a", "a")
	put(t, there, "b", "b")
	before := look(t, there)
	stream, _ := packed(t, here, transfer.PackOptions{})
	_, err := unpack(t, there, stream, transfer.UnpackOptions{Delete: true, Owner: &transfer.Owner{UID: 0, GID: 0}})
	wantKind(t, err, wire.Permission)
	if diff := cmp.Diff(before, look(t, there)); diff != "" {
		t.Errorf("something was changed: %s", diff)
	}
	_, err = unpack(t, there, stream, transfer.UnpackOptions{Delete: true, Owner: &transfer.Owner{UID: os.Getuid(), GID: os.Getgid()}})
	must(t, err)
	sameTrees(t, here, there)
}

func TestDirectoriesWithoutWritePermissionAreFilledEmptiedAndReplaced(t *testing.T) {
	t.Parallel()
	if !asUser(t) {
		return
	}
	here, there := t.TempDir(), t.TempDir()
	t.Cleanup(func() { writable(here); writable(there) })
	put(t, here, "locked/inner/new", "new")
	put(t, here, "locked/kept", "kept")
	put(t, here, "file", "instead of a directory")
	must(t, os.Chmod(filepath.Join(here, "locked/inner"), 0o500))
	must(t, os.Chmod(filepath.Join(here, "locked"), 0o555))
	put(t, there, "locked/inner/old", "old")
	put(t, there, "locked/gone/deep/old", "old")
	put(t, there, "file/deep/old", "old")
	for _, dir := range []string{"locked/inner", "locked/gone/deep", "locked/gone", "locked", "file/deep", "file", "."} {
		must(t, os.Chmod(filepath.Join(there, dir), 0o555))
	}
	synchronise(t, here, there, scan(t, there))
	sameTrees(t, here, there)
	info, err := os.Stat(there)
	must(t, err)
	if info.Mode().Perm() != 0o555 {
		t.Errorf("the directory itself has mode %v now", info.Mode())
	}
	if sent, _ := synchronise(t, here, there, scan(t, there)); sent.Files != 0 {
		t.Errorf("sent %d files again", sent.Files)
	}
}

func TestAFailedUnpackGivesDirectoriesTheirModesBack(t *testing.T) {
	t.Parallel()
	if !asUser(t) {
		return
	}
	here, there := t.TempDir(), t.TempDir()
	t.Cleanup(func() { writable(there) })
	put(t, here, "locked/inner/new", "new")
	put(t, there, "locked/inner/old", "old")
	must(t, os.Chmod(filepath.Join(there, "locked/inner"), 0o500))
	must(t, os.Chmod(filepath.Join(there, "locked"), 0o555))
	stream, _ := packed(t, here, transfer.PackOptions{})
	_, err := unpack(t, there, stream[:len(stream)-1500], transfer.UnpackOptions{Delete: true})
	wantKind(t, err, wire.Unavailable)
	for name, want := range map[string]os.FileMode{"locked": 0o555, "locked/inner": 0o500} {
		info, err := os.Stat(filepath.Join(there, name))
		must(t, err)
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %v now", name, info.Mode())
		}
	}
}

func TestWhatCannotBeReadIsAnErrorAndNotAnAbsence(t *testing.T) {
	t.Parallel()
	if !asUser(t) {
		return
	}
	for _, name := range []string{"dir/file", "dir"} {
		here, there := t.TempDir(), t.TempDir()
		put(t, here, "dir/file", "secret")
		put(t, there, "dir/file", "old")
		must(t, os.Chmod(filepath.Join(here, name), 0))
		stream, err := os.CreateTemp(t.TempDir(), "")
		must(t, err)
		_, err = transfer.Pack(t.Context(), here, stream, transfer.PackOptions{})
		wantKind(t, err, wire.Permission)
		writable(here)
		data, err := os.ReadFile(stream.Name())
		must(t, err)
		_, err = unpack(t, there, data, transfer.UnpackOptions{Delete: true})
		wantKind(t, err, wire.Unavailable)
		if got := get(t, there, "dir/file"); got != "old" {
			t.Errorf("%s: the receiver has %q", name, got)
		}
	}
}

func TestAnOwnerGetsEverythingThatIsListedAndTheDirectory(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	here, there := t.TempDir(), t.TempDir()
	put(t, here, "dir/file", "x")
	must(t, os.Symlink("dir", filepath.Join(here, "link")))
	put(t, here, "kept", "kept")
	must(t, os.MkdirAll(filepath.Join(there, ".git"), 0o755))
	synchroniseOwned := func(known *transfer.Index) {
		stream, _ := packed(t, here, transfer.PackOptions{Known: known})
		result, err := unpack(t, there, stream, transfer.UnpackOptions{
			Delete: true, Excludes: []string{".git"}, Owner: &transfer.Owner{UID: 12345, GID: 23456},
		})
		must(t, err)
		if len(result.Differs) > 0 {
			t.Fatalf("differs: %q", result.Differs)
		}
	}
	synchroniseOwned(nil)
	must(t, os.Lchown(filepath.Join(there, "kept"), 0, 0)) // not sent again
	synchroniseOwned(scan(t, there))
	for _, name := range []string{".", "dir", "dir/file", "link", "kept"} {
		if uid, gid := ownerOf(t, filepath.Join(there, name)); uid != 12345 || gid != 23456 {
			t.Errorf("%s belongs to %d:%d", name, uid, gid)
		}
	}
	if uid, _ := ownerOf(t, filepath.Join(there, ".git")); uid != 0 {
		t.Errorf(".git belongs to %d", uid)
	}
	sameTrees(t, filepath.Join(here, "dir"), filepath.Join(there, "dir"))
}

func TestADirectoryThatNobodyMayEnterGetsItsTimeAndMode(t *testing.T) {
	t.Parallel()
	if !asUser(t) {
		return
	}
	there := t.TempDir()
	t.Cleanup(func() { writable(there) })
	list := file(".codebolt-transfer-list", string(sealed(1, raw('d', 0, "d", dirRest...)))) // mode 0, time 0
	list.header.PAXRecords = map[string]string{"CODEBOLT.list": "1"}
	for range 2 {
		result, err := unpack(t, there, stream(t, folder("d"), list), transfer.UnpackOptions{Delete: true})
		must(t, err)
		info, err := os.Stat(filepath.Join(there, "d"))
		must(t, err)
		if len(result.Differs) > 0 || info.Mode().Perm() != 0 || info.ModTime().UnixNano() != 0 {
			t.Errorf("%+v, %v, %v", result, info.Mode(), info.ModTime())
		}
	}
}
