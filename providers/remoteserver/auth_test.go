//go:build linux

package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/shared/sshconn/sshtest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// visit is a play whose provider comes to the host in some way.
type visit struct {
	*play
	user  *sshtest.User // nil is root
	jumps []*sshtest.Server
}

// trip says what is special about a visit.
type trip struct {
	ordinary bool              // as a user made for it, who has a profile that speaks
	host     []string          // lines of its sshd_config
	bare     bool              // it has no SFTP and lets two sessions be open
	jumps    []sshtest.Options // on the way, the first one first
	prepare  func(*testing.T, *visit)
}

func newVisit(t *testing.T, c trip) *visit {
	t.Helper()
	v := &visit{}
	var home string
	o := sshtest.Options{Config: c.host}
	if c.bare {
		o.NoSFTP, o.Config = true, append([]string{"MaxSessions 2"}, c.host...)
	}
	if c.ordinary {
		v.user = sshtest.NewUser(t)
		o.User, home = v.user.Name, v.user.Home
		entries, err := os.ReadDir(home) // of which are no files of ours
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if err := os.RemoveAll(filepath.Join(home, entry.Name())); err != nil {
				t.Fatal(err)
			}
		}
		stage.Write(t, filepath.Join(home, ".bashrc"), "echo Welcome; echo 'mind the step' >&2; printf 'no newline'\n")
	} else {
		home = newHome(t)
	}
	v.play = at(t, home, o, nil)
	var names []string
	for i, jump := range c.jumps {
		jump.Name = fmt.Sprintf("jump%d", i+1)
		v.jumps = append(v.jumps, sshtest.Start(t, jump))
		names = append(names, jump.Name)
		v.ssh(func(text string) string { return text + v.jumps[i].HostConfig() })
	}
	if len(names) > 0 {
		v.far("ProxyJump", strings.Join(names, ","))
	}
	if c.prepare != nil {
		c.prepare(t, v)
	}
	return v
}

// ssh changes the ssh_config that leads to the host.
func (v *visit) ssh(change func(string) string) {
	v.T.Helper()
	path := filepath.Join(v.near, ".ssh", "config")
	stage.Write(v.T, path, change(stage.Read(v.T, path)))
}

// far sets a keyword for the host; "" takes it out.
func (v *visit) far(keyword, value string) {
	v.T.Helper()
	v.ssh(func(text string) string {
		var lines []string
		host := ""
		for line := range strings.Lines(text) {
			if fields := strings.Fields(line); fields[0] == "Host" {
				host = fields[1]
			} else if host == "far" && fields[0] == keyword {
				continue
			}
			if lines = append(lines, line); line == "Host far\n" && value != "" {
				lines = append(lines, "  "+keyword+" "+value+"\n")
			}
		}
		return strings.Join(lines, "")
	})
}

// knownHosts is the person's file of hosts that are known.
func (v *visit) knownHosts() string { return filepath.Join(v.near, ".ssh", "known_hosts") }

// newKey is a key in a file that the host lets in.
func (v *visit) newKey(kind, passphrase string) (key ssh.Signer, path string) {
	v.T.Helper()
	key, path = sshtest.NewKey(v.T, kind), filepath.Join(v.near, "key")
	sshtest.WriteKey(v.T, path, key, passphrase)
	v.sshd.Authorize(v.T, key.PublicKey())
	for _, jump := range v.jumps {
		jump.Authorize(v.T, key.PublicKey())
	}
	v.ssh(func(text string) string {
		for _, s := range append(slices.Clone(v.jumps), v.sshd) {
			text = strings.ReplaceAll(text, "IdentityFile "+s.IdentityFile, "IdentityFile "+path)
		}
		return text
	})
	return key, path
}

// secret is a file with a secret.
func (v *visit) secret(text string) string {
	v.T.Helper()
	path := filepath.Join(v.near, "secret")
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		v.T.Fatal(err)
	}
	return path
}

