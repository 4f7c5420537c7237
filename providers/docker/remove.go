package main

import (
	"context"
	"time"

	"github.com/codeboltai/codebolt-providers/providers/docker/internal/engine"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// remove removes the container and the volumes. What is not ours stays.
func (b *box) remove(ctx context.Context) error {
	eng, err := b.engine(ctx)
	if err != nil {
		return err
	}
	for _, name := range []string{b.facts.Container, b.facts.Container + helperSuffix} {
		if err := b.removeContainer(ctx, eng, name); err != nil {
			return err
		}
	}
	for _, name := range []string{b.facts.RunVolume, b.facts.Work} {
		if name == "" {
			continue
		}
		v, err := eng.Volume(ctx, name)
		if err == nil && (b.ours(v.Labels) || unlabelled(v)) {
			err = eng.RemoveVolume(ctx, name)
		}
		if err != nil && wire.CodeOf(err) != wire.NotFound {
			return err
		}
	}
	images, err := eng.Images(ctx, map[string]string{labelOwner: b.facts.Owner, labelEnv: b.facts.Key, labelMade: providerID, labelRole: "replacement"})
	if err != nil {
		return err
	}
	for _, image := range images { // see replace
		if err := eng.RemoveImage(ctx, image.ID); err != nil {
			return err
		}
	}
	return leaveNetwork(ctx, eng)
}

// removeContainer removes a container if it is there and ours.
func (b *box) removeContainer(ctx context.Context, eng *engine.Engine, name string) error {
	c, err := eng.Container(ctx, name)
	if err == nil && b.ours(c.Labels) {
		err = eng.RemoveContainer(ctx, c.ID)
	}
	if wire.CodeOf(err) == wire.NotFound {
		return nil
	}
	return err
}

// leaveNetwork removes the network when nobody has a container in it any more.
func leaveNetwork(ctx context.Context, eng *engine.Engine) error {
	if busy, err := eng.AnyContainer(ctx, map[string]string{labelMade: providerID}); err != nil || busy {
		return err
	}
	networks, err := eng.Networks(ctx, networkMark())
	if err != nil {
		return err
	}
	for _, n := range networks {
		if n.Containers > 0 {
			continue
		}
		if err := eng.RemoveNetwork(ctx, n.ID); err != nil && wire.CodeOf(err) != wire.Conflict && wire.CodeOf(err) != wire.NotFound {
			return err // Conflict: somebody has just come
		}
	}
	return nil
}

// put puts the container away that has stopped: it stays, or goes when it is not
// to persist.
func (b *box) put(ctx context.Context, eng *engine.Engine) error {
	if b.cfg.Persist {
		return nil
	}
	if _, err := b.find(ctx, eng); err != nil {
		if wire.CodeOf(err) == wire.NotFound {
			err = nil
		}
		return err
	}
	return eng.RemoveContainer(ctx, b.facts.Container)
}

// halt stops a container whose start failed. One that was made for that start goes,
// so that the next one begins anew.
func (b *box) halt(ctx context.Context, eng *engine.Engine, made bool) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if made {
		return eng.RemoveContainer(ctx, b.facts.Container)
	}
	err := eng.StopContainer(ctx, b.facts.Container, 0)
	if wire.CodeOf(err) == wire.NotFound {
		return nil
	}
	return err
}
