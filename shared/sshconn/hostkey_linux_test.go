package sshconn_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/codeboltai/codebolt-providers/shared/sshconn"
	"github.com/codeboltai/codebolt-providers/shared/sshconn/sshtest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// stranger are the options for a server that is not known yet, and the file into
// which it would be written.
func stranger(t *testing.T, s *sshtest.Server) (sshconn.Options, string) {
	t.Helper()
	o := configured(t, "", s)
	file := filepath.Join(t.TempDir(), "new", "known_hosts")
	o.KnownHosts = []string{file}
	o.StrictHostKey = sshconn.StrictAsk
	return o, file
}

func show(s ssh.Signer) string { return ssh.FingerprintSHA256(s.PublicKey()) }

func TestAnUnknownHostIsRefusedAndItsFingerprintShown(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{})
	for _, policy := range []string{sshconn.StrictAsk, sshconn.StrictYes} {
		o, file := stranger(t, s)
		if o.StrictHostKey = policy; policy == sshconn.StrictYes {
			o.Ask = func(context.Context, sshconn.Prompt) (string, error) {
				t.Error("a person was asked")
				return "yes", nil
			}
		}
		dialFails(t, "sshtest", o, wire.Permission, "not known", show(s.HostKeys[0]), "ssh-keygen -lf", fmt.Sprintf(`"ssh -p %d %s@sshtest"`, s.Port, s.User), "accept-new")
		if _, err := os.Stat(file); err == nil {
			t.Error("the refused host was written down")
		}
	}
	s.AwaitConnections(t, 0)
	if strings.Contains(s.Log(), "Accepted") {
		t.Error("a key was shown to a host that is not known")
	}
}

func TestAnUnknownHostIsTrustedWhenAPersonSaysSo(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{})
	for answer, trusted := range map[string]bool{"yes": true, "YES": true, show(s.HostKeys[0]): true, "no": false, "": false, "SHA256:other": false} {
		o, file := stranger(t, s)
		var asked sshconn.Prompt
		o.Ask = func(_ context.Context, p sshconn.Prompt) (string, error) { asked = p; return answer, nil }
		if !trusted {
			dialFails(t, "sshtest", o, wire.Permission, "not accepted", show(s.HostKeys[0]))
			continue
		}
		_ = dial(t, "sshtest", o).Close()
		if asked.Kind != sshconn.AskHostKey || asked.Key != show(s.HostKeys[0]) || !strings.Contains(asked.Text, asked.Key) {
			t.Errorf("asked was %+v", asked)
		}
		if got := read(t, file); got != s.HostKeyLine {
			t.Errorf("written down was %q, not %q", got, s.HostKeyLine)
		}
		o.Ask, o.StrictHostKey = nil, sshconn.StrictYes
		_ = dial(t, "sshtest", o).Close()
	}
	o, _ := stranger(t, s)
	o.Ask = func(context.Context, sshconn.Prompt) (string, error) { return "", errors.New("the window was closed") }
	dialFails(t, "sshtest", o, wire.Internal, "the window was closed")
}

func TestAcceptNewRemembersAHostForItsUserAlone(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{})
	o, file := stranger(t, s)
	o.StrictHostKey = sshconn.StrictAcceptNew
	_ = dial(t, "sshtest", o).Close()
	_ = dial(t, "sshtest", o).Close()
	if got := read(t, file); got != s.HostKeyLine {
		t.Errorf("written down was %q, not %q", got, s.HostKeyLine)
	}
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has the mode %v: %v", info.Mode(), err)
	}
	if info, err = os.Stat(filepath.Dir(file)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder has the mode %v: %v", info.Mode(), err)
	}
}

func TestWhatIsAddedToTheKnownHostsTearsNoLine(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{})
	o, file := stranger(t, s)
	o.StrictHostKey = sshconn.StrictAcceptNew
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, file, "# no line feed here")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			c, err := sshconn.Dial(soon(t), sshconn.Target{Host: "sshtest"}, o)
			if err != nil {
				t.Error(err)
				return
			}
			_ = c.Close()
		})
	}
	all.Wait()
	for i, line := range strings.Split(strings.TrimSpace(read(t, file)), "\n") {
		if i == 0 && line == "# no line feed here" || line == "" {
			continue
		}
		if line+"\n" != s.HostKeyLine {
			t.Errorf("line %d is %q", i+1, line)
		}
	}
	o.StrictHostKey = sshconn.StrictYes
	_ = dial(t, "sshtest", o).Close()
}

