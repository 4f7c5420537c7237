package sshconn_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/codeboltai/codebolt-providers/shared/sshconn"
	"github.com/codeboltai/codebolt-providers/shared/sshconn/sshtest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// answers is an Ask that gives one answer after the other and records what it
// was asked.
type answers struct {
	queue []string
	asked []sshconn.Prompt
}

func (a *answers) ask(_ context.Context, p sshconn.Prompt) (string, error) {
	a.asked = append(a.asked, p)
	if len(a.queue) == 0 {
		return "", errors.New("no more answers")
	}
	next := a.queue[0]
	a.queue = a.queue[1:]
	return next, nil
}

// withKeys are the options for a server by a configuration that names no key.
func withKeys(t *testing.T, s *sshtest.Server, first string) sshconn.Options {
	t.Helper()
	text := strings.NewReplacer("  IdentityFile "+s.IdentityFile+"\n", "", "  IdentitiesOnly yes\n", "", "  IdentityAgent none\n", "").Replace(s.HostConfig())
	path := filepath.Join(t.TempDir(), "config")
	write(t, path, first+"\n"+text)
	return sshconn.Options{ConfigFiles: []string{path}}
}

func TestAnEncryptedKeyIsUnlockedByItsPassphrase(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{})
	key, path := sshtest.NewKey(t, "rsa"), filepath.Join(t.TempDir(), "id")
	sshtest.WriteKey(t, path, key, "correct horse")
	s.Authorize(t, key.PublicKey())
	a := &answers{queue: []string{"wrong", "correct horse"}}
	o := withKeys(t, s, "IdentityAgent none\nIdentityFile "+path)
	o.Ask = a.ask
	_ = dial(t, "sshtest", o).Close()
	if len(a.asked) != 2 || a.asked[0].Kind != sshconn.AskPassphrase || a.asked[0].Key != path || a.asked[0].Echo {
		t.Errorf("asked was %+v", a.asked)
	}
	// Once for both of two hops.
	jump := sshtest.Start(t, sshtest.Options{Name: "jump"})
	jump.Authorize(t, key.PublicKey())
	a = &answers{queue: []string{"correct horse"}}
	o = withKeys(t, s, "IdentityAgent none\nIdentityFile "+path+"\nHost sshtest\nProxyJump jump\n"+strings.ReplaceAll(jump.HostConfig(), jump.IdentityFile, path))
	o.Ask = a.ask
	_ = dial(t, "sshtest", o).Close()
	// And not at all where nobody is there, or it is forbidden to ask.
	o.Ask = nil
	dialFails(t, "sshtest", o, wire.Permission, path+": it is encrypted", "agent")
	o = withKeys(t, s, "BatchMode yes\nIdentityAgent none\nIdentityFile "+path)
	o.Ask = func(context.Context, sshconn.Prompt) (string, error) { t.Error("asked"); return "", nil }
	dialFails(t, "sshtest", o, wire.Permission, path+": it is encrypted")
}

func TestAnOldEncryptedKeyIsUnlockedToo(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{})
	path := filepath.Join(t.TempDir(), "id")
	// As ssh-keygen -m PEM wrote them.
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := ssh.NewPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	s.Authorize(t, public)
	block, err := x509.EncryptPEMBlock(rand.Reader, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(private), []byte("secret"), x509.PEMCipherAES256) //nolint:staticcheck // old keys are so
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(pem.EncodeToMemory(block)))
	a := &answers{queue: []string{"secret"}}
	o := withKeys(t, s, "IdentityAgent none\nIdentityFile "+path)
	o.Ask = a.ask
	_ = dial(t, "sshtest", o).Close()
}

func TestAKeyThatCannotBeUsedDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{})
	dir := t.TempDir()
	locked := sshtest.NewKey(t, "ed25519")
	sshtest.WriteKey(t, filepath.Join(dir, "locked"), locked, "secret")
	s.Authorize(t, locked.PublicKey()) // the host takes it, and then it cannot sign
	write(t, filepath.Join(dir, "rubbish"), "rubbish")
	write(t, filepath.Join(dir, "broken"), "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n")
	var lines strings.Builder
	for _, name := range []string{"missing", "rubbish", "broken", "locked"} {
		fmt.Fprintf(&lines, "IdentityFile %s\n", filepath.Join(dir, name))
	}
	o := withKeys(t, s, "IdentityAgent none\n"+lines.String())
	for _, ask := range []func(context.Context, sshconn.Prompt) (string, error){nil, (&answers{}).ask, (&answers{queue: []string{"a", "b", "c"}}).ask} {
		o.Ask, o.IdentityFiles = ask, nil
		dialFails(t, "sshtest", o, wire.Permission, "missing: no such file", "rubbish: it is not a private key", "broken: the private key cannot be read", "locked: ")
		write(t, o.ConfigFiles[0], read(t, o.ConfigFiles[0])+"IdentityFile "+s.IdentityFile+"\n")
		_ = dial(t, "sshtest", o).Close()
		write(t, o.ConfigFiles[0], strings.TrimSuffix(read(t, o.ConfigFiles[0]), "IdentityFile "+s.IdentityFile+"\n"))
	}
}

