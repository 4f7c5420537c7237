package sshconn_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/codeboltai/codebolt-providers/shared/faultproxy"
	"github.com/codeboltai/codebolt-providers/shared/sshconn"
	"github.com/codeboltai/codebolt-providers/shared/sshconn/sshtest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestAnAliasOfTheConfigurationLeadsToItsHost(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{})
	c := dial(t, "sshtest", sshconn.Options{ConfigFiles: []string{filepath.Join(t.TempDir(), "missing"), s.ConfigFile}})
	if got := run(t, c, "echo $SSH_CONNECTION"); !strings.HasSuffix(got, fmt.Sprintf("127.0.0.1 %d", s.Port)) {
		t.Errorf("the far side says %q", got)
	}
	if want := fmt.Sprintf("%s@127.0.0.1:%d", s.User, s.Port); c.Describe() != want {
		t.Errorf("it is described as %q", c.Describe())
	}
	if want := ssh.FingerprintSHA256(s.HostKeys[0].PublicKey()); c.Fingerprint() != want {
		t.Errorf("the fingerprint is %s, not %s", c.Fingerprint(), want)
	}
	if err := c.Err(); err != nil {
		t.Errorf("it is open and has the error %v", err)
	}
	for range 2 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	select {
	case <-c.Done():
	default:
		t.Error("after Close it is not done")
	}
	refused(t, c.Err(), wire.Unavailable, "closed")
	if wire.Retryable(c.Err()) {
		t.Error("what was closed is worth retrying")
	}
	s.AwaitConnections(t, 0)
}

func TestWhatTheCallerNamesComesBeforeTheConfiguration(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Options{})
	o := configured(t, fmt.Sprintf("Host 127.0.0.1\nUser nobody\nPort 1\nIdentityFile /nowhere\nIdentityAgent none\nGlobalKnownHostsFile none\nPort %d", s.Port))
	o.KnownHosts, o.IdentityFiles = []string{s.KnownHostsFile}, []string{s.IdentityFile}
	c, err := sshconn.Dial(soon(t), sshconn.Target{Host: "127.0.0.1", User: s.User, Port: s.Port}, o)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
}

func TestAnOrdinaryUserIsLetIn(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("only root can let other users in; the other tests run as an ordinary user then")
	}
	s := sshtest.Start(t, sshtest.Options{User: "nobody"})
	c := dial(t, "sshtest", configured(t, "", s))
	dir, err := os.MkdirTemp("", "s-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "root")
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, err = c.DialUnix(soon(t), path)
	refused(t, err, wire.Unavailable, path, "nobody may not use it", "AllowStreamLocalForwarding")
}

func TestJumpHostsAreGoneThroughInOrder(t *testing.T) {
	t.Parallel()
	a, b, c := sshtest.Start(t, sshtest.Options{Name: "a"}), sshtest.Start(t, sshtest.Options{Name: "b"}), sshtest.Start(t, sshtest.Options{Name: "c"})
	for name, first := range map[string]string{
		"listed":            "Host c\nProxyJump a,b",
		"listed as URLs":    fmt.Sprintf("Host c\nProxyJump ssh://a,ssh://%s@b", b.User),
		"each in its place": "Host c\nProxyJump b\nHost b\nProxyJump a",
		// As in OpenSSH a list stands for itself: the configuration of its first
		// host goes on, those of the others do not.
		"a list stands for itself": "Host b\nProxyJump nowhere\nHost c\nProxyJump a,b",
		"all but one":              "Host a\nProxyJump none\nHost b\nProxyJump a\nHost *\nProxyJump b",
	} {
		t.Run(name, func(t *testing.T) {
			client := dial(t, "c", configured(t, first, a, b, c))
			if want := fmt.Sprintf("%s@127.0.0.1:%d via a, b", c.User, c.Port); client.Describe() != want {
				t.Errorf("it is described as %q, not %q", client.Describe(), want)
			}
			if client.Fingerprint() != ssh.FingerprintSHA256(c.HostKeys[0].PublicKey()) {
				t.Error("it is another host")
			}
			for _, s := range []*sshtest.Server{a, b, c} {
				s.AwaitConnections(t, 1)
			}
			_ = client.Close()
			for _, s := range []*sshtest.Server{a, b, c} {
				s.AwaitConnections(t, 0)
			}
		})
	}
}

