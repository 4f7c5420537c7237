package sshconn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// verify decides whether a host key is the right one. Its errors are of kind
// Permission, unless a question or a file failed.
func (h *hop) verify(ctx context.Context, key ssh.PublicKey) error {
	if revoked, err := h.revokedKeys(); err != nil {
		return err
	} else if slices.ContainsFunc(revoked, func(bad ssh.PublicKey) bool { return bytes.Equal(bad.Marshal(), plain(key).Marshal()) }) {
		return wire.Errorf(wire.Permission, "the host key %s is revoked in %s", fingerprint(key), h.host.revoked)
	}
	known, err := h.known.check(h.host.knownAs, key)
	certificate, isCertificate := key.(*ssh.Certificate)
	if err != nil && isCertificate {
		// As OpenSSH does: the key within may be known by itself.
		if _, alone := h.known.check(h.host.knownAs, certificate.Key); alone == nil {
			err = nil
		}
	}
	if err == nil {
		return nil
	}
	if bad, ok := errors.AsType[*xknownhosts.RevokedError](err); ok {
		bad.Revoked.Filename = or(h.known.names[bad.Revoked.Filename], bad.Revoked.Filename)
		return wire.Errorf(wire.Permission, "the host key %s is revoked in %s", fingerprint(key), place(bad.Revoked))
	}
	if _, ok := errors.AsType[*xknownhosts.KeyError](err); !ok {
		return wire.Errorf(wire.Permission, "the host's certificate is not accepted: %w", err)
	}
	if len(known) > 0 {
		return changed(key, known)
	}
	return h.unknown(ctx, key)
}

func changed(key ssh.PublicKey, known []xknownhosts.KnownKey) error {
	records := make([]string, len(known))
	for i, k := range known {
		records[i] = fingerprint(k.Key) + " (" + place(k) + ")"
	}
	return wire.Errorf(wire.Permission, "the host key has changed; someone may be listening in. The host shows %s, on record is %s. "+
		"If the host got a new key and you have checked its fingerprint, remove what is on record and connect again",
		fingerprint(key), strings.Join(records, " and "))
}

// unknown decides about a host of which no key is on record.
func (h *hop) unknown(ctx context.Context, key ssh.PublicKey) error {
	name := knownhosts.Normalize(h.host.knownAs)
	refusal := func(why string) error {
		return wire.Errorf(wire.Permission, "the host is not known and shows the key %s; %s. "+
			"Compare it with what \"ssh-keygen -lf /etc/ssh/ssh_host_%s_key.pub\" prints on the host, then either connect once by hand with \"%s\" "+
			"and answer yes, or set the policy for host keys to accept-new", fingerprint(key), why, shortType(key), h.byHand())
	}
	switch {
	case h.host.strict == StrictAcceptNew:
	case h.host.strict == StrictYes:
		return refusal("the policy for host keys is yes, so it is refused")
	case h.ask == nil:
		return refusal("nobody is there to be asked about it")
	default:
		shown := ssh.FingerprintSHA256(plain(key))
		answer, err := h.question(ctx, Prompt{
			Kind: AskHostKey, Key: shown, Echo: true,
			Text: fmt.Sprintf("The host %s is not known. It shows the key %s. Trust it from now on? (yes/no/[fingerprint])", name, fingerprint(key)),
		})
		if wire.CodeOf(err) == wire.Permission {
			return refusal(err.Error())
		}
		if err != nil {
			return err
		}
		if answer = strings.TrimSpace(answer); !strings.EqualFold(answer, "yes") && answer != shown {
			return refusal("it was not accepted")
		}
	}
	if err := h.remember(name, plain(key)); err != nil {
		h.log.Warn("ssh: the new host key could not be remembered", "host", name, "error", err)
	} else {
		h.log.Info("ssh: a new host key is trusted from now on", "host", name, "key", fingerprint(key))
	}
	return nil
}

// byHand is the command by which a person would connect to the hop.
func (h *hop) byHand() string {
	argv := []string{"ssh"}
	if h.host.port != 22 {
		argv = append(argv, "-p", fmt.Sprint(h.host.port))
	}
	return strings.Join(append(argv, h.host.user+"@"+h.host.alias), " ")
}

// remember appends a host key to the first known_hosts file, which it makes when
// there is none. The line is written at once, so that those of several
// processes do not mix.
func (h *hop) remember(name string, key ssh.PublicKey) (err error) {
	if len(h.host.userKnownHosts) == 0 {
		return errors.New("the configuration names no file for known hosts")
	}
	path := h.host.userKnownHosts[0]
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	if h.host.hashKnownHosts {
		name = xknownhosts.HashHostname(name)
	}
	line := name + " " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))) + "\n"
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Size() > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, info.Size()-1); err == nil && last[0] != '\n' {
			line = "\n" + line
		}
	}
	_, err = f.WriteString(line)
	return err
}

// revokedKeys reads RevokedHostKeys. A list that cannot be read refuses every
// host, as in OpenSSH.
func (h *hop) revokedKeys() (keys []ssh.PublicKey, err error) {
	if h.host.revoked == "" {
		return nil, nil
	}
	data, err := os.ReadFile(h.host.revoked)
	if err != nil {
		code := wire.CodeOf(err)
		if errors.Is(err, fs.ErrNotExist) {
			code = wire.Permission
		}
		return nil, wire.Errorf(code, "the list of revoked host keys cannot be read: %w", err)
	}
	if bytes.HasPrefix(data, []byte("SSHKRL\n")) {
		return nil, wire.Errorf(wire.Unsupported, "%s is a binary revocation list; list the revoked keys as text, one a line", h.host.revoked)
	}
	for line := range bytes.Lines(data) {
		if line = bytes.TrimSpace(line); len(line) == 0 || line[0] == '#' {
			continue
		}
		key, _, _, _, err := ssh.ParseAuthorizedKey(line)
		if err != nil {
			return nil, wire.Errorf(wire.Invalid, "%s holds a line that is no public key: %w", h.host.revoked, err)
		}
		keys = append(keys, plain(key))
	}
	return keys, nil
}

// plain is the key itself where there is a certificate around it.
func plain(key ssh.PublicKey) ssh.PublicKey {
	if certificate, ok := key.(*ssh.Certificate); ok {
		return certificate.Key
	}
	return key
}

// fingerprint names a key for people: its type and its fingerprint as ssh-keygen
// prints it.
func fingerprint(key ssh.PublicKey) string {
	return key.Type() + " " + ssh.FingerprintSHA256(plain(key))
}

// shortType is the type of a key as it is in the names of files.
func shortType(key ssh.PublicKey) string {
	switch t := plain(key).Type(); {
	case strings.HasPrefix(t, "ecdsa"):
		return "ecdsa"
	case t == ssh.KeyAlgoRSA:
		return "rsa"
	default:
		return "ed25519"
	}
}