// person is somebody who answers, by a script; $1 is the question. It returns the file
// in which the questions are.
func (v *visit) person(script string) string {
	v.T.Helper()
	program, asked := filepath.Join(v.near, "askpass"), filepath.Join(v.near, "asked")
	stage.Write(v.T, program, "#!/bin/sh\necho \"$SSH_ASKPASS_PROMPT $1\" >> "+asked+"\n"+script+"\n")
	stage.Write(v.T, asked, "")
	if err := os.Chmod(program, 0o700); err != nil {
		v.T.Fatal(err)
	}
	v.Environ = append(v.Environ, "SSH_ASKPASS="+program, "SSH_ASKPASS_REQUIRE=force")
	return asked
}

// withoutKey takes the key away, so that other ways count.
func (v *visit) withoutKey(methods string) {
	v.far("IdentityFile", "none")
	v.far("PreferredAuthentications", methods)
}

// left checks that nothing of the visit is left, here and on the host.
func (v *visit) left() {
	v.T.Helper()
	if v.user != nil {
		eventually(v.T, "no process of the user is left", func() bool { return len(v.user.Processes()) == 0 })
		_ = os.RemoveAll(filepath.Join(v.home, ".cache")) // what PAM leaves of a login
	}
	v.none()
	v.Clean(0)
	for _, s := range append(slices.Clone(v.jumps), v.sshd) {
		s.AwaitConnections(v.T, 0)
	}
}

// passwords is a host that takes passwords of its users.
var passwords = []string{"PasswordAuthentication yes"}

