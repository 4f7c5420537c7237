package sshconn_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/codeboltai/codebolt-providers/shared/sshconn"
	"github.com/codeboltai/codebolt-providers/shared/sshconn/sshtest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// askpass writes a program that asks.
func askpass(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ask pass")
	write(t, path, "#!/bin/sh\n"+script+"\n")
	if err := os.Chmod(path, 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// environment is a getenv.
func environment(pairs ...string) func(string) string {
	return func(name string) string {
		for _, pair := range pairs {
			if value, ok := strings.CutPrefix(pair, name+"="); ok {
				return value
			}
		}
		return ""
	}
}

func TestAProgramAsksWhenAPersonWantsItAsForTheSSHProgram(t *testing.T) {
	path := askpass(t, "echo answer")
	t.Setenv("PATH", t.TempDir()) // without ssh-askpass
	for _, test := range []struct {
		variables string
		asks      bool
	}{
		{"", false},
		{"SSH_ASKPASS=" + path, false},
		{"SSH_ASKPASS=" + path + ",DISPLAY=:0", true},
		{"SSH_ASKPASS=" + path + ",WAYLAND_DISPLAY=wayland-0", true},
		{"SSH_ASKPASS=" + path + ",DISPLAY=:0,SSH_ASKPASS_REQUIRE=never", false},
		{"SSH_ASKPASS=" + path + ",SSH_ASKPASS_REQUIRE=prefer", false},
		{"SSH_ASKPASS=" + path + ",DISPLAY=:0,SSH_ASKPASS_REQUIRE=prefer", true},
		{"SSH_ASKPASS=" + path + ",SSH_ASKPASS_REQUIRE=FORCE", true},
		{"SSH_ASKPASS_REQUIRE=force", false},
	} {
		if asks := sshconn.Askpass(environment(strings.Split(test.variables, ",")...)) != nil; asks != test.asks {
			t.Errorf("%s: asks is %v", test.variables, asks)
		}
	}
	usual := filepath.Join(os.Getenv("PATH"), "ssh-askpass")
	if err := os.Symlink(path, usual); err != nil {
		t.Fatal(err)
	}
	if sshconn.Askpass(environment("DISPLAY=:0")) == nil {
		t.Error("ssh-askpass is there and does not ask")
	}
}

func TestTheQuestionIsTheProgramsOnlyArgumentAndTheFirstLineTheAnswer(t *testing.T) {
	t.Parallel()
	path := askpass(t, `printf '%s|%s|%s|%s' "$#" "$1" "$SSH_ASKPASS_PROMPT" "$CODEBOLT_ASKPASS_ECHO"; printf '\r\nnot this\n'`)
	ask := sshconn.Askpass(environment("SSH_ASKPASS="+path, "SSH_ASKPASS_REQUIRE=force"))
	for _, test := range []struct {
		question sshconn.Prompt
		want     string
	}{
		{sshconn.Prompt{Kind: sshconn.AskPassword, Text: "-e $(id) `id` 'x:"}, "1|-e $(id) `id` 'x:||"},
		{sshconn.Prompt{Kind: sshconn.AskHostKey, Text: "Trust it?", Echo: true}, "1|Trust it?|confirm|1"},
		{sshconn.Prompt{Kind: sshconn.AskAnswer, Text: "Code:", Host: "me@far:22", Echo: true}, "1|(me@far:22) Code:||1"},
	} {
		if got, err := ask(soon(t), test.question); err != nil || got != test.want {
			t.Errorf("%+v: %q, %v", test.question, got, err)
		}
	}
	silent := sshconn.Askpass(environment("SSH_ASKPASS="+askpass(t, ":"), "SSH_ASKPASS_REQUIRE=force"))
	for kind, want := range map[sshconn.PromptKind]string{sshconn.AskHostKey: "yes", sshconn.AskPassword: ""} {
		if got, err := silent(soon(t), sshconn.Prompt{Kind: kind}); err != nil || got != want {
			t.Errorf("an empty answer about a %s is %q, %v", kind, got, err)
		}
	}
}

func TestAProgramThatDoesNotAnswerRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		program string
		says    string
	}{
		"a refusal":    {askpass(t, "echo hunter2; echo the window was closed >&2; exit 3"), "the window was closed"},
		"no program":   {filepath.Join(t.TempDir(), "missing"), "set it to a program that asks"},
		"a signal":     {askpass(t, "kill -9 $$"), "killed"},
		"without end":  {askpass(t, "exec yes hunter2"), "more than 4096 bytes"},
		"one long one": {askpass(t, "head -c 5000 /dev/zero | tr '\\0' h"), "more than 4096 bytes"},
	} {
		ask := sshconn.Askpass(environment("SSH_ASKPASS="+test.program, "SSH_ASKPASS_REQUIRE=force"))
		got, err := ask(soon(t), sshconn.Prompt{Kind: sshconn.AskPassword})
		if refused(t, err, wire.Permission, test.says, "SSH_ASKPASS"); got != "" || err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestAQuestionEndsWithItsContextAndSoDoesAllOfTheProgram(t *testing.T) {
	t.Parallel()
	pids := filepath.Join(t.TempDir(), "pids")
	ask := sshconn.Askpass(environment("SSH_ASKPASS="+askpass(t, "sleep 300 & echo $$ $! > "+pids+"; wait"), "SSH_ASKPASS_REQUIRE=force"))
	ctx, cancel := context.WithCancel(soon(t))
	defer cancel()
	go func() {
		for ctx.Err() == nil {
			if data, _ := os.ReadFile(pids); strings.HasSuffix(string(data), "\n") {
				cancel()
			}
			wait(ctx, 5*time.Millisecond)
		}
	}()
	_, err := ask(ctx, sshconn.Prompt{Kind: sshconn.AskPassword})
	refused(t, err, wire.Unavailable, "taken back")
	for _, text := range strings.Fields(read(t, pids)) {
		pid, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		for tries := 0; syscall.Kill(pid, 0) == nil; tries++ {
			stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)) // it may have ended just now
			if strings.Contains(string(stat), ") Z ") {
				break
			}
			if tries == 200 {
				t.Fatalf("process %d still runs", pid)
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

func TestTheTimeAPersonThinksIsNotTheHosts(t *testing.T) {
	t.Parallel()
	o := asking(t, &ssh.ServerConfig{PasswordCallback: byPassword})
	o.ConnectTimeout = 300 * time.Millisecond
	o.Ask = sshconn.Askpass(environment("SSH_ASKPASS="+askpass(t, "sleep 0.6; echo open sesame"), "SSH_ASKPASS_REQUIRE=force"))
	_ = dial(t, "asking", o).Close()
}

func TestWhoeverDoesNotAnswerIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]*ssh.ServerConfig{
		"password":  {PasswordCallback: byPassword},
		"questions": {KeyboardInteractiveCallback: byQuestions},
		"both":      {PasswordCallback: byPassword, KeyboardInteractiveCallback: byQuestions},
	} {
		o := asking(t, config)
		a := &answers{}
		o.Ask = a.ask
		dialFails(t, "asking", o, wire.Permission, "does not let alice in", "no more answers")
		if len(a.asked) != 1 {
			t.Errorf("%s: asked was %d times", name, len(a.asked))
		}
	}
}

func TestALineRemembersWhatWasRightAndAsksAgainWhenItIsNoMore(t *testing.T) {
	t.Parallel()
	right := "open sesame"
	o := asking(t, &ssh.ServerConfig{PasswordCallback: func(_ ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
		if string(password) != right {
			return nil, errWrong
		}
		return nil, nil
	}})
	a := &answers{queue: []string{"wrong", right, "changed"}}
	o.Ask = a.ask
	line := sshconn.NewLine(sshconn.Target{Host: "asking"}, o)
	defer line.Close()
	again := func(asked int) {
		t.Helper()
		client, err := line.Client(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		if len(a.asked) != asked {
			t.Errorf("asked was %d times, not %d: %+v", len(a.asked), asked, a.asked)
		}
		_ = client.Close()
	}
	again(2)
	again(2)
	right = "changed"
	again(3)
	if a.asked[0].Again || !a.asked[1].Again || !a.asked[2].Again {
		t.Errorf("asked was %+v", a.asked)
	}
}

func TestAHostThatDoesNotWaitForAnAnswerIsTriedAgainWithIt(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{})
	for _, answer := range []string{"no", "yes"} {
		o, file := stranger(t, s)
		asked := 0
		o.Ask = func(context.Context, sshconn.Prompt) (string, error) {
			asked++
			s.Kill() // as after LoginGraceTime
			s.AwaitConnections(t, 0)
			return answer, nil
		}
		line := sshconn.NewLine(sshconn.Target{Host: "sshtest"}, o)
		_, err := line.Client(soon(t))
		_ = line.Close()
		if answer == "no" {
			refused(t, err, wire.Permission, "not accepted")
			if _, err := os.Stat(file); err == nil {
				t.Error("a host that was refused is written down")
			}
		} else if err != nil || read(t, file) != s.HostKeyLine {
			t.Errorf("known is %q: %v", read(t, file), err)
		}
		if asked != 1 {
			t.Errorf("asked was %d times about %s", asked, answer)
		}
		if answer == "yes" { // without a line there is one try
			_ = os.Remove(file)
			dialFails(t, "sshtest", o, wire.Unavailable, "LoginGraceTime")
		}
	}
}
