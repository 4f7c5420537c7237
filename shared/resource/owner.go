package resource

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strconv"
)

// Owner is a name for this store by which resources elsewhere, such as containers
// on a daemon that several machines use, tell whose they are: 16 hexadecimal
// digits that follow from the machine, the user and the state directory. It tells
// nothing of them, and stays the same.
func (s *Store) Owner() string {
	dir := s.dir
	if target, err := filepath.EvalSymlinks(dir); err == nil {
		dir = target
	}
	h := sha256.New()
	for _, part := range []string{"codebolt store", machineID(), strconv.Itoa(os.Getuid()), dir} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}
