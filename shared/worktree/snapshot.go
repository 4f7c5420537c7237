package worktree

import (
	"context"
	"errors"
	"os"

	"github.com/codeboltai/codebolt-providers/shared/gitrepo"
	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// kept is what the record of a snapshot tells.
type kept struct {
	Of  gitrepo.Worktree `json:"of"`  // whose files it has
	Ref string           `json:"ref"` // of the commit that has them
	// Beside is what Beside.Snapshot returned, and before that the environment's
	// facts.
	Beside wire.Raw `json:"beside,omitzero"`
}

// Snapshot keeps the files of an environment, and with Beside.Snapshot what it has
// besides. It is a [provider.Snapshotter]'s Snapshot; of spec, Beside is used.
func Snapshot(ctx context.Context, req *provider.SnapshotRequest, spec Spec) error {
	d, err := detailsOf(req.Environment)
	if err != nil {
		return err
	}
	repo, err := gitrepo.Open(ctx, d.CommonDir, gitrepo.Options{})
	if err != nil {
		return err
	}
	beside := spec.Beside
	if beside.Attach != nil {
		if err := beside.Attach(ctx, d.Worktree, d.Beside); err != nil {
			return err
		}
	}
	if beside.Refresh != nil {
		req.Tell("reading the files back")
	}
	if err := refresh(ctx, spec, provider.RunDir(req.Store, req.Environment.Resource)); err != nil {
		return err
	}
	k := kept{Of: d.Worktree, Ref: "refs/codebolt/snapshots/kept/" + req.Key(), Beside: d.Beside}
	if err := req.Save(k); err != nil {
		return err
	}
	req.Tell("keeping the files")
	snap, err := repo.Snapshot(ctx, d.Worktree, gitrepo.SnapshotSpec{
		Ref: k.Ref, Message: "Snapshot of " + req.Environment.EnvironmentName, IncludeIgnored: true,
	})
	if err != nil {
		return err
	}
	for _, path := range snap.Skipped {
		req.Tell("not in the snapshot: " + path)
	}
	if beside.Snapshot == nil {
		return nil
	}
	facts, err := beside.Snapshot(ctx, req, d.Beside)
	if err != nil {
		return err
	}
	if k.Beside, err = wire.Marshal(facts); err != nil {
		return err
	}
	return req.Save(k)
}

// DropSnapshot removes what Snapshot made. It is a [provider.Snapshotter]'s
// DropSnapshot.
func DropSnapshot(ctx context.Context, req *provider.SnapshotRequest, spec Spec) error {
	k, err := keptOf(req.Record)
	if err != nil {
		return err
	}
	if drop := spec.Beside.DropSnapshot; drop != nil {
		if err := drop(ctx, req, k.Beside); err != nil {
			return err
		}
	}
	repo, err := gitrepo.Open(ctx, k.Of.CommonDir, gitrepo.Options{})
	if err != nil {
		if _, serr := os.Stat(k.Of.CommonDir); errors.Is(serr, os.ErrNotExist) {
			return nil // the repository is gone, and the snapshot with it
		}
		return err
	}
	return repo.DropSnapshot(ctx, k.Ref)
}

func keptOf(rec *resource.Record) (k kept, err error) {
	if err = wire.Unmarshal(rec.Details, &k); err != nil || k.Ref == "" {
		return k, wire.Errorf(wire.Internal, "the record %s has no usable details: %w", rec.Resource, err)
	}
	return k, nil
}

// takeFrom looks at the snapshot that the environment is to begin with, if any.
func (m *maker) takeFrom(ctx context.Context) error {
	rec, err := m.req.Snapshot()
	if err != nil || rec == nil {
		return err
	}
	k, err := keptOf(rec)
	if err != nil {
		return err
	}
	switch {
	case k.Of.CommonDir != m.repo.CommonDir():
		return wire.Errorf(wire.Invalid, "open: the snapshot %s is of another project, %s", rec.Resource, rec.ProjectPath)
	case m.cfg.ExistingBranch != "" || m.cfg.BaseRef != "" || m.cfg.CarryUncommitted:
		return wire.Errorf(wire.Invalid, "configuration: snapshot excludes existingBranch, baseRef and carryUncommitted; the snapshot has its own beginning")
	}
	origin, err := m.repo.Origin(ctx, k.Ref)
	if err != nil {
		return err
	}
	m.from, m.origin = &k, origin.HEAD
	return nil
}