func TestTheAgentsKeysAreUsed(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{MaxAuthTries: 3})
	key, dir := sshtest.NewKey(t, "rsa"), t.TempDir()
	s.Authorize(t, key.PublicKey())
	socket := sshtest.StartAgent(t, key)
	var crowd []ssh.Signer
	for range 5 {
		crowd = append(crowd, sshtest.NewKey(t, "ed25519"))
	}
	crowded := sshtest.StartAgent(t, append(crowd, key)...)
	path := filepath.Join(dir, "id")
	sshtest.WriteKey(t, path, key, "secret")
	public := filepath.Join(dir, "only.pub")
	write(t, public, string(ssh.MarshalAuthorizedKey(key.PublicKey())))
	other := filepath.Join(dir, "other.pub")
	write(t, other, string(ssh.MarshalAuthorizedKey(sshtest.NewKey(t, "ed25519").PublicKey())))
	for _, test := range []struct {
		name, config, option string
		kind                 wire.Code // "" connects
		parts                []string
	}{
		{"by the option", "IdentityAgent none", socket, "", nil},
		{"by the configuration", "IdentityAgent " + socket, "", "", nil},
		{"an encrypted key is the agent's", "IdentitiesOnly yes\nIdentityFile " + path, crowded, "", nil},
		{"an encrypted key is the agent's, named first", "IdentityFile " + path, crowded, "", nil},
		{"the file holds the public key", "IdentitiesOnly yes\nIdentityFile " + public, crowded, "", nil},
		{"only the public key is there", "IdentitiesOnly yes\nIdentityFile " + strings.TrimSuffix(public, ".pub"), crowded, "", nil},
		{"too many", "", crowded, wire.Permission, []string{"MaxAuthTries", "IdentitiesOnly", "the agent's key " + show(crowd[0])}},
		{"another public key", "IdentitiesOnly yes\nIdentityFile " + other, crowded, wire.Permission, []string{"agent does not hold", "tried nothing"}},
		{"none by the option", "IdentityAgent " + socket, "none", wire.Permission, []string{"tried nothing", "the host takes publickey"}},
		{"no agent", "", filepath.Join(dir, "nobody"), wire.Permission, []string{"the agent at " + filepath.Join(dir, "nobody") + ": ", "no such file"}},
		{"switched off", "PubkeyAuthentication no", socket, wire.Permission, []string{"tried nothing"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := withKeys(t, s, test.config)
			o.AgentSocket = test.option
			if test.kind == "" {
				_ = dial(t, "sshtest", o).Close()
				return
			}
			dialFails(t, "sshtest", o, test.kind, test.parts...)
		})
	}
}

func TestTheAgentIsFoundByTheEnvironment(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	key := sshtest.NewKey(t, "ecdsa")
	s.Authorize(t, key.PublicKey())
	socket := sshtest.StartAgent(t, key)
	t.Setenv("SSH_AUTH_SOCK", socket)
	t.Setenv("MY_AGENT", socket)
	t.Setenv("MY_DIR", filepath.Dir(socket))
	for _, config := range []string{"", "IdentityAgent SSH_AUTH_SOCK", "IdentityAgent $MY_AGENT", "IdentityAgent ${MY_DIR}/agent"} {
		_ = dial(t, "sshtest", withKeys(t, s, config)).Close()
		t.Setenv("SSH_AUTH_SOCK", socket)
	}
	dialFails(t, "sshtest", withKeys(t, s, "IdentityAgent none"), wire.Permission, "tried nothing")
	dialFails(t, "sshtest", withKeys(t, s, "IdentityAgent ${MY_OTHER_DIR}/agent"), wire.Invalid, "MY_OTHER_DIR is not set")
}

