package provider

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Snapshotter is a Provider that can keep what an environment holds at one moment,
// so that others can begin with it: see [OpenRequest.Snapshot].
type Snapshotter interface {
	// Snapshot keeps the state of the environment that req names, which may be open
	// in another process and goes on as it was. When it fails, the base calls
	// DropSnapshot.
	Snapshot(ctx context.Context, req *SnapshotRequest) error
	// DropSnapshot removes all of a snapshot that there is. It is idempotent, and
	// fails with kind Conflict, with nothing removed, while the snapshot is needed.
	DropSnapshot(ctx context.Context, req *SnapshotRequest) error
}

// SnapshotRequest says which snapshot is to be made or dropped.
type SnapshotRequest struct {
	// Store keeps the ownership records of this machine.
	Store *resource.Store
	// Environment is the record of the environment; nil for DropSnapshot.
	Environment *resource.Record
	// Record is the snapshot's own. Its Details are the provider's; see Save.
	Record *resource.Record
	// Alone tells that the environment is not open and stays so meanwhile.
	Alone bool
	// Tell shows what goes on to a person who waits.
	Tell func(text string)

	kept *resource.Store
}

// Key tells the snapshot from all others: it is fit to be part of a name.
func (r *SnapshotRequest) Key() string { return r.Record.Resource.Key() }

// Save puts the provider's facts, any value that marshals, on record. It is called
// before what they tell of is made.
func (r *SnapshotRequest) Save(details any) (err error) {
	if r.Record.Details, err = wire.Marshal(details); err != nil {
		return err
	}
	return r.kept.Update(r.Record)
}

// snapshotUndo bounds how long a snapshot that failed is taken back.
const snapshotUndo = 30 * time.Second

// SnapshotKind is the first part of a snapshot's id.
const SnapshotKind = "snapshot"

// Snapshots are the records of the snapshots of a state directory. Their Phase is
// one of PhaseCreating, PhaseReady and PhaseRemoving, and EnvironmentName tells
// whose they are.
func Snapshots(store *resource.Store) (*resource.Store, error) {
	return resource.OpenStore(filepath.Join(store.Dir(), "snapshots"))
}

// FromSnapshot is the id of the snapshot that the environment is to begin with, if
// it does not exist yet: the setting snapshot, or the message's snapshotId when it
// is an id of ours. "" is the usual beginning.
func (r *OpenRequest) FromSnapshot() resource.ID {
	for _, text := range []string{r.Settings.Snapshot, r.Start.SnapshotID} {
		if id, err := resource.ParseID(text); err == nil && id.Kind() == SnapshotKind {
			return id
		}
	}
	return ""
}

// Snapshot is the record of the snapshot that the environment begins with, nil when
// it begins as usual. It fails with kind NotFound when there is no such snapshot,
// and Invalid when it is another provider's.
func (r *OpenRequest) Snapshot() (*resource.Record, error) {
	id := r.FromSnapshot()
	if id == "" {
		return nil, nil //nolint:nilnil // there is none, and that is the usual case
	}
	kept, err := Snapshots(r.Store)
	if err != nil {
		return nil, err
	}
	rec, err := kept.Get(id)
	switch {
	case wire.CodeOf(err) == wire.NotFound || err == nil && rec.Phase != PhaseReady:
		return nil, wire.Errorf(wire.NotFound, "open: there is no snapshot %s on this machine; codebolt-providers snapshots lists those there are", id)
	case err != nil:
		return nil, err
	case rec.Provider != r.providerName:
		return nil, wire.Errorf(wire.Invalid, "open: the snapshot %s was made by the provider %s; begin with it there", id, rec.Provider)
	}
	return rec, nil
}

// takeSnapshot makes a snapshot of an environment on record.
func takeSnapshot(ctx context.Context, s Snapshotter, store *resource.Store, of resource.ID, tell func(string)) (*resource.Record, error) {
	env, err := store.Get(of)
	if err != nil {
		return nil, err
	}
	if env.Phase != PhaseReady {
		return nil, wire.Errorf(wire.Conflict, "%q is not whole: its record says %s; start it, or remove it", env.EnvironmentName, env.Phase)
	}
	// While nobody has it open, nobody shall open it meanwhile.
	own, err := tryLease(ctx, store, of)
	if err != nil && wire.CodeOf(err) != wire.Conflict {
		return nil, err
	}
	defer func() { _ = release(own) }()
	kept, err := Snapshots(store)
	if err != nil {
		return nil, err
	}
	key := make([]byte, 8)
	_, _ = rand.Read(key) // it does not fail
	rec := &resource.Record{
		Resource: resource.NewID(SnapshotKind, hex.EncodeToString(key)), Provider: env.Provider, EnvironmentID: env.EnvironmentID,
		EnvironmentName: env.EnvironmentName, ProviderID: env.ProviderID, ProjectPath: env.ProjectPath, Phase: PhaseCreating,
	}
	lease, err := kept.Lease(ctx, rec.Resource)
	if err != nil {
		return nil, err
	}
	defer func() { _ = release(lease) }()
	if err := kept.Create(rec); err != nil {
		return nil, err
	}
	req := &SnapshotRequest{Store: store, Environment: env, Record: rec, Alone: own != nil, Tell: tell, kept: kept}
	err = s.Snapshot(ctx, req)
	if err == nil {
		rec.Phase = PhaseReady
		err = kept.Update(rec)
	}
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), snapshotUndo)
		defer cancel()
		return nil, errors.Join(err, dropRecorded(ctx, s, req))
	}
	return rec, nil
}

