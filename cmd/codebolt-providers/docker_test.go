//go:build linux

package main

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
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
		{[]string{"doctor", "--image", "x"}, "docker, git-worktree, local"},
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

// Three environments that begin with one prepared state, what was installed in its
// container and what its files were, go three ways, and it stays as it is.
func TestThreeForksOfOnePreparedContainerGoTheirOwnWays(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"worktree", "volume"} {
		t.Run(content, func(t *testing.T) {
			t.Parallel()
			daemon := dockertest.Shared(t)
			d := newDesk(t)
			d.environ = append(d.environ, "DOCKER_HOST="+daemon.Host)
			made := d.run("run", "docker", "--image", daemon.Image(t), "--set", "content="+content, "--set", "user=0", "--name", "prepared",
				"--set", `postCreate=["sh","-c","echo once >> /opt-created"]`, "--",
				"sh", "-c", "mkdir -p /opt/tool && echo 1.0 > /opt/tool/version && echo prepared > prepared.txt && rm src/b.txt")
			if made.status != 0 {
				t.Fatalf("%+v", made)
			}
			taken := d.ok("snapshot", "prepared")
			id := strings.TrimSpace(taken.stdout)
			if listed := d.ok("snapshots"); !strings.Contains(listed.stdout, id) || !strings.Contains(listed.stdout, "prepared") {
				t.Errorf("the list: %+v", listed)
			}
			forks := []string{"one", "two", "three"}
			var running sync.WaitGroup
			said := make([]said, len(forks))
			for i, name := range forks {
				running.Go(func() {
					said[i] = d.run("run", "docker", "--from", id, "--set", "content="+content, "--set", "user=0", "--name", name,
						"--set", `postCreate=["sh","-c","echo once >> /opt-created"]`, "--",
						"sh", "-c", "cat /opt/tool/version prepared.txt /opt-created; ls src; echo "+name+" > /opt/tool/version; echo "+name+" > prepared.txt; echo "+name+" > "+name+".txt")
				})
			}
			running.Wait()
			for i, name := range forks {
				if said[i].status != 0 || said[i].stdout != "1.0\nprepared\nonce\na.txt\n" {
					t.Errorf("%s did not begin with what was prepared: %+v", name, said[i])
				}
				again := d.run("run", "docker", "--name", name, "--", "sh", "-c", "cat /opt/tool/version prepared.txt; ls *.txt")
				if want := name + "\n" + name + "\n" + name + ".txt\nprepared.txt\n"; again.status != 0 || sorted(again.stdout) != sorted(want) {
					t.Errorf("%s has not only what it did itself: %+v, want %q", name, again, want)
				}
				if s := d.ok("diff", name, "--stat"); !strings.Contains(s.stdout, name+".txt") || !strings.Contains(s.stdout, "prepared.txt") || !strings.Contains(s.stdout, "src/b.txt") {
					t.Errorf("the diff of %s: %s", name, s.stdout)
				}
			}
			if s := d.run("run", "docker", "--name", "prepared", "--", "cat", "/opt/tool/version", "prepared.txt"); s.stdout != "1.0\nprepared\n" {
				t.Errorf("what was prepared has changed: %+v", s)
			}
			if s := d.run("snapshots", "remove", id); s.status == 0 || !strings.Contains(s.stderr, "in use") {
				t.Errorf("a snapshot that is needed is removed: %+v", s)
			}
			if s := d.run("run", "docker", "--name", "one", "--from", id, "--", "true"); s.status != statusOwn || !strings.Contains(s.stderr, "for new ones") {
				t.Errorf("an environment that is there begins again: %+v", s)
			}
			for _, name := range append(forks, "prepared") {
				d.ok("remove", name, "--snapshot")
			}
			if s := d.ok("gc"); !strings.Contains(s.stdout, "nothing is left behind") {
				t.Errorf("gc: %s", s.stdout)
			}
			last := d.run("run", "docker", "--from", id, "--set", "content="+content, "--set", "user=0", "--name", "later", "--", "cat", "/opt/tool/version", "prepared.txt")
			if last.status != 0 || last.stdout != "1.0\nprepared\n" {
				t.Errorf("the snapshot did not outlive the environment: %+v", last)
			}
			d.ok("remove", "later", "--snapshot")
			d.ok("snapshots", "remove", id)
			if s := d.run("run", "docker", "--from", id, "--", "true"); s.status != statusOwn || !strings.Contains(s.stderr, "there is no snapshot") {
				t.Errorf("a snapshot that is gone: %+v", s)
			}
			if refs := d.git("for-each-ref", "--format=%(refname)", "refs/codebolt/snapshots/kept"); refs != "" {
				t.Errorf("left in the repository: %s", refs)
			}
			store, err := resource.OpenStore(d.state)
			if err != nil {
				t.Fatal(err)
			}
			for _, what := range append(daemon.Leftovers(t, "codebolt.owner="+store.Owner()), daemon.Leftovers(t, "codebolt.snapshot-owner="+store.Owner())...) {
				t.Errorf("left on the daemon: %s", what)
			}
		})
	}
}

func sorted(lines string) string {
	all := strings.Split(lines, "\n")
	slices.Sort(all)
	return strings.Join(all, "\n")
}