func TestWhatCannotBeGoneThroughIsRefusedAtOnce(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, config string
		kind         wire.Code
		parts        []string
	}{
		{"itself", "Host a\nProxyJump a", wire.Invalid, []string{"circle", "ProxyJump none"}},
		{"a circle", "Host a\nProxyJump b\nHost b\nProxyJump c\nHost c\nProxyJump a", wire.Invalid, []string{"circle at a"}},
		{"everything through one", "Host *\nProxyJump b", wire.Invalid, []string{"circle at b"}},
		{"a command", "Host a\nProxyCommand nc %h %p # now", wire.Unsupported, []string{"ProxyCommand", "ProxyJump"}},
		{"a command for the jump host", "Host a\nProxyJump b\nHost b\nProxyCommand nc %h %p", wire.Unsupported, []string{"reaches b by a ProxyCommand"}},
		{"an option", "Host a\nProxyJump -oProxyCommand=x", wire.Invalid, []string{"dash"}},
		{"a host that is an option", "Host a\nHostName -oProxyCommand=x", wire.Invalid, []string{"dash"}},
		{"a shell", "Host a\nUser $(id)\nHostName $(id)", wire.Invalid, []string{"no name of a host"}},
		{"a token nobody knows", "Host a\nIdentityFile ~/%Z", wire.Invalid, []string{"%Z"}},
		{"a policy nobody knows", "Host a\nStrictHostKeyChecking maybe", wire.Invalid, []string{"maybe"}},
		{"algorithms nobody has", "Host a\nHostName 127.0.0.1\nPort 1\nHostKeyAlgorithms x", wire.Unsupported, []string{"HostKeyAlgorithms"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dialFails(t, "a", configured(t, test.config), test.kind, test.parts...)
		})
	}
}

func TestAFailureSaysWhichHopFailedAndWhy(t *testing.T) {
	t.Parallel()
	jump, target := sshtest.Start(t, sshtest.Options{Name: "jump"}), sshtest.Start(t, sshtest.Options{Name: "target"})
	closed := sshtest.Start(t, sshtest.Options{Name: "closed", NoTCPForwarding: true})
	gone := sshtest.Start(t, sshtest.Options{Name: "gone"})
	gone.Stop()
	other := sshtest.Start(t, sshtest.Options{Name: "other"})
	deaf := listen(t, func(net.Conn) {})
	web := listen(t, func(conn net.Conn) { _, _ = conn.Write([]byte("HTTP/1.1 400 Bad \x1b[2J Request\r\n")) })
	full := listen(t, func(conn net.Conn) { _, _ = conn.Write([]byte("Exceeded MaxStartups\r\n")); _ = conn.Close() })
	silent := fmt.Sprintf("Port %d\nHostName 127.0.0.1", deaf)
	for _, test := range []struct {
		name, config string
		kind         wire.Code
		parts        []string
	}{
		{"the target is not there", "Host target\nPort " + fmt.Sprint(gone.Port), wire.Unavailable, []string{fmt.Sprintf("127.0.0.1:%d: the connection was refused", gone.Port)}},
		{"no such name", "Host target\nHostName nowhere.invalid", wire.Unavailable, []string{"nowhere.invalid"}},
		{"the target says nothing", "Host target\n" + silent + "\nConnectTimeout 1", wire.Timeout, []string{"longer than 1s"}},
		{"no SSH server", fmt.Sprintf("Host target\nConnectTimeout 1\nPort %d", web), wire.Timeout, []string{"longer than 1s", `it does not speak SSH but says "HTTP/1.1 400 Bad  [2J Request"`}},
		{"a full SSH server", fmt.Sprintf("Host target\nPort %d", full), wire.Unavailable, []string{"Exceeded MaxStartups"}},
		{
			"the jump host is not there", "Host target\nProxyJump gone", wire.Unavailable,
			[]string{fmt.Sprintf("jump host %s@127.0.0.1:%d on the way to", gone.User, gone.Port), "refused"},
		},
		{
			"the jump host does not reach the target", "Host target\nProxyJump jump\nPort " + fmt.Sprint(gone.Port), wire.Unavailable,
			[]string{"via jump", "the jump host jump cannot connect to it: Connection refused"},
		},
		{"the jump host forbids it", "Host target\nProxyJump closed", wire.Permission, []string{"the jump host closed forbids", "AllowTcpForwarding"}},
		{"the jump host says nothing", "Host target\nProxyJump jump\nHost jump\n" + silent + "\nConnectTimeout 1", wire.Timeout, []string{"jump host", "longer than 1s"}},
		{"the target behind the jump host says nothing", "Host target\nProxyJump jump\n" + silent + "\nConnectTimeout 1", wire.Timeout, []string{"via jump", "longer than 1s"}},
		{"the jump host lets nobody in", "Host target\nProxyJump jump\nHost jump\nIdentityFile " + other.IdentityFile + "\nHost jump\nIdentityAgent none", wire.Permission, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := configured(t, test.config, jump, target, closed, gone)
			if test.name == "the jump host lets nobody in" {
				text := strings.ReplaceAll(read(t, o.ConfigFiles[0]), jump.IdentityFile, other.IdentityFile)
				write(t, o.ConfigFiles[0], text)
				test.parts = []string{"jump host", "does not let " + jump.User + " in", "tried the key " + other.IdentityFile, "the host takes publickey"}
			}
			dialFails(t, "target", o, test.kind, test.parts...)
			for _, s := range []*sshtest.Server{jump, target, closed} {
				s.AwaitConnections(t, 0)
			}
		})
	}
}

