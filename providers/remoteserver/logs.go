package main

import (
	"context"
	"log/slog"
	"path"
	"strconv"

	"github.com/codeboltai/codebolt-providers/shared/outpost"
	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Logs implements provider.Logger: what the runtime on the host logs.
func (servers) Logs(ctx context.Context, req provider.LogsRequest) error {
	s, err := recorded(req.Record, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }() // it was only read from
	answer, err := s.ask(ctx, &outpost.Request{Do: outpost.Look})
	if err != nil {
		return err
	}
	if !answer.There {
		return wire.Errorf(wire.NotFound, "remote server: the environment's folder on %s is gone", shown(s.cfg.target))
	}
	argv := []string{"tail", "-n", "+1"}
	if req.Tail > 0 {
		argv[2] = strconv.Itoa(req.Tail)
	}
	if req.Follow {
		argv = append(argv, "-f")
	}
	folder := s.facts.Folder
	status, err := outpost.AskExec(ctx, s.run, &outpost.Request{Do: outpost.Exec, Folder: folder, Argv: append(argv, path.Join(folder.Run(), "log"))}, req.Stdout)
	if err == nil && status != 0 {
		err = wire.Errorf(wire.NotFound, "remote server: there is no log on %s yet", shown(s.cfg.target))
	}
	return err
}
