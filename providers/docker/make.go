package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/providers/docker/internal/engine"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// networkName is the network of all environments that name none. Its containers
// reach the outside, but not each other.
const networkName = "codebolt-environments"

func networkMark() map[string]string {
	return map[string]string{labelMade: providerID, labelRole: "network"}
}

// Limits of what a container's main process prints, which is the runtime's log.
const (
	logSize  = "10m"
	logFiles = 3
)

// find finds the environment's container. It fails with kind NotFound when there
// is none, and Conflict when another's has its name.
func (b *box) find(ctx context.Context, eng *engine.Engine) (engine.Container, error) {
	c, err := eng.Container(ctx, b.facts.Container)
	if err == nil && !b.ours(c.Labels) {
		err = wire.Errorf(wire.Conflict, "docker: the container %s is not this environment's; it is left alone, so remove it or rename it", b.facts.Container)
	}
	return c, err
}

func (b *box) ours(labels map[string]string) bool {
	for _, name := range []string{labelOwner, labelEnv, labelMade} {
		if labels[name] != b.mark[name] {
			return false
		}
	}
	return true
}

// ensure sees to a container that does not run, and tells whether it was made
// just now.
func (b *box) ensure(ctx context.Context, eng *engine.Engine) (made bool, err error) {
	if err := b.prepareFolder(eng); err != nil {
		return false, err
	}
	c, err := b.find(ctx, eng)
	switch {
	case wire.CodeOf(err) == wire.NotFound:
		return true, b.make(ctx, eng)
	case err != nil:
		return false, err
	case c.Running:
		// What runs in it could not be adopted.
		if err := eng.StopContainer(ctx, c.ID, time.Second); err != nil {
			return false, err
		}
	}
	return false, nil
}

// make makes the container, and the volumes that are missing.
func (b *box) make(ctx context.Context, eng *engine.Engine) error {
	image, err := b.image(ctx, eng)
	if err != nil {
		return err
	}
	if b.hadOne(ctx, eng) && b.cfg.Persist {
		b.tell().Warn("the environment's container is gone; a new one is made of the same files and image, without what was installed in the old one")
	}
	if err := b.volumes(ctx, eng); err != nil {
		return err
	}
	if b.cfg.Network == "" {
		if err := eng.EnsureNetwork(ctx, networkName, networkMark(), true); err != nil {
			return err
		}
	}
	return b.makeOf(ctx, eng, image)
}

// hadOne tells that there was a container already.
func (b *box) hadOne(ctx context.Context, eng *engine.Engine) bool {
	var err error
	if b.facts.Folder != "" {
		_, err = os.Lstat(filepath.Join(b.facts.Folder, path.Base(launchIn)))
	} else {
		_, err = eng.Volume(ctx, b.facts.RunVolume)
	}
	return err == nil
}

// makeOf makes the container of an image. All else that it needs is there.
func (b *box) makeOf(ctx context.Context, eng *engine.Engine, image engine.Image) error {
	user, err := b.userName(image)
	if err != nil {
		return err
	}
	spec := engine.ContainerSpec{
		Name: b.facts.Container, Image: image.ID, Platform: b.cfg.Platform, User: user, WorkDir: b.path, Hostname: hostname(b.mark[labelName]), Network: cmp.Or(b.cfg.Network, networkName),
		Entrypoint: []string{programIn}, Command: []string{"launch", launchIn}, Labels: b.mark,
		Ports: b.cfg.ports, Memory: b.cfg.limits.memory, CPUs: b.cfg.CPUs, Pids: b.cfg.PidsLimit, ShmSize: b.cfg.limits.shm,
		ReadOnlyRoot: b.cfg.ReadOnlyRoot, CapAdd: b.cfg.CapAdd, LogMaxSize: logSize, LogMaxFiles: logFiles,
		Mounts: append(b.content(), b.cfg.mounts...),
	}
	if b.cfg.ReadOnlyRoot {
		spec.Tmpfs = map[string]string{"/tmp": "mode=1777"}
	}
	_, warnings, err := eng.CreateContainer(ctx, spec)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		b.tell().Warn("docker: " + w)
	}
	if err := b.ownVolume(ctx, eng, image); err != nil {
		return errors.Join(err, eng.RemoveContainer(context.WithoutCancel(ctx), b.facts.Container))
	}
	return nil
}