// listen serves connections that end with the test, and returns the port.
func listen(t *testing.T, serve func(net.Conn)) int {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			serve(conn)
		}
	}()
	t.Cleanup(func() { _ = ln.Close(); <-done })
	return ln.Addr().(*net.TCPAddr).Port
}

func TestADialThatIsGivenUpEndsAtOnceInEveryStep(t *testing.T) {
	t.Parallel()
	jump, target := sshtest.Start(t, sshtest.Options{Name: "jump"}), sshtest.Start(t, sshtest.Options{Name: "target"})
	for name, bytes := range map[string]int64{
		"connecting": 0, "key exchange": 300, "logging in": 1300, "over the jump host": 2300, "key exchange there": 2700, "logging in there": 3900,
	} {
		t.Run(name, func(t *testing.T) {
			proxy, err := faultproxy.Listen(faultproxy.To(jump.Addr))
			if err != nil {
				t.Fatal(err)
			}
			defer proxy.Close()
			_, port, _ := net.SplitHostPort(proxy.Addr())
			o := configured(t, fmt.Sprintf("Host target\nProxyJump jump\nHost jump\nPort %s\nHostKeyAlias j", port), jump, target)
			write(t, o.ConfigFiles[0], strings.ReplaceAll(read(t, o.ConfigFiles[0]), jump.KnownHostsFile, alias(t, jump, "j")))
			proxy.Shape(faultproxy.Shape{Latency: 10 * time.Millisecond})
			// The peer does not read any more once so many bytes have come from it.
			go func() {
				for proxy.Stats().Down < bytes && t.Context().Err() == nil {
					time.Sleep(time.Millisecond)
				}
				proxy.Hold(faultproxy.Both)
			}()
			if bytes == 0 {
				proxy.Hold(faultproxy.Both)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(1500*time.Millisecond, func() { cancel(errors.New("the user went home")) })
			start := time.Now()
			c, err := sshconn.Dial(ctx, sshconn.Target{Host: "target"}, o)
			if err == nil {
				_ = c.Close()
				t.Fatalf("it connected before it was given up, with %d bytes", proxy.Stats().Down)
			}
			refused(t, err, wire.Unavailable, "given up", "the user went home")
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
			_ = proxy.Close()
			jump.AwaitConnections(t, 0)
			target.AwaitConnections(t, 0)
		})
	}
}

// alias makes a known_hosts file in which a server has another name.
func alias(t *testing.T, s *sshtest.Server, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "known_hosts")
	write(t, path, strings.ReplaceAll(s.HostKeyLine, fmt.Sprintf("[127.0.0.1]:%d", s.Port), name))
	return path
}
