//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// kept is the text of the file with what is set of a provider.
func (d *desk) kept(provider string) string {
	d.t.Helper()
	found, err := filepath.Glob(filepath.Join(d.state, "configured", "*", provider+".json"))
	if err != nil || len(found) != 1 {
		d.t.Fatalf("%q, %v", found, err)
	}
	text, err := os.ReadFile(found[0])
	if err != nil {
		d.t.Fatal(err)
	}
	return string(text)
}

func TestAPersonIsAskedForWhatIsRequired(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	p := d.sits("configure", "docker")
	p.reads("image (string)")
	p.reads("The image that environments run in")
	p.reads("Enter leaves it:")
	p.types("debian:12\n")
	status, seen := p.leaves()
	if status != 0 || !strings.Contains(seen, "set image") || strings.Contains(seen, "onStop") {
		t.Errorf("status %d: %s", status, seen)
	}
	if text := d.kept("codebolt-docker"); text != "{\n  \"image\": \"debian:12\"\n}\n" {
		t.Errorf("kept: %s", text)
	}
	p = d.sits("configure", "docker")
	if status, seen := p.leaves(); status != 0 || !strings.Contains(seen, "nothing is missing") {
		t.Errorf("status %d: %s", status, seen)
	}
}

func TestAPersonIsAskedForEverySettingAndSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.ok("configure", "git-worktree", "--set", "branchPrefix=mine/", "--set", "prTitle=old")
	answers := map[string][]string{
		"onStop": {"burn\n", "removeIfClean\n"}, "branchPrefix": {"\n"}, "prTitle": {"-\n"}, "copyFiles": {"[\".env\"]\n"}, "githubToken": {"s3cret\n"},
	}
	p := d.sits("configure", "git-worktree", "--all")
	c := &configuration{place: place{app: &app{project: d.project}}}
	if err := c.know("git-worktree"); err != nil {
		t.Fatal(err)
	}
	for _, s := range c.settings {
		p.reads("\r\n" + s.Key + " (" + s.Type + ")")
		typed := answers[s.Key]
		if typed == nil {
			typed = []string{"\n"}
		}
		for i, text := range typed {
			if i > 0 {
				p.reads("onStop is none of its values; write one of keep, removeIfClean, snapshotAndRemove")
			}
			if s.Key == "branchPrefix" || s.Key == "prTitle" {
				p.reads("- goes back to the default: ")
			} else {
				p.reads("Enter leaves it: ")
			}
			if s.Secret && p.echoes() {
				t.Errorf("%s is shown while it is typed", s.Key)
			}
			p.types(text)
		}
	}
	status, seen := p.leaves()
	if status != 0 || strings.Contains(seen, "s3cret") || !strings.Contains(seen, `now mine/; Enter keeps it`) || !strings.Contains(seen, "one of: keep, removeIfClean") {
		t.Errorf("status %d: %s", status, seen)
	}
	want := "{\n  \"branchPrefix\": \"mine/\",\n  \"copyFiles\": [\n    \".env\"\n  ],\n  \"githubToken\": \"s3cret\",\n  \"onStop\": \"removeIfClean\"\n}\n"
	if text := d.kept("codebolt-git-worktree"); text != want {
		t.Errorf("kept: %s", text)
	}
}

func TestNothingIsSetWhenAPersonLeaves(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	p := d.sits("configure", "git-worktree", "--all")
	p.reads("onStop (string)")
	p.reads("Enter leaves it:")
	p.types("removeIfClean\n")
	p.reads("snapshot (string)")
	p.reads("Enter leaves it:")
	p.types("\x03")
	if status, seen := p.leaves(); status != statusOwn || !strings.Contains(seen, "nothing was set") {
		t.Errorf("status %d: %s", status, seen)
	}
	if s := d.ok("configure", "git-worktree", "--show"); s.stdout != "nothing is set of git-worktree\n" {
		t.Errorf("%+v", s)
	}
}

func TestASecretIsReadFromATerminalWithoutShowingIt(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	p := d.sits("configure", "git-worktree", "--set", "githubToken=-")
	p.reads("githubToken: ")
	if p.echoes() {
		t.Error("the terminal shows what is typed")
	}
	p.types("s3cret\n")
	if status, seen := p.leaves(); status != 0 || strings.Contains(seen, "s3cret") {
		t.Errorf("status %d: %s", status, seen)
	}
	if text := d.kept("codebolt-git-worktree"); !strings.Contains(text, `"githubToken": "s3cret"`) {
		t.Errorf("kept: %s", text)
	}
}