// pointers are the files by which git finds the repositories of a worktree and of
// its submodules.
func pointers(path string) []string {
	all := []string{filepath.Join(path, ".git")}
	if _, err := os.Lstat(filepath.Join(path, ".gitmodules")); err != nil {
		return all
	}
	_ = filepath.WalkDir(path, func(at string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Name() == ".git" && entry.Type().IsRegular() && at != all[0] {
			all = append(all, at)
		}
		return nil // what cannot be read has no repository that could be found
	})
	return all
}

// hostname is a name that a host can have.
func hostname(name string) string {
	name = strings.Map(func(r rune) rune {
		if r == '_' || r == '.' {
			return '-'
		}
		return r
	}, name)
	return strings.Trim(name[:min(len(name), 60)], "-")
}

// image is what the container is made of: what the environment was planned with,
// or, when that is gone, what the configuration names.
func (b *box) image(ctx context.Context, eng *engine.Engine) (engine.Image, error) {
	if b.facts.Image != "" {
		image, err := eng.Image(ctx, b.facts.Image)
		if err == nil || wire.CodeOf(err) != wire.NotFound {
			return image, err
		}
		if b.facts.Prepared {
			return engine.Image{}, wire.Errorf(wire.NotFound, "docker: the container is gone, and so is the image of the snapshot that it was made of, %s", b.facts.Image)
		}
		b.tell().Warn("the image that the environment began with is gone; " + b.cfg.Image + " is used as it is now")
	}
	return eng.EnsureImage(ctx, b.cfg.Image, engine.PullPolicy(b.cfg.PullPolicy), b.cfg.Platform, func(line string) { b.tell().Note("image", line) })
}

func (b *box) volumes(ctx context.Context, eng *engine.Engine) error {
	for name, role := range map[string]string{b.facts.RunVolume: "run", b.facts.Work: "work"} {
		if name == "" {
			continue
		}
		err := b.volume(ctx, eng, name, role)
		if wire.CodeOf(err) == wire.Conflict { // the daemon may have been killed meanwhile
			err = b.volume(ctx, eng, name, role)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// volume sees to a volume of ours.
func (b *box) volume(ctx context.Context, eng *engine.Engine, name, role string) error {
	v, err := eng.Volume(ctx, name)
	if err == nil && unlabelled(v) {
		if err := eng.RemoveVolume(ctx, name); err != nil {
			return err
		}
		v, err = eng.Volume(ctx, name)
	}
	switch {
	case wire.CodeOf(err) == wire.NotFound:
		labels := b.marked(role)
		labels[labelFilled] = rand.Text()
		return eng.CreateVolume(ctx, name, labels)
	case err == nil && !b.ours(v.Labels):
		return wire.Errorf(wire.Conflict, "docker: the volume %s is not this environment's; it is left alone, so remove it or rename it", name)
	}
	return err
}

// unlabelled tells that a daemon was killed while it made a volume: it then has it,
// empty and without its labels. Asked of a volume whose name is on record, and has
// a part that was drawn for it alone.
func unlabelled(v engine.Volume) bool { return len(v.Labels) == 0 }

func (b *box) marked(role string) map[string]string {
	labels := map[string]string{labelRole: role}
	for name, value := range b.mark {
		labels[name] = value
	}
	return labels
}

// content are the mounts that every container of ours has. The files are at the
// same path as outside, so that paths mean the same on both sides.
func (b *box) content() []engine.Mount {
	all := []engine.Mount{{Volume: b.facts.RunVolume, Target: inside}}
	if b.facts.Folder != "" {
		all = []engine.Mount{{Bind: b.facts.Folder, Target: dirIn}, {Bind: b.mountedProgram(), Target: programIn, ReadOnly: true}}
	}
	if b.facts.Work != "" {
		return append(all, engine.Mount{Volume: b.facts.Work, Target: b.path})
	}
	all = append(all, engine.Mount{Bind: b.path, Target: b.path})
	// Where git finds the repository is not for the container to change: programs
	// outside follow it.
	for _, pointer := range pointers(b.path) {
		all = append(all, engine.Mount{Bind: pointer, Target: pointer, ReadOnly: true})
	}
	if b.cfg.GitHistory == "readOnly" {
		all = append(all, engine.Mount{Bind: b.repo, Target: b.repo, ReadOnly: true})
	}
	return all
}
