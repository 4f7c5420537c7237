//go:build linux

package sshtest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// key is a signer of which the private key is known.
type key struct {
	ssh.AlgorithmSigner
	private crypto.PrivateKey
}

// NewKey makes a key of a type: ed25519, ecdsa or rsa.
func NewKey(t testing.TB, kind string) ssh.Signer {
	t.Helper()
	var (
		private crypto.Signer
		err     error
	)
	switch kind {
	case "ed25519":
		_, private, err = ed25519.GenerateKey(rand.Reader)
	case "ecdsa":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "rsa":
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		t.Fatalf("there is no key type %q", kind)
	}
	check(t, err)
	signer, err := ssh.NewSignerFromSigner(private)
	check(t, err)
	return key{signer.(ssh.AlgorithmSigner), private}
}

// WriteKey writes a key of NewKey as ssh-keygen does, encrypted when there is a
// passphrase, and its public key beside it.
func WriteKey(t testing.TB, path string, signer ssh.Signer, passphrase string) {
	t.Helper()
	check(t, os.WriteFile(path, privatePEM(t, signer), 0o600))
	check(t, os.WriteFile(path+".pub", ssh.MarshalAuthorizedKey(signer.PublicKey()), 0o600))
	if passphrase == "" {
		return
	}
	// In as few rounds as possible: no one is to be kept out, and they take long.
	out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-p", "-a", "1", "-P", "", "-N", passphrase, "-f", path).CombinedOutput()
	if err != nil {
		t.Fatalf("ssh-keygen: %v: %s", err, out)
	}
}

func privatePEM(t testing.TB, signer ssh.Signer) []byte {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(signer.(key).private, "")
	check(t, err)
	return pem.EncodeToMemory(block)
}

// Certify makes a certificate for a principal that is valid for an hour. kind is
// ssh.UserCert or ssh.HostCert.
func Certify(t testing.TB, authority ssh.Signer, public ssh.PublicKey, kind uint32, principal string) *ssh.Certificate {
	t.Helper()
	certificate := &ssh.Certificate{
		Key: public, CertType: kind, KeyId: "test", ValidPrincipals: []string{principal},
		ValidAfter: uint64(time.Now().Add(-time.Minute).Unix()), ValidBefore: uint64(time.Now().Add(time.Hour).Unix()),
	}
	if kind == ssh.UserCert {
		certificate.Extensions = map[string]string{"permit-port-forwarding": "", "permit-pty": ""}
	}
	check(t, certificate.SignCert(rand.Reader, authority))
	return certificate
}

// StartAgent starts an ssh-agent with keys of NewKey, and returns its socket.
func StartAgent(t testing.TB, keys ...ssh.Signer) string {
	t.Helper()
	socket := filepath.Join(directory(t), "agent")
	cmd := exec.CommandContext(context.Background(), "ssh-agent", "-D", "-a", socket) // ended by its clean-up
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started, ended := make(chan error), make(chan struct{})
	go func() {
		defer close(ended)
		runtime.LockOSThread() // for as long as the agent runs; see [Server.accept]
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	check(t, <-started)
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	var (
		conn net.Conn
		err  error
	)
	for range 500 {
		if conn, err = (&net.Dialer{}).DialContext(context.Background(), "unix", socket); err == nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	check(t, err)
	defer conn.Close()
	client := agent.NewClient(conn)
	check(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	for _, signer := range keys {
		check(t, client.Add(agent.AddedKey{PrivateKey: signer.(key).private}))
	}
	return socket
}
