// Package content keeps chunks of files under their SHA-256, so that what a machine
// has had once need not be sent to it again.
//
//	store, err := content.Open("/home/me/.codebolt/runtime/store", 2<<30)
//	err = store.Put(sum, data)       // whole or not at all
//	err = store.Get(sum, buf)        // verified
//	err = store.Close(ctx)           // within its limit again
//
// A store is a cache: what is in it may vanish at any time, because another process
// makes room, and what is found damaged is removed. Whoever uses one has to do without
// a chunk, and without the store. Any number of processes may use one at a time.
package content
