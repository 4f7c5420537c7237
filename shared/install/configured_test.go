package install_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/shared/install"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestWhatIsSetOfAProviderIsForItsOwnerAlone(t *testing.T) {
	t.Parallel()
	c := install.ConfiguredIn(t.TempDir(), "/a/project")
	if got, err := c.Read("codebolt-x"); err != nil || got != nil {
		t.Fatalf("before: %v, %v", got, err)
	}
	set := func(key, value string) error {
		return c.Change(t.Context(), "codebolt-x", func(config map[string]any) error {
			config[key] = value
			return nil
		})
	}
	path, err := c.Path("codebolt-x")
	if err != nil {
		t.Fatal(err)
	}
	if err := set("token", "abc"); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Read("codebolt-x"); err != nil || !cmp.Equal(got, map[string]any{"token": "abc"}) {
		t.Errorf("%v, %v", got, err)
	}
	stop := errors.New("stop")
	if err := c.Change(t.Context(), "codebolt-x", func(config map[string]any) error { delete(config, "token"); return stop }); !errors.Is(err, stop) {
		t.Errorf("a change that failed: %v", err)
	}
	if got, err := c.Read("codebolt-x"); err != nil || got["token"] != "abc" {
		t.Errorf("a change that failed was written: %v, %v", got, err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	for at, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(at); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has %v, %v", at, info.Mode(), err)
		}
	}
	if err := os.Chmod(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := set("image", "debian:12"); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder stays open: %v, %v", info.Mode(), err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read("codebolt-x"); wire.CodeOf(err) != wire.Permission {
		t.Errorf("a file that others read: %v", err)
	}
}

func TestSettingsThatManySetAreAllKept(t *testing.T) {
	t.Parallel()
	c := install.ConfiguredIn(t.TempDir(), "/a/project")
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if err := c.Change(t.Context(), "x", func(config map[string]any) error { config[strconv.Itoa(i)] = i; return nil }); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got, err := c.Read("x"); err != nil || len(got) != 20 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestOnlyNamesAreIDsOfWhatIsSet(t *testing.T) {
	t.Parallel()
	c := install.ConfiguredIn(t.TempDir(), "/a/project")
	for _, id := range []string{"", ".", "..", "../x", "a/b", `a\b`, "a:b", ".x"} {
		if _, err := c.Read(id); wire.CodeOf(err) != wire.Invalid {
			t.Errorf("%q: %v", id, err)
		}
	}
}
