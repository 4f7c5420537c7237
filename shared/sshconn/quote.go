package sshconn

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Quote makes one text of an argv that the login shell of a host takes apart into
// the same argv, whichever of sh, bash, dash, ksh, zsh, fish, csh and tcsh it is. It
// is the only way by which this package hands text to a shell. What those shells do
// not agree on is refused with kind Invalid: backslashes and exclamation marks,
// control characters, and what is not UTF-8.
func Quote(argv ...string) (string, error) {
	var b strings.Builder
	for i, arg := range argv {
		if bad := strings.IndexFunc(arg, ambiguous); bad >= 0 || !utf8.ValidString(arg) {
			return "", wire.Errorf(wire.Invalid, "ssh: %q holds a backslash, an exclamation mark or a control character, which shells take for different things; choose another name", arg)
		}
		if i > 0 {
			b.WriteByte(' ')
		}
		if arg != "" && strings.IndexFunc(arg, special) < 0 {
			b.WriteString(arg)
			continue
		}
		b.WriteByte('\'')
		b.WriteString(strings.ReplaceAll(arg, `'`, `'\''`))
		b.WriteByte('\'')
	}
	return b.String(), nil
}

// ambiguous tells what means different things between single quotes.
func ambiguous(r rune) bool { return r == '\\' || r == '!' || unicode.IsControl(r) }

// special tells what may mean something to some shell.
func special(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	}
	return !strings.ContainsRune("_+-./:,", r)
}
