package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// record is one element of environments.json.
type record struct {
	ID        string         `json:"id"`
	Name      string         `json:"name"`
	Provider  providerData   `json:"provider"`
	Config    map[string]any `json:"config,omitempty"`
	CreatedAt string         `json:"createdAt"`
	UpdatedAt string         `json:"updatedAt"`
	IsActive  bool           `json:"isActive"`
	State     State          `json:"state"`
}

type providerData struct {
	ID            int      `json:"id"`
	UniqueID      string   `json:"unique_id"`
	Name          string   `json:"name"`
	Author        string   `json:"author"`
	Description   string   `json:"description"`
	Tags          []string `json:"tags"`
	Version       string   `json:"version"`
	CreatedByUser string   `json:"createdByUser"`
	ProviderID    string   `json:"providerId,omitempty"`
	ProviderPath  string   `json:"providerPath,omitempty"`
	IsLocal       bool     `json:"isLocal"`
}

// providerState is one file of provider-states.
type providerState struct {
	ProviderID       string             `json:"providerId"`
	ProviderType     string             `json:"providerType"`
	ConnectionConfig map[string]any     `json:"connectionConfig"`
	Environments     []environmentState `json:"environments"`
	LastStartTime    string             `json:"lastStartTime,omitempty"`
	LastHeartbeat    string             `json:"lastHeartbeat,omitempty"`
	RestartCount     int                `json:"restartCount"`
}

type environmentState struct {
	EnvironmentID     string            `json:"environmentId"`
	EnvironmentName   string            `json:"environmentName"`
	ConnectionDetails map[string]string `json:"connectionDetails"`
	LastConnected     string            `json:"lastConnected,omitempty"`
	LastHeartbeat     string            `json:"lastHeartbeat,omitempty"`
}

// snapshot is what is kept of an environment.
type snapshot struct {
	record record
	state  providerState
}

// store keeps the records of the environments. With an empty dir it does so in
// memory only.
type store struct {
	dir string
	mu  sync.Mutex
	all []record // in the order of creation
}

func openStore(dir string) (*store, error) {
	st := &store{dir: dir}
	if dir == "" {
		return st, nil
	}
	if err := os.MkdirAll(filepath.Join(dir, "provider-states"), 0o700); err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "server: make the state directory: %w", err)
	}
	var err error
	st.all, err = st.readFile()
	return st, err
}

// readFile reads environments.json.
func (st *store) readFile() (all []record, err error) {
	text, err := os.ReadFile(st.file())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		return nil, wire.Errorf(wire.Invalid, "server: read %s; repair or remove it: %w", st.file(), err)
	}
	return all, nil
}

// read returns the records as they are now.
func (st *store) read() ([]record, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.dir == "" {
		return slices.Clone(st.all), nil
	}
	return st.readFile()
}

// lockWait is how long a change of environments.json waits for another server's.
const lockWait = 10 * time.Second

