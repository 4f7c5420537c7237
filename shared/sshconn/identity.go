package sshconn

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/crypto/ssh"
)

// identity is one key to log in with.
type identity struct {
	label  string // how it is named to people
	signer ssh.Signer
}

// usualIdentities are tried when nobody named any, in the order of OpenSSH.
var usualIdentities = []string{"id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk"}

// keyring gathers the identities for one hop.
type keyring struct {
	hop      *hop
	agent    []ssh.Signer
	given    []identity      // the result
	have     map[string]bool // public keys in it
	problems []string        // why others are not
}

// gather returns the keys to try, in order: those that somebody named, those of
// the agent, and those at the usual places. What could not be used it says in
// problems, and fails in no case.
func (k *keyring) gather(ctx context.Context) {
	k.have = map[string]bool{}
	host := k.hop.host
	var err error
	if k.agent, err = k.hop.openAgent(ctx); err != nil {
		k.problem("the agent at %s: %v", host.agent, err)
	}
	for _, path := range host.identities {
		k.file(ctx, path, true)
	}
	if !host.identitiesOnly {
		for _, signer := range k.agent {
			k.certificates(signer, "the agent's key "+ssh.FingerprintSHA256(signer.PublicKey()))
			k.add("the agent's key "+ssh.FingerprintSHA256(plain(signer.PublicKey())), signer)
		}
	}
	if host.defaults {
		for _, name := range usualIdentities {
			k.file(ctx, filepath.Join(host.home, ".ssh", name), false)
		}
	}
}

func (k *keyring) problem(format string, args ...any) {
	k.problems = append(k.problems, fmt.Sprintf(format, args...))
}

func (k *keyring) add(label string, signer ssh.Signer) {
	if id := string(signer.PublicKey().Marshal()); !k.have[id] {
		k.have[id] = true
		k.given = append(k.given, identity{label, signer})
	}
}

// file adds the key in a file, with the certificates for it.
func (k *keyring) file(ctx context.Context, path string, named bool) {
	signer, err := k.signer(ctx, path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return
	}
	if err != nil {
		k.problem("%s: %v", path, err)
		return
	}
	k.certificates(signer, path, path+"-cert.pub")
	k.add(path, signer)
}

// certificates adds those certificates that are for the signer's key: of the
// configured files, and of those given here.
func (k *keyring) certificates(signer ssh.Signer, label string, beside ...string) {
	for _, path := range slices.Concat(k.hop.host.certificates, beside) {
		public, err := readPublic(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		certificate, ok := public.(*ssh.Certificate)
		if err != nil || !ok {
			k.problem("%s: it holds no certificate", path)
			continue
		}
		if !bytes.Equal(certificate.Key.Marshal(), signer.PublicKey().Marshal()) {
			continue
		}
		certified, err := ssh.NewCertSigner(certificate, signer)
		if err != nil {
			k.problem("%s: %v", path, err)
			continue
		}
		k.add(label+" with the certificate "+path+validity(certificate, time.Now()), certified)
	}
}

// validity says of a certificate that is not valid now, by this machine's clock. It is
// offered all the same: that of the host counts.
func validity(c *ssh.Certificate, now time.Time) string {
	at := func(seconds uint64) string {
		return time.Unix(int64(min(seconds, math.MaxUint32)), 0).UTC().Format("2006-01-02 at 15:04 UTC")
	}
	switch seconds := uint64(max(now.Unix(), 0)); {
	case seconds < c.ValidAfter:
		return ", which is not valid before " + at(c.ValidAfter)
	case c.ValidBefore != ssh.CertTimeInfinity && seconds >= c.ValidBefore:
		return ", which expired on " + at(c.ValidBefore)
	}
	return ""
}

// signer returns what signs with the private key in a file. That may be the
// agent, when the file holds only the public key or is encrypted.
func (k *keyring) signer(ctx context.Context, path string) (ssh.Signer, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		// The private key may be the agent's alone.
		if public, err := readPublic(path + ".pub"); err == nil {
			if signer := k.ofAgent(public); signer != nil {
				return signer, nil
			}
		}
		if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
			err = pathErr.Err // the path is said before
		}
		return nil, err
	}
	signer, err := ssh.ParsePrivateKey(data)
	if err == nil {
		return signer, nil
	}
	if locked, ok := errors.AsType[*ssh.PassphraseMissingError](err); ok {
		return k.locked(ctx, path, data, locked.PublicKey)
	}
	if public, _, _, _, err := ssh.ParseAuthorizedKey(data); err == nil {
		if signer := k.ofAgent(public); signer != nil {
			return signer, nil
		}
		return nil, errors.New("it is a public key, and the agent does not hold the private one")
	}
	if block, _ := pem.Decode(data); block == nil {
		return nil, errors.New("it is not a private key")
	}
	return nil, fmt.Errorf("the private key cannot be read (one in hardware must be added to the agent): %w", err)
}

