package resource_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("RESOURCE_TEST_WRITER"); dir != "" {
		writeForEver(dir)
	}
	os.Exit(m.Run())
}

func openStore(t *testing.T) *resource.Store {
	t.Helper()
	s, err := resource.OpenStore(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func record(key string) *resource.Record {
	return &resource.Record{
		Resource: resource.NewID("worktree", key), Provider: "p", EnvironmentID: "e", EnvironmentName: "n",
		Path: "/w", PathCreated: true, Phase: "creating", Details: wire.Raw(`{"branch":"b"}`),
		Runtime: &resource.RuntimeRecord{InstanceID: "i", Dir: "/d"},
	}
}

func TestARecordIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	s, want := openStore(t), record("k1")
	if err := s.Create(want); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(want.Resource)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateApproxTime(0)); diff != "" {
		t.Errorf("(-written +read):\n%s", diff)
	}
	if err := s.Create(record("k1")); !errors.Is(err, wire.Exists) {
		t.Errorf("a second Create gives %v", err)
	}
	want.Phase = "ready"
	if err := s.Update(want); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(want.Resource); err != nil || got.Phase != "ready" || got.Created.IsZero() {
		t.Errorf("after Update: %+v, %v", got, err)
	}
	for range 2 {
		if err := s.Delete(want.Resource); err != nil {
			t.Errorf("Delete: %v", err)
		}
	}
	if _, err := s.Get(want.Resource); !errors.Is(err, wire.NotFound) {
		t.Errorf("Get after Delete gives %v", err)
	}
	if err := s.Update(want); wire.CodeOf(err) != wire.NotFound {
		t.Errorf("Update after Delete gives %v", err)
	}
}

func TestWhatANewerVersionWroteSurvivesAnUpdate(t *testing.T) {
	t.Parallel()
	s, rec := openStore(t), record("k")
	if err := s.Create(rec); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.Dir(), "envs", "worktree~v1~k.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(data), "{", `{"later":{"a":1},`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(rec.Resource)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Update(got); err != nil {
		t.Fatal(err)
	}
	if data, err = os.ReadFile(path); err != nil || !strings.Contains(string(data), `"later":{"a":1}`) {
		t.Errorf("%s, %v", data, err)
	}
	if data, err = json.Marshal(got); err != nil || !strings.Contains(string(data), `"later":{"a":1}`) || strings.Contains(string(data), "Extra") {
		t.Errorf("by encoding/json: %s, %v", data, err)
	}
}