func TestEveryWayToLogInLeadsToAnEnvironment(t *testing.T) {
	t.Parallel()
	withAgent := func(t *testing.T, v *visit) {
		key := sshtest.NewKey(t, "rsa")
		v.sshd.Authorize(t, key.PublicKey())
		v.far("IdentityFile", "none")
		v.far("IdentitiesOnly", "")
		v.far("IdentityAgent", sshtest.StartAgent(t, sshtest.NewKey(t, "ed25519"), key))
	}
	withCertificate := func(t *testing.T, v *visit) {
		path := filepath.Join(v.near, "certified")
		key := sshtest.NewKey(t, "ed25519")
		sshtest.WriteKey(t, path, key, "")
		certificate := sshtest.Certify(t, v.sshd.UserCA, key.PublicKey(), ssh.UserCert, v.sshd.User)
		stage.Write(t, path+"-cert.pub", string(ssh.MarshalAuthorizedKey(certificate)))
		v.far("IdentityFile", path)
	}
	withPassphrase := func(t *testing.T, v *visit) {
		v.newKey("ed25519", "correct horse")
		v.Config["passphrase"] = "correct horse"
	}
	withPassword := func(t *testing.T, v *visit) {
		v.withoutKey("password")
		v.Config["passwordFile"] = v.secret(v.user.Password)
	}
	for name, c := range map[string]trip{
		"a key":                    {},
		"a key, ordinary":          {ordinary: true, bare: true},
		"a passphrase":             {prepare: withPassphrase},
		"a passphrase, ordinary":   {ordinary: true, prepare: withPassphrase},
		"a passphrase, for a jump": {jumps: []sshtest.Options{{}}, prepare: withPassphrase},
		"an agent":                 {prepare: withAgent},
		"an agent, ordinary":       {ordinary: true, bare: true, prepare: withAgent},
		"a certificate":            {prepare: withCertificate},
		"a certificate, ordinary":  {ordinary: true, prepare: withCertificate},
		"a password":               {ordinary: true, host: passwords, prepare: withPassword},
		"a password, after a jump": {ordinary: true, bare: true, host: passwords, jumps: []sshtest.Options{{}}, prepare: withPassword},
		"a jump":                   {jumps: []sshtest.Options{{Config: []string{"MaxSessions 2"}}}},
		"two jumps, ordinary":      {ordinary: true, bare: true, jumps: []sshtest.Options{{}, {}}},
		"no forwarding, ordinary":  {ordinary: true, bare: true, host: []string{"DisableForwarding yes"}},
		"two jumps and a password": {ordinary: true, host: passwords, jumps: []sshtest.Options{{}, {}}, prepare: withPassword},
		"questions of PAM": {ordinary: true, host: []string{"UsePAM yes", "KbdInteractiveAuthentication yes"}, prepare: func(_ *testing.T, v *visit) {
			v.withoutKey("keyboard-interactive")
			v.Config["password"] = v.user.Password
		}},
		"a key and then a password": {ordinary: true, host: append([]string{"AuthenticationMethods publickey,password"}, passwords...), prepare: func(_ *testing.T, v *visit) { v.Config["password"] = v.user.Password }},
		"a person with a password": {ordinary: true, host: passwords, prepare: func(_ *testing.T, v *visit) {
			v.withoutKey("password")
			v.person(`test "$(wc -l < ` + v.near + `/asked)" -eq 1 && echo wrong || echo '` + v.user.Password + `'`)
		}},
		"a person who thinks for longer than the host waits": {ordinary: true, host: append([]string{"LoginGraceTime 1"}, passwords...), prepare: func(t *testing.T, v *visit) {
			v.withoutKey("password")
			asked := v.person("sleep 1.5; echo '" + v.user.Password + "'")
			t.Cleanup(func() {
				if text := stage.Read(t, asked); strings.Count(text, "\n") != 1 {
					t.Errorf("asked was %q", text)
				}
			})
		}},
		"a person with a passphrase": {prepare: func(_ *testing.T, v *visit) {
			v.newKey("rsa", "correct horse")
			v.Config["passphraseFile"] = v.secret("wrong")
			v.person("echo correct horse")
		}},
		"a person who trusts": {prepare: func(t *testing.T, v *visit) {
			stage.Write(t, v.knownHosts(), "")
			v.Config["strictHostKey"] = "ask"
			asked := v.person("echo yes")
			t.Cleanup(func() {
				if text := stage.Read(t, asked); !strings.HasPrefix(text, "confirm ") || !strings.Contains(text, ssh.FingerprintSHA256(v.sshd.HostKeys[0].PublicKey())) || strings.Count(text, "\n") != 1 {
					t.Errorf("asked was %q", text)
				}
			})
		}},
		"accept-new": {prepare: func(t *testing.T, v *visit) {
			line := stage.Read(t, v.knownHosts())
			stage.Write(t, v.knownHosts(), "")
			v.Config["strictHostKey"] = "accept-new"
			v.far("HashKnownHosts", "no")
			t.Cleanup(func() {
				if got := stage.Read(t, v.knownHosts()); got != line {
					t.Errorf("known is %q, want %q", got, line)
				}
			})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVisit(t, c)
			e, _ := v.Opened("visitor", nil)
			who := "root"
			if v.user != nil {
				who = v.user.Name
			}
			if out := v.run(e, "id -un; cat README.md; echo made > made.txt; mkdir d; echo x > d/x; rm src/file1.txt"); out != who+"\na project\n" {
				t.Errorf("the agent printed %q", out)
			}
			if got, want := v.changes(e), fmt.Sprint(map[string]string{"made.txt": "added", "d/x": "added", "src/file1.txt": "deleted"}); got != want {
				t.Errorf("the diff tells %s, want %s", got, want)
			}
			v.owned()
			if r := v.Stop(e, "snapshotAndRemove"); !r.Removed {
				t.Errorf("not removed: %+v", r)
			}
			v.left()
			if v.user != nil && strings.Contains(v.Log.String(), v.user.Password) || strings.Contains(v.Log.String(), "correct horse") {
				t.Error("a secret is in the log")
			}
		})
	}
}

