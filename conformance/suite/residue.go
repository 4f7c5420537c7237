package suite

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Residue is something that was left after every environment of a check had been
// removed and its provider had ended.
type Residue struct {
	Check string
	Kind  string // process, temporary file, socket, lock
	What  string
}

// settleTime is how long processes may take to end after their provider.
const settleTime = 5 * time.Second

// left notes what a check left. The check has closed its environments.
func (r *runner) left(t *T) {
	var found []Residue
	add := func(kind, what string) { found = append(found, Residue{Check: t.check.ID, Kind: kind, What: what}) }
	until := time.Now().Add(settleTime)
	processes := t.Processes()
	for len(processes) > 0 && time.Now().Before(until) {
		time.Sleep(20 * time.Millisecond)
		processes = t.Processes()
	}
	for _, p := range processes {
		add("process", p.Command)
	}
	if entries, err := os.ReadDir(filepath.Join(t.dir, "tmp")); err == nil {
		for _, entry := range entries {
			add("temporary file", entry.Name())
		}
	}
	// What else is below t.dir is the check's own.
	for _, name := range []string{"home", "tmp", "project*"} {
		places, _ := filepath.Glob(filepath.Join(t.dir, name)) // the pattern is well formed
		for _, place := range places {
			for _, socket := range sockets(place) {
				add("socket", socket)
			}
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.residue = append(r.residue, found...)
	r.cleaned++
}

// Residue is what the checks so far left behind, and how many were looked at.
// It is whole for a check that runs [AtEnd].
func (t *T) Residue() (left []Residue, looked int) {
	t.run.mu.Lock()
	defer t.run.mu.Unlock()
	return slices.Clone(t.run.residue), t.run.cleaned
}

// Leaks tells where a secret of the provider's environment was seen. It is whole
// for a check that runs [AtEnd].
func (t *T) Leaks() []string { return t.run.canaries.found() }

// Look searches a text for the secrets of the provider's environment.
func (t *T) Look(where string, text []byte) { t.run.canaries.look(where, text) }

// sockets finds the sockets below a folder, by their names relative to what the
// folder is in.
func sockets(dir string) (found []string) {
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type()&fs.ModeSocket != 0 {
			name, _ := filepath.Rel(filepath.Dir(dir), path) // the one is below the other
			found = append(found, name)
		}
		return nil // what cannot be read holds nothing of ours
	})
	return found
}
