//go:build linux

package main

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/shared/faultproxy"
	"github.com/codeboltai/codebolt-providers/shared/sshconn/sshtest"
)

// large gives the project so many files, of so many bytes that nothing compresses.
func (s *play) large(files, size int) {
	s.T.Helper()
	for i := range files {
		data := make([]byte, size)
		_, _ = rand.Read(data) // it never fails
		stage.Write(s.T, filepath.Join(s.Project, "large", strconv.Itoa(i)), string(data))
	}
	stage.Git(s.T, s.Project, "add", "-A")
	stage.Git(s.T, s.Project, "commit", "-qm", "large")
}

// moved is how many bytes go over the line to the host while something is done.
func (s *play) moved(do func()) int64 {
	before := s.line.Stats().Up
	do()
	return s.line.Stats().Up - before
}

const mega = 1 << 20

func TestWhatTheHostHasHadIsNotSentAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t, sshtest.Options{}, nil)
	s.large(64, mega/8)
	first := s.Env("first", nil, nil)
	if n := s.moved(func() { s.Start(first) }); n < 8*mega {
		t.Errorf("the first environment took %d bytes", n)
	}
	if r := s.Stop(first, "removeIfClean"); !r.Removed {
		t.Errorf("not removed: %+v", r)
	}
	stage.Write(t, filepath.Join(s.Project, "large", "7"), strings.Repeat("changed\n", mega/64))
	stage.Git(t, s.Project, "commit", "-qam", "changed")
	e := s.Env("second", nil, nil)
	if n := s.moved(func() { s.Start(e) }); n > mega/8 {
		t.Errorf("the second environment took %d bytes, of which one file of %d has changed", n, mega/8)
	}
	if out := s.run(e, "head -1 large/7; cat large/* | wc -c"); out != "changed\n"+strconv.Itoa(8*mega)+"\n" {
		t.Errorf("it has %q", out)
	}
	if d := s.Diff(e); len(d.Files) != 0 {
		t.Errorf("the diff: %+v", d.Files)
	}
	s.Stop(e, "removeIfClean")
	s.none()
	s.Clean(0)
}

func TestATransferThatBrokeGoesOn(t *testing.T) {
	t.Parallel()
	s := newStage(t, sshtest.Options{}, nil)
	warm, _ := s.Opened("warm", nil) // the program is there
	s.Stop(warm, "removeIfClean")
	s.large(64, mega/4)
	e := s.Env("broken", nil, nil)
	s.line.CutAfter(faultproxy.Up, 12*mega, faultproxy.Reset)
	n := s.moved(func() { s.Start(e) })
	if s.line.Armed() {
		t.Error("it was never cut")
	}
	if n > 20*mega { // what was under way is sent twice
		t.Errorf("16 MiB, cut after 12, took %d bytes", n)
	}
	if out := s.run(e, "cat large/* | wc -c"); out != strconv.Itoa(16*mega)+"\n" {
		t.Errorf("it has %q bytes", out)
	}
	if d := s.Diff(e); len(d.Files) != 0 {
		t.Errorf("the diff: %+v", d.Files)
	}
	s.Stop(e, "removeIfClean")
	s.none()
	s.Clean(0)
}

func TestAProjectThatIsOnTheHostNeedNotBeSent(t *testing.T) {
	t.Parallel()
	home := newHome(t)
	s := at(t, home, sshtest.Options{}, stage.Settings{"seed": []string{"work/project"}, "storeLimit": 0})
	s.large(64, mega/8)
	clone := filepath.Join(home, "work", "project")
	if err := os.MkdirAll(filepath.Dir(clone), 0o700); err != nil {
		t.Fatal(err)
	}
	stage.Git(t, home, "clone", "-q", s.Project, clone)
	warm, _ := s.Opened("warm", nil) // the program is there
	s.Stop(warm, "removeIfClean")
	e := s.Env("seeded", nil, nil)
	if n := s.moved(func() { s.Start(e) }); n > mega/8 {
		t.Errorf("it took %d bytes", n)
	}
	if out := s.run(e, "cat large/* | wc -c; echo more >> large/1"); out != strconv.Itoa(8*mega)+"\n" {
		t.Errorf("it has %q bytes", out)
	}
	if status := stage.Git(t, clone, "status", "--porcelain"); status != "" {
		t.Errorf("the clone on the host has changed: %s", status)
	}
	s.Stop(e, "snapshotAndRemove")
	if found, _ := filepath.Glob(filepath.Join(home, ".codebolt", "runtime", "store", "*")); len(found) > 0 {
		t.Errorf("without a store there is %q", found)
	}
	if err := os.RemoveAll(filepath.Dir(clone)); err != nil {
		t.Fatal(err)
	}
	s.none()
	s.Clean(0)
}
