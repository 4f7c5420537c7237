//go:build linux

package main

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/shared/sshconn/sshtest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestNoNameReachesAShellAsAnythingButAName(t *testing.T) {
	t.Parallel()
	canary := "pwned-" + rand.Text()
	evil := "$(touch " + canary + ") `touch " + canary + "` '; touch " + canary + " #'"
	home := newHome(t) + "/ho'me $(touch " + canary + ") \"x\""
	if err := os.MkdirAll(home, 0o700); err != nil {
		t.Fatal(err)
	}
	sshHome := filepath.Join(t.TempDir(), "plain")
	if err := os.Symlink(home, sshHome); err != nil { // sshd_config takes no such name
		t.Fatal(err)
	}
	s := at(t, sshHome, sshtest.Options{}, stage.Settings{
		"dir": home + "/sp ace/" + evil, "programDir": home + "/pro'gram $(touch " + canary + ")",
		"env":        map[string]string{"EVIL": evil + "\\!\n" + evil},
		"postCreate": []string{"sh", "-c", `printf "%s" "$1" > created`, "sh", evil + "\\!\n"},
	})
	name := evil + `\ ! "`
	e, _ := s.Opened(name, nil)
	file := strings.ReplaceAll(evil, "/", "") + `!.txt`
	s.Call(e, map[string]any{"type": wire.TypeWriteFile, "path": "-rf/" + file, "content": evil}, nil)
	out := s.run(e, `cat created; cat ./-rf/*; printf "%s|%s" "$EVIL" "$CODEBOLT_ENVIRONMENT_NAME"`)
	if want := evil + "\\!\n" + evil + evil + "\\!\n" + evil + "|" + name; out != want {
		t.Errorf("the agent printed %q, want %q", out, want)
	}
	s.Close(e)
	s.Start(e)
	var content string
	s.Call(e, map[string]any{"type": wire.TypeReadFile, "path": "-rf/" + file}, &content)
	if content != evil {
		t.Errorf("the file has %q", content)
	}
	if d := s.Diff(e); len(d.Files) != 2 {
		t.Errorf("the diff: %+v", d.Files)
	}
	if r := s.Stop(e, "snapshotAndRemove"); !r.Removed {
		t.Errorf("not removed: %+v", r)
	}
	eventually(t, "no process is left on the host", func() bool { return len(s.onHost()) == 0 })
	if left, err := os.ReadDir(home + "/sp ace/" + evil); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	users, err := os.UserHomeDir() // where sshd begins a session
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{home, sshHome, users, s.Project, "."} {
		if _, err := os.Lstat(filepath.Join(dir, canary)); err == nil {
			t.Errorf("a shell made %s in %s", canary, dir)
		}
	}
	s.Clean(0)
}
