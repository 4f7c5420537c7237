//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/install"
)

// otherVersion makes a provider's folder with another version and another program of
// an installed one.
func otherVersion(t *testing.T, dir, version string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "other")
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"codeboltprovider.yaml", "providers.yaml"} {
		text, err := os.ReadFile(filepath.Join(to, name))
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), []byte(strings.Replace(string(text), "version: 1.0.0", "version: "+version, 1)), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	// The list is made anew as whoever packs one does.
	sums := exec.CommandContext(t.Context(), "sh", "-c", `find . -type f ! -name SHA256SUMS ! -name install.json | sed 's|^\./||' | xargs sha256sum >SHA256SUMS`)
	sums.Dir = to
	if out, err := sums.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return to
}

func TestAKilledInstallerLeavesTheOldProviderOrTheNewOne(t *testing.T) {
	d := newDesk(t)
	d.ok("install", "git-worktree")
	at := filepath.Join(d.project, ".codebolt", "providers", "git-worktree")
	versions := map[string]string{}
	for _, version := range []string{"1.0.1", "1.0.2"} {
		versions[version] = otherVersion(t, at, version)
	}
	began := time.Now()
	d.ok("install", "git-worktree", "--from", versions["1.0.1"])
	takes := time.Since(began)
	was, outcomes := "1.0.1", map[string]int{}
	for round := range 50 {
		next := map[string]string{"1.0.1": "1.0.2", "1.0.2": "1.0.1"}[was]
		cmd := exec.CommandContext(t.Context(), filepath.Join(programs, "codebolt-providers"), "-p", d.project, "install", "git-worktree", "--from", versions[next])
		cmd.Env = d.environ
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		pause := rand.N(takes * 11 / 10)
		killer := time.AfterFunc(pause, func() { _ = cmd.Process.Kill() })
		err := cmd.Wait()
		killer.Stop()
		found, lerr := install.Look(t.Context(), at)
		if lerr != nil || !found.Intact() || found.Version != was && found.Version != next || err == nil && found.Version != next {
			t.Fatalf("round %d, killed after %v (%v): there is %+v (%v)", round, pause, err, found, lerr)
		}
		outcomes[fmt.Sprintf("killed %v, replaced %v", err != nil, found.Version == next)]++
		was = found.Version
		started := exec.CommandContext(t.Context(), "node", filepath.Join(at, "dist", "index.js"), "--version")
		if out, err := started.CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "codebolt-git-worktree ") {
			t.Fatalf("round %d: the provider does not start: %v: %s", round, err, out)
		}
	}
	t.Logf("an installation takes %v; %v", takes, outcomes)
	if outcomes["killed true, replaced false"] == 0 {
		t.Errorf("no installation was killed before it was done: %v", outcomes)
	}
	// The next one tidies up, and what is there starts under a server.
	if s := d.run("install", "git-worktree", "--from", versions[was]); s.status != 0 {
		t.Errorf("install after all that: %+v", s)
	}
	entries, err := os.ReadDir(filepath.Join(d.project, ".codebolt"))
	if err != nil || len(entries) != 1 {
		t.Errorf("something is left: %v (%v)", entries, err)
	}
	s := d.run("verify", "--json")
	var all []verified
	if err := json.Unmarshal([]byte(s.stdout), &all); err != nil || s.status != 0 || len(all) != 1 || !all[0].OK {
		t.Errorf("verify: %+v (%v)", s, err)
	}
}

func TestOneFlippedBitOfAProgramIsNoticed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.ok("install", "git-worktree")
	program := filepath.Join(d.project, ".codebolt", "providers", "git-worktree", "bin", string(install.Here()), "codebolt-provider-gitworktree")
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	text[rand.N(len(text))] ^= 1 << rand.N(8)
	if err := os.WriteFile(program, text, 0o755); err != nil {
		t.Fatal(err)
	}
	if s := d.run("verify"); s.status != 1 || !strings.Contains(s.stdout, "codebolt-provider-gitworktree is changed") {
		t.Errorf("verify: %+v", s)
	}
}
