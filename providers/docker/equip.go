package main

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/providers/docker/internal/engine"
	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// equip writes what the container starts with, into the run volume or the folder in
// its place: the runtime, unless the same one is there, its token and how it is to
// start. What has secrets is for its user alone.
func (b *box) equip(ctx context.Context, eng *engine.Engine, made bool, launch runtime.Launch, token string) error {
	data, err := wire.Marshal(launch)
	if err != nil {
		return err
	}
	user, err := b.user(ctx, eng)
	if err != nil {
		return err
	}
	if b.facts.Folder != "" {
		return b.putInFolder(user, map[string][]byte{runtime.TokenFile: []byte(token), path.Base(launchIn): data})
	}
	program, err := b.openProgram(eng)
	if err != nil {
		return err
	}
	defer program.Close()
	if !made {
		now, err := b.readIn(ctx, eng, pinIn, 1<<10)
		program.there = err == nil && string(now) == program.pin()
	}
	return copyIn(ctx, eng, b.facts.Container, inside, func(w *tar.Writer) error {
		return errors.Join(
			program.write(w),
			writeDir(w, nameIn(dirIn), 0o700, user),
			writeFile(w, nameIn(dirIn)+"/"+runtime.TokenFile, 0o600, user, []byte(token)),
			writeFile(w, nameIn(launchIn), 0o600, user, data),
		)
	})
}

// program is the runtime that goes into the container.
type program struct {
	*runtime.Program
	there bool // it is in the container already
}

// pin is its hash, as it is kept beside it.
func (p *program) pin() string { return p.Sum + "\n" }

// openProgram opens the runtime for the container's system.
func (b *box) openProgram(eng *engine.Engine) (*program, error) {
	p, err := runtime.OpenProgram(b.program, "linux", b.cfg.arch(eng.Info()))
	if err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "docker: %w", err)
	}
	return &program{Program: p}, nil
}

// write puts the program and its hash into an archive, unless it is there.
func (p *program) write(w *tar.Writer) error {
	if p.there {
		return nil
	}
	err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: nameIn(programIn), Mode: 0o755, Size: p.Size, ModTime: time.Now()})
	if err == nil {
		_, err = io.Copy(w, p)
	}
	if err == nil {
		err = writeFile(w, nameIn(pinIn), 0o644, owner{}, []byte(p.pin()))
	}
	return err
}

// install puts the program at a path, unless it is there. The folder is this
// process's own.
func (p *program) install(at string) (err error) {
	pin := at + path.Ext(pinIn)
	now, err := os.ReadFile(pin)
	if err == nil && string(now) == p.pin() {
		if info, err := os.Stat(at); err == nil && info.Size() == p.Size {
			return nil
		}
	}
	f, err := os.CreateTemp(filepath.Dir(at), "new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // it has another name by then, or is of no use
	_, err = io.Copy(f, p)
	if err = errors.Join(err, f.Chmod(0o755), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), at); err != nil {
		return err
	}
	return os.WriteFile(pin, []byte(p.pin()), 0o600)
}

// nameIn is the name of one of the paths above in an archive for the run volume.
func nameIn(p string) string { return strings.TrimPrefix(p, inside+"/") }

// copyIn copies what write puts into an archive to a folder of a container. That
// is where a volume is mounted, since the container's own files may be read-only.
func copyIn(ctx context.Context, eng *engine.Engine, container, dir string, write func(*tar.Writer) error) error {
	r, w := io.Pipe()
	go func() {
		archive := tar.NewWriter(w)
		err := write(archive)
		if err == nil {
			err = archive.Close()
		}
		w.CloseWithError(err)
	}()
	err := eng.CopyTo(ctx, container, dir, r)
	_ = r.CloseWithError(err) // the writer is not left waiting
	return err
}

func writeDir(w *tar.Writer, name string, mode int64, who owner) error {
	return w.WriteHeader(&tar.Header{
		Typeflag: tar.TypeDir, Name: name + "/", Mode: mode, Uid: who.UID, Gid: who.GID, ModTime: time.Now(),
	})
}

func writeFile(w *tar.Writer, name string, mode int64, who owner, data []byte) error {
	err := w.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Mode: mode, Uid: who.UID, Gid: who.GID, Size: int64(len(data)), ModTime: time.Now(),
	})
	if err == nil {
		_, err = w.Write(data)
	}
	return err
}

// readIn reads a file of a container, which need not run.
func (b *box) readIn(ctx context.Context, eng *engine.Engine, name string, limit int64) ([]byte, error) {
	archive, err := eng.CopyFrom(ctx, b.facts.Container, name)
	if err != nil {
		return nil, err
	}
	defer archive.Close()
	r := tar.NewReader(archive)
	head, err := r.Next()
	if err != nil {
		return nil, wire.Errorf(wire.Unavailable, "docker: read %s of the container: %w", name, err)
	}
	if head.Typeflag != tar.TypeReg || path.Base(head.Name) != path.Base(name) {
		return nil, wire.Errorf(wire.NotFound, "docker: %s of the container is no file", name)
	}
	return io.ReadAll(io.LimitReader(r, limit))
}