// owned checks that all that is on the host is the user's.
func (v *visit) owned() {
	v.T.Helper()
	if v.user == nil {
		return
	}
	n := 0
	err := filepath.WalkDir(filepath.Join(v.home, ".codebolt"), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		if n++; info.Sys().(*syscall.Stat_t).Uid != uint32(v.user.UID) || info.Sys().(*syscall.Stat_t).Gid != uint32(v.user.GID) {
			v.T.Errorf("%s is not the user's", path)
		}
		return nil
	})
	if err != nil || n < 25 {
		v.T.Errorf("%d files on the host: %v", n, err)
	}
}

func TestAWayThatIsClosedIsToldWithWhatToDoAndLeavesNothing(t *testing.T) {
	t.Parallel()
	// strangeKey puts another key on record, in the third line.
	strangeKey := func(t *testing.T, v *visit, jump *sshtest.Server) {
		file, line := v.knownHosts(), stage.Read(t, v.knownHosts())
		if jump != nil {
			file, line = jump.KnownHostsFile, jump.HostKeyLine
		}
		name, _, _ := strings.Cut(line, " ")
		stage.Write(t, file, "# the hosts\n\n"+name+" "+string(ssh.MarshalAuthorizedKey(sshtest.NewKey(t, "ed25519").PublicKey())))
	}
	changedKey := func(mode string) trip {
		return trip{prepare: func(t *testing.T, v *visit) {
			strangeKey(t, v, nil)
			v.Config["strictHostKey"] = mode
			v.person("echo yes") // is not asked
		}}
	}
	unknownHost := func(mode string) trip {
		return trip{prepare: func(t *testing.T, v *visit) {
			stage.Write(t, v.knownHosts(), "")
			v.Config["strictHostKey"] = mode
		}}
	}
	wrongPassword := func(host []string, method string) trip {
		return trip{ordinary: true, host: host, prepare: func(_ *testing.T, v *visit) {
			v.withoutKey(method)
			v.Config["password"] = "wrong secret"
		}}
	}
	jump := []sshtest.Options{{}}
	for name, c := range map[string]struct {
		trip trip
		code wire.Code
		says []string // %FINGERPRINT, %NEAR and %HOME stand for what they are
	}{
		"a key that changed, ask":        {changedKey("ask"), wire.Permission, []string{"has changed", "%NEAR/.ssh/known_hosts line 3", "%FINGERPRINT"}},
		"a key that changed, accept-new": {changedKey("accept-new"), wire.Permission, []string{"has changed", "%NEAR/.ssh/known_hosts line 3", "%FINGERPRINT"}},
		"a key that changed, yes":        {changedKey("yes"), wire.Permission, []string{"has changed", "%NEAR/.ssh/known_hosts line 3", "%FINGERPRINT"}},
		"an unknown host, ask":           {unknownHost("ask"), wire.Permission, []string{"not known", "nobody is there to be asked", "%FINGERPRINT", "accept-new"}},
		"an unknown host, yes":           {unknownHost("yes"), wire.Permission, []string{"not known", "policy for host keys is yes", "%FINGERPRINT"}},
		"a person who says no": {trip{prepare: func(t *testing.T, v *visit) {
			stage.Write(t, v.knownHosts(), "")
			v.Config["strictHostKey"] = "ask"
			v.person("echo no")
		}}, wire.Permission, []string{"it was not accepted", "%FINGERPRINT"}},
		"a person who closes the window": {trip{prepare: func(t *testing.T, v *visit) {
			stage.Write(t, v.knownHosts(), "")
			v.Config["strictHostKey"] = "ask"
			v.person("exit 1")
		}}, wire.Permission, []string{"host key was not answered", "gave no answer", "%FINGERPRINT", "accept-new"}},
		"a wrong passphrase": {trip{prepare: func(_ *testing.T, v *visit) {
			v.newKey("ed25519", "correct horse")
			v.Config["passphrase"] = "wrong secret"
		}}, wire.Permission, []string{"%NEAR/key", "the passphrase of the configuration is wrong", "does not let"}},
		"a passphrase that nobody knows": {
			trip{prepare: func(_ *testing.T, v *visit) { v.newKey("ed25519", "correct horse") }},
			wire.Permission,
			[]string{"%NEAR/key: it is encrypted", "add it to the agent"},
		},
		"a wrong password":        {wrongPassword(passwords, "password"), wire.Permission, []string{"does not let", "tried password", "the password of the configuration is wrong"}},
		"a wrong answer":          {wrongPassword([]string{"UsePAM yes", "KbdInteractiveAuthentication yes"}, "keyboard-interactive"), wire.Permission, []string{"does not let", "tried keyboard-interactive", "the password of the configuration is wrong"}},
		"a password for the root": {trip{host: []string{"PasswordAuthentication yes", "PermitRootLogin prohibit-password"}, prepare: func(_ *testing.T, v *visit) { v.withoutKey("password"); v.Config["password"] = "wrong secret" }}, wire.Permission, []string{"does not let root in"}},
		"a file for everybody": {trip{ordinary: true, host: passwords, prepare: func(t *testing.T, v *visit) {
			path := v.secret("wrong secret")
			v.Config["passwordFile"] = path
			if err := os.Chmod(path, 0o644); err != nil {
				t.Fatal(err)
			}
		}}, wire.Permission, []string{"passwordFile", "%NEAR/secret", "chmod 600"}},
		"an agent without the key": {trip{prepare: func(t *testing.T, v *visit) {
			v.far("IdentityFile", "none")
			v.far("IdentitiesOnly", "")
			v.far("IdentityAgent", sshtest.StartAgent(t, sshtest.NewKey(t, "ed25519")))
		}}, wire.Permission, []string{"does not let root in", "the agent's key SHA256:", "the host takes publickey"}},
		"no agent": {trip{prepare: func(_ *testing.T, v *visit) {
			v.far("IdentityFile", "none")
			v.far("IdentitiesOnly", "")
			v.far("IdentityAgent", v.near+"/nobody")
		}}, wire.Permission, []string{"the agent at %NEAR/nobody: ", "no such file"}},
		"a certificate that expired": {trip{ordinary: true, prepare: func(t *testing.T, v *visit) {
			path, key := filepath.Join(v.near, "certified"), sshtest.NewKey(t, "ed25519")
			sshtest.WriteKey(t, path, key, "")
			certificate := sshtest.Certify(t, v.sshd.UserCA, key.PublicKey(), ssh.UserCert, v.sshd.User)
			certificate.ValidBefore = uint64(time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC).Unix())
			certificate.ValidAfter = certificate.ValidBefore - 60
			if err := certificate.SignCert(rand.Reader, v.sshd.UserCA); err != nil {
				t.Fatal(err)
			}
			stage.Write(t, path+"-cert.pub", string(ssh.MarshalAuthorizedKey(certificate)))
			v.far("IdentityFile", path)
		}}, wire.Permission, []string{"%NEAR/certified-cert.pub", "expired on 2020-01-02", "does not let"}},
		"a jump host that is not known": {
			trip{jumps: jump, prepare: func(t *testing.T, v *visit) { stage.Write(t, v.jumps[0].KnownHostsFile, "") }},
			wire.Permission,
			[]string{"jump host root@127.0.0.1", "not known", "root@jump1"},
		},
		"a jump host whose key changed": {
			trip{jumps: jump, prepare: func(t *testing.T, v *visit) { strangeKey(t, v, v.jumps[0]) }},
			wire.Permission,
			[]string{"jump host root@127.0.0.1", "has changed", "line 3"},
		},
		"a jump host with another key": {trip{jumps: jump, prepare: func(t *testing.T, v *visit) {
			sshtest.WriteKey(t, v.jumps[0].IdentityFile, sshtest.NewKey(t, "ed25519"), "")
		}}, wire.Permission, []string{"jump host root@127.0.0.1", "does not let root in"}},
		"a jump host that does not forward": {
			trip{ordinary: true, jumps: []sshtest.Options{{}, {NoTCPForwarding: true}}},
			wire.Permission,
			[]string{"the jump host jump2 forbids forwarding", "AllowTcpForwarding"},
		},
		"a jump host that wants a password": {trip{ordinary: true, host: passwords, jumps: []sshtest.Options{{Config: passwords}}, prepare: func(t *testing.T, v *visit) {
			v.Config["password"] = v.user.Password // which the jump host must not get
			sshtest.WriteKey(t, v.jumps[0].IdentityFile, sshtest.NewKey(t, "ed25519"), "")
		}}, wire.Permission, []string{"jump host root@127.0.0.1", "nobody is there to be asked: Password of root@"}},
		"a home that is not for writing": {trip{ordinary: true, prepare: func(t *testing.T, v *visit) {
			if err := errors.Join(os.Chown(v.home, 0, 0), os.Chmod(v.home, 0o755)); err != nil {
				t.Fatal(err)
			}
		}}, wire.Permission, []string{"may not write in %HOME/.codebolt/runtime", "programDir"}},
		"a command for everything": {trip{ordinary: true, host: []string{"ForceCommand echo only backups"}}, wire.Unsupported, []string{"only backups", "ordinary shell"}},
		"a folder that is not to be entered": {trip{ordinary: true, prepare: func(t *testing.T, v *visit) {
			v.Config["dir"] = newHome(t) + "/environments" // root's
		}}, wire.Permission, []string{"does not allow it", "permission denied", "set dir"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVisit(t, c.trip)
			known := stage.Read(t, v.knownHosts())
			text := v.Refused(v.Env("refused", nil, nil), c.code)
			t.Log(text)
			for _, part := range c.says {
				part = strings.NewReplacer("%FINGERPRINT", ssh.FingerprintSHA256(v.sshd.HostKeys[0].PublicKey()), "%NEAR", v.near, "%HOME", v.home).Replace(part)
				if !strings.Contains(text, part) {
					t.Errorf("%q does not say %q", text, part)
				}
			}
			if strings.Contains(text+v.Log.String(), "wrong secret") || strings.Contains(text+v.Log.String(), "correct horse") {
				t.Error("a secret is told")
			}
			if got := stage.Read(t, v.knownHosts()); got != known {
				t.Errorf("the known hosts were %q and are %q", known, got)
			}
			v.left()
		})
	}
}

