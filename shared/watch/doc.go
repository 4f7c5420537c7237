// Package watch tells what changes among the files of a directory, a whole tree of them,
// in a few words: many events of one file within a moment are one change.
//
//	w, err := watch.Start(watch.Options{Dir: dir, Changed: func(b watch.Batch) { … }})
//	defer w.Close()
//
// It reports names and never contents, follows no symbolic links, and says when it has
// missed something, so that whoever keeps a picture of the tree knows to look anew.
package watch
