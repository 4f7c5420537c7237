package sshconn

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestAURLNamesAUserAHostAndAPort(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Target{
		"ssh://host":                    {Host: "host"},
		"ssh://alice@host":              {Host: "host", User: "alice"},
		"ssh://alice@host:2222/var/run": {Host: "host", User: "alice", Port: 2222},
		"ssh://[::1]:22":                {Host: "::1", Port: 22},
		"ssh://DOM%5Calice@host":        {Host: "host", User: `DOM\alice`},
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseURL(u); err != nil || got != want {
			t.Errorf("%s gave %+v and %v", text, got, err)
		}
	}
	for _, text := range []string{
		"http://host", "ssh://", "ssh:host", "ssh://alice:hunter2@host", "ssh://-oProxyCommand=x", "ssh://-l@host", "ssh://a%20b@host", "ssh://a%0ab@host",
		"ssh://host:0", "ssh://host:65536", "ssh://host?x=y", "ssh://host#f", "ssh://a,b", "ssh://$(id)", "ssh://a%00@host",
	} {
		u, err := url.Parse(text)
		if err != nil {
			continue
		}
		got, err := ParseURL(u)
		if wire.CodeOf(err) != wire.Invalid {
			t.Errorf("%s gave %+v and %v", text, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the password is in the error: %v", err)
		}
	}
}

func TestAJumpHostIsWrittenAsOpenSSHTakesIt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Target{
		"j": {Host: "j"}, "u@j:2": {Host: "j", User: "u", Port: 2}, "u@[::1]:2": {Host: "::1", User: "u", Port: 2}, "::1": {Host: "::1"},
		"ssh://u@j:2": {Host: "j", User: "u", Port: 2}, "u@corp@j": {Host: "j", User: "u@corp"},
	} {
		if got, err := ParseTarget(text); err != nil || got != want {
			t.Errorf("%s gave %+v and %v", text, got, err)
		}
	}
	for _, text := range []string{"", "j:x", "-j", "u@", "j/path", "ssh://u:p@j", "a b"} {
		if got, err := ParseTarget(text); wire.CodeOf(err) != wire.Invalid {
			t.Errorf("%q gave %+v and %v", text, got, err)
		}
	}
}

func TestAConfigurationThatCannotBeUnderstoodIsShownItsLine(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "config")
	for text, part := range map[string]string{
		"\nPort \"1":                   "line 2: Port: a quote",
		"Host":                         "line 1: Host: a value is missing",
		"Match color red":              `line 1: Match: the criterion "color"`,
		"Match host":                   "needs a value",
		"Port x":                       "port is \"x\"",
		"Port 0":                       "port is",
		"ConnectTimeout 1y":            "connecttimeout is",
		"Include " + path:              "include itself",
		"IdentityFile ${NOT_SET_HERE}": "NOT_SET_HERE is not set",
		"UserKnownHostsFile %":         "lone %",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := resolve(Target{Host: "a"}, &Options{ConfigFiles: []string{path}})
		if wire.CodeOf(err) != wire.Invalid || !strings.Contains(err.Error(), part) {
			t.Errorf("%q gave %v", text, err)
		}
	}
	// What only a command could decide is passed over, and the rest counts.
	text := "Match exec \"true\"\nPort 1\nMatch host a !exec \"false\"\nPort 2\nMatch host a\nPort 3\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := resolve(Target{Host: "a"}, &Options{ConfigFiles: []string{path}})
	if err != nil || h.port != 3 {
		t.Errorf("it gave %+v and %v", h, err)
	}
}
