// Package resource remembers what this machine's environments own: a record for
// each, written and fsynced before the thing it names is made; a lease, so that
// one process at a time owns an environment; locks; and a trash, so that what is
// removed goes away in one step.
//
// Only what a record names is ever removed, and only after looking again. The
// package knows nothing of any one provider: what is particular to it is in
// [Record.Details].
//
//	store, err := resource.OpenStore(dir)
//	lease, err := store.Lease(ctx, id)
//	err = store.Create(&resource.Record{Resource: id, …}) // before the mutation
package resource
