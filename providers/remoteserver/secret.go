package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/sshconn"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// ask answers what is asked while connecting.
type ask func(ctx context.Context, question sshconn.Prompt) (string, error)

// maxSecret bounds the first line of a file with a secret, in bytes.
const maxSecret = 4 << 10

// checkSecrets refuses files with secrets that cannot be used.
func (c *config) checkSecrets() error {
	for _, one := range []struct{ key, text, file string }{
		{"password", c.Password, c.PasswordFile}, {"passphrase", c.Passphrase, c.PassphraseFile},
	} {
		if one.text != "" && one.file != "" {
			return wire.Errorf(wire.Invalid, "configuration: %s and %sFile are both set; leave one out", one.key, one.key)
		}
		if one.file == "" {
			continue
		}
		if _, err := secretIn(one.key+"File", one.file); err != nil {
			return err
		}
	}
	return nil
}

// secretIn reads a secret: the first line of a file that is for its owner alone.
func secretIn(key, path string) (string, error) {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", wire.Errorf(wire.NotFound, "configuration: %s: the home directory is not known; write an absolute path: %w", key, err)
		}
		path = filepath.Join(home, rest)
	}
	if !filepath.IsAbs(path) {
		return "", wire.Errorf(wire.Invalid, "configuration: %s is %q; write an absolute path, or one that begins with ~/", key, path)
	}
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() { // to open another may take forever
		return "", wire.Errorf(wire.Invalid, "configuration: %s: %s is not a file", key, path)
	}
	f, err := os.Open(path)
	if err != nil {
		return "", wire.Errorf(wire.CodeOf(err), "configuration: %s: %w", key, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", wire.Errorf(wire.CodeOf(err), "configuration: %s: %w", key, err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && runtime.GOOS != "windows" { // where it says nothing
		return "", wire.Errorf(wire.Permission, "configuration: %s: %s is not for its owner alone (its mode is %04o); run chmod 600 on it, and change the secret if others may have seen it", key, path, mode)
	}
	data := make([]byte, maxSecret+1)
	n, err := io.ReadFull(f, data)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", wire.Errorf(wire.CodeOf(err), "configuration: %s: %w", key, err)
	}
	line, _, _ := strings.Cut(string(data[:n]), "\n")
	switch line = strings.TrimSuffix(line, "\r"); {
	case line == "":
		return "", wire.Errorf(wire.Invalid, "configuration: %s: the first line of %s is empty, and should be the secret", key, path)
	case len(line) > maxSecret:
		return "", wire.Errorf(wire.Invalid, "configuration: %s: the first line of %s is too long for a secret", key, path)
	}
	return line, nil
}

// asking answers from the configuration what it has an answer for, and lets a person
// answer the rest. It is nil when there is neither; person may be nil. An answer of the
// configuration that was wrong is not given again.
func (c *config) asking(person ask) ask {
	if person == nil && c.Password == "" && c.Passphrase == "" && c.PasswordFile == "" && c.PassphraseFile == "" {
		return nil
	}
	return func(ctx context.Context, q sshconn.Prompt) (string, error) {
		key, answer, err := c.answer(q)
		switch {
		case err != nil:
			return "", err
		case answer != "" && !q.Again:
			return answer, nil
		case person != nil:
			return person(ctx, q)
		case q.Kind == sshconn.AskHostKey:
			return "", nil // which refuses it, and says what to do
		case answer != "":
			return "", wire.Errorf(wire.Permission, "the %s of the configuration is wrong", key)
		}
		return "", wire.Errorf(wire.Permission, "nobody is there to be asked: %s", q.Text)
	}
}

// answer is what the configuration says to a question, and by which key; "" is nothing.
// The password is for the host alone, and not for jump hosts on the way.
func (c *config) answer(q sshconn.Prompt) (key, answer string, err error) {
	text, file := "", ""
	switch {
	case q.Kind == sshconn.AskPassphrase:
		key, text, file = "passphrase", c.Passphrase, c.PassphraseFile
	case q.Kind == sshconn.AskPassword && !q.Jump, q.Kind == sshconn.AskAnswer && !q.Jump && !q.Echo:
		key, text, file = "password", c.Password, c.PasswordFile
	}
	if file == "" {
		return key, text, nil
	}
	answer, err = secretIn(key+"File", file)
	return key + "File", answer, err
}
