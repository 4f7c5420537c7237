package engine

import (
	"context"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Volume is a volume as it was when asked for.
type Volume struct {
	Name    string
	Labels  map[string]string
	Created time.Time
}

// CreateVolume makes a volume. One of that name that has the labels is taken as
// it is; one without them is somebody else's, and the error's kind is Conflict.
func (e *Engine) CreateVolume(ctx context.Context, name string, labels map[string]string) error {
	if err := named("volume", name); err != nil {
		return err
	}
	v, err := retry(ctx, e, "create volume "+name, broken, func() (Volume, error) { return e.api.createVolume(ctx, name, labels) })
	if err != nil {
		return err
	}
	if !has(v.Labels, labels) {
		return wire.Errorf(wire.Conflict, "docker: there is a volume %s with other labels; remove it or choose another name", name)
	}
	return nil
}

// RemoveVolume removes a volume and what is in it. That there is none is no
// error; Conflict when a container uses it.
func (e *Engine) RemoveVolume(ctx context.Context, name string) error {
	if err := named("volume", name); err != nil {
		return err
	}
	return e.do(ctx, "remove volume "+name, broken, func() error { return gone(e.api.removeVolume(ctx, name)) })
}

// Volume looks at a volume; NotFound when there is none.
func (e *Engine) Volume(ctx context.Context, name string) (Volume, error) {
	if err := named("volume", name); err != nil {
		return Volume{}, err
	}
	return retry(ctx, e, "look at volume "+name, broken, func() (Volume, error) { return e.api.volume(ctx, name) })
}

// Volumes lists the volumes that have all of the labels; the value "" stands for
// any.
func (e *Engine) Volumes(ctx context.Context, labels map[string]string) ([]Volume, error) {
	return retry(ctx, e, "list volumes", broken, func() ([]Volume, error) { return e.api.volumes(ctx, labels) })
}

// has reports whether all of the labels are among present; the value "" stands
// for any.
func has(present, labels map[string]string) bool {
	for key, value := range labels {
		if got, ok := present[key]; !ok || value != "" && got != value {
			return false
		}
	}
	return true
}
