package sshconn

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// knownKeys is what the known_hosts files say.
type knownKeys struct {
	db    *knownhosts.HostKeyDB
	names map[string]string // of files that were read from a copy
}

// readKnownHosts reads known_hosts files; missing ones are skipped. As OpenSSH
// does, and unlike the library, it passes over lines that it cannot read, so
// that one strange line does not lock the user out of every host.
func readKnownHosts(files []string, log *slog.Logger) (_ *knownKeys, err error) {
	k := &knownKeys{names: map[string]string{}}
	var usable []string
	for _, file := range files {
		data, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, wire.Errorf(wire.CodeOf(err), "ssh: the known hosts cannot be read: %w", err)
		}
		sound, bad := soundLines(data)
		if len(bad) == 0 {
			usable = append(usable, file)
			continue
		}
		log.Warn("ssh: lines of the known hosts cannot be read and are passed over", "file", file, "lines", bad)
		copied, err := copyAside(sound)
		if err != nil {
			return nil, wire.Errorf(wire.CodeOf(err), "ssh: reading the known hosts: %w", err)
		}
		defer os.Remove(copied)
		k.names[copied] = file
		usable = append(usable, copied)
	}
	if k.db, err = knownhosts.NewDB(usable...); err != nil {
		text := err.Error()
		for copied, file := range k.names {
			text = strings.ReplaceAll(text, copied, file)
		}
		return nil, wire.Errorf(wire.Invalid, "ssh: the known hosts cannot be read: %s", text)
	}
	return k, nil
}

func copyAside(data []byte) (string, error) {
	f, err := os.CreateTemp("", "known_hosts-*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// soundLines blanks the lines that cannot be read and returns their numbers.
func soundLines(data []byte) (sound []byte, bad []int) {
	number := 0
	for line := range bytes.Lines(data) {
		number++
		if !soundLine(strings.TrimSpace(string(line))) {
			bad = append(bad, number)
			line = []byte("\n")
		}
		sound = append(sound, line...)
	}
	return sound, bad
}

func soundLine(line string) bool {
	if line == "" || line[0] == '#' {
		return len(line) < 32<<10
	}
	fields := strings.Fields(line)
	if fields[0] == "@cert-authority" || fields[0] == "@revoked" {
		fields = fields[1:]
	}
	if len(fields) < 3 || len(line) > 32<<10 || fields[0][0] == '@' {
		return false
	}
	blob, err := base64.StdEncoding.DecodeString(fields[2])
	if err != nil {
		return false
	}
	if key, err := ssh.ParsePublicKey(blob); err != nil || key.Type() != fields[1] {
		return false
	}
	if fields[0][0] == '|' {
		parts := strings.Split(fields[0], "|")
		if len(parts) != 4 || parts[1] != "1" {
			return false
		}
		_, err1 := base64.StdEncoding.DecodeString(parts[2])
		_, err2 := base64.StdEncoding.DecodeString(parts[3])
		return err1 == nil && err2 == nil
	}
	for pattern := range strings.SplitSeq(fields[0], ",") {
		pattern, negated := strings.CutPrefix(pattern, "!")
		if negated && pattern == "" {
			return false
		}
		if strings.HasPrefix(pattern, "[") {
			if _, _, err := net.SplitHostPort(pattern); err != nil {
				return false
			}
		}
	}
	return true
}

// check compares a host key with what is known of a host:port. known are the
// keys on record, without certificate authorities; err is nil when the key is
// right, and a KeyError when it is another or none is known.
func (k *knownKeys) check(address string, key ssh.PublicKey) (known []xknownhosts.KnownKey, err error) {
	err = k.db.HostKeyCallback()(address, &net.TCPAddr{IP: net.IPv4zero}, key)
	if mismatch, ok := errors.AsType[*xknownhosts.KeyError](err); ok {
		for _, want := range mismatch.Want {
			if !k.authority(address, want.Key) {
				want.Filename = or(k.names[want.Filename], want.Filename)
				known = append(known, want)
			}
		}
	}
	return known, err
}

// authority reports whether a key on record for an address is that of a
// certificate authority.
func (k *knownKeys) authority(address string, key ssh.PublicKey) bool {
	for _, one := range k.db.HostKeys(address) {
		if one.Cert && bytes.Equal(one.Marshal(), key.Marshal()) {
			return true
		}
	}
	return false
}

// preference is the order in which OpenSSH asks a host for its keys.
var preference = []string{
	ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256,
}

// algorithms returns the host key algorithms to ask a host for: those of the
// keys on record first, so that a host with several keys shows the one that is
// known. The others follow so that a host that has none of them any more is
// found out by its key; certificates are only asked for when an authority for
// the host is known.
func (k *knownKeys) algorithms(address, configured string) ([]string, error) {
	known := k.db.HostKeyAlgorithms(address)
	supported := preference
	if slices.ContainsFunc(known, certified) {
		// The type of an authority's key says nothing about that of the host's.
		supported = slices.Concat([]string{
			ssh.CertAlgoED25519v01, ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01,
			ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01,
		}, preference)
	}
	allowed := choose(configured, supported)
	if len(allowed) == 0 {
		return nil, wire.Errorf(wire.Unsupported, "ssh: HostKeyAlgorithms %q leaves none of those that are supported: %s",
			configured, strings.Join(supported, ", "))
	}
	first := func(algorithm string) int {
		if certified(algorithm) {
			return 0
		}
		if slices.Contains(known, algorithm) {
			return 1
		}
		return 2
	}
	slices.SortStableFunc(allowed, func(a, b string) int { return first(a) - first(b) })
	return allowed, nil
}

func certified(algorithm string) bool { return strings.Contains(algorithm, "-cert-") }

// choose applies HostKeyAlgorithms to the algorithms that are supported: a list
// takes their place, and one behind + is added, behind - taken away, behind ^
// put first. Signatures with SHA-1 must be asked for by name.
func choose(configured string, supported []string) []string {
	if configured == "" {
		return slices.Clone(supported)
	}
	list := strings.TrimLeft(configured, "+-^")
	var listed, rest []string
	for pattern := range strings.SplitSeq(list, ",") {
		for _, algorithm := range append(slices.Clone(supported), ssh.KeyAlgoRSA) {
			named := algorithm != ssh.KeyAlgoRSA || pattern == ssh.KeyAlgoRSA
			if named && matchPattern(algorithm, pattern) && !slices.Contains(listed, algorithm) {
				listed = append(listed, algorithm)
			}
		}
	}
	for _, algorithm := range supported {
		if !slices.Contains(listed, algorithm) {
			rest = append(rest, algorithm)
		}
	}
	switch configured[0] {
	case '+':
		if slices.Contains(listed, ssh.KeyAlgoRSA) {
			return append(slices.Clone(supported), ssh.KeyAlgoRSA)
		}
		return slices.Clone(supported)
	case '-':
		return rest
	case '^':
		return slices.Concat(listed, rest)
	}
	return listed
}

func place(k xknownhosts.KnownKey) string {
	return k.Filename + " line " + strconv.Itoa(k.Line)
}