// dropRecorded drops a snapshot whose lease is held, and its record.
func dropRecorded(ctx context.Context, s Snapshotter, req *SnapshotRequest) error {
	if len(req.Record.Details) > 0 { // else nothing has been made
		was := req.Record.Phase
		req.Record.Phase = PhaseRemoving
		if err := req.kept.Update(req.Record); err != nil {
			return err
		}
		if err := s.DropSnapshot(ctx, req); err != nil {
			if wire.CodeOf(err) == wire.Conflict && was == PhaseReady {
				req.Record.Phase = was
				err = errors.Join(err, req.kept.Update(req.Record))
			}
			return fmt.Errorf("drop the snapshot: %w", err)
		}
	}
	return req.kept.Delete(req.Record.Resource)
}

func dropSnapshot(ctx context.Context, s Snapshotter, store *resource.Store, id resource.ID, provider string) error {
	kept, err := Snapshots(store)
	if err != nil {
		return err
	}
	lease, err := kept.Lease(ctx, id)
	if err != nil {
		return err
	}
	defer func() { _ = release(lease) }()
	rec, err := kept.Get(id)
	if err != nil {
		return err
	}
	if rec.Provider != provider {
		return wire.Errorf(wire.Invalid, "the snapshot %s was made by the provider %s", id, rec.Provider)
	}
	return dropRecorded(ctx, s, &SnapshotRequest{Store: store, Record: rec, Tell: func(string) {}, kept: kept})
}

// ReapSnapshots finds, and unless told otherwise drops, what was left of snapshots
// whose making or dropping was interrupted. It is a part of a [Reaper]'s Reap.
func ReapSnapshots(ctx context.Context, req ReapRequest, s Snapshotter, provider string) (found []Orphan, err error) {
	kept, err := Snapshots(req.Store)
	if err != nil {
		return nil, err
	}
	records, err := kept.List()
	errs := []error{err}
	for _, rec := range records {
		if rec.Provider != provider || rec.Phase == PhaseReady {
			continue
		}
		lease, err := tryLease(ctx, kept, rec.Resource)
		if wire.CodeOf(err) == wire.Conflict {
			continue // somebody is just at it
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		o := Orphan{Resource: rec.Resource, What: "interrupted snapshot", Where: "of " + rec.EnvironmentName}
		if !req.DryRun {
			err := dropRecorded(ctx, s, &SnapshotRequest{Store: req.Store, Record: rec, Tell: func(string) {}, kept: kept})
			if o.Removed = err == nil; err != nil {
				o.Problem = err.Error()
			}
		}
		found = append(found, o)
		errs = append(errs, release(lease))
	}
	return found, errors.Join(errs...)
}

// snapshot is the subcommand of that name.
func snapshot(ctx context.Context, def *Definition, provider string, p Process, args []string) int {
	s, ok := def.Provider.(Snapshotter)
	if !ok {
		fmt.Fprintln(p.Stderr, "snapshot: environments of this provider have no snapshots that others could begin with")
		return exitUsage
	}
	flags := flag.NewFlagSet("snapshot", flag.ContinueOnError)
	flags.SetOutput(p.Stderr)
	drop := flags.Bool("drop", false, "remove the snapshot of that id")
	asJSON := flags.Bool("json", false, "print JSON")
	flags.Usage = func() {
		fmt.Fprintln(p.Stderr, "snapshot [--json] RESOURCE: keep what an environment holds, for others to begin with\nsnapshot --drop SNAPSHOT: remove a snapshot")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return exitUsage
	}
	if flags.NArg() != 1 {
		flags.Usage()
		return exitUsage
	}
	fail := func(err error) int {
		fmt.Fprintln(p.Stderr, "snapshot:", err)
		return exitError
	}
	store, err := openStore()
	if err != nil {
		return fail(err)
	}
	id, err := resource.ParseID(flags.Arg(0))
	if err != nil {
		return fail(err)
	}
	if *drop {
		if err := dropSnapshot(ctx, s, store, id, provider); err != nil {
			return fail(err)
		}
		return exitOK
	}
	rec, err := takeSnapshot(ctx, s, store, id, func(text string) { fmt.Fprintln(p.Stderr, text) })
	if err != nil {
		return fail(err)
	}
	if *asJSON {
		return printJSON(p, rec)
	}
	fmt.Fprintln(p.Stdout, rec.Resource)
	return exitOK
}
