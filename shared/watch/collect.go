package watch

import (
	"cmp"
	"errors"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// collect turns events into batches.
func (w *Watch) collect() {
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	var ready *Batch // waits to be taken
	waiting := false // the timer runs
	for {
		var deliver chan Batch
		var batch Batch
		if ready != nil {
			deliver, batch = w.deliver, *ready
		}
		select {
		case <-w.done:
			return
		case event, ok := <-w.events.Events:
			if !ok {
				return
			}
			w.event(event)
		case err, ok := <-w.events.Errors:
			if !ok {
				return
			}
			// The queue overflowed, or what the system said made no sense: either way
			// something was missed.
			w.overflow = w.overflow || err != nil
		case <-timer.C:
			waiting = false
			if ready == nil {
				ready = w.batch()
			}
		case deliver <- batch:
			ready = nil
		}
		if !waiting && ready == nil && (len(w.pending) > 0 || w.overflow) {
			timer.Reset(w.o.Debounce)
			waiting = true
		}
	}
}

// tell hands batches over, one after another.
func (w *Watch) tell() {
	for {
		select {
		case <-w.done:
			return
		case batch := <-w.deliver:
			w.o.Changed(batch)
		}
	}
}

// event takes note of one event.
func (w *Watch) event(e fsnotify.Event) {
	rel, err := filepath.Rel(w.o.Dir, e.Name)
	if err != nil || !filepath.IsLocal(rel) {
		return
	}
	name := filepath.ToSlash(rel)
	if name == "." || w.skipped(name) {
		return
	}
	folder := path.Dir(name)
	names, watched := w.folders[folder]
	if name == w.o.Path && !watched && (e.Has(fsnotify.Remove) || e.Has(fsnotify.Rename)) {
		if _, was := w.folders[name]; was { // what is watched is gone itself
			w.forget(name)
			w.note(name, true, false, true)
		}
		return
	}
	if !watched {
		return // of a folder that is gone
	}
	isFolder, known := names[path.Base(name)]
	switch {
	case e.Has(fsnotify.Remove), e.Has(fsnotify.Rename):
		if _, err := w.root.Lstat(filepath.FromSlash(name)); err == nil {
			// Another has its place: what is told of it may have come before, as when two
			// are exchanged.
			w.created(name, known, isFolder)
			return
		}
		if !known {
			return
		}
		w.forget(name)
		w.note(name, known, false, isFolder)
	case e.Has(fsnotify.Create):
		w.created(name, known, isFolder)
	case e.Has(fsnotify.Write):
		w.note(name, known, true, false)
		if !known {
			w.created(name, known, false)
		}
	}
}

// created takes note of a name that is there, maybe in place of another.
func (w *Watch) created(name string, known, wasFolder bool) {
	info, err := w.root.Lstat(filepath.FromSlash(name))
	if err != nil {
		if !known { // it is gone again, and nobody knows what it was
			w.note(name, false, false, false)
		}
		return
	}
	if known && wasFolder {
		w.forget(name)
	}
	names := w.folders[path.Dir(name)]
	if _, still := names[path.Base(name)]; !still {
		w.files++
	}
	names[path.Base(name)] = info.IsDir()
	w.note(name, known, true, info.IsDir())
	if w.files > w.o.MaxFiles {
		w.overflow = true
	}
	if !info.IsDir() || w.o.Flat {
		return
	}
	// Files may have come into it before it was watched.
	if err := w.enter(name, func(inner string, isFolder bool) { w.note(inner, false, true, isFolder) }); err != nil {
		w.overflow = true
	}
}

// note adds to what has become of a path since the last batch.
func (w *Watch) note(name string, before, now, isFolder bool) {
	if !w.wanted(name) {
		return
	}
	c := w.pending[name]
	if c == nil {
		if len(w.pending) >= w.o.MaxChanges {
			w.overflow = true
			return
		}
		c = &change{before: before}
		w.pending[name] = c
	}
	c.now, c.folder = now, isFolder
}

// forget takes a name out, and all below it when it is a folder.
func (w *Watch) forget(name string) {
	if names := w.folders[path.Dir(name)]; names != nil {
		isFolder, known := names[path.Base(name)]
		if known {
			delete(names, path.Base(name))
			w.files--
		}
		if known && !isFolder {
			return
		}
	}
	for folder, names := range w.folders {
		if folder != name && !strings.HasPrefix(folder, name+"/") {
			continue
		}
		w.files -= len(names)
		delete(w.folders, folder)
		err := w.events.Remove(filepath.Join(w.o.Dir, filepath.FromSlash(folder)))
		if err != nil && !errors.Is(err, fsnotify.ErrNonExistentWatch) {
			w.overflow = true // the system may go on telling of what it was
		}
	}
}

// batch is what has been collected; nil when that comes to nothing.
func (w *Watch) batch() *Batch {
	b := Batch{Overflow: w.overflow}
	for name, c := range w.pending {
		kind := Modified
		switch {
		case c.now && !c.before:
			kind = Created
		case !c.now && c.before:
			kind = Deleted
		case !c.now:
			continue // it came and went
		}
		b.Changes = append(b.Changes, Change{name, kind, c.folder})
	}
	clear(w.pending)
	w.overflow = false
	if len(b.Changes) == 0 && !b.Overflow {
		return nil
	}
	slices.SortFunc(b.Changes, func(a, b Change) int { return cmp.Compare(a.Path, b.Path) })
	return &b
}
