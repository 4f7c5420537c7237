//go:build linux

package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/creack/pty"
)

func TestAPersonLeavesATerminalAndComesBack(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.ok("run", "git-worktree", "--name", "here", "--", "true")
	p := d.sits("shell", "here", "--", "sh")
	p.types("echo first$((1+1)); stty size\n")
	p.reads("first2\r\n")
	if err := pty.Setsize(p.tty, &pty.Winsize{Cols: 66, Rows: 33}); err != nil {
		t.Fatal(err)
	}
	// The program learns of it a moment later.
	p.types("until [ \"$(stty size)\" = '33 66' ]; do sleep 0.02; done; echo looked$((1+1))\n")
	p.reads("looked2\r\n")
	p.types("half a line\x03") // Ctrl-C is the program's
	p.reads("^C")
	p.types("echo second$((1+1)); read line; echo third$((1+1))\n")
	p.reads("second2\r\n")
	p.types(detachKeys)
	status, seen := p.leaves()
	left := regexp.MustCompile(`it goes on; come back with: codebolt-providers shell --attach (terminal-[0-9a-f-]+) `).FindStringSubmatch(seen)
	if status != 0 || left == nil {
		t.Fatalf("who left has status %d and saw %q", status, seen)
	}
	if s := d.ok("shell", "here", "--list"); !strings.Contains(s.stdout, left[1]+"  running  ") {
		t.Errorf("the list is %q", s.stdout)
	}
	if s := d.run("remove", "here"); s.status == 0 {
		t.Errorf("an environment in which somebody works was removed: %+v", s)
	}
	p = d.sits("shell", "here", "--attach", left[1])
	p.reads("second2\r\n") // from before
	p.types("\n")
	p.reads("third2\r\n")
	p.types("exit 5\n")
	if status, seen := p.leaves(); status != 5 {
		t.Errorf("the status is %d; the screen shows %q", status, seen)
	}
	d.ok("remove", "here")
}
