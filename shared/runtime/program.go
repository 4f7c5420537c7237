package runtime

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Program is codebolt-runtime for another place, opened at its beginning.
type Program struct {
	*os.File
	Size int64  // bytes
	Sum  string // SHA-256, in hexadecimal digits
}

// OpenProgram opens what [FindFor] finds. The caller closes it.
func OpenProgram(configured, goos, goarch string) (*Program, error) {
	at, err := FindFor(configured, goos, goarch)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(at)
	if err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "the runtime: %w", err)
	}
	sum := sha256.New()
	size, err := io.Copy(sum, f)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(wire.Errorf(wire.CodeOf(err), "the runtime: %w", err), f.Close())
	}
	return &Program{File: f, Size: size, Sum: hex.EncodeToString(sum.Sum(nil))}, nil
}