// ofAgent returns the agent's signer for a public key, or nil.
func (k *keyring) ofAgent(public ssh.PublicKey) ssh.Signer {
	for _, signer := range k.agent {
		if bytes.Equal(signer.PublicKey().Marshal(), public.Marshal()) {
			return signer
		}
	}
	return nil
}

// passphraseTries is how often a passphrase is asked for, as in OpenSSH.
const passphraseTries = 3

// locked returns what signs with an encrypted key. The passphrase is asked for
// when the server has agreed to the key, if that can be known.
func (k *keyring) locked(ctx context.Context, path string, data []byte, public ssh.PublicKey) (ssh.Signer, error) {
	if public == nil {
		public, _ = readPublic(path + ".pub")
	}
	if public != nil {
		if signer := k.ofAgent(public); signer != nil {
			return signer, nil
		}
	}
	if signer := k.hop.unlocked[path]; signer != nil {
		return signer, nil
	}
	if k.hop.ask == nil {
		return nil, errors.New("it is encrypted, and nobody is there to be asked for the passphrase; add it to the agent")
	}
	unlock := func() (ssh.Signer, error) {
		signer, err := k.hop.unlock(ctx, path, data)
		if err != nil {
			k.problem("%s: %v", path, err)
		}
		return signer, err
	}
	if public == nil {
		signer, err := k.hop.unlock(ctx, path, data)
		return signer, err
	}
	return &lockedSigner{public: public, unlock: unlock}, nil
}

// unlock asks for the passphrase of a key and remembers the key for the other
// hops.
func (h *hop) unlock(ctx context.Context, path string, data []byte) (ssh.Signer, error) {
	if signer := h.unlocked[path]; signer != nil {
		return signer, nil
	}
	for try := range passphraseTries {
		passphrase, err := h.question(ctx, Prompt{Kind: AskPassphrase, Key: path, Text: "Passphrase for the key " + path + ":", Again: try > 0})
		if err != nil {
			return nil, err
		}
		signer, err := ssh.ParsePrivateKeyWithPassphrase(data, []byte(passphrase))
		if err == nil {
			h.unlocked[path] = signer
			return signer, nil
		}
		if !errors.Is(err, x509.IncorrectPasswordError) {
			return nil, err
		}
	}
	return nil, errors.New("the passphrase is wrong")
}

// lockedSigner signs with a key that is decrypted for its first signature.
type lockedSigner struct {
	public ssh.PublicKey
	unlock func() (ssh.Signer, error)
}

func (s *lockedSigner) PublicKey() ssh.PublicKey { return s.public }

func (s *lockedSigner) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return s.SignWithAlgorithm(rand, data, "")
}

func (s *lockedSigner) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	signer, err := s.unlock()
	if err != nil {
		return nil, err
	}
	if by, ok := signer.(ssh.AlgorithmSigner); ok {
		return by.SignWithAlgorithm(rand, data, algorithm)
	}
	return signer.Sign(rand, data)
}

func readPublic(path string) (ssh.PublicKey, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(data)
	return public, err
}
