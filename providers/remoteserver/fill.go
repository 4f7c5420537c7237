package main

import (
	"context"
	"io"
	"path"

	"github.com/codeboltai/codebolt-providers/shared/mirror"
	"github.com/codeboltai/codebolt-providers/shared/outpost"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
	"github.com/codeboltai/codebolt-providers/shared/worktree"
)

// mirror is the worktree and the files on the host.
func (s *site) mirror() mirror.Mirror {
	s.mu.Lock()
	defer s.mu.Unlock()
	return mirror.Mirror{Here: s.path, There: s.facts.Folder.Files(), Run: s.must}
}

// prepare sees to the folder on the host: that it is there, with its files, and with
// what postCreate does in a new one.
func (s *site) prepare(ctx context.Context) error {
	if err := s.lock(ctx); err != nil {
		return err
	}
	defer s.unlock()
	unsaid, err := s.stock(ctx)
	if err == nil && unsaid {
		_, err = s.ask(ctx, &outpost.Request{Do: outpost.Filled})
	}
	s.prepared = err == nil
	return err
}

// stock is prepare, but for telling the host that the files are there: when that has
// to be told, it is unsaid. Only who has the turn calls it.
func (s *site) stock(ctx context.Context) (unsaid bool, err error) {
	answer, err := s.ask(ctx, &outpost.Request{Do: outpost.Make})
	s.unmade = !s.prepared && forbidden(err)
	if err != nil || answer.Filled {
		return false, err
	}
	if s.prepared && answer.Made {
		s.tell().Warn("the environment's folder on the host is gone; a new one is filled with the files as they were last seen here")
	}
	if err := s.tell().Phase(ctx, "files", s.fill); err != nil {
		return false, err
	}
	return true, s.postCreate(ctx)
}

// launch starts a runtime in the folder, which is seen to when it is not as it should
// be. That it is, is not asked for beforehand: each question is a way there and back.
func (s *site) launch(ctx context.Context, launch *outpost.Launch) (*outpost.Answer, error) {
	if err := s.lock(ctx); err != nil {
		return nil, err
	}
	defer s.unlock()
	request := &outpost.Request{Do: outpost.Start, Launch: launch}
	if s.prepared {
		answer, err := s.ask(ctx, request)
		if err != nil || answer.Record != nil {
			return answer, err
		}
	}
	var err error
	if request.Filled, err = s.stock(ctx); err != nil {
		return nil, err
	}
	answer, err := s.ask(ctx, request)
	s.prepared = err == nil
	return answer, err
}

func (s *site) fill(ctx context.Context) error {
	if mirror.Submodules(s.path) {
		return wire.Errorf(wire.Unsupported, "remote server: the project has submodules, which a copy on a host cannot hold safely")
	}
	has, err := s.has(ctx)
	if err != nil {
		return err
	}
	return s.again(ctx, func(ctx context.Context) error {
		sent, err := s.mirror().Supply(ctx, s.tell(), has)
		s.log.Info("filled the environment's folder", "files", sent.Files, "bytes", sent.Bytes, "moved", sent.Moved, "sent", sent.Stream, "error", err)
		return err
	})
}

// has is what the host may have of the files: what came for other environments, and
// what is configured.
func (s *site) has(ctx context.Context) (mirror.Has, error) {
	m, err := s.arrive(ctx)
	if err != nil {
		return mirror.Has{}, err
	}
	programs, err := placed("programDir", s.cfg.ProgramDir, m.Home)
	if err != nil {
		return mirror.Has{}, err
	}
	has := mirror.Has{Store: path.Join(programs, "store"), Limit: s.cfg.storeLimit()}
	for _, seed := range s.cfg.Seed {
		at, err := placed("seed", seed, m.Home)
		if err != nil {
			return mirror.Has{}, err
		}
		has.Seeds = append(has.Seeds, at)
	}
	return has, nil
}

// again does something a second time when the connection broke meanwhile. It is for
// what does no harm twice.
func (s *site) again(ctx context.Context, f func(context.Context) error) error {
	const tries = 3
	for try := 1; ; try++ {
		client, err := s.client(ctx)
		if err != nil {
			return err
		}
		if err = f(ctx); err == nil || client.Err() == nil || try == tries || ctx.Err() != nil {
			return err
		}
	}
}

// refresh reads the files back into the worktree: only what changed is sent.
func (s *site) refresh(ctx context.Context) error {
	answer, err := s.ask(ctx, &outpost.Request{Do: outpost.Look})
	switch {
	case err != nil:
		return err
	case !answer.There:
		return wire.Errorf(wire.NotFound, "remote server: the environment's folder %s on %s is gone; a start makes a new one of the files as they were last seen here", s.facts.Folder.Path(), shown(s.cfg.target))
	case !answer.Filled:
		return wire.Errorf(wire.NotRunning, "remote server: the environment's folder on %s has not been filled yet", shown(s.cfg.target))
	}
	return s.again(ctx, s.mirror().ReadBack)
}

// files are the files on the host for when no runtime serves them: each call is one of
// the same program, which is started for it. Agents tell paths of theirs.
func (s *site) files() workspace.FS {
	m := s.mirror()
	return workspace.Also(workspace.Remote(m.Here, m.File), m.There)
}

// postCreate runs the configured command in a new folder. The environment that it
// prepares is not open before it has ended well.
func (s *site) postCreate(ctx context.Context) error {
	if len(s.cfg.PostCreate) == 0 || s.facts.Prepared {
		return nil
	}
	return s.tell().Phase(ctx, "postCreate", func(ctx context.Context) error {
		hook := worktree.Hook{Name: "postCreate", Argv: s.cfg.PostCreate, Limit: s.cfg.HookTimeout}
		return hook.Run(ctx, func(line string) { s.tell().Note("postCreate", line) }, s.hook(hook.Argv))
	})
}

// preStop runs the configured command before the runtime stops. Whether it succeeds
// does not change that.
func (s *site) preStop(ctx context.Context) {
	if len(s.cfg.PreStop) == 0 {
		return
	}
	hook := worktree.Hook{Name: "preStop", Argv: s.cfg.PreStop, Limit: min(preStopLimit, s.cfg.HookTimeout)}
	if err := hook.Run(ctx, nil, s.hook(hook.Argv)); err != nil {
		s.log.Warn("preStop failed; the runtime stops all the same", "error", err)
	}
}

// hook is how the command of a hook is run.
func (s *site) hook(argv []string) func(context.Context, io.Writer) (int, error) {
	return func(ctx context.Context, out io.Writer) (int, error) {
		request := &outpost.Request{Do: outpost.Exec, Folder: s.facts.Folder, Argv: argv, Env: s.variables(nil)}
		return outpost.AskExec(ctx, s.run, request, out)
	}
}