// change changes environments.json, which other servers may share. The caller
// holds st.mu.
func (st *store) change(f func()) (err error) {
	if st.dir == "" {
		f()
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	lock, err := resource.Acquire(ctx, st.file()+".lock")
	if err != nil {
		return wire.Errorf(wire.CodeOf(err), "server: save environments.json: %w", err)
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	if st.all, err = st.readFile(); err != nil {
		return err
	}
	f()
	return writeJSON(st.file(), st.all)
}

func (st *store) file() string { return filepath.Join(st.dir, "environments.json") }

func (st *store) stateFile(id string) string {
	sum := sha256.Sum256([]byte(id)) // an id can be anything, a file's name cannot
	return filepath.Join(st.dir, "provider-states", hex.EncodeToString(sum[:16])+".json")
}

// load returns the record of an environment, made anew unless there is one, and
// the resourceId known of it.
func (st *store) load(spec *EnvironmentSpec) (record, string, error) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.dir != "" {
		all, err := st.readFile()
		if err != nil {
			return record{}, "", err
		}
		st.all = all
	}
	now := stamp(time.Now())
	rec := record{ID: spec.ID, CreatedAt: now}
	resourceID := ""
	if i := st.index(spec.ID); i >= 0 {
		rec = st.all[i]
		var err error
		if resourceID, err = st.resourceOf(spec.ID); err != nil {
			return record{}, "", wire.Errorf(wire.Invalid, "create environment %s: %w", spec.Name, err)
		}
	}
	m := spec.Manifest
	rec.Name, rec.UpdatedAt, rec.Config = spec.Name, now, manifest.Merge(spec.Config)
	rec.Provider = providerData{
		ID: 1, UniqueID: m.UniqueID, Name: m.Name, Author: m.Author, Description: m.Description,
		Tags: append([]string{}, m.Tags...), Version: m.Version, ProviderID: spec.ProviderName, ProviderPath: spec.Program, IsLocal: true,
	}
	return rec, resourceID, nil
}

// resourceOf reads the resourceId that is known of an environment, "" for none.
func (st *store) resourceOf(id string) (string, error) {
	if st.dir == "" {
		return "", nil
	}
	text, err := os.ReadFile(st.stateFile(id))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	var state providerState
	if err == nil {
		err = json.Unmarshal(text, &state)
	}
	if err != nil {
		return "", wire.Errorf(wire.Invalid, "read what is known of it: %w", err)
	}
	for _, known := range state.Environments {
		if known.EnvironmentID == id {
			return known.ConnectionDetails["resourceId"], nil
		}
	}
	return "", nil
}

func (st *store) index(id string) int {
	return slices.IndexFunc(st.all, func(r record) bool { return r.ID == id })
}

// save writes both files of an environment, each in one step.
func (st *store) save(s snapshot) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	err := st.change(func() {
		if i := st.index(s.record.ID); i >= 0 {
			st.all[i] = s.record
		} else {
			st.all = append(st.all, s.record)
		}
	})
	if st.dir != "" {
		err = errors.Join(err, writeJSON(st.stateFile(s.record.ID), s.state))
	}
	return err
}

func (st *store) remove(id string) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	err := st.change(func() {
		st.all = slices.DeleteFunc(st.all, func(r record) bool { return r.ID == id })
	})
	if st.dir != "" {
		if gone := os.Remove(st.stateFile(id)); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}

// writeJSON replaces a file in one step. It is for its owner alone, because a
// configuration may hold secrets.
func writeJSON(path string, v any) (err error) {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return wire.Errorf(wire.Invalid, "server: save %s: %w", filepath.Base(path), err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // made with mode 0600
	if err != nil {
		return wire.Errorf(wire.CodeOf(err), "server: save %s: %w", filepath.Base(path), err)
	}
	_, err = f.Write(append(text, '\n'))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(wire.Errorf(wire.CodeOf(err), "server: save %s: %w", filepath.Base(path), err), os.Remove(f.Name()))
	}
	return nil
}

// stamp spells an instant as the protocol does; "" for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

// snapshot is what is to be kept of the environment. The caller holds e.mu, or
// is the only one who knows e.
func (e *Environment) snapshot() snapshot {
	e.record.State = e.state
	e.record.IsActive = e.wanted
	e.record.UpdatedAt = stamp(time.Now())
	details := map[string]string{}
	if e.resourceID != "" {
		details["resourceId"] = e.resourceID
	}
	known := environmentState{
		EnvironmentID: e.spec.ID, EnvironmentName: e.spec.Name, ConnectionDetails: details, LastHeartbeat: stamp(e.lastBeat),
	}
	if n := len(e.connections); n > 0 {
		known.LastConnected = stamp(e.connections[n-1].Time)
	}
	state := providerState{
		ProviderID: e.spec.ProviderName, ProviderType: "custom", ConnectionConfig: map[string]any{},
		Environments: []environmentState{known}, LastHeartbeat: known.LastHeartbeat, RestartCount: e.restarts,
	}
	if e.process != nil {
		state.LastStartTime = stamp(e.process.started)
	}
	return snapshot{e.record, state}
}

// save keeps what changed. That it cannot is no reason to fail what was done;
// only a later server is worse off. The caller holds e.mu.
func (e *Environment) save() {
	if err := e.server.store.save(e.snapshot()); err != nil {
		e.server.log.Error("the environment's record is out of date", "env", e.spec.Name, "error", err)
	}
}
