//go:build linux

package main_test

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/build"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestADirectoryGoesFromScanThroughPackToUnpack(t *testing.T) {
	t.Parallel()
	here, there := t.TempDir(), t.TempDir()
	put(t, here, "dir/changed", "new")
	put(t, here, "dir/same", "same")
	put(t, here, ".git/config", "here")
	put(t, there, "dir/changed", "old one")
	put(t, there, ".git/config", "there")
	put(t, there, "gone", "gone")
	for round, files := range []int64{2, 0} {
		scanned := run(t, nil, "scan", "--root", there, "--exclude", ".git")
		if scanned.status != 0 || scanned.stderr != "" {
			t.Fatalf("scan: %+v", scanned)
		}
		packed := run(t, strings.NewReader(scanned.stdout), "pack", "--root", here, "--exclude", ".git", "--known")
		if sent := reported(t, packed.stderr); packed.status != 0 || sent.Files != files {
			t.Fatalf("pack, round %d: %+v", round, packed.stderr)
		}
		unpacked := run(t, strings.NewReader(packed.stdout), "unpack", "--root", there, "--exclude", ".git", "--delete")
		if received := reported(t, unpacked.stdout); unpacked.status != 0 || received.Files != files || received.Deleted != 1-int64(round) {
			t.Fatalf("unpack, round %d: %+v", round, unpacked)
		}
	}
	if get(there, "dir/changed") != "new" || get(there, "dir/same") != "same" || get(there, ".git/config") != "there" {
		t.Error("the content is not as it should be")
	}
	if _, err := os.Stat(filepath.Join(there, "gone")); !os.IsNotExist(err) {
		t.Errorf("gone: %v", err)
	}
}

func TestAnUnpackThatFailsSaysSoInJSONAndInASentence(t *testing.T) {
	t.Parallel()
	here, there := t.TempDir(), t.TempDir()
	put(t, here, "a", "the secret content")
	put(t, there, "b", "b")
	packed := run(t, nil, "pack", "--root", here)
	got := run(t, strings.NewReader(packed.stdout[:1000]), "unpack", "--root", there, "--delete")
	if r := reported(t, got.stdout); got.status != 1 || r.Code != wire.Unavailable || !r.Retryable || !strings.Contains(r.Error, "transfer again") {
		t.Errorf("cut: %+v", got)
	}
	if strings.Count(got.stderr, "\n") != 1 || !strings.HasPrefix(got.stderr, "codebolt-runtime unpack") || strings.Contains(got.stderr, "secret") {
		t.Errorf("cut: %q", got.stderr)
	}
	if get(there, "b") != "b" {
		t.Error("something was deleted")
	}
	got = run(t, strings.NewReader("nonsense"+strings.Repeat("secret ", 200)), "unpack", "--root", there)
	if r := reported(t, got.stdout); got.status != 1 || r.Code != wire.Invalid || strings.Contains(got.stderr+got.stdout, "secret") {
		t.Errorf("nonsense: %+v", got)
	}
	got = run(t, nil, "unpack", "--root", filepath.Join(there, "none"))
	if r := reported(t, got.stdout); got.status != 1 || r.Code != wire.NotFound {
		t.Errorf("no directory: %+v", got)
	}
	got = run(t, strings.NewReader("nonsense, and not short at all"), "pack", "--root", here, "--known")
	if r := reported(t, got.stderr); got.status != 1 || r.Code != wire.Invalid || got.stdout != "" {
		t.Errorf("no index: %+v", got)
	}
}

func TestFlagsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, args := range [][]string{
		{"pack"},
		{"unpack"},
		{"scan"},
		{"pack", "--root", dir, "more"},
		{"unpack", "--root", dir, "--owner", "me"},
		{"unpack", "--root", dir, "--owner", "1:-1"},
		{"unpack", "--root", dir, "--owner", "1"},
		{"scan", "--nothing"},
		{"connect"},
		{"connect", "unix:a", "unix:b"},
		{"--workspace", dir},
		{"--none"},
	} {
		if got := run(t, nil, args...); got.status != 2 || got.stderr == "" || got.stdout != "" {
			t.Errorf("%q: %+v", args, got)
		}
	}
	for _, args := range [][]string{{"--help"}, {"pack", "--help"}, {"unpack", "--help"}, {"scan", "--help"}, {"connect", "--help"}} {
		if got := run(t, nil, args...); got.status != 0 || !strings.Contains(got.stderr, "codebolt-runtime") {
			t.Errorf("%q: %+v", args, got)
		}
	}
	var is build.Info
	if got := run(t, nil, "version", "--json"); got.status != 0 || json.Unmarshal([]byte(got.stdout), &is) != nil || is.Version == "" {
		t.Errorf("version --json: %+v", got)
	}
	if got := run(t, nil, "--version"); got.status != 0 || got.stdout != "codebolt-runtime "+is.String()+"\n" {
		t.Errorf("--version: %+v", got)
	}
}

func TestAnUnpackThatIsToldToEndRemovesItsTemporaryFile(t *testing.T) {
	t.Parallel()
	here, there := t.TempDir(), t.TempDir()
	put(t, here, "large", strings.Repeat("x", 4<<20))
	packed := run(t, nil, "pack", "--root", here)
	cmd := command(t, "unpack", "--root", there)
	stdin, w, err := os.Pipe()
	must(t, err)
	defer w.Close() // stays open meanwhile
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout = stdin, &out
	must(t, cmd.Start())
	stdin.Close()
	_, err = w.WriteString(packed.stdout[:3<<20])
	must(t, err)
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		found, _ := filepath.Glob(filepath.Join(there, ".codebolt-transfer-*"))
		if len(found) > 0 {
			if info, err := os.Stat(found[0]); err == nil && info.Size() > 3<<20-8<<10 { // it waits for more
				break
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing is written")
		}
	}
	must(t, cmd.Process.Signal(syscall.SIGTERM))
	_ = cmd.Wait()
	var r struct{ Code wire.Code }
	must(t, json.Unmarshal(out.Bytes(), &r))
	if cmd.ProcessState.ExitCode() != 1 || r.Code != wire.Unavailable {
		t.Errorf("it ended with %v and %s", cmd.ProcessState, out.Bytes())
	}
	if left, err := os.ReadDir(there); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
}

func TestTheProgramNeedsNoLibraries(t *testing.T) {
	t.Parallel()
	f, err := elf.Open(filepath.Join(programs, "codebolt-runtime"))
	must(t, err)
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("it has a segment %v", p.Type)
		}
	}
}
