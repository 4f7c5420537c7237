package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/providers/docker/internal/engine"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Where things are in a container. All of it is in the run volume, so that it is
// there whatever the image is like.
const (
	inside      = "/.codebolt"
	programIn   = inside + "/codebolt-runtime"
	pinIn       = inside + "/codebolt-runtime.sha256"
	dirIn       = inside + "/run"
	launchIn    = dirIn + "/launch.json"
	socketName  = "sock"
	socketIn    = dirIn + "/" + socketName
	homeIn      = dirIn + "/home"
	filledIn    = dirIn + "/filled"
	socketWhere = "unix:" + socketIn
)

// Start implements runtime.Launcher: it starts the container, after making it if
// there is none, and waits until the runtime in it answers.
func (b *box) Start(ctx context.Context, spec runtime.Spec) (runtime.Handle, error) {
	eng, err := b.engine(ctx)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(spec.Dir, 0o700); err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "docker: keep the runtime's token: %w", err)
	}
	token, err := runtime.TokenOf(spec.Dir)
	if err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "docker: keep the runtime's token: %w", err)
	}
	if err := b.lock(ctx); err != nil {
		return nil, err
	}
	defer b.unlock()
	b.program = spec.Program
	made, err := b.ensure(ctx, eng)
	if err != nil {
		return nil, err
	}
	address, launch := b.launch(spec)
	if err := b.equip(ctx, eng, made, launch, token); err != nil {
		return nil, b.failed(ctx, eng, made, err)
	}
	h := newRunning(b, eng, resource.RuntimeRecord{
		InstanceID: spec.Instance, Dir: spec.Dir, Address: address, Upstream: spec.Upstream != nil,
	}, token)
	if err := b.begin(ctx, eng, h, spec.StartTimeout); err != nil {
		return nil, errors.Join(err, b.halt(ctx, eng, made))
	}
	if err := b.furnish(ctx, eng, made); err != nil {
		return nil, errors.Join(err, b.halt(ctx, eng, made))
	}
	h.watch()
	return h, nil
}

// failed is the error of a start that got as far as a container which does not run
// yet: one that was made for it goes.
func (b *box) failed(ctx context.Context, eng *engine.Engine, made bool, err error) error {
	if made {
		err = errors.Join(err, b.halt(ctx, eng, made))
	}
	return err
}

// launch is where the runtime will listen, and how it is started.
func (b *box) launch(spec runtime.Spec) (string, runtime.Launch) {
	l := runtime.Launch{Environ: map[string]string{}, Home: homeIn}
	for _, pair := range spec.Env {
		name, value, _ := strings.Cut(pair, "=")
		l.Environ[name] = value
	}
	l.Environ["GIT_OPTIONAL_LOCKS"] = "0" // the repository is not for writing
	maps.Copy(l.Environ, b.cfg.environ)
	l.Environ[wire.EnvRuntimeInstance] = spec.Instance
	if up := spec.Upstream; up != nil {
		port := up.Port
		if port == 0 {
			port = upstreamPort
		}
		replace := strings.NewReplacer("{port}", fmt.Sprint(port), "{workspace}", spec.Workspace)
		for _, arg := range up.Command {
			l.Command = append(l.Command, replace.Replace(arg))
		}
		return fmt.Sprintf("tcp:%s:%d", loopback, port), l
	}
	spec.Agents.Env = slices.Concat(spec.Agents.Env, slices.Sorted(maps.Keys(b.cfg.environ)))
	l.Args = spec.Flags(dirIn, socketWhere)
	return socketWhere, l
}

// upstreamPort is where another agent server listens in its container, whose ports
// are all its own.
const upstreamPort = 3100

// begin starts the container and waits until its runtime answers.
func (b *box) begin(ctx context.Context, eng *engine.Engine, h *running, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := b.startContainer(ctx, eng); err != nil {
		return err
	}
	ended := make(chan error, 1)
	wait, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		c, err := eng.WaitContainer(wait, b.facts.Container)
		if err == nil {
			err = ending(ctx, eng, c)
		}
		ended <- err
	}()
	ready := make(chan error, 1)
	go func() { ready <- h.answers(wait) }()
	var err error
	select {
	case err = <-ready:
		if err == nil {
			return nil
		}
	case err = <-ended:
		if err == nil || context.Cause(wait) == nil {
			return fmt.Errorf("docker: the container did not stay: %w", err)
		}
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return wire.Errorf(wire.Timeout, "docker: the runtime in the container was not ready within %v (timeouts.agentServerStartup): %w", limit, err)
	}
	return err
}

// startTries is how often a container is started whose start fails for a reason that
// passes, usually: somebody makes or removes the network at the same moment, or the
// daemon cleans up after a crash of its own, which it does when it is asked to start.
const startTries = 4

// startContainer starts the container.
func (b *box) startContainer(ctx context.Context, eng *engine.Engine) error {
	for try := 1; ; try++ {
		err := eng.StartContainer(ctx, b.facts.Container)
		code, pause := wire.CodeOf(err), 100*time.Millisecond
		switch {
		case code == wire.Exists && try == startTries:
			if err := b.replace(ctx, eng); err != nil {
				return err
			}
		case code == wire.Exists && try < startTries:
			pause = 500 * time.Millisecond
		case (code == wire.NotFound || code == wire.Unavailable && wire.Retryable(err)) && b.cfg.Network == "" && try <= startTries:
			if err := eng.EnsureNetwork(ctx, networkName, networkMark(), true); err != nil {
				return err
			}
		default:
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// replace puts a container with the same files in place of one that the daemon
// cannot start any more. Daemons before version 23 never clean up after a crash at
// certain moments of a start.
func (b *box) replace(ctx context.Context, eng *engine.Engine) error {
	c, err := b.find(ctx, eng)
	if err != nil {
		return err
	}
	was, err := eng.Image(ctx, c.ImageID)
	if err != nil {
		return err
	}
	b.log.Warn("the daemon cannot start the container after a crash of its own; another one with the same files takes its place")
	now, err := eng.Commit(ctx, c.ID, engine.CommitSpec{Labels: map[string]string{labelRole: "replacement"}, Like: was})
	if err != nil {
		return err
	}
	if err := eng.RemoveContainer(ctx, c.ID); err != nil {
		return err
	}
	image, err := eng.Image(ctx, now)
	if err != nil {
		return err
	}
	image.User = was.User
	return b.makeOf(ctx, eng, image)
}

// ending tells how a container ended.
func ending(ctx context.Context, eng *engine.Engine, c engine.Container) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := eng.Failure(ctx, c.ID); err != nil {
		return err
	}
	return wire.Errorf(wire.Unavailable, "the container has stopped")
}

// tailWriter keeps the end of what is written.
type tailWriter struct{ bytes.Buffer }

func (w *tailWriter) Write(p []byte) (int, error) {
	const keep = 800
	w.Buffer.Write(p)
	if w.Len() > keep {
		rest := bytes.Clone(w.Bytes()[w.Len()-keep:])
		w.Reset()
		w.Buffer.Write(rest)
	}
	return len(p), nil
}
