package main

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"path"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/providers/docker/internal/engine"
	"github.com/codeboltai/codebolt-providers/shared/mirror"
	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
)

// mirror is the worktree and the volume that is filled from it, while the container
// runs.
func (b *box) mirror(eng *engine.Engine) mirror.Mirror {
	return mirror.Mirror{Here: b.path, There: b.path, Run: func(ctx context.Context, what string, args []string, stdin io.Reader, stdout io.Writer) error {
		return b.exec(ctx, eng, what, append([]string{programIn}, args...), stdin, stdout)
	}}
}

// ownVolume gives the root of the volume with the files, which is root's at first,
// to the user. That takes a container whose own files may be written; it is never
// started.
func (b *box) ownVolume(ctx context.Context, eng *engine.Engine, image engine.Image) (err error) {
	if b.facts.Work == "" {
		return nil
	}
	user, err := b.user(ctx, eng)
	if err != nil {
		return err
	}
	name := b.facts.Container + helperSuffix
	if err := b.removeContainer(ctx, eng, name); err != nil { // of a start that was killed
		return err
	}
	_, _, err = eng.CreateContainer(ctx, engine.ContainerSpec{
		Name: name, Image: image.ID, Platform: b.cfg.Platform, Network: "none", Entrypoint: []string{programIn}, Labels: b.mark,
		Mounts: []engine.Mount{{Volume: b.facts.Work, Target: b.path}},
	})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		err = errors.Join(err, eng.RemoveContainer(ctx, name))
	}()
	return copyIn(ctx, eng, name, path.Dir(b.path), func(w *tar.Writer) error { return writeDir(w, path.Base(b.path), 0o755, user) })
}

// helperSuffix ends the name of the container that prepares a volume.
const helperSuffix = "-volume"

// furnish does what a container that just began to run needs before agents do:
// files in its volume, and what postCreate does in a new one.
func (b *box) furnish(ctx context.Context, eng *engine.Engine, made bool) error {
	if b.facts.Work != "" {
		if filled, err := b.filled(ctx, eng); err == nil && !filled {
			if err := b.tell().Phase(ctx, "files", func(ctx context.Context) error { return b.fill(ctx, eng) }); err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
	}
	if made && !b.facts.Prepared {
		return b.postCreate(ctx, eng)
	}
	return nil
}

// filled tells that this very volume has been filled: one that was removed and made
// again is empty, and must not be taken for one in which everything was deleted.
func (b *box) filled(ctx context.Context, eng *engine.Engine) (bool, error) {
	marker, err := b.readIn(ctx, eng, filledIn, 1<<10)
	if wire.CodeOf(err) == wire.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	v, err := eng.Volume(ctx, b.facts.Work)
	return v.Labels[labelFilled] == string(marker), err
}

// fill streams the worktree into the volume.
func (b *box) fill(ctx context.Context, eng *engine.Engine) error {
	if mirror.Submodules(b.path) {
		return wire.Errorf(wire.Unsupported, "docker: the project has submodules, which a volume cannot hold safely; use a daemon of this machine and content: worktree")
	}
	if err := b.mirror(eng).Fill(ctx, b.tell()); err != nil {
		return err
	}
	user, err := b.user(ctx, eng)
	if err != nil {
		return err
	}
	v, err := eng.Volume(ctx, b.facts.Work)
	if err != nil {
		return err
	}
	if b.facts.Folder != "" {
		return b.putInFolder(user, map[string][]byte{path.Base(filledIn): []byte(v.Labels[labelFilled])})
	}
	return copyIn(ctx, eng, b.facts.Container, inside, func(w *tar.Writer) error {
		return writeFile(w, nameIn(filledIn), 0o600, user, []byte(v.Labels[labelFilled]))
	})
}

// exec runs one of our own programs in the container, and makes an error of its
// failure.
func (b *box) exec(ctx context.Context, eng *engine.Engine, what string, argv []string, stdin io.Reader, stdout io.Writer) error {
	var said tailWriter
	code, err := eng.Exec(ctx, b.facts.Container, engine.ExecSpec{Argv: argv, WorkDir: "/"}, stdin, stdout, &said)
	if err == nil && code != 0 {
		err = wire.Errorf(wire.Unavailable, "docker: %s: %s", what, strings.TrimSpace(said.String()))
	}
	return err
}

// refresh reads the volume back into the worktree: only what changed is sent.
func (b *box) refresh(ctx context.Context) error {
	if b.facts.Work == "" {
		return nil
	}
	return b.borrow(ctx, b.readBack)
}

// borrow runs f while the container runs. When it does not, it is started for that
// alone, without a runtime, and lends its programs.
func (b *box) borrow(ctx context.Context, f func(context.Context, *engine.Engine) error) error {
	eng, err := b.engine(ctx)
	if err != nil {
		return err
	}
	if err := b.lock(ctx); err != nil {
		return err
	}
	defer b.unlock()
	c, err := b.find(ctx, eng)
	if err != nil && wire.CodeOf(err) != wire.NotFound {
		return err
	}
	if c.Running {
		return f(ctx, eng)
	}
	made, err := b.ensure(ctx, eng)
	if err != nil {
		return err
	}
	err = b.equip(ctx, eng, made, runtime.Launch{Hold: true}, "")
	if err == nil {
		err = b.startContainer(ctx, eng)
	}
	if err == nil {
		err = f(ctx, eng)
	}
	return errors.Join(err, b.halt(ctx, eng, made))
}

// files are the files of the volume for when no runtime serves them: each call is
// one of the same program, which is started for it.
func (b *box) files() workspace.FS {
	return workspace.Remote(b.path, func(ctx context.Context, req *wire.AppFS) (reply *wire.AppFSReply, err error) {
		err = b.borrow(ctx, func(ctx context.Context, eng *engine.Engine) (err error) {
			reply, err = b.mirror(eng).File(ctx, req)
			return err
		})
		return reply, err
	})
}

func (b *box) readBack(ctx context.Context, eng *engine.Engine) error {
	switch filled, err := b.filled(ctx, eng); {
	case err != nil:
		return err
	case !filled:
		return wire.Errorf(wire.NotRunning, "docker: the environment's volume has not been filled yet")
	}
	return b.mirror(eng).ReadBack(ctx)
}
