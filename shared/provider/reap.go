package provider

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// reapTrash is how old trash must be before gc deletes it: whoever moved it there
// usually does that.
const reapTrash = time.Minute

// ReapHosts is the common part of [Reaper] for environments that are a [Host]:
// it looks at every record of spec.Kind that no process has open, finishes what
// was interrupted and tells of records whose directory is gone. trash gives the
// folder of a record's trash; "" for none.
func ReapHosts(ctx context.Context, req ReapRequest, spec HostSpec, trash func(*resource.Record) string) ([]Orphan, error) {
	records, err := req.Store.List()
	errs := []error{err}
	var found []Orphan
	for _, rec := range records {
		if rec.Resource.Kind() != spec.Kind {
			continue
		}
		orphan, err := reapHost(ctx, req, spec, rec)
		if err != nil {
			errs = append(errs, err)
		}
		if orphan != nil {
			found = append(found, *orphan)
		}
		if dir := trash(rec); dir != "" && !req.DryRun {
			errs = append(errs, resource.EmptyTrash(ctx, dir, reapTrash))
		}
	}
	return found, errors.Join(errs...)
}

func reapHost(ctx context.Context, req ReapRequest, spec HostSpec, rec *resource.Record) (*Orphan, error) {
	orphan := &Orphan{Resource: rec.Resource, Where: rec.Path}
	var act func() error
	switch _, err := os.Lstat(rec.Path); {
	case rec.Phase == PhaseCreating:
		orphan.What = "interrupted start"
		act = func() error { return spec.Discard(ctx, rec) }
	case rec.Phase == PhaseRemoving:
		orphan.What = "interrupted removal"
		act = func() error {
			gone, err := spec.Resume(ctx, rec)
			if err == nil && !gone {
				err = wire.Errorf(wire.Conflict, "it holds work again")
			}
			return err
		}
	case errors.Is(err, fs.ErrNotExist):
		orphan.What = "record without a directory"
		orphan.Kept = "the next start may bring the directory back; remove it with: codebolt-providers remove"
		return orphan, nil
	default:
		return nil, nil //nolint:nilnil // a whole environment is no orphan
	}
	lease, err := tryLease(ctx, req.Store, rec.Resource)
	if wire.CodeOf(err) == wire.Conflict {
		return nil, nil //nolint:nilnil // some process is just at it
	}
	if err != nil || req.DryRun {
		return orphan, errors.Join(err, release(lease))
	}
	if err = act(); err == nil {
		err = errors.Join(req.Store.Delete(rec.Resource), os.RemoveAll(RunDir(req.Store, rec.Resource)))
	}
	if err != nil {
		orphan.Problem = err.Error()
	}
	orphan.Removed = err == nil
	return orphan, release(lease)
}

func tryLease(ctx context.Context, store *resource.Store, id resource.ID) (*resource.Lease, error) {
	ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	return store.Lease(ctx, id)
}

func release(lease *resource.Lease) error {
	if lease == nil {
		return nil
	}
	return lease.Release()
}

// RunDir is the private directory of an environment's runtime. It comes and goes with
// the environment.
func RunDir(store *resource.Store, id resource.ID) string {
	return filepath.Join(store.Dir(), "run", id.Key())
}
