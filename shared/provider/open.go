package provider

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// maxName is the longest environment name accepted, in bytes.
const maxName = 255

// OpenRequest is what an environment is opened with. The base has checked the
// names: they are valid UTF-8 without control characters and of bounded length,
// but still untrusted; use [OpenRequest.SafeName] where a name becomes part of
// a path or a branch.
type OpenRequest struct {
	// Start is the message itself.
	Start *wire.ProviderStart

	EnvironmentName string
	EnvironmentID   string      // the server's id, or the name when it gave none
	ProviderID      string      // the server's id, or the environment's
	ProjectPath     string      // absolute; "" when the server named no project
	ResourceID      resource.ID // "" unless the server knows an earlier life

	Settings Settings
	// Store keeps the ownership records of this machine.
	Store *resource.Store
	Log   *slog.Logger

	providerName string
	config       map[string]any
	announce     func(resource.ID)
	progress     func(wire.Progress)

	mu       sync.Mutex
	unknown  map[string]bool // configuration keys that no Decode so far knew
	known    []string
	undo     []undo
	warnings []string
	attached bool
}

type undo struct {
	what string
	f    func(context.Context) error
}

// newOpenRequest checks a providerStart and gathers what Open needs.
func newOpenRequest(start *wire.ProviderStart, m *manifest.Manifest, environmentConfig map[string]any, ids identity) (*OpenRequest, error) {
	name := start.EnvironmentName
	switch {
	case name == "":
		return nil, wire.Errorf(wire.Invalid, "open: environmentName is missing")
	case len(name) > maxName:
		return nil, wire.Errorf(wire.Invalid, "open: environmentName has %d bytes; at most %d are allowed", len(name), maxName)
	}
	for field, text := range map[string]string{
		"environmentName": name, "environmentId": start.EnvironmentID, "providerId": start.ProviderID,
		"projectPath": start.Parent(), "environmentPath": start.Requested(),
	} {
		if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
			return nil, wire.Errorf(wire.Invalid, "open: %s contains a control character; choose another name", field)
		}
	}
	req := &OpenRequest{
		Start: start, EnvironmentName: name, EnvironmentID: ids.environment, ProviderID: ids.provider,
		ProjectPath: start.Parent(), providerName: m.UniqueID, unknown: map[string]bool{},
	}
	if req.ProjectPath != "" {
		if !filepath.IsAbs(req.ProjectPath) {
			return nil, wire.Errorf(wire.Invalid, "open: projectPath %q is not absolute", req.ProjectPath)
		}
		req.ProjectPath = filepath.Clean(req.ProjectPath)
	}
	// A resourceId that is none of ours names a resource of another provider or
	// of an older version; it is no reason to fail, there is just nothing to
	// attach to under that name.
	if id, err := resource.ParseID(start.ResourceID); err == nil {
		req.ResourceID = id
	}
	spread := map[string]any{}
	if len(start.Extra) > 0 {
		if err := wire.Unmarshal(start.Extra, &spread); err != nil {
			return nil, err
		}
	}
	req.config = manifest.Merge(m.Config, spread, environmentConfig)
	for key := range req.config {
		req.unknown[key] = true
	}
	if err := req.Decode(&req.Settings); err != nil {
		return nil, err
	}
	if err := req.Settings.check(); err != nil {
		return nil, err
	}
	return req, nil
}

// Decode fills a struct from the merged configuration: the manifest's defaults,
// then what providerStart carries, then ENVIRONMENT_CONFIG. Fields are named
// with the tag `config:"name"`. A value of the wrong type is an error of kind
// Invalid that names the key. Keys that no Decode knows are warned of when the
// environment is open.
func (r *OpenRequest) Decode(into any) error {
	unknown, err := manifest.Decode(r.config, into)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	still := make(map[string]bool, len(unknown))
	for _, key := range unknown {
		still[key] = true
	}
	for key := range r.unknown {
		if !still[key] {
			r.known = append(r.known, key)
			delete(r.unknown, key)
		}
	}
	return nil
}

// unknownKeys are the configuration keys nobody read.
func (r *OpenRequest) unknownKeys() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var keys []string
	for key := range r.unknown {
		if near, ok := manifest.Nearest(key, r.known); ok {
			key += " (did you mean " + near + "?)"
		}
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// Undo registers how to take back the next step, before that step is taken. If
// the open fails, whatever the reason, the base runs the registered functions in
// reverse order with a context of their own.
func (r *OpenRequest) Undo(what string, f func(context.Context) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.undo = append(r.undo, undo{what, f})
}

// rollback runs the registered undos once.
func (r *OpenRequest) rollback(ctx context.Context) error {
	r.mu.Lock()
	steps := r.undo
	r.undo = nil
	r.mu.Unlock()
	var errs []error
	for i := len(steps) - 1; i >= 0; i-- {
		if err := steps[i].f(ctx); err != nil {
			errs = append(errs, fmt.Errorf("undo %s: %w", steps[i].what, err))
		}
	}
	return errors.Join(errs...)
}

// SetResource tells the server the environment's id, which it keeps and gives
// back after a restart. Call it as soon as the id is persisted.
func (r *OpenRequest) SetResource(id resource.ID) { r.announce(id) }

// Attached notes that the environment existed already.
func (r *OpenRequest) Attached() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attached = true
}

// Warn adds something a person should know to the answer of an open that
// succeeds, and logs it.
func (r *OpenRequest) Warn(text string) {
	r.mu.Lock()
	r.warnings = append(r.warnings, text)
	r.mu.Unlock()
	r.Log.Warn(text)
}

// Phase runs one step of the open and reports it as progress: to the log, and to
// the server as a notification. The name is stable and short, such as "worktree".
func (r *OpenRequest) Phase(ctx context.Context, name string, f func(context.Context) error) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	begun := time.Now()
	r.progress(wire.Progress{EnvironmentID: r.EnvironmentID, Phase: name, State: "started"})
	err := f(ctx)
	end := wire.Progress{EnvironmentID: r.EnvironmentID, Phase: name, State: "done", Elapsed: time.Since(begun).Milliseconds()}
	if err != nil {
		end.State, end.Message = "failed", err.Error()
	}
	r.progress(end)
	return err
}

// Note reports something a person who waits wants to see, within a phase.
func (r *OpenRequest) Note(phase, message string) {
	r.progress(wire.Progress{EnvironmentID: r.EnvironmentID, Phase: phase, State: "started", Message: message})
}

// SafeName is a name for directories and branches made from the environment's
// name and id: letters, digits, '.', '_' and '-' only, never beginning with '-'
// or '.', of bounded length, and, by its last part, the same for the same
// environment of the same project and different for any other.
func (r *OpenRequest) SafeName() string { return SafeName(r.EnvironmentName, r.Key()) }

// Key identifies the environment among all that this machine has seen: a hash
// of the project and the server's id for it. Names that look alike after
// cleaning have different keys.
func (r *OpenRequest) Key() string {
	return environmentKey(r.providerName, r.ProjectPath, r.EnvironmentID)
}
