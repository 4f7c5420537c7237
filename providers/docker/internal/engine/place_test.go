//go:build linux

package engine_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/providers/docker/internal/engine"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// writeContext makes a docker context in a configuration folder and returns the
// folder for its TLS files.
func writeContext(t *testing.T, dir, name, meta string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(name))
	id := hex.EncodeToString(sum[:])
	wantNil(t, os.MkdirAll(filepath.Join(dir, "contexts", "meta", id), 0o700))
	wantNil(t, os.WriteFile(filepath.Join(dir, "contexts", "meta", id, "meta.json"), []byte(meta), 0o600))
	return filepath.Join(dir, "contexts", "tls", id, "docker")
}

func TestTheDaemonIsFoundInDockersOrder(t *testing.T) {
	t.Parallel()
	// Every place has a daemon of its own, known by its host.
	hosts := map[string]string{}
	for _, place := range []string{"option", "named", "env", "env context", "current"} {
		hosts[place] = newFake(t, nil).host
	}
	dir := t.TempDir()
	for _, name := range []string{"named", "env context", "current"} {
		writeContext(t, dir, name, fmt.Sprintf(`{"Name":%q,"Metadata":{},"Endpoints":{"docker":{"Host":%q,"SkipTLSVerify":false}}}`, name, hosts[name]))
	}
	writeContext(t, dir, "kubernetes", `{"Endpoints":{"kubernetes":{}}}`)
	wantNil(t, os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"currentContext":"current","auths":{}}`), 0o600))
	all := map[string]string{"DOCKER_HOST": hosts["env"], "DOCKER_CONTEXT": "env context", "DOCKER_CONFIG": dir}
	without := func(names ...string) map[string]string {
		env := map[string]string{}
		for name, value := range all {
			env[name] = value
		}
		for _, name := range names {
			delete(env, name)
		}
		return env
	}
	for name, test := range map[string]struct {
		o     engine.Options
		env   map[string]string
		place string
	}{
		"a host that is given":              {engine.Options{Host: hosts["option"]}, all, "option"},
		"a context that is given":           {engine.Options{Context: "named"}, all, "named"},
		"DOCKER_HOST":                       {engine.Options{}, all, "env"},
		"DOCKER_CONTEXT":                    {engine.Options{}, without("DOCKER_HOST"), "env context"},
		"the current context":               {engine.Options{}, without("DOCKER_HOST", "DOCKER_CONTEXT"), "current"},
		"the current context of the folder": {engine.Options{ConfigDir: dir}, map[string]string{}, "current"},
	} {
		t.Run(name, func(t *testing.T) {
			test.o.Getenv = func(name string) string { return test.env[name] }
			e, err := engine.Connect(within(t, 10*time.Second), test.o)
			wantNil(t, err)
			defer e.Close()
			if got := e.Info().Host; got != hosts[test.place] {
				t.Errorf("found %s, want that of %q", got, test.place)
			}
		})
	}
	refused := func(o engine.Options, code wire.Code, words ...string) {
		t.Helper()
		if o.ConfigDir == "" {
			o.ConfigDir = dir
		}
		_, err := engine.Connect(within(t, 10*time.Second), alone(t, o))
		want(t, err, code, words...)
		if strings.Contains(err.Error(), "secret") {
			t.Errorf("the error shows a secret: %v", err)
		}
	}
	refused(engine.Options{Host: "unix:///x", Context: "named"}, wire.Invalid, "give one")
	refused(engine.Options{Context: "none"}, wire.NotFound, "docker context ls")
	refused(engine.Options{Context: "kubernetes"}, wire.Invalid, "no docker endpoint")
	refused(engine.Options{Host: "localhost:2375"}, wire.Invalid, "tcp://host:port")
	refused(engine.Options{Host: "tcp://me:secret@127.0.0.1:1"}, wire.Unavailable, "tcp://me@127.0.0.1:1")
	refused(engine.Options{Host: "tcp://me:secret@[::1"}, wire.Invalid, "no URL")
	refused(engine.Options{Host: "npipe:////./pipe/docker_engine"}, wire.Unsupported, "named pipe")
	broken := t.TempDir()
	wantNil(t, os.WriteFile(filepath.Join(broken, "config.json"), []byte(`{"auths":{"x":{"auth":"secret"}}`), 0o600))
	refused(engine.Options{ConfigDir: broken}, wire.Invalid, "config.json")
}

// authority makes certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{}
	_, a.cert, a.key = a.issue(t, "authority", nil)
	return a
}

func (a *authority) issue(t *testing.T, name string, ips []net.IP) (tls.Certificate, *x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	wantNil(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IPAddresses: ips,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true, IsCA: a.cert == nil,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	wantNil(t, err)
	cert, err := x509.ParseCertificate(der)
	wantNil(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, cert, key
}

// folder writes ca.pem and, for a name, cert.pem and key.pem.
func (a *authority) folder(t *testing.T, dir, name string) string {
	t.Helper()
	wantNil(t, os.MkdirAll(dir, 0o700))
	write := func(file, kind string, der []byte) {
		wantNil(t, os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	}
	write("ca.pem", "CERTIFICATE", a.cert.Raw)
	if name != "" {
		_, cert, key := a.issue(t, name, nil)
		der, err := x509.MarshalECPrivateKey(key)
		wantNil(t, err)
		write("cert.pem", "CERTIFICATE", cert.Raw)
		write("key.pem", "EC PRIVATE KEY", der)
	}
	return dir
}

// forward passes each connection of ln on to the daemon's socket.
func forward(t *testing.T, ln net.Listener, host string) {
	t.Helper()
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				out, err := net.Dial("unix", strings.TrimPrefix(host, "unix://"))
				if err != nil {
					in.Close()
					return
				}
				go func() {
					_, _ = io.Copy(out, in)
					_ = out.(*net.UnixConn).CloseWrite()
				}()
				_, _ = io.Copy(in, out)
				in.Close()
				out.Close()
			}()
		}
	}()
}

func TestADaemonBehindTLSIsReachedWithItsCertificates(t *testing.T) {
	t.Parallel()
	b := open(t)
	ours, theirs := newAuthority(t), newAuthority(t)
	server, _, _ := ours.issue(t, "server", []net.IP{net.IPv4(127, 0, 0, 1)})
	clients := x509.NewCertPool()
	clients.AddCert(ours.cert)
	inner, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	wantNil(t, err)
	forward(t, tls.NewListener(inner, &tls.Config{
		Certificates: []tls.Certificate{server}, ClientCAs: clients, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
	}), b.daemon.Host)
	host := "tcp://" + inner.Addr().String()
	good := ours.folder(t, t.TempDir(), "me")

	dir := t.TempDir()
	ours.folder(t, writeContext(t, dir, "secured", fmt.Sprintf(`{"Endpoints":{"docker":{"Host":%q}}}`, host)), "me")
	for name, o := range map[string]engine.Options{
		"options":   {Host: host, CertPath: good, TLSVerify: true},
		"a context": {Context: "secured", ConfigDir: dir},
		"the environment": {Getenv: func(name string) string {
			return map[string]string{"DOCKER_HOST": host, "DOCKER_CERT_PATH": good, "DOCKER_TLS_VERIFY": "1"}[name]
		}},
		"the configuration's folder": {Host: host, ConfigDir: good, TLSVerify: true},
	} {
		t.Run(name, func(t *testing.T) {
			e := connect(t, o)
			if i := e.Info(); i.Local || i.Host != host || len(i.Warnings) != len(b.Info().Warnings) {
				t.Errorf("%+v", i)
			}
			over := *b
			over.Engine = e
			echoes(t, &over, over.run(t, engine.ContainerSpec{}))
		})
	}
	unverified := connect(t, engine.Options{Host: host, CertPath: good})
	if w := unverified.Info().Warnings; len(w) == 0 || !strings.Contains(w[len(w)-1], "not verified") {
		t.Errorf("warnings %q", w)
	}

	refused := func(o engine.Options, code wire.Code, words ...string) {
		t.Helper()
		_, err := engine.Connect(within(t, 10*time.Second), alone(t, o))
		want(t, err, code, words...)
	}
	refused(engine.Options{Host: host, CertPath: theirs.folder(t, t.TempDir(), "me"), TLSVerify: true}, wire.Permission, "not to be trusted", "ca.pem")
	refused(engine.Options{Host: host, CertPath: ours.folder(t, t.TempDir(), ""), TLSVerify: true}, wire.Permission, "does not accept this certificate")
	secured := httptest.NewTLSServer(http.NotFoundHandler())
	defer secured.Close()
	secured.Config.ErrorLog = log.New(io.Discard, "", 0)
	host = "tcp://" + secured.Listener.Addr().String()
	writeContext(t, dir, "bare", fmt.Sprintf(`{"Endpoints":{"docker":{"Host":%q}}}`, host))
	refused(engine.Options{Host: host}, wire.Invalid, "DOCKER_TLS_VERIFY")
	refused(engine.Options{Context: "bare", ConfigDir: dir}, wire.Invalid, "DOCKER_TLS_VERIFY")
	plain, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	wantNil(t, err)
	forward(t, plain, b.daemon.Host)
	refused(engine.Options{Host: "tcp://" + plain.Addr().String(), CertPath: good, TLSVerify: true}, wire.Invalid, "does not speak TLS")
	wantNil(t, os.WriteFile(filepath.Join(dir, "ca.pem"), []byte("no certificate"), 0o600))
	refused(engine.Options{Host: host, CertPath: dir, TLSVerify: true}, wire.Invalid, "cannot be used")

	open, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	wantNil(t, err)
	forward(t, open, b.daemon.Host)
	over := *b
	over.Engine = connect(t, engine.Options{Host: "tcp://" + open.Addr().String()})
	echoes(t, &over, over.run(t, engine.ContainerSpec{}))
}

// channel is a connection without deadlines, as a channel of SSH is.
type channel struct{ *net.UnixConn }

func (channel) SetDeadline(time.Time) error      { return errors.New("deadline not supported") }
func (channel) SetReadDeadline(time.Time) error  { return errors.New("deadline not supported") }
func (channel) SetWriteDeadline(time.Time) error { return errors.New("deadline not supported") }

func TestADaemonBehindSSHIsReachedByTheSocketThere(t *testing.T) {
	t.Parallel()
	b := open(t)
	var sockets atomic.Value
	var closed atomic.Int32
	o := engine.Options{Host: "ssh://me@far:2222", SSH: func(_ context.Context, host *url.URL) (func(context.Context, string) (net.Conn, error), func() error, error) {
		if host.Host != "far:2222" || host.User.Username() != "me" {
			t.Errorf("asked for %v", host)
		}
		dial := func(ctx context.Context, socket string) (net.Conn, error) {
			sockets.Store(socket)
			conn, err := new(net.Dialer).DialContext(ctx, "unix", strings.TrimPrefix(b.daemon.Host, "unix://"))
			if err != nil {
				return nil, err
			}
			return channel{conn.(*net.UnixConn)}, nil
		}
		return dial, func() error { closed.Add(1); return nil }, nil
	}}
	over := *b
	over.Engine = connect(t, o)
	if i := over.Info(); i.Local || i.Host != "ssh://me@far:2222" || sockets.Load() != "/var/run/docker.sock" {
		t.Errorf("%+v by %v", i, sockets.Load())
	}
	id := over.run(t, engine.ContainerSpec{})
	echoes(t, &over, id)
	conn, err := over.ExecConn(within(t, time.Minute), id, engine.ExecSpec{Argv: []string{"cat"}})
	wantNil(t, err)
	defer conn.Close()
	wantNil(t, conn.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
	_, err = conn.Read(make([]byte, 1))
	if timeout, ok := errors.AsType[net.Error](err); !ok || !timeout.Timeout() {
		t.Errorf("%v is no timeout", err)
	}
	o.Host += "/run/user/7/docker.sock"
	wantNil(t, connect(t, o).Close())
	if sockets.Load() != "/run/user/7/docker.sock" || closed.Load() != 1 {
		t.Errorf("socket %v, closed %d times", sockets.Load(), closed.Load())
	}
}

func TestAWayToTheDaemonThatIsShutIsExplained(t *testing.T) {
	t.Parallel()
	refused := func(dialErr, openErr error) error {
		var closed bool
		_, err := engine.Connect(within(t, 10*time.Second), alone(t, engine.Options{Host: "ssh://far", SSH: func(context.Context, *url.URL) (func(context.Context, string) (net.Conn, error), func() error, error) {
			return func(context.Context, string) (net.Conn, error) { return nil, dialErr }, func() error { closed = true; return nil }, openErr
		}}))
		if openErr == nil && !closed {
			t.Error("the way is left open")
		}
		return err
	}
	want(t, refused(&net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.EACCES)}, nil), wire.Permission, "group docker", "rootless")
	want(t, refused(&net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, nil), wire.Unavailable, "start it")
	want(t, refused(wire.Errorf(wire.Permission, "forwarding is prohibited"), nil), wire.Permission, "ssh://far", "forwarding is prohibited")
	want(t, refused(nil, wire.Errorf(wire.Timeout, "the host is silent")), wire.Timeout, "ssh://far", "the host is silent")
	_, err := engine.Connect(t.Context(), alone(t, engine.Options{Host: "ssh://far"}))
	want(t, err, wire.Unsupported, "ssh")
}
