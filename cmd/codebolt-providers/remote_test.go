//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/sshconn/sshtest"
)

func TestACommandRunsOnAnotherMachineAsItDoesInAWorktree(t *testing.T) {
	t.Parallel()
	far, near := t.TempDir(), t.TempDir()
	sshd := sshtest.Start(t, sshtest.Options{Name: "far", Config: []string{"SetEnv HOME=" + far}})
	if err := os.Mkdir(filepath.Join(near, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(near, ".ssh", "config"), []byte(sshd.HostConfig()), 0o600); err != nil {
		t.Fatal(err)
	}
	d := newDesk(t)
	d.environ = append(d.environ, "HOME="+near, "SSH_AUTH_SOCK=")
	before := d.git("status", "--porcelain", "--branch")
	if s := d.ok("doctor", "remote-server", "--host", "far", "--dir", "work"); !strings.Contains(s.stdout, far+"/work") || strings.Contains(s.stdout, "FAIL") {
		t.Errorf("doctor: %+v", s)
	}
	run := func(name string, argv ...string) said {
		return d.run(append([]string{"run", "remote-server", "--host", "far", "--dir", "work", "--name", name, "--"}, argv...)...)
	}
	s := run("work", "sh", "-c", "pwd; "+someWork)
	if s.status != 0 || !strings.HasPrefix(s.stdout, far+"/work/") || !strings.Contains(s.stderr, "new.txt") {
		t.Fatalf("%+v", s)
	}
	if after := d.git("status", "--porcelain", "--branch"); after != before {
		t.Errorf("the project was %q and is %q", before, after)
	}
	if s := run("work", "sh", "-c", "cat new.txt; exit 3"); s.status != 3 || s.stdout != "new\n" {
		t.Errorf("continued: %+v", s)
	}
	if s := d.ok("diff", "work", "--stat"); !strings.Contains(s.stdout, "src/a.txt") {
		t.Errorf("diff: %s", s.stdout)
	}
	if s := d.ok("logs", "work"); !strings.Contains(s.stdout, "ending") {
		t.Errorf("the log of its runtime: %+v", s)
	}
	d.ok("apply", "work")
	if d.read("new.txt") != "new\n" {
		t.Errorf("applied: %s", d.git("status", "--porcelain"))
	}
	if s := d.run("remove", "work"); s.status != 1 {
		t.Errorf("work is removed without a snapshot: %+v", s)
	}
	d.ok("remove", "work", "--snapshot")
	if s := d.ok("gc"); !strings.Contains(s.stdout, "nothing is left behind") {
		t.Errorf("gc: %s", s.stdout)
	}
	if left, err := os.ReadDir(filepath.Join(far, "work")); err != nil || len(left) > 0 {
		t.Errorf("left on the host: %v, %v", left, err)
	}
	for _, args := range [][]string{{"run", "git-worktree", "--host", "far", "--", "true"}, {"doctor", "docker", "--dir", "work"}} {
		if s := d.run(args...); s.status != statusOwn || !strings.Contains(s.stderr, "leave it out") {
			t.Errorf("%q: %+v", args, s)
		}
	}
}