func TestOneDamagedRecordDoesNotHideTheOthers(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	for _, k := range []string{"a", "b"} {
		if err := s.Create(record(k)); err != nil {
			t.Fatal(err)
		}
	}
	envs := filepath.Join(s.Dir(), "envs")
	for name, body := range map[string]string{"worktree~v1~c.json": "{", "worktree~v1~d.json": `{"schema":99,"resource":"worktree:v1:d"}`, "worktree~v1~e.json": `{"schema":1,"resource":"worktree:v1:a"}`} {
		if err := os.WriteFile(filepath.Join(envs, name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	recs, err := s.List()
	if len(recs) != 2 || err == nil {
		t.Errorf("List gives %d records and the error %v", len(recs), err)
	}
	for key, code := range map[string]wire.Code{"c": wire.Internal, "d": wire.Unsupported, "e": wire.Internal} {
		if _, err := s.Get(resource.NewID("worktree", key)); !errors.Is(err, code) {
			t.Errorf("Get(%s) gives %v, want kind %s", key, err, code)
		}
	}
}

func TestOnlyResourceIDsNameFiles(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	for _, text := range []string{"", "x", "a:v1:", "a:v2:k", "A:v1:k", "a:v1:../k", "a:v1:k/k", "a:v1:-k", "a:v1:k\x00", "a:v1:" + strings.Repeat("k", 200), "../a:v1:k"} {
		if id, err := resource.ParseID(text); !errors.Is(err, wire.Invalid) || id != "" {
			t.Errorf("ParseID(%q) = %q, %v", text, id, err)
		}
		if _, err := s.Get(resource.ID(text)); !errors.Is(err, wire.Invalid) {
			t.Errorf("Get(%q) gives %v", text, err)
		}
	}
	if id, err := resource.ParseID("worktree:v1:a.b_c-1"); err != nil || id.Kind() != "worktree" || id.Key() != "a.b_c-1" {
		t.Errorf("%q, %v", id, err)
	}
}

func TestALeaseHasOneHolderAndNamesIt(t *testing.T) {
	t.Parallel()
	s, id := openStore(t), resource.NewID("worktree", "k")
	lease, err := s.Lease(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Lease(ctx, id); !errors.Is(err, wire.Conflict) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("a second lease gives %v", err)
	}
	if held, err := s.Leased(id); !held || err != nil {
		t.Errorf("Leased = %v, %v", held, err)
	}
	for range 2 {
		if err := lease.Release(); err != nil {
			t.Error(err)
		}
	}
	if held, err := s.Leased(id); held || err != nil {
		t.Errorf("Leased after Release = %v, %v", held, err)
	}
	left, err := filepath.Glob(filepath.Join(s.Dir(), "envs", "*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestALockExcludesGoroutinesAndLeavesNoFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	var (
		wg     sync.WaitGroup
		inside atomic.Int32
	)
	for range 16 {
		wg.Go(func() {
			for range 20 {
				lock, err := resource.Acquire(t.Context(), path)
				if err != nil {
					t.Error(err)
					return
				}
				if n := inside.Add(1); n != 1 {
					t.Errorf("%d hold the lock", n)
				}
				inside.Add(-1)
				if err := lock.Release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the lock file is left: %v", err)
	}
}

// writeForEver is the process that the next test kills: it takes a lock, changes
// a record and says so, again and again.
func writeForEver(dir string) {
	s, err := resource.OpenStore(dir)
	fail := func(err error) {
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
	}
	fail(err)
	id := resource.NewID("worktree", "k")
	for i := 0; ; i++ {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		lease, err := s.Lease(ctx, id)
		fail(err)
		rec := record("k")
		if err := s.Create(rec); err != nil {
			rec, err = s.Get(id)
			fail(err)
			rec.Phase = strings.Repeat("x", 1+rand.IntN(5000))
			rec.EnvironmentName = fmt.Sprint(len(rec.Phase))
			fail(s.Update(rec))
			if i%7 == 6 {
				fail(s.Delete(id))
			}
		}
		fail(lease.Release())
		cancel()
		fmt.Println("ok")
	}
}

func TestAKilledWriterLeavesWholeRecordsAndNoStuckLease(t *testing.T) {
	t.Parallel()
	kills := 100
	if testing.Short() {
		kills = 20
	}
	dir := t.TempDir()
	for range kills {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), "RESOURCE_TEST_WRITER="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range 1 + rand.IntN(8) {
			if !lines.Scan() || lines.Text() != "ok" {
				t.Fatalf("the writer says %q", lines.Text())
			}
		}
		cmd.Process.Kill()
		cmd.Wait()
	}
	s, err := resource.OpenStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.List(); err != nil {
		t.Errorf("after %d kills: %v", kills, err)
	}
	if held, err := s.Leased(resource.NewID("worktree", "k")); held || err != nil {
		t.Errorf("the lease is held: %v, %v", held, err)
	}
	// What a writer killed in the middle leaves is cleared away once it is old.
	temp, err := filepath.Glob(filepath.Join(dir, "envs", "*tmp*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(temp, filepath.Join(dir, "envs", "x.json.codebolt-tmp-1")) {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		long := time.Now().Add(-time.Hour)
		if err := os.Chtimes(path, long, long); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := resource.OpenStore(dir); err != nil {
		t.Fatal(err)
	}
	if temp, err = filepath.Glob(filepath.Join(dir, "envs", "*tmp*")); err != nil || len(temp) != 0 {
		t.Errorf("temporary files are left: %v, %v", temp, err)
	}
}

func TestTrashTakesOnlyWhatItPutAway(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	trash, outside := filepath.Join(base, ".trash"), filepath.Join(base, "outside")
	for _, dir := range []string{filepath.Join(base, "w", "sub"), outside} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for path, body := range map[string]string{filepath.Join(base, "w", "sub", "f"): "x", filepath.Join(outside, "canary"): "c"} {
		if err := os.WriteFile(path, []byte(body), 0o444); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(base, "w", "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(base, "w", "sub"), 0o555); err != nil {
		t.Fatal(err)
	}
	if _, err := resource.Trash(filepath.Join(base, "missing"), trash); !errors.Is(err, wire.NotFound) {
		t.Errorf("Trash of nothing gives %v", err)
	}
	to, err := resource.Trash(filepath.Join(base, "w"), trash)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(to, "sub", "f")); err != nil {
		t.Error(err)
	}
	foreign := filepath.Join(trash, "foreign")
	if err := os.WriteFile(foreign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := resource.EmptyTrash(t.Context(), trash, time.Hour); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(to); err != nil {
		t.Errorf("young trash is gone: %v", err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if err := resource.EmptyTrash(t.Context(), trash, 0); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if _, err := os.Stat(to); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("trash is left: %v", err)
	}
	for _, path := range []string{foreign, filepath.Join(outside, "canary")} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	if err := os.Remove(foreign); err != nil {
		t.Fatal(err)
	}
	if err := resource.EmptyTrash(t.Context(), trash, 0); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(trash); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the empty trash directory is left: %v", err)
	}
}

func TestOneTrashServesManyAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	trash := filepath.Join(dir, ".trash")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			path := filepath.Join(dir, fmt.Sprintf("e%d", i))
			for range 200 {
				if err := os.Mkdir(path, 0o755); err != nil {
					t.Error(err)
					return
				}
				if _, err := resource.Trash(path, trash); err != nil {
					t.Errorf("Trash beside others: %v", err)
					return
				}
				if err := resource.EmptyTrash(t.Context(), trash, 0); err != nil {
					t.Errorf("EmptyTrash beside others: %v", err)
					return
				}
			}
		})
	}
	all.Wait()
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("left: %v, %v", entries, err)
	}
}

func TestAProcessIsKnownByMoreThanItsPid(t *testing.T) {
	t.Parallel()
	a, alive := resource.ProcessStarted(os.Getpid())
	if b, _ := resource.ProcessStarted(os.Getpid()); a == "" || a != b || !alive {
		t.Errorf("this process started at %q and %q, alive %v", a, b, alive)
	}
	cmd := exec.CommandContext(t.Context(), "sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, alive := resource.ProcessStarted(cmd.Process.Pid); !alive {
		t.Error("a running process counts as dead")
	}
	cmd.Process.Kill()
	for deadline := time.Now().Add(5 * time.Second); ; {
		if _, alive := resource.ProcessStarted(cmd.Process.Pid); !alive {
			break // although nobody has waited for it: a zombie
		}
		if time.Now().After(deadline) {
			t.Fatal("a zombie counts as alive")
		}
	}
	cmd.Wait()
	if _, alive := resource.ProcessStarted(cmd.Process.Pid); alive {
		t.Error("an ended process counts as alive")
	}
}

func TestTheStateDirectoryFollowsTheVariables(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	t.Setenv(resource.EnvStateDir, dir)
	if got, err := resource.StateDir(); err != nil || got != dir {
		t.Errorf("%q, %v", got, err)
	}
	t.Setenv(resource.EnvStateDir, "")
	t.Setenv("XDG_STATE_HOME", dir)
	if got, err := resource.StateDir(); err != nil || got != filepath.Join(dir, "codebolt") {
		t.Errorf("%q, %v", got, err)
	}
	if info, err := os.Stat(filepath.Join(dir, "codebolt")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	t.Setenv("XDG_STATE_HOME", "")
	t.Setenv("HOME", dir)
	if got, err := resource.StateDir(); err != nil || got != filepath.Join(dir, ".local", "state", "codebolt") {
		t.Errorf("%q, %v", got, err)
	}
}

func BenchmarkCreateUpdate(b *testing.B) {
	s, err := resource.OpenStore(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	for i := 0; b.Loop(); i++ {
		rec := record(fmt.Sprint("k", i))
		if err := errors.Join(s.Create(rec), s.Update(rec)); err != nil {
			b.Fatal(err)
		}
	}
}
