package main

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/worktree"
)

// getenv looks up this process's environment.
func getenv(name string) string { return os.Getenv(name) }

// recorded is the box of an environment that is on record, and not open.
func recorded(store *resource.Store, rec *resource.Record, log *slog.Logger) (*box, error) {
	b := blank(store, log)
	raw, err := worktree.Facts(rec)
	if err != nil {
		return nil, err
	}
	return b, b.take(raw)
}

// blank is a box that knows whose it is and nothing else.
func blank(store *resource.Store, log *slog.Logger) *box {
	return &box{
		cfg: &config{}, log: log, report: provider.LogReporter(log), busy: make(chan struct{}, 1),
		mark: map[string]string{labelOwner: store.Owner(), labelMade: providerID},
	}
}

// Reap implements provider.Reaper: interrupted starts and removals on record, and
// what carries our label on a daemon that some record names, or on the one that
// the docker program would use, and is of no environment on record.
func (containers) Reap(ctx context.Context, req provider.ReapRequest) ([]provider.Orphan, error) {
	log := slog.New(slog.DiscardHandler)
	spec := worktree.Spec{Kind: kind, Beside: worktree.Beside{
		Remove: func(ctx context.Context, rec *resource.Record, _ wire.Raw) error {
			b, err := recorded(req.Store, rec, log)
			if err != nil {
				return err
			}
			return errors.Join(b.remove(ctx), b.close())
		},
	}}
	found, err := worktree.Reap(ctx, req, spec)
	errs := []error{err}
	half, err := provider.ReapSnapshots(ctx, req, containers{}, providerID)
	found, errs = append(found, half...), append(errs, err)
	records, err := req.Store.List()
	if err != nil {
		return found, errors.Join(append(errs, err)...)
	}
	owned := map[string]bool{}
	daemons := map[string]daemon{}
	for _, rec := range records {
		if rec.Resource.Kind() != kind {
			continue
		}
		b, err := recorded(req.Store, rec, log)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		owned[b.facts.Key] = true
		daemons[b.facts.Daemon.Address] = b.facts.Daemon
	}
	usual := daemon{}
	if eng, err := usual.connect(ctx, log); err == nil { // no daemon, no orphans
		daemons[eng.Info().Host] = usual
		_ = eng.Close()
	}
	for _, d := range daemons {
		orphans, err := strays(ctx, req, d, owned)
		found, errs = append(found, orphans...), append(errs, err)
	}
	return found, errors.Join(errs...)
}

// strays finds, and unless told otherwise removes, what a daemon has of this
// store's and no record knows. Files of an environment are never removed.
func strays(ctx context.Context, req provider.ReapRequest, d daemon, owned map[string]bool) (found []provider.Orphan, err error) {
	b := blank(req.Store, slog.New(slog.DiscardHandler))
	eng, err := d.connect(ctx, b.log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = eng.Close() }() // what was done is reported
	report := func(what, where, kept string, remove func() error) {
		o := provider.Orphan{What: what, Where: where, Kept: kept}
		if kept == "" && !req.DryRun {
			if err := remove(); err != nil {
				o.Problem = err.Error()
			}
			o.Removed = o.Problem == ""
		}
		found = append(found, o)
	}
	boxes, err := eng.Containers(ctx, b.mark)
	if err != nil {
		return nil, err
	}
	for _, c := range boxes {
		if owned[c.Labels[labelEnv]] {
			continue
		}
		if name := boxName(c.Labels[labelName], req.Store.Owner()); c.Name != name && c.Name != name+helperSuffix {
			continue // somebody's own, of an image that was made of one of ours
		}
		kept := ""
		if c.Running {
			kept = "it runs; look at it, then: docker rm -f " + c.Name
		}
		report("container", c.Name, kept, func() error { return eng.RemoveContainer(ctx, c.ID) })
	}
	volumes, err := eng.Volumes(ctx, b.mark)
	if err != nil {
		return found, err
	}
	for _, v := range volumes {
		if owned[v.Labels[labelEnv]] {
			continue
		}
		kept := ""
		if v.Labels[labelRole] == "work" {
			kept = "it holds the files of an environment that nothing tells of; look at them, then: docker volume rm " + v.Name
		}
		report("volume", v.Name, kept, func() error { return eng.RemoveVolume(ctx, v.Name) })
	}
	images, err := forgotten(ctx, eng, req.Store)
	if found = append(found, images...); err != nil || req.DryRun {
		return found, err
	}
	return found, leaveNetwork(ctx, eng)
}