func TestTheUsualKeysAreTriedWhenNoneIsNamed(t *testing.T) {
	s := sshtest.Start(t, sshtest.Options{})
	home := t.TempDir()
	t.Setenv("HOME", home)
	if err := os.MkdirAll(filepath.Join(home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(home, ".ssh", "id_ed25519"), read(t, s.IdentityFile))
	write(t, filepath.Join(home, ".ssh", "config"), read(t, withKeys(t, s, "").ConfigFiles[0])+"\nInclude more/*.conf\n")
	_ = dial(t, "sshtest", sshconn.Options{}).Close()
	// One that is named takes their place.
	if err := os.MkdirAll(filepath.Join(home, ".ssh", "more"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(home, ".ssh", "more", "a.conf"), "IdentityFile ~/.ssh/missing\n")
	dialFails(t, "sshtest", sshconn.Options{}, wire.Permission, filepath.Join(home, ".ssh", "missing")+": no such file", "tried nothing")
}

func TestACertificateLetsIn(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{})
	for _, kind := range []string{"ed25519", "rsa"} {
		key, dir := sshtest.NewKey(t, kind), t.TempDir()
		path := filepath.Join(dir, "id")
		sshtest.WriteKey(t, path, key, "")
		o := withKeys(t, s, "IdentityAgent none\nIdentityFile "+path)
		dialFails(t, "sshtest", o, wire.Permission, "tried the key "+path)
		certificate := string(ssh.MarshalAuthorizedKey(sshtest.Certify(t, s.UserCA, key.PublicKey(), ssh.UserCert, s.User)))
		elsewhere := filepath.Join(dir, "elsewhere.pub")
		write(t, elsewhere, certificate)
		_ = dial(t, "sshtest", withKeys(t, s, "IdentityAgent none\nIdentityFile "+path+"\nCertificateFile "+elsewhere)).Close()
		// The private key may be the agent's.
		agent := withKeys(t, s, "CertificateFile "+elsewhere)
		agent.AgentSocket = sshtest.StartAgent(t, key)
		_ = dial(t, "sshtest", agent).Close()
		write(t, path+"-cert.pub", certificate)
		_ = dial(t, "sshtest", o).Close()
		wrong := sshtest.Certify(t, s.HostCA, key.PublicKey(), ssh.UserCert, s.User)
		write(t, path+"-cert.pub", string(ssh.MarshalAuthorizedKey(wrong)))
		dialFails(t, "sshtest", o, wire.Permission, "with the certificate "+path+"-cert.pub")
	}
}

func TestAPasswordIsAskedFor(t *testing.T) {
	t.Parallel()
	o := asking(t, &ssh.ServerConfig{PasswordCallback: byPassword})
	a := &answers{queue: []string{"wrong", "open sesame"}}
	o.Ask = a.ask
	_ = dial(t, "asking", o).Close()
	if len(a.asked) != 2 || a.asked[0].Kind != sshconn.AskPassword || a.asked[0].Echo || !strings.HasPrefix(a.asked[0].Host, "alice@127.0.0.1:") {
		t.Errorf("asked was %+v", a.asked)
	}
	a = &answers{queue: []string{"hunter2", "hunter2", "hunter2", "hunter2"}}
	o.Ask = a.ask
	c, err := sshconn.Dial(soon(t), sshconn.Target{Host: "asking"}, o)
	if err == nil {
		_ = c.Close()
	}
	refused(t, err, wire.Permission, "does not let alice in", "tried password")
	if err != nil && strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the password is in the error: %v", err)
	}
	if len(a.asked) != 3 {
		t.Errorf("the password was asked for %d times", len(a.asked))
	}
	o.Ask = nil
	dialFails(t, "asking", o, wire.Permission, "nobody is there to be asked for a password")
}

func TestTheServersQuestionsAreAsked(t *testing.T) {
	t.Parallel()
	o := asking(t, &ssh.ServerConfig{KeyboardInteractiveCallback: byQuestions})
	a := &answers{queue: []string{"open sesame", "123456"}}
	o.Ask = a.ask
	_ = dial(t, "asking", o).Close()
	if len(a.asked) != 2 || a.asked[0].Kind != sshconn.AskAnswer || a.asked[0].Echo || !a.asked[1].Echo ||
		a.asked[0].Text != "Hello [2J. Password:" || a.asked[1].Text != "Code:" {
		t.Errorf("asked was %+v", a.asked)
	}
}

func TestAServerMayWantOneProofAfterTheOther(t *testing.T) {
	t.Parallel()
	key, path := sshtest.NewKey(t, "ed25519"), filepath.Join(t.TempDir(), "id")
	sshtest.WriteKey(t, path, key, "")
	o := asking(t, &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, k ssh.PublicKey) (*ssh.Permissions, error) {
		if string(k.Marshal()) != string(key.PublicKey().Marshal()) {
			return nil, errWrong
		}
		return nil, &ssh.PartialSuccessError{Next: ssh.ServerAuthCallbacks{KeyboardInteractiveCallback: byQuestions}}
	}})
	o.IdentityFiles = []string{path}
	o.Ask = (&answers{queue: []string{"open sesame", "123456"}}).ask
	_ = dial(t, "asking", o).Close()
	o.Ask = nil
	dialFails(t, "asking", o, wire.Permission, "tried the key "+path, "the host takes keyboard-interactive")
}

func TestTheTimeInWhichAPersonThinksDoesNotCount(t *testing.T) {
	t.Parallel()
	o := asking(t, &ssh.ServerConfig{PasswordCallback: byPassword})
	o.ConnectTimeout = 1000e6
	o.Ask = func(ctx context.Context, _ sshconn.Prompt) (string, error) {
		wait(ctx, 1500e6)
		return "open sesame", nil
	}
	_ = dial(t, "asking", o).Close()
	// A person who is not there any more ends it.
	ctx, cancel := context.WithCancel(t.Context())
	o.Ask = func(ctx context.Context, _ sshconn.Prompt) (string, error) {
		cancel()
		<-ctx.Done()
		return "", ctx.Err()
	}
	c, err := sshconn.Dial(ctx, sshconn.Target{Host: "asking"}, o)
	if err == nil {
		_ = c.Close()
	}
	refused(t, err, wire.Unavailable, "given up")
}
