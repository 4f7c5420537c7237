package transfer

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"unicode"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// fail wraps an error with the operation and the name it is about.
func fail(op, name string, err error) error {
	var (
		e  *wire.Error
		pe *fs.PathError
		le *os.LinkError
		se *os.SyscallError
	)
	if err == nil || errors.As(err, &e) {
		return err
	}
	code := wire.CodeOf(err)
	switch { // the inner path is one of ours, possibly of a temporary file
	case errors.As(err, &pe):
		err = pe.Err
	case errors.As(err, &le):
		err = le.Err
	case errors.As(err, &se):
		err = se.Err
	}
	if name == "" {
		return wire.Errorf(code, "%s: %w", op, err)
	}
	return wire.Errorf(code, "%s %s: %w", op, show(name), err)
}

// show renders a name for a sentence: as it is when that is unmistakable.
func show(name string) string {
	for _, r := range name {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return strconv.Quote(name)
		}
	}
	if name == "" {
		return `""`
	}
	return name
}