func TestNamesAreHashedWhenTheConfigurationSaysSo(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{})
	o, file := stranger(t, s)
	write(t, o.ConfigFiles[0], "HashKnownHosts yes\n"+read(t, o.ConfigFiles[0]))
	o.StrictHostKey = sshconn.StrictAcceptNew
	_ = dial(t, "sshtest", o).Close()
	if got := read(t, file); !strings.HasPrefix(got, "|1|") || strings.Contains(got, "127.0.0.1") {
		t.Errorf("written down was %q", got)
	}
	o.StrictHostKey = sshconn.StrictYes
	_ = dial(t, "sshtest", o).Close()
}

func TestAChangedHostKeyStopsEverything(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{})
	jump := sshtest.Start(t, sshtest.Options{Name: "jump"})
	for _, kind := range []string{"ed25519", "ecdsa"} { // of the same type, and of one that the host does not have
		old := sshtest.NewKey(t, kind)
		for _, policy := range []string{sshconn.StrictAsk, sshconn.StrictAcceptNew, sshconn.StrictYes} {
			o, file := stranger(t, s)
			o.StrictHostKey = policy
			o.Ask = func(context.Context, sshconn.Prompt) (string, error) {
				t.Error("a person was asked")
				return "yes", nil
			}
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			text := "# first\n" + knownhosts.Line([]string{s.Addr}, old.PublicKey()) + "\n"
			write(t, file, text)
			dialFails(t, "sshtest", o, wire.Permission, "changed", show(s.HostKeys[0]), show(old), file+" line 2")
			if read(t, file) != text {
				t.Error("the known hosts were touched")
			}
		}
	}
	// Not even what is known of the target helps a jump host that changed.
	wrong := filepath.Join(t.TempDir(), "known_hosts")
	write(t, wrong, knownhosts.Line([]string{jump.Addr}, sshtest.NewKey(t, "ed25519").PublicKey()))
	o := configured(t, "Host sshtest\nProxyJump jump\nHost jump\nUserKnownHostsFile "+wrong, s, jump)
	dialFails(t, "sshtest", o, wire.Permission, "jump host", "changed", show(jump.HostKeys[0]))
	if wire.Retryable(wire.Errorf(wire.Permission, "x")) {
		t.Error("it is worth retrying")
	}
}

func TestStrictHostKeyCheckingNoIsTakenForAcceptNew(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{})
	o, file := stranger(t, s)
	o.StrictHostKey = ""
	var log bytes.Buffer
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	write(t, o.ConfigFiles[0], "StrictHostKeyChecking no\n"+read(t, o.ConfigFiles[0]))
	_ = dial(t, "sshtest", o).Close()
	if !strings.Contains(log.String(), "accept-new") {
		t.Errorf("nobody was warned: %s", log.String())
	}
	write(t, file, knownhosts.Line([]string{s.Addr}, sshtest.NewKey(t, "ed25519").PublicKey()))
	dialFails(t, "sshtest", o, wire.Permission, "changed")
}

func TestAHostWithSeveralKeysIsKnownByAnyOfThem(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{HostKeys: []string{"ed25519", "rsa", "ecdsa"}})
	jump := sshtest.Start(t, sshtest.Options{Name: "jump", HostKeys: []string{"rsa", "ed25519"}})
	for i, line := range strings.SplitAfter(strings.TrimSpace(s.HostKeyLine), "\n") {
		known := filepath.Join(t.TempDir(), "known_hosts")
		write(t, known, line+"\n"+strings.SplitAfter(jump.HostKeyLine, "\n")[i%2])
		o := configured(t, "Host sshtest\nProxyJump jump", s, jump)
		o.KnownHosts = []string{known}
		c := dial(t, "sshtest", o)
		if c.Fingerprint() != show(s.HostKeys[i]) {
			t.Errorf("with %q the host showed another key", line)
		}
		_ = c.Close()
	}
	for order, want := range map[string]int{"ecdsa-sha2-nistp256,ssh-ed25519": 2, "-ssh-ed25519": 2, "^rsa-*": 1, "": 0} {
		o, _ := stranger(t, s)
		o.StrictHostKey = sshconn.StrictAcceptNew
		if order != "" {
			write(t, o.ConfigFiles[0], "HostKeyAlgorithms "+order+"\n"+read(t, o.ConfigFiles[0]))
		}
		c := dial(t, "sshtest", o)
		if c.Fingerprint() != show(s.HostKeys[want]) {
			t.Errorf("with HostKeyAlgorithms %q the host showed another key", order)
		}
		_ = c.Close()
	}
}

