package main

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/codeboltai/codebolt-providers/providers/docker/internal/engine"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Where the daemon's containers are on this machine, a folder of it takes the place of
// the run volume, and the runtime is mounted and not copied. The runtime's socket is
// then reached from here: without a process that the daemon has to start in the
// container, and without the daemon carrying every byte. Where no socket leads out of
// the container all the same, all goes the usual way, through the exec stream.

// folderOf is that folder, below the private directory of the runtime.
func folderOf(dir string) string { return filepath.Join(dir, "box") }

// mountedProgram is the runtime, beside the folder.
func (b *box) mountedProgram() string {
	return filepath.Join(filepath.Dir(b.facts.Folder), "program", path.Base(programIn))
}

// canMount tells that files of this machine can be what the container's processes
// need, and that what these make can be used and removed by this process.
func (b *box) canMount(info engine.Info, volume bool) bool {
	if !info.Local || info.UserNS || !info.Sockets {
		return false
	}
	// Another user's files could not be given to the container's, nor removed.
	if os.Geteuid() != 0 && (volume || b.cfg.user != "") {
		return false
	}
	return mountable(filepath.Dir(filepath.Dir(b.folder)))
}

// prepareFolder makes what a container needs to be made or started.
func (b *box) prepareFolder(eng *engine.Engine) error {
	if b.facts.Folder == "" {
		return nil
	}
	err := os.MkdirAll(b.facts.Folder, 0o700)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(b.mountedProgram()), 0o700)
	}
	if err != nil {
		return wire.Errorf(wire.CodeOf(err), "docker: what is mounted for the runtime: %w", err)
	}
	program, err := b.openProgram(eng)
	if err != nil {
		return err
	}
	defer program.Close()
	if err := program.install(b.mountedProgram()); err != nil {
		return wire.Errorf(wire.CodeOf(err), "docker: what is mounted for the runtime: %w", err)
	}
	return nil
}

// putInFolder writes files for the container's user into the folder, in place of what
// is there of their names. That may be the container's: it is not followed.
func (b *box) putInFolder(user owner, files map[string][]byte) error {
	root, err := os.OpenRoot(b.facts.Folder)
	if err != nil {
		return wire.Errorf(wire.CodeOf(err), "docker: the folder of the runtime: %w", err)
	}
	defer root.Close()
	give := func(f *os.File) error {
		if os.Geteuid() != 0 {
			return nil // canMount has seen that it is this user
		}
		return f.Chown(user.UID, user.GID)
	}
	errs := []error{}
	for name, data := range files {
		if err := root.RemoveAll(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
			continue
		}
		f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		_, err = f.Write(data)
		errs = append(errs, err, give(f), f.Close())
	}
	self, err := root.Open(".")
	if err == nil {
		err = errors.Join(give(self), self.Close())
	}
	if err := errors.Join(append(errs, err)...); err != nil {
		return wire.Errorf(wire.CodeOf(err), "docker: the folder of the runtime: %w", err)
	}
	return nil
}
