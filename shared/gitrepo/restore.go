package gitrepo

import (
	"cmp"
	"context"
	"fmt"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Origin is what a worktree has to begin with to become what a snapshot holds.
type Origin struct {
	HEAD   string // the commit that the files were changed from
	Staged string // a commit of what was staged; "" when that was nothing of its own
}

// Origin reads where a snapshot was taken. It fails with kind NotFound when there
// is no such snapshot.
func (r *Repo) Origin(ctx context.Context, snapshot string) (Origin, error) {
	oid, err := r.Resolve(ctx, snapshot)
	if err != nil {
		return Origin{}, err
	}
	o := Origin{}
	if o.HEAD, err = r.refOID(ctx, oid+"^1"); err == nil && o.HEAD == "" {
		err = wire.Errorf(wire.NotFound, "%s is no snapshot of a worktree: it has no parent", snapshot)
	}
	if err == nil {
		o.Staged, err = r.refOID(ctx, oid+"^2")
	}
	if err != nil {
		return Origin{}, fmt.Errorf("read snapshot: %w", err)
	}
	return o, nil
}

// Restore makes the files of a worktree what a snapshot holds, staged what was
// staged, and the rest uncommitted. The worktree is one that was just made at the
// snapshot's [Origin]: what it holds besides is overwritten.
func (r *Repo) Restore(ctx context.Context, wt Worktree, snapshot string) error {
	err := r.refill(ctx, &wt, snapshot)
	return describe("restore a snapshot in", &wt, err)
}

func (r *Repo) refill(ctx context.Context, wt *Worktree, snapshot string) error {
	origin, err := r.Origin(ctx, snapshot)
	if err != nil {
		return err
	}
	co, err := r.checkout(wt)
	if err != nil {
		return err
	}
	head, err := co.head(ctx)
	if err != nil {
		return err
	}
	if head != origin.HEAD {
		return wire.Errorf(wire.Conflict, "it is at %s, and the snapshot was taken at %s", head, origin.HEAD)
	}
	files := co.call("read-tree", "--reset", "-u", snapshot)
	index := co.call("read-tree", "-m", cmp.Or(origin.Staged, "HEAD"))
	for _, c := range []call{files, index} {
		c.write = true
		if _, err := r.run.run(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// DropSnapshot deletes the ref of a snapshot, and with it what it alone held. That
// it is not there is no error.
func (r *Repo) DropSnapshot(ctx context.Context, ref string) error {
	if err := checkSnapshotRef(ref); err != nil {
		return err
	}
	c := call{dir: r.common, write: true, finish: true, args: []string{"update-ref", "-d", "--end-of-options", ref}}
	if err := r.retried(ctx, c); err != nil {
		return fmt.Errorf("drop snapshot: %w", err)
	}
	return nil
}
