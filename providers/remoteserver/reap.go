package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/outpost"
	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/worktree"
)

// removeGrace is what a runtime has to end in good order that a removal finds.
const removeGrace = 2 * time.Second

// forbidden tells that the host has answered that its user may not do something: that the
// user may not log in is another matter, after which nothing is known.
func forbidden(err error) bool {
	return wire.CodeOf(err) == wire.Permission && !strings.HasPrefix(err.Error(), "ssh: ")
}

// remove removes the folder on the host, and ends what runs in it. What is not ours
// stays.
func (s *site) remove(ctx context.Context, rec *resource.Record) error {
	if s.unmade {
		return nil // and it may not be looked for, either
	}
	request := &outpost.Request{Do: outpost.Remove, GraceMS: removeGrace.Milliseconds()}
	if rec.Runtime != nil {
		request.Record = *rec.Runtime
	}
	_, err := s.ask(ctx, request)
	return err
}

// Snapshot implements provider.Snapshotter.
func (servers) Snapshot(ctx context.Context, req *provider.SnapshotRequest) error {
	s, err := recorded(req.Environment, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }() // nothing is written by it
	return worktree.Snapshot(ctx, req, worktree.Spec{Kind: kind, Beside: s.beside()})
}

// DropSnapshot implements provider.Snapshotter.
func (servers) DropSnapshot(ctx context.Context, req *provider.SnapshotRequest) error {
	return worktree.DropSnapshot(ctx, req, worktree.Spec{Kind: kind})
}

// Reap implements provider.Reaper: interrupted starts and removals on record.
func (servers) Reap(ctx context.Context, req provider.ReapRequest) ([]provider.Orphan, error) {
	spec := worktree.Spec{Kind: kind, Beside: worktree.Beside{
		Remove: func(ctx context.Context, rec *resource.Record, _ wire.Raw) error {
			s, err := recorded(rec, slog.New(slog.DiscardHandler))
			if err != nil {
				return err
			}
			return errors.Join(s.remove(ctx, rec), s.close())
		},
	}}
	found, err := worktree.Reap(ctx, req, spec)
	half, herr := provider.ReapSnapshots(ctx, req, servers{}, providerID)
	return append(found, half...), errors.Join(err, herr)
}
