package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/shared/sshconn"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestAConfigurationThatCannotBeIsRefusedAndSaysWhatToDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config config
		says   string
	}{
		"no host":               {config{}, "user@host"},
		"an option for a host":  {config{Host: "-oProxyCommand=id"}, "dash"},
		"a shell for a host":    {config{Host: "$(id)"}, "no name of a host"},
		"a password in it":      {config{Host: "ssh://u:hidden@h"}, "password"},
		"a setup":               {config{Host: "h", Setup: []string{"true"}}, "postCreate"},
		"another's home":        {config{Host: "h", Dir: "~bob/x"}, "another user"},
		"a backslash":           {config{Host: "h", Dir: `a\b`}, "backslash"},
		"two lines":             {config{Host: "h", ProgramDir: "a\nb"}, "programDir"},
		"what is not seen":      {config{Host: "h", Dir: "a\u200bb"}, "printed"},
		"a policy there is not": {config{Host: "h", StrictHostKey: "no"}, "accept-new"},
		"a port there is not":   {config{Host: "h", Port: 70000}, "70000"},
		"time that runs back":   {config{Host: "h", KeepAlive: -1}, "negative"},
		"no variables":          {config{Host: "h", Env: map[string]any{"A": []any{"hidden"}}}, "env.A"},
	} {
		err := c.config.check(func(string) string { return "" })
		if wire.CodeOf(err) != wire.Invalid || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hidden") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAHostIsNamedInEveryWayThatPeopleWriteIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		config config
		want   sshconn.Target
	}{
		{config{Host: "build"}, sshconn.Target{Host: "build"}},
		{config{Host: " me@build:2222 "}, sshconn.Target{Host: "build", User: "me", Port: 2222}},
		{config{Host: "ssh://me@[::1]:22"}, sshconn.Target{Host: "::1", User: "me", Port: 22}},
		{config{Host: "me@build:2222", User: "you", Port: 22}, sshconn.Target{Host: "build", User: "you", Port: 22}},
		{config{}, sshconn.Target{Host: "usual"}},
	} {
		err := c.config.check(func(name string) string { return map[string]string{"CODEBOLT_REMOTE_HOST": "usual"}[name] })
		if diff := cmp.Diff(c.want, c.config.target); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	}
}

func TestAFolderOfTheHostIsBelowItsHomeOrAbsoluteAndNeverTheHome(t *testing.T) {
	t.Parallel()
	for dir, want := range map[string]string{"a/b": "/home/me/a/b", "~/a": "/home/me/a", "/srv/x/": "/srv/x", "../you": "/home/you", "/home/me2": "/home/me2"} {
		if got, err := placed("dir", dir, "/home/me"); err != nil || got != want {
			t.Errorf("%s: %q, %v", dir, got, err)
		}
	}
	for _, dir := range []string{"/", "~", "~/.", ".", "/home", "..", "/home/me", "/home/me/../me", "../../.."} {
		if got, err := placed("dir", dir, "/home/me"); wire.CodeOf(err) != wire.Invalid {
			t.Errorf("%s: %q, %v", dir, got, err)
		}
	}
}

func TestThePasswordIsForTheHostAlone(t *testing.T) {
	t.Parallel()
	c := &config{Password: "hidden", Passphrase: "hidden too"}
	for _, test := range []struct {
		asked sshconn.Prompt
		want  string
	}{
		{sshconn.Prompt{Kind: sshconn.AskPassword}, "hidden"},
		{sshconn.Prompt{Kind: sshconn.AskAnswer}, "hidden"},
		{sshconn.Prompt{Kind: sshconn.AskPassphrase, Jump: true}, "hidden too"},
		{sshconn.Prompt{Kind: sshconn.AskPassword, Jump: true}, ""},
		{sshconn.Prompt{Kind: sshconn.AskAnswer, Jump: true}, ""},
		{sshconn.Prompt{Kind: sshconn.AskAnswer, Echo: true}, ""},
		{sshconn.Prompt{Kind: sshconn.AskHostKey}, ""},
	} {
		if got, err := c.answer(t.Context(), test.asked); got != test.want || (err == nil) != (got != "" || test.asked.Kind == sshconn.AskHostKey) {
			t.Errorf("%+v: %q, %v", test.asked, got, err)
		}
	}
}
