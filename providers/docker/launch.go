package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
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
	socketIn    = dirIn + "/sock"
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
		if made {
			err = errors.Join(err, b.halt(ctx, eng, made))
		}
		return nil, err
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
	l.Args = []string{
		"--workspace", spec.Workspace, "--name", spec.Name, "--dir", dirIn, "--instance", spec.Instance,
		"--listen", socketWhere, "--owner-timeout", spec.OwnerTimeout.String(),
	}
	for _, name := range spec.Protected {
		l.Args = append(l.Args, "--protect", name)
	}
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

// startTries is how often a start is tried whose failure will pass, as the daemon
// says: after a crash of its own it cleans up when it is asked to start.
const startTries = 4

// startContainer starts the container, and its network when the last other
// environment took that along.
func (b *box) startContainer(ctx context.Context, eng *engine.Engine) (err error) {
	for try := range startTries {
		err = eng.StartContainer(ctx, b.facts.Container)
		if wire.CodeOf(err) == wire.NotFound && b.cfg.Network == "" {
			if err = eng.EnsureNetwork(ctx, networkName, networkMark(), true); err == nil {
				continue
			}
		}
		if wire.CodeOf(err) != wire.Unavailable || !wire.Retryable(err) || try == startTries-1 {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(500 * time.Millisecond):
		}
	}
	return err
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
