//go:build linux

package sshtest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// Options say what is special about a server. The zero value is one as
// distributions ship it, with one ed25519 host key.
type Options struct {
	// Name is the server's alias in ConfigFile; "sshtest" by default.
	Name string
	// User may log in; by default who runs the test. Another can only be
	// named when that is root, and must be a user of the machine.
	User string
	// HostKeys are the types of its host keys: ed25519, ecdsa, rsa.
	HostKeys []string
	// HostCertificate gives every host key a certificate of HostCA for
	// 127.0.0.1, instead of a line in KnownHostsFile for each key.
	HostCertificate bool
	// MaxAuthTries is as in sshd_config; 0 is 6.
	MaxAuthTries int
	// NoTCPForwarding and NoStreamLocalForwarding forbid what they say.
	NoTCPForwarding, NoStreamLocalForwarding bool
	// NoSFTP leaves the subsystem out by which files are copied.
	NoSFTP bool
	// Listener is where it is reached, such as in another network; by default a free
	// port of 127.0.0.1. It is closed with the server.
	Listener net.Listener
	// Enter begins the command line by which sshd is run, such as nsenter's.
	Enter []string
	// Config are further lines of sshd_config. The first value of a keyword
	// counts, and these come first.
	Config []string
}

// Server is a running sshd. One process serves each connection.
type Server struct {
	Name string
	Addr string // 127.0.0.1:port
	Port int
	User string

	HostKeys []ssh.Signer
	HostCA   ssh.Signer
	UserCA   ssh.Signer // certificates of it for User are accepted

	HostKeyLine    string // for known_hosts, one line a host key or authority
	KnownHostsFile string // with HostKeyLine
	IdentityFile   string // an ed25519 key that may log in; beside it is the .pub
	ConfigFile     string // an ssh_config by which Name leads to the server, and which uses no agent

	dir, config    string
	authorizedKeys string
	listener       net.Listener
	accepting      sync.WaitGroup

	mu      sync.Mutex
	running map[*exec.Cmd]net.Conn
	closed  bool
}

// Start starts a server that ends with the test. It fails the test when there is
// no sshd.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	sshd, err := exec.LookPath("sshd")
	if err != nil {
		if sshd = "/usr/sbin/sshd"; !exists(sshd) {
			t.Fatal("there is no sshd; install the package openssh-server")
		}
	}
	if os.Getuid() == 0 {
		// Where the server separates its privileges. The package's service makes
		// it, and where there is no service nobody does.
		check(t, os.MkdirAll("/run/sshd", 0o755))
	}
	s := &Server{Name: o.Name, User: o.User, dir: directory(t), running: map[*exec.Cmd]net.Conn{}}
	if s.Name == "" {
		s.Name = "sshtest"
	}
	if s.User == "" {
		me, err := user.Current()
		check(t, err)
		s.User = me.Username
	}
	if s.listener = o.Listener; s.listener == nil {
		s.listener, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		check(t, err)
	}
	s.Addr = s.listener.Addr().String()
	s.Port = s.listener.Addr().(*net.TCPAddr).Port
	s.configure(t, o)
	s.accepting.Go(func() { s.accept(t, append(slices.Clone(o.Enter), sshd, "-i", "-e", "-f", s.config)) })
	t.Cleanup(s.Stop)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log of %s:\n%s", s.Name, s.Log())
		}
	})
	return s
}

