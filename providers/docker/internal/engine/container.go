package engine

import (
	"context"
	"strings"
	"time"

	"github.com/containerd/errdefs"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Container is a container as it was when asked for.
type Container struct {
	ID, Name string
	Image    string // as it was asked for
	ImageID  string
	User     string // as user[:group], names or numbers; "" is root
	State    string // created, running, paused, restarting, removing, exited or dead
	Running  bool   // also while paused
	ExitCode int    // of the last run
	// OOMKilled tells that the last run ended because a process met the memory limit.
	OOMKilled                  bool
	Error                      string // why the last start failed
	Labels                     map[string]string
	Mounts                     []Mount // volumes and binds
	Ports                      []Port  // with the host's ports while it runs
	Created, Started, Finished time.Time
	PID                        int // on the daemon's machine; 0 when it does not run
}

// StartContainer starts a container; one that runs stays as it is. It fails with
// kind NotFound when there is none, Invalid when the image has no such user or
// directory, and Conflict when a port is taken. Whether the program was found,
// [Engine.Failure] tells.
func (e *Engine) StartContainer(ctx context.Context, id string) error {
	if err := named("container", id); err != nil {
		return err
	}
	return e.do(ctx, "start container "+id, broken, func() error { return e.api.start(ctx, id) })
}

// StopContainer asks a container to end and kills it after grace, in whole
// seconds. One that does not run is no error; NotFound when there is none. ctx
// must last longer than grace.
func (e *Engine) StopContainer(ctx context.Context, id string, grace time.Duration) error {
	if err := named("container", id); err != nil {
		return err
	}
	return e.do(ctx, "stop container "+id, broken, func() error { return e.api.stop(ctx, id, max(grace, 0)) })
}

// KillContainer sends a signal, as "KILL" or "SIGHUP", to a container's first
// process; "" is KILL. It fails with kind NotRunning when the container does not run.
func (e *Engine) KillContainer(ctx context.Context, id, signal string) error {
	if err := named("container", id); err != nil {
		return err
	}
	return e.do(ctx, "kill container "+id, unsent, func() error { return e.api.kill(ctx, id, signal) })
}

// RemoveContainer kills and removes a container with its anonymous volumes. That
// there is none is no error. It waits up to 30 s for a removal that goes on
// already; the kind is Conflict when that does not end.
func (e *Engine) RemoveContainer(ctx context.Context, id string) error {
	if err := named("container", id); err != nil {
		return err
	}
	op := "remove container " + id
	for end := time.Now().Add(removalLimit); ; {
		err := e.do(ctx, op, broken, func() error { return gone(e.api.removeContainer(ctx, id)) })
		if err == nil || !strings.Contains(err.Error(), removalGoesOn) || time.Now().After(end) {
			return err
		}
		select { // somebody else is at it
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

const (
	// removalLimit is how long a removal that somebody else began is waited for.
	removalLimit = 30 * time.Second
	// removalGoesOn is how the daemon tells of it.
	removalGoesOn = "is already in progress"
)

// WaitContainer waits until a container does not run and returns how it ended:
// one that never ran is returned at once. It fails with kind NotFound when there
// is none, or when it is removed meanwhile.
func (e *Engine) WaitContainer(ctx context.Context, id string) (Container, error) {
	if err := named("container", id); err != nil {
		return Container{}, err
	}
	if err := e.do(ctx, "wait for container "+id, broken, func() error { return e.api.wait(ctx, id) }); err != nil {
		return Container{}, err
	}
	return e.Container(ctx, id)
}

// Container looks at a container by its id or exact name; NotFound when there is
// none.
func (e *Engine) Container(ctx context.Context, id string) (Container, error) {
	if err := named("container", id); err != nil {
		return Container{}, err
	}
	return retry(ctx, e, "look at container "+id, broken, func() (Container, error) { return e.api.container(ctx, id) })
}

// Containers lists the containers in any state that have all of the labels with
// exactly these values; the value "" stands for any.
func (e *Engine) Containers(ctx context.Context, labels map[string]string) ([]Container, error) {
	ids, err := retry(ctx, e, "list containers", broken, func() ([]string, error) { return e.api.containerIDs(ctx, labels) })
	if err != nil {
		return nil, err
	}
	return each(ids, func(id string) (Container, error) { return e.Container(ctx, id) })
}

// AnyContainer reports whether there is a container in any state that has all of
// the labels, as Containers would find it. It takes one request.
func (e *Engine) AnyContainer(ctx context.Context, labels map[string]string) (bool, error) {
	ids, err := retry(ctx, e, "list containers", broken, func() ([]string, error) { return e.api.containerIDs(ctx, labels) })
	return len(ids) > 0, err
}

// each looks at everything a list named; what is gone meanwhile is left out.
func each[T any](ids []string, look func(string) (T, error)) ([]T, error) {
	var list []T
	for _, id := range ids {
		item, err := look(id)
		if wire.CodeOf(err) == wire.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, item)
	}
	return list, nil
}

// gone makes success of the error that there is nothing to remove.
func gone(err error) error {
	if errdefs.IsNotFound(err) {
		return nil
	}
	return err
}