func TestAnAgentIsStoppedWithAllThatItStarted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]trip{"root": {}, "ordinary": {ordinary: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newVisit(t, c)
			e, _ := v.Opened("tree", nil)
			h := stage.Listen(e)
			// They hear no signal that can be ignored, and one has left the session.
			v.Agent(e, "tree", `trap "" TERM HUP INT
				sleep 1001 & (sleep 1002 & sh -c 'sleep 1003; :') & nohup sleep 1004 >/dev/null 2>&1 &
				setsid sleep 1005 >/dev/null 2>&1 & echo ready; wait; sleep 1006`)
			sleeping := func() (found []string) {
				for _, command := range v.onHost() {
					if number, ok := strings.CutPrefix(strings.TrimSpace(command), "sleep "); ok {
						if n, err := strconv.Atoi(number); err == nil {
							found = append(found, strconv.Itoa(n))
						}
					}
				}
				slices.Sort(found)
				return found
			}
			eventually(t, "the agent has started them", func() bool { return len(sleeping()) == 5 })
			if err := e.Send(stage.Limit(t), wire.StopProcess{Header: wire.Header{Type: wire.TypeStopProcess}, AgentID: "tree", GraceMS: 200}); err != nil {
				t.Fatal(err)
			}
			h.Until(t, "the agent's end", func() bool { return h.Ends["tree"] != nil })
			eventually(t, "all of them have ended", func() bool { return len(sleeping()) == 0 })
			if n := len(v.runtimes()); n != 1 {
				t.Errorf("there are %d runtimes", n)
			}
			if r := v.Stop(e, "snapshotAndRemove"); !r.Removed {
				t.Errorf("not removed: %+v", r)
			}
			v.left()
		})
	}
}