// directory makes a directory that every user may enter, as sshd reads the
// authorized keys as the user who logs in. The one of a test may not be.
func directory(t testing.TB) string {
	dir, err := os.MkdirTemp("", "sshtest-*")
	check(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	check(t, os.Chmod(dir, 0o755)) //nolint:gosec // see above
	return dir
}

func (s *Server) configure(t testing.TB, o Options) {
	t.Helper()
	s.HostCA, s.UserCA = NewKey(t, "ed25519"), NewKey(t, "ed25519")
	lines := append([]string{}, o.Config...)
	types := o.HostKeys
	if len(types) == 0 {
		types = []string{"ed25519"}
	}
	for _, kind := range types {
		key := NewKey(t, kind)
		s.HostKeys = append(s.HostKeys, key)
		path := s.write(t, "host_"+kind, 0o600, privatePEM(t, key))
		lines = append(lines, "HostKey "+path)
		if o.HostCertificate {
			certificate := Certify(t, s.HostCA, key.PublicKey(), ssh.HostCert, "127.0.0.1")
			lines = append(lines, "HostCertificate "+s.write(t, "host_"+kind+"-cert.pub", 0o644, ssh.MarshalAuthorizedKey(certificate)))
			continue
		}
		s.HostKeyLine += fmt.Sprintf("[127.0.0.1]:%d %s", s.Port, ssh.MarshalAuthorizedKey(key.PublicKey()))
	}
	if o.HostCertificate {
		s.HostKeyLine = fmt.Sprintf("@cert-authority [127.0.0.1]:%d %s", s.Port, ssh.MarshalAuthorizedKey(s.HostCA.PublicKey()))
	}
	s.KnownHostsFile = s.write(t, "known_hosts", 0o600, []byte(s.HostKeyLine))

	identity := NewKey(t, "ed25519")
	s.IdentityFile = s.write(t, "id_ed25519", 0o600, privatePEM(t, identity))
	s.write(t, "id_ed25519.pub", 0o644, ssh.MarshalAuthorizedKey(identity.PublicKey()))
	s.authorizedKeys = s.write(t, "authorized_keys", 0o644, ssh.MarshalAuthorizedKey(identity.PublicKey()))
	userCA := s.write(t, "user_ca.pub", 0o644, ssh.MarshalAuthorizedKey(s.UserCA.PublicKey()))

	lines = append(lines,
		"AuthorizedKeysFile "+s.authorizedKeys, "TrustedUserCAKeys "+userCA, "StrictModes no", "UsePAM no",
		"PidFile none", "PermitRootLogin yes", "PasswordAuthentication no", "KbdInteractiveAuthentication no",
		"LogLevel VERBOSE", "UseDNS no")
	if !o.NoSFTP {
		lines = append(lines, "Subsystem sftp internal-sftp")
	}
	if o.MaxAuthTries != 0 {
		lines = append(lines, "MaxAuthTries "+strconv.Itoa(o.MaxAuthTries))
	}
	if o.NoTCPForwarding {
		lines = append(lines, "AllowTcpForwarding no")
	}
	if o.NoStreamLocalForwarding {
		lines = append(lines, "AllowStreamLocalForwarding no")
	}
	s.config = s.write(t, "sshd_config", 0o644, []byte(strings.Join(lines, "\n")+"\n"))
	s.ConfigFile = s.write(t, "ssh_config", 0o600, []byte(s.HostConfig()))
}

// HostConfig is the part of an ssh_config by which Name leads to the server.
func (s *Server) HostConfig() string {
	return fmt.Sprintf("Host %s\n  HostName 127.0.0.1\n  Port %d\n  User %s\n  IdentityFile %s\n  IdentitiesOnly yes\n  IdentityAgent none\n"+
		"  UserKnownHostsFile %s\n  GlobalKnownHostsFile none\n  StrictHostKeyChecking yes\n",
		s.Name, s.Port, s.User, s.IdentityFile, s.KnownHostsFile)
}

// Authorize lets a key log in, and changes nothing for connections that are open.
func (s *Server) Authorize(t testing.TB, key ssh.PublicKey) {
	t.Helper()
	f, err := os.OpenFile(s.authorizedKeys, os.O_APPEND|os.O_WRONLY, 0)
	check(t, err)
	_, err = f.Write(ssh.MarshalAuthorizedKey(key))
	check(t, err)
	check(t, f.Close())
}

// accept gives each connection an sshd of its own, as inetd does: so the port is
// the server's from the first moment, and every process is known.
func (s *Server) accept(t testing.TB, argv []string) {
	// The kernel ends a child when the thread that made it ends, and a thread ends
	// when somebody locks it for good: this one is the server's for as long as it
	// has connections.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		file, err := conn.(*net.TCPConn).File()
		if err != nil {
			_ = conn.Close()
			continue
		}
		log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			cmd := exec.CommandContext(context.Background(), argv[0], argv[1:]...) // ended by Kill
			cmd.Stdin, cmd.Stdout, cmd.Stderr = file, file, log
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
			s.run(t, cmd, conn)
			_ = log.Close()
		}
		_ = file.Close()
	}
}

func (s *Server) run(t testing.TB, cmd *exec.Cmd, conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = conn.Close()
		return
	}
	if err := cmd.Start(); err != nil {
		t.Errorf("sshd: %v", err)
		_ = conn.Close()
		return
	}
	s.running[cmd] = conn
	s.accepting.Go(func() {
		_ = cmd.Wait()
		_ = conn.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.running, cmd)
	})
}

// Log returns what the server has logged so far.
func (s *Server) Log() string {
	data, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return string(data)
}

// Connections returns how many connections are open.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.running)
}

// AwaitConnections waits until so many connections are open, and fails the test
// after five seconds.
func (s *Server) AwaitConnections(t testing.TB, n int) {
	t.Helper()
	for range 500 {
		if s.Connections() == n {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s has %d connections open, not %d", s.Name, s.Connections(), n)
}

// Kill kills the processes of all open connections.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for cmd, conn := range s.running {
		_ = cmd.Process.Kill()
		if tcp, ok := conn.(*net.TCPConn); ok {
			// The process that runs as the user has the connection, too.
			_ = shutdown(tcp)
		}
	}
}

func shutdown(conn *net.TCPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Control(func(fd uintptr) { _ = syscall.Shutdown(int(fd), syscall.SHUT_RDWR) })
}

// Stop ends the server with its connections. It is idempotent.
func (s *Server) Stop() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	_ = s.listener.Close()
	s.Kill()
	s.accepting.Wait()
}

func (s *Server) write(t testing.TB, name string, mode os.FileMode, data []byte) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	check(t, os.WriteFile(path, data, mode))
	return path
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
