//go:build linux

package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/conformance/dockertest"
	"github.com/codeboltai/codebolt-providers/shared/resource"
)

// withDaemon runs tests and then closes the daemon they had.
type withDaemon struct{ *testing.M }

func (w withDaemon) Run() int { return dockertest.Main(w.M) }

func TestACommandRunsInAContainerAsItDoesInAWorktree(t *testing.T) {
	t.Parallel()
	daemon := dockertest.Shared(t)
	d := newDesk(t)
	d.environ = append(d.environ, "DOCKER_HOST="+daemon.Host)
	before := d.git("status", "--porcelain", "--branch")
	run := func(name string, argv ...string) said {
		return d.run(append([]string{"run", "docker", "--image", daemon.Image(t), "--name", name, "--"}, argv...)...)
	}
	s := run("work", "sh", "-c", "cat /etc/os-release | head -1; "+someWork)
	if s.status != 0 || !strings.HasPrefix(s.stdout, "ID=codebolt-test\n") || !strings.Contains(s.stderr, "new.txt") {
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
	if s := d.ok("logs", "work"); !strings.Contains(s.stdout+s.stderr, "ending") {
		t.Errorf("the container's log: %+v", s)
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
	store, err := resource.OpenStore(d.state)
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range daemon.Leftovers(t, "codebolt.owner="+store.Owner()) {
		t.Errorf("left on the daemon: %s", what)
	}
}

func TestTheDoctorTellsWhatIsMissingForContainers(t *testing.T) {
	t.Parallel()
	daemon := dockertest.Shared(t)
	d := newDesk(t)
	d.environ = append(d.environ, "DOCKER_HOST="+daemon.Host)
	if s := d.ok("doctor", "docker", "--image", daemon.Image(t)); !strings.Contains(s.stdout, "daemon") || strings.Contains(s.stdout, "FAIL") {
		t.Errorf("in order: %+v", s)
	}
	if s := d.run("doctor", "docker"); s.status != 1 || !strings.Contains(s.stdout, "image is missing") {
		t.Errorf("without an image: %+v", s)
	}
	s := d.run("doctor", "docker", "--json", "--image", "x", "--set", "dockerHost=unix:///nowhere/docker.sock")
	var findings []struct {
		Check, Detail string
		OK            bool
	}
	if err := json.Unmarshal([]byte(s.stdout), &findings); err != nil || s.status != 1 {
		t.Fatalf("%v, %+v", err, s)
	}
	last := findings[len(findings)-1]
	if last.Check != "daemon" || last.OK || !strings.Contains(last.Detail, "/nowhere/docker.sock") {
		t.Errorf("a daemon that is down: %+v", findings)
	}
	for _, test := range []struct {
		args []string
		text string
	}{
		{[]string{"doctor"}, "docker, git-worktree, local"},
		{[]string{"doctor", "dockr"}, "docker"},
		{[]string{"run", "local", "--image", "x", "--", "true"}, "no image"},
		{[]string{"run", "docker", "--", "true"}, "image is missing"},
		{[]string{"logs", "none"}, "no environment"},
	} {
		if s := d.run(test.args...); s.status != 125 || !strings.Contains(s.stderr, test.text) {
			t.Errorf("%v: %+v", test.args, s)
		}
	}
}
