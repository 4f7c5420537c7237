package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
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
		"a secret twice":        {config{Host: "h", Password: "hidden", PasswordFile: "/x"}, "leave one out"},
		"a file of nowhere":     {config{Host: "h", PassphraseFile: "secret"}, "absolute path"},
		"a folder for a file":   {config{Host: "h", PassphraseFile: "/tmp"}, "not a file"},
		"less than no store":    {config{Host: "h", StoreLimit: new(int64(-1))}, "storeLimit"},
		"a seed of another's":   {config{Host: "h", Seed: []string{"~bob/x"}}, "seed"},
		"a seed without a name": {config{Host: "h", Seed: []string{""}}, "seed"},
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
		if got, err := c.asking(nil)(t.Context(), test.asked); got != test.want || (err == nil) != (got != "" || test.asked.Kind == sshconn.AskHostKey) {
			t.Errorf("%+v: %q, %v", test.asked, got, err)
		}
	}
}

func TestTheConfigurationAnswersOnceAndAPersonTheRest(t *testing.T) {
	t.Parallel()
	person := func(_ context.Context, q sshconn.Prompt) (string, error) { return "person: " + string(q.Kind), nil }
	if (&config{}).asking(nil) != nil {
		t.Error("somebody answers, and there is neither a secret nor a person")
	}
	for _, test := range []struct {
		config config
		person ask
		asked  sshconn.Prompt
		want   string // or what the refusal says
		ok     bool
	}{
		{config{Password: "hidden"}, person, sshconn.Prompt{Kind: sshconn.AskPassword}, "hidden", true},
		{config{Password: "hidden"}, person, sshconn.Prompt{Kind: sshconn.AskPassword, Again: true}, "person: password", true},
		{config{Password: "hidden"}, person, sshconn.Prompt{Kind: sshconn.AskPassword, Jump: true}, "person: password", true},
		{config{Password: "hidden"}, person, sshconn.Prompt{Kind: sshconn.AskPassphrase}, "person: passphrase", true},
		{config{Password: "hidden"}, person, sshconn.Prompt{Kind: sshconn.AskHostKey}, "person: host-key", true},
		{config{}, person, sshconn.Prompt{Kind: sshconn.AskAnswer}, "person: answer", true},
		{config{Password: "hidden"}, nil, sshconn.Prompt{Kind: sshconn.AskPassword, Again: true}, "the password of the configuration is wrong", false},
		{config{Passphrase: "hidden"}, nil, sshconn.Prompt{Kind: sshconn.AskPassphrase, Again: true}, "the passphrase of the configuration is wrong", false},
	} {
		got, err := test.config.asking(test.person)(t.Context(), test.asked)
		if !test.ok {
			if wire.CodeOf(err) == wire.Permission {
				got = err.Error()
			}
		}
		if got != test.want || (err == nil) != test.ok {
			t.Errorf("%+v: %q, %v", test.asked, got, err)
		}
	}
}

func TestASecretIsTheFirstLineOfAFileForItsOwnerAlone(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	path := filepath.Join(home, "secret")
	for name, test := range map[string]struct {
		text string
		mode os.FileMode
		code wire.Code // "" is read
		says string
	}{
		"a line":                {"open sesame", 0o600, "", "open sesame"},
		"lines of Windows":      {" open sesame \r\nhidden", 0o400, "", " open sesame "},
		"for the group":         {"hidden", 0o640, wire.Permission, "chmod 600"},
		"for others":            {"hidden", 0o604, wire.Permission, "0604"},
		"others may write it":   {"hidden", 0o602, wire.Permission, "chmod 600"},
		"nothing":               {"", 0o600, wire.Invalid, "empty"},
		"nothing in the first":  {"\nhidden", 0o600, wire.Invalid, "empty"},
		"what is not a secret":  {strings.Repeat("hidden", 1000), 0o600, wire.Invalid, "too long"},
		"what is not there yet": {"", 0, wire.NotFound, "passwordFile"},
	} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if test.mode != 0 {
			if err := errors.Join(os.WriteFile(path, []byte(test.text), 0o600), os.Chmod(path, test.mode)); err != nil {
				t.Fatal(err)
			}
		}
		c := config{Host: "h", PasswordFile: "~/secret"}
		err := c.check(func(string) string { return "" })
		if test.code != "" {
			if wire.CodeOf(err) != test.code || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "hidden") {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, err := c.asking(nil)(t.Context(), sshconn.Prompt{Kind: sshconn.AskPassword}); got != test.says || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