func TestAHostIsKnownByItsCertificate(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{HostCertificate: true, HostKeys: []string{"rsa", "ecdsa"}})
	_ = dial(t, "sshtest", configured(t, "", s)).Close()
	ca := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.HostCA.PublicKey())))
	for name, test := range map[string]struct {
		known string
		parts []string // nil: it connects
	}{
		"an authority for everything":    {"@cert-authority * " + ca, nil},
		"of another host":                {"@cert-authority elsewhere " + ca, []string{"not known"}},
		"another authority":              {"@cert-authority * " + string(ssh.MarshalAuthorizedKey(s.UserCA.PublicKey())), []string{"certificate is not accepted"}},
		"another, but the key is known":  {"@cert-authority " + knownhosts.Line([]string{s.Addr}, s.UserCA.PublicKey()) + "\n" + knownhosts.Line([]string{s.Addr}, s.HostKeys[1].PublicKey()), nil},
		"the authority is revoked":       {"@cert-authority * " + ca + "\n@revoked * " + ca, []string{"revoked"}},
		"the key is revoked":             {knownhosts.Line([]string{s.Addr}, s.HostKeys[1].PublicKey()) + "\n@revoked * " + string(ssh.MarshalAuthorizedKey(s.HostKeys[1].PublicKey())), []string{"revoked", "line 2"}},
		"the key, known without a guard": {knownhosts.Line([]string{s.Addr}, s.HostKeys[1].PublicKey()), nil},
	} {
		t.Run(name, func(t *testing.T) {
			o, file := stranger(t, s)
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			write(t, file, test.known)
			if test.parts == nil {
				_ = dial(t, "sshtest", o).Close()
				return
			}
			dialFails(t, "sshtest", o, wire.Permission, test.parts...)
		})
	}
	// A host without certificates under an authority for everything is unknown,
	// not changed.
	other := sshtest.Start(t, sshtest.Options{Name: "plain"})
	o, file := stranger(t, other)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, file, "@cert-authority * "+ca)
	dialFails(t, "plain", o, wire.Permission, "not known")
}

func TestARevokedHostKeyIsRefused(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{})
	list := filepath.Join(t.TempDir(), "revoked")
	o := configured(t, "Host sshtest\nRevokedHostKeys "+list, s)
	dialFails(t, "sshtest", o, wire.Permission, "revoked host keys cannot be read")
	write(t, list, "# those\n"+string(ssh.MarshalAuthorizedKey(s.HostKeys[0].PublicKey())))
	dialFails(t, "sshtest", o, wire.Permission, "is revoked in "+list)
	write(t, list, string(ssh.MarshalAuthorizedKey(s.UserCA.PublicKey())))
	_ = dial(t, "sshtest", o).Close()
	write(t, list, "SSHKRL\n\x00")
	dialFails(t, "sshtest", o, wire.Unsupported, "binary")
}

func TestStrangeLinesAmongTheKnownHostsArePassedOver(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{})
	o, file := stranger(t, s)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	strange := "host 2048 35 1234567890\nhost ssh-future AAAA comment\nx ssh-ed25519 %%%\n|1|a ssh-ed25519 " +
		strings.Fields(s.HostKeyLine)[2] + "\n[x ssh-ed25519 " + strings.Fields(s.HostKeyLine)[2] + "\n! ssh-rsa\n@what is this\n" + strings.Repeat("x", 100<<10) + "\n"
	var log bytes.Buffer
	o.Log = slog.New(slog.NewTextHandler(&log, nil))
	write(t, file, strange+strings.TrimSpace(s.HostKeyLine)+" a comment of several words\n")
	_ = dial(t, "sshtest", o).Close()
	if !strings.Contains(log.String(), file) {
		t.Errorf("nobody was told: %s", log.String())
	}
	old := sshtest.NewKey(t, "ed25519")
	write(t, file, strange+knownhosts.Line([]string{s.Addr}, old.PublicKey()))
	dialFails(t, "sshtest", o, wire.Permission, "changed", show(old), file+" line 9")
}

func TestAHostIsKnownByTheAliasOfItsKey(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{})
	o := configured(t, "Host sshtest\nHostKeyAlias build\nUserKnownHostsFile "+alias(t, s, "build"), s)
	_ = dial(t, "sshtest", o).Close()
}
