package transfer

import (
	"errors"
	"io/fs"
	"os"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Owner is a user and a group by their ids.
type Owner struct{ UID, GID int }

// probe asks the system whether files may be given to the owner.
func (o *Owner) probe(dir *os.Root) error {
	switch {
	case o == nil:
		return nil
	case !permissions:
		return wire.Errorf(wire.Unsupported, "unpack: files have no numeric owner on Windows; leave the owner out")
	case o.UID < 0 || o.GID < 0:
		return wire.Errorf(wire.Invalid, "unpack: %d:%d is no owner", o.UID, o.GID)
	case o.UID == os.Geteuid() && o.GID == os.Getegid():
		return nil
	}
	name := temporaryName()
	f, err := dir.OpenFile(name, openWrite, 0o600)
	if err != nil {
		return err
	}
	err = f.Chown(o.UID, o.GID)
	f.Close()
	if removed := dir.Remove(name); err == nil {
		err = removed
	}
	if errors.Is(err, fs.ErrPermission) {
		return wire.Errorf(wire.Permission, "unpack: user %d may not give files to %d:%d; run it as root or leave the owner out", os.Geteuid(), o.UID, o.GID)
	}
	return err
}
