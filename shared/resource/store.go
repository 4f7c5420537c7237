package resource

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// recordSchema is the version of Record on disk.
const recordSchema = 1

// Record says what one environment owns on this machine.
type Record struct {
	Schema   int `json:"schema"`
	Resource ID  `json:"resource"`
	// Provider is the unique id of the provider that made it.
	Provider        string `json:"provider"`
	EnvironmentID   string `json:"environmentId"`
	EnvironmentName string `json:"environmentName"`
	ProviderID      string `json:"providerId,omitzero"`
	ProjectPath     string `json:"projectPath,omitzero"`

	// Path is the environment's directory; PathCreated tells that it was made for
	// it and may go with it.
	Path        string `json:"path,omitzero"`
	PathCreated bool   `json:"pathCreated,omitzero"`
	// Phase is how far creation or removal has come.
	Phase   string    `json:"phase"`
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`

	Runtime *RuntimeRecord `json:"runtime,omitzero"`
	// Details are the provider's own facts.
	Details wire.Raw `json:"details,omitzero"`
	// Extra keeps what a newer version wrote.
	Extra wire.Extra `json:",embed"`
}

// MarshalJSON implements json.Marshaler: what is in Extra stands among the rest whichever
// package encodes the record.
func (r Record) MarshalJSON() ([]byte, error) {
	type record Record // without this method
	return wire.Marshal(record(r))
}

// RuntimeRecord is how a runtime process is found again. Nothing in it is a
// secret: the token is in a file in Dir.
type RuntimeRecord struct {
	InstanceID string `json:"instanceId"`
	Dir        string `json:"dir"`               // private directory of its socket, token and log
	Address    string `json:"address,omitzero"`  // "unix:/path" or "tcp:host:port"
	PID        int    `json:"pid,omitzero"`      // with Started, never alone
	Started    string `json:"started,omitzero"`  // see ProcessStarted
	Upstream   bool   `json:"upstream,omitzero"` // a configured agent server
	Gateway    bool   `json:"gateway,omitzero"`  // one that speaks as the execution gateway does
}

// Store keeps the records of a state directory. It is safe for concurrent use,
// also by several processes; two writers of one record are kept apart by its
// lease.
type Store struct {
	dir  string
	envs string
	// mu keeps this process's own read-modify-writes apart.
	mu sync.Mutex
}

// OpenStore opens the records below dir, and clears away what killed writers
// left.
func OpenStore(dir string) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, wire.Errorf(wire.Invalid, "open the record store: %w", err)
	}
	s := &Store{dir: dir, envs: filepath.Join(dir, "envs")}
	if err := os.MkdirAll(s.envs, 0o700); err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "open the record store: %w", err)
	}
	if err := sweepTemp(s.envs, ""); err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "open the record store: %w", err)
	}
	return s, nil
}

// Dir is the state directory.
func (s *Store) Dir() string { return s.dir }

func (s *Store) file(id ID, suffix string) (string, error) {
	if _, err := ParseID(string(id)); err != nil {
		return "", err
	}
	return filepath.Join(s.envs, strings.ReplaceAll(string(id), ":", "~")+suffix), nil
}

// Create writes a new record and stamps its times. It fails with kind Exists
// when there is one of that id. When it returns, the record is on disk.
func (s *Store) Create(rec *Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	path, err := s.file(rec.Resource, ".json")
	if err != nil {
		return err
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = wire.Errorf(wire.Exists, "there is a record already")
		}
		return fmt.Errorf("record %s: %w", rec.Resource, err)
	}
	rec.Schema, rec.Created = recordSchema, time.Now().UTC()
	return s.put(path, rec)
}

// Update replaces a record. It fails with kind NotFound when there is none.
func (s *Store) Update(rec *Record) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	path, err := s.file(rec.Resource, ".json")
	if err != nil {
		return err
	}
	if _, err := os.Lstat(path); err != nil {
		return fmt.Errorf("record %s: %w", rec.Resource, err)
	}
	return s.put(path, rec)
}

func (s *Store) put(path string, rec *Record) error {
	rec.Updated = time.Now().UTC()
	data, err := wire.Marshal(rec)
	if err == nil {
		err = WriteFile(path, append(data, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("record %s: %w", rec.Resource, err)
	}
	return nil
}

// Get reads a record. It fails with kind NotFound when there is none, and with
// kind Internal when the file is damaged.
func (s *Store) Get(id ID) (*Record, error) {
	path, err := s.file(id, ".json")
	if err != nil {
		return nil, err
	}
	return read(path, id)
}

func read(path string, id ID) (*Record, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "record %s: %w", id, err)
	}
	rec := &Record{}
	if err := wire.Unmarshal(data, rec); err != nil {
		return nil, wire.Errorf(wire.Internal, "record %s is damaged: move %s away to start anew: %w", id, path, err)
	}
	if rec.Schema > recordSchema {
		return nil, wire.Errorf(wire.Unsupported, "record %s was written by a newer version (schema %d); upgrade this program", id, rec.Schema)
	}
	if rec.Resource != id {
		return nil, wire.Errorf(wire.Internal, "record %s is damaged: %s names %s", id, path, rec.Resource)
	}
	return rec, nil
}

// List reads all records. Damaged ones are left out of the list and told of in
// the error, beside the good ones.
func (s *Store) List() ([]*Record, error) {
	entries, err := os.ReadDir(s.envs)
	if err != nil {
		return nil, err
	}
	var (
		recs []*Record
		errs []error
	)
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".json")
		if !ok {
			continue
		}
		rec, err := read(filepath.Join(s.envs, e.Name()), ID(strings.ReplaceAll(name, "~", ":")))
		switch {
		case errors.Is(err, fs.ErrNotExist): // deleted meanwhile
		case err != nil:
			errs = append(errs, err)
		default:
			recs = append(recs, rec)
		}
	}
	return recs, errors.Join(errs...)
}

// Delete removes a record. One that is not there is no error.
func (s *Store) Delete(id ID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	path, err := s.file(id, ".json")
	if err != nil {
		return err
	}
	err = os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = SyncDir(s.envs)
	}
	if err != nil {
		return fmt.Errorf("record %s: %w", id, err)
	}
	return nil
}

// Lease is the exclusive ownership of one environment by one process.
type Lease = Lock

// Lease waits until no other process owns the environment and takes it, and
// clears away what a killed owner's writing left. When ctx
// ends first, it fails with kind Conflict and says which process has it.
func (s *Store) Lease(ctx context.Context, id ID) (*Lease, error) {
	path, err := s.file(id, ".lease")
	if err != nil {
		return nil, err
	}
	lease, err := Acquire(ctx, path)
	if wire.CodeOf(err) == wire.Conflict {
		return nil, wire.Errorf(wire.Conflict, "the environment is open in %s; stop that one first", holder(path))
	}
	if err == nil {
		record := strings.TrimSuffix(filepath.Base(path), ".lease") + ".json"
		if err = sweepTemp(s.envs, record); err != nil {
			err = errors.Join(err, lease.Release())
		}
	}
	return lease, err
}

// Holder is the process that owns the environment now, as far as its lease tells. Unlike
// Leased it takes no lease, not even for a moment, so that it is in nobody's way. Where
// the system hides from others what a locked file holds, as Windows does, nobody is found.
func (s *Store) Holder(id ID) (pid int, ok bool) {
	path, err := s.file(id, ".lease")
	if err != nil {
		return 0, false
	}
	return holding(path)
}

// Leased reports whether some process owns the environment now.
func (s *Store) Leased(id ID) (bool, error) {
	path, err := s.file(id, ".lease")
	if err != nil {
		return false, err
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	lease, err := TryAcquire(path)
	if wire.CodeOf(err) == wire.Conflict {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, lease.Release()
}
