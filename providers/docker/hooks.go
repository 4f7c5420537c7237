package main

import (
	"context"
	"io"
	"time"

	"github.com/codeboltai/codebolt-providers/providers/docker/internal/engine"
	"github.com/codeboltai/codebolt-providers/shared/worktree"
)

// postCreate runs the configured command in a container that was just made. The
// environment that it prepares is not open before it has ended well.
func (b *box) postCreate(ctx context.Context, eng *engine.Engine) error {
	if len(b.cfg.PostCreate) == 0 {
		return nil
	}
	return b.tell().Phase(ctx, "postCreate", func(ctx context.Context) error {
		hook := worktree.Hook{Name: "postCreate", Argv: b.cfg.PostCreate, Limit: b.cfg.HookTimeout}
		return hook.Run(ctx, func(line string) { b.tell().Note("postCreate", line) }, b.hook(eng, hook.Argv))
	})
}

// preStopLimit bounds preStop, which has a part of the time that a stop has.
const preStopLimit = 8 * time.Second

// preStop runs the configured command before the container stops. Whether it
// succeeds does not change that.
func (b *box) preStop(ctx context.Context, eng *engine.Engine) {
	if len(b.cfg.PreStop) == 0 {
		return
	}
	hook := worktree.Hook{Name: "preStop", Argv: b.cfg.PreStop, Limit: min(preStopLimit, b.cfg.HookTimeout)}
	if err := hook.Run(ctx, nil, b.hook(eng, hook.Argv)); err != nil {
		b.log.Warn("preStop failed; the container stops all the same", "error", err)
	}
}

// hook is how the command of a hook is run.
func (b *box) hook(eng *engine.Engine, argv []string) func(context.Context, io.Writer) (int, error) {
	spec := engine.ExecSpec{Argv: argv, WorkDir: b.path}
	for name, value := range b.cfg.environ {
		spec.Env = append(spec.Env, name+"="+value)
	}
	return func(ctx context.Context, out io.Writer) (int, error) {
		return eng.Exec(ctx, b.facts.Container, spec, nil, out, out)
	}
}
