package main

import (
	"context"
	"log/slog"

	"github.com/codeboltai/codebolt-providers/providers/docker/internal/engine"
	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/worktree"
)

// Labels of a snapshot's image. They are not those of a container: one that
// somebody makes of the image is nothing of ours.
const (
	labelSnapshot      = "codebolt.snapshot"       // its id
	labelSnapshotOwner = "codebolt.snapshot-owner" // as labelOwner
)

// prepared is what the record of a snapshot tells of its image.
type prepared struct {
	Ref    string `json:"ref"`
	Image  string `json:"image"` // id
	Daemon daemon `json:"daemon"`
}

// snapshotRef is the name of a snapshot's image.
func snapshotRef(req *provider.SnapshotRequest) string { return "codebolt-snapshot:" + req.Key() }

// Snapshot implements provider.Snapshotter: the files are kept as those of every
// worktree, and what is in the container besides as an image.
func (containers) Snapshot(ctx context.Context, req *provider.SnapshotRequest) error {
	b, err := recorded(req.Store, req.Environment, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { _ = b.close() }() // nothing is written by it
	beside := b.beside()
	beside.Refresh = func(ctx context.Context) error {
		if err := b.holdsStill(ctx, req); err != nil {
			return err
		}
		return b.refresh(ctx)
	}
	beside.Snapshot = func(ctx context.Context, req *provider.SnapshotRequest, _ wire.Raw) (any, error) {
		return b.keep(ctx, req)
	}
	return worktree.Snapshot(ctx, req, worktree.Spec{Kind: kind, Beside: beside})
}

// DropSnapshot implements provider.Snapshotter.
func (containers) DropSnapshot(ctx context.Context, req *provider.SnapshotRequest) error {
	spec := worktree.Spec{Kind: kind, Beside: worktree.Beside{DropSnapshot: dropImage}}
	return worktree.DropSnapshot(ctx, req, spec)
}

// holdsStill sees that there is a container to make a snapshot of: one that is gone
// would be made anew, with nothing of what was installed in it.
func (b *box) holdsStill(ctx context.Context, req *provider.SnapshotRequest) error {
	eng, err := b.engine(ctx)
	if err != nil {
		return err
	}
	c, err := b.find(ctx, eng)
	switch {
	case wire.CodeOf(err) == wire.NotFound:
		return wire.Errorf(wire.NotFound, "docker: the container of %q is gone; start the environment, which makes a new one, and then make the snapshot", req.Environment.EnvironmentName)
	case err != nil:
		return err
	case c.Running || b.facts.Work == "":
		return nil
	}
	open, err := req.Store.Leased(req.Environment.Resource)
	if err == nil && open && !req.Alone {
		err = wire.Errorf(wire.Conflict, "docker: %q is just being opened or closed; try again", req.Environment.EnvironmentName)
	}
	return err
}

// keep makes an image of the container.
func (b *box) keep(ctx context.Context, req *provider.SnapshotRequest) (*prepared, error) {
	eng, err := b.engine(ctx)
	if err != nil {
		return nil, err
	}
	c, err := b.find(ctx, eng)
	if err != nil {
		return nil, err
	}
	was, err := eng.Image(ctx, c.ImageID)
	if err != nil && wire.CodeOf(err) != wire.NotFound {
		return nil, err
	}
	req.Tell("keeping the container")
	kept := &prepared{Ref: snapshotRef(req), Daemon: b.facts.Daemon}
	labels := map[string]string{labelSnapshot: string(req.Record.Resource), labelSnapshotOwner: b.facts.Owner}
	for name := range c.Labels {
		if _, ours := b.mark[name]; ours || name == labelRole {
			labels[name] = ""
		}
	}
	kept.Image, err = eng.Commit(ctx, c.ID, engine.CommitSpec{Ref: kept.Ref, Labels: labels, Like: was})
	return kept, err
}

// from reads what a snapshot's record tells; nil when there is none.
func (b *box) from(raw wire.Raw) (*prepared, error) {
	if len(raw) == 0 {
		return nil, nil //nolint:nilnil // the environment begins as usual
	}
	p := &prepared{}
	if err := wire.Unmarshal(raw, p); err != nil || p.Image == "" {
		return nil, wire.Errorf(wire.Internal, "the snapshot's record does not tell of an image: %w", err)
	}
	if b.cfg.DockerHost == "" && b.cfg.DockerContext == "" { // where the snapshot is
		b.cfg.DockerHost, b.cfg.DockerContext = p.Daemon.Host, p.Daemon.Context
		b.cfg.TLSVerify, b.cfg.CertPath = p.Daemon.TLSVerify, p.Daemon.CertPath
	}
	return p, nil
}

// image finds the snapshot's image.
func (p *prepared) image(ctx context.Context, eng *engine.Engine) (engine.Image, error) {
	if at := eng.Info().Host; at != p.Daemon.Address {
		return engine.Image{}, wire.Errorf(wire.Invalid, "docker: the snapshot is on the daemon at %s, and the configuration leads to %s", p.Daemon.Address, at)
	}
	image, err := eng.Image(ctx, p.Image)
	if wire.CodeOf(err) == wire.NotFound {
		err = wire.Errorf(wire.NotFound, "docker: the snapshot's image %s is gone from the daemon; begin with another snapshot or with an image", p.Ref)
	}
	return image, err
}

// dropImage removes a snapshot's image, unless a container was made of it.
func dropImage(ctx context.Context, req *provider.SnapshotRequest, from wire.Raw) error {
	var where struct {
		Daemon daemon `json:"daemon"`
	}
	if err := wire.Unmarshal(from, &where); err != nil || where.Daemon.Address == "" {
		return wire.Errorf(wire.Internal, "the snapshot's record does not tell of a daemon: %w", err)
	}
	eng, err := where.Daemon.connect(ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { _ = eng.Close() }() // nothing is written by it
	image, err := eng.Image(ctx, snapshotRef(req))
	switch {
	case wire.CodeOf(err) == wire.NotFound:
		return nil
	case err != nil:
		return err
	case image.Labels[labelSnapshot] != string(req.Record.Resource):
		return wire.Errorf(wire.Conflict, "docker: the image %s is not this snapshot's; it is left alone, so remove its name", snapshotRef(req))
	}
	err = eng.RemoveImage(ctx, snapshotRef(req))
	if wire.CodeOf(err) == wire.Conflict {
		err = wire.Errorf(wire.Conflict, "docker: the snapshot %s is in use; remove the environments that began with it first: %w", req.Record.Resource, err)
	}
	return err
}

// forgotten tells of the images of snapshots that no record knows. They may hold
// what exists nowhere else, and are never removed.
func forgotten(ctx context.Context, eng *engine.Engine, store *resource.Store) (found []provider.Orphan, err error) {
	images, err := eng.Images(ctx, map[string]string{labelSnapshotOwner: store.Owner()})
	if err != nil || len(images) == 0 {
		return nil, err
	}
	kept, err := provider.Snapshots(store)
	if err != nil {
		return nil, err
	}
	for _, image := range images {
		id, err := resource.ParseID(image.Labels[labelSnapshot])
		if err == nil {
			_, err = kept.Get(id)
		}
		if err != nil {
			found = append(found, provider.Orphan{
				What: "image", Where: image.ID, Kept: "it is a snapshot that nothing tells of; if nobody needs it: docker rmi " + image.ID,
			})
		}
	}
	return found, nil
}
