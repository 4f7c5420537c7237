package provider

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
)

// The phases of a host environment's record.
const (
	// PhaseCreating: the directory is being made. Nobody has worked in it, so
	// what is there may be taken back.
	PhaseCreating = "creating"
	// PhaseReady: the directory is complete and may hold work.
	PhaseReady = "ready"
	// PhaseRemoving: the removal was decided and begun.
	PhaseRemoving = "removing"
)

// HostSpec says how an environment's directory on this machine comes and goes.
// The functions get the record, whose Details are theirs to fill; what they put
// there is persisted before the next function runs.
type HostSpec struct {
	// Kind is the first part of the resource id, such as "worktree".
	Kind string
	// Path is where the directory is to be; absolute.
	Path string
	// Phase names the creation in progress reports, such as "worktree".
	Phase string
	// Plan decides what Create will make and returns the record's Details, any
	// value that marshals. It changes nothing. It is called only when there is
	// something to make, before the record is written; nil plans nothing.
	Plan func(ctx context.Context) (details any, err error)
	// Create makes the directory. It is called with the record persisted in
	// PhaseCreating; a directory that exists and is not empty never reaches it.
	Create func(ctx context.Context, rec *resource.Record) error
	// Discard takes back what Create made or half made. It is idempotent.
	Discard func(ctx context.Context, rec *resource.Record) error
	// Attach checks the directory of a complete record and repairs what can be
	// repaired without touching anybody's work; otherwise it fails and touches
	// nothing.
	Attach func(ctx context.Context, rec *resource.Record) error
	// Resume deals with a removal that was interrupted: it either finishes it
	// (gone) or leaves the environment whole.
	Resume func(ctx context.Context, rec *resource.Record) (gone bool, err error)
	// Launcher starts the runtime; nil starts it as a process of this machine.
	Launcher runtime.Launcher
	// Placement completes what the server is told of the place.
	Placement wire.Placement
	// Protected are names at the root that file requests never change; see
	// workspace.LocalOptions.
	Protected []string
}

// Host is an environment that is a directory on this machine, with a runtime
// that works in it. It is most of an [Environment]: a provider embeds it and
// adds Remove and what it can do besides.
type Host struct {
	spec   HostSpec
	log    loggerWith
	set    Settings
	name   string
	store  *resource.Store
	lease  *resource.Lease
	local  *workspace.Local
	runDir string
	fresh  bool // the record's runtime has never been started

	// turn is held while a runtime is ended or started: what the old one leaves is
	// cleared away before the new one puts its own in the same place.
	turn sync.Mutex
	// hurry ends the pause before the next launch.
	hurry chan struct{}

	mu       sync.Mutex
	rec      resource.Record
	proc     runtime.Handle // nil without a runtime, or while it is being restarted
	changed  chan struct{}  // closed and replaced when proc changes
	down     error          // why there is no proc
	asked    bool           // somebody asked for a restart: it is no crash, and waits for no pause
	stop     context.CancelFunc
	watching sync.WaitGroup
	released bool
}

// OpenHost opens the environment that req names by the rules of spec: it takes
// the lease, finds or makes the directory with its ownership record, heals what
// a crash left, opens the workspace and starts or adopts the runtime. When it
// fails, the base undoes what it did.
func OpenHost(ctx context.Context, req *OpenRequest, spec HostSpec) (*Host, error) {
	id := resource.NewID(spec.Kind, req.Key())
	if req.ResourceID.Kind() == spec.Kind {
		if _, err := req.Store.Get(req.ResourceID); err == nil {
			id = req.ResourceID
		}
	}
	if spec.Launcher == nil {
		spec.Launcher = runtime.Local{}
	}
	h := &Host{
		spec: spec, log: req.Log, set: req.Settings, name: req.EnvironmentName, store: req.Store,
		runDir: RunDir(req.Store, id), changed: make(chan struct{}), hurry: make(chan struct{}, 1),
	}
	if err := h.claim(ctx, req, id); err != nil {
		return nil, err
	}
	if err := h.findOrCreate(ctx, req, id); err != nil {
		return nil, err
	}
	local, err := workspace.OpenLocal(h.rec.Path, workspace.LocalOptions{Protected: spec.Protected})
	if err != nil {
		return nil, fmt.Errorf("open the workspace: %w", err)
	}
	req.Undo("workspace", func(context.Context) error { return local.Close() })
	h.local = local
	if h.set.HasRuntime() {
		if err := req.Phase(ctx, "runtime", func(ctx context.Context) error { return h.startRuntime(ctx, req) }); err != nil {
			return nil, err
		}
	}
	watch, stop := context.WithCancel(context.WithoutCancel(ctx))
	h.stop = stop
	if h.proc != nil {
		h.watching.Go(func() { h.supervise(watch) })
	}
	return h, nil
}

// loggerWith is the part of slog.Logger the host uses.
type loggerWith interface {
	Info(msg string, args ...any)
	Warn(msg string, args ...any)
	Error(msg string, args ...any)
}

// claim takes the environment's lease. A provider that is just letting go of it
// gets the time that letting go may take.
func (h *Host) claim(ctx context.Context, req *OpenRequest, id resource.ID) error {
	ctx, cancel := context.WithTimeout(ctx, h.set.Timeouts.Cleanup)
	defer cancel()
	lease, err := req.Store.Lease(ctx, id)
	if err != nil {
		return fmt.Errorf("open %q: %w", req.EnvironmentName, err)
	}
	h.lease = lease
	req.Undo("lease", func(context.Context) error { return lease.Release() })
	return nil
}

func (h *Host) findOrCreate(ctx context.Context, req *OpenRequest, id resource.ID) error {
	rec, err := req.Store.Get(id)
	switch {
	case err == nil:
		h.rec = *rec
		whole, err := h.heal(ctx, req)
		if err != nil || whole {
			return err
		}
	case wire.CodeOf(err) != wire.NotFound:
		return err
	}
	return h.create(ctx, req, id)
}

// heal brings an environment that is on record to a known state: whole and
// attached, or gone.
func (h *Host) heal(ctx context.Context, req *OpenRequest) (whole bool, err error) {
	switch h.rec.Phase {
	case PhaseCreating:
		req.Log.Warn("an earlier start was interrupted; taking back what it made", "path", h.rec.Path)
		if err := h.spec.Discard(ctx, &h.rec); err != nil {
			return false, fmt.Errorf("take back an interrupted start: %w", err)
		}
		return false, req.Store.Delete(h.rec.Resource)
	case PhaseRemoving:
		gone, err := h.spec.Resume(ctx, &h.rec)
		if err != nil {
			return false, fmt.Errorf("finish an interrupted removal: %w", err)
		}
		if gone {
			return false, req.Store.Delete(h.rec.Resource)
		}
		h.rec.Phase = PhaseReady
		if err := req.Store.Update(&h.rec); err != nil {
			return false, err
		}
	}
	if err := req.Phase(ctx, "attach", func(ctx context.Context) error { return h.spec.Attach(ctx, &h.rec) }); err != nil {
		return false, err
	}
	req.Attached()
	req.SetResource(h.rec.Resource)
	return true, nil
}

func (h *Host) create(ctx context.Context, req *OpenRequest, id resource.ID) error {
	created, err := mayCreate(h.spec.Path)
	if err != nil {
		return err
	}
	h.rec = resource.Record{
		Resource: id, Provider: req.providerName, EnvironmentID: req.EnvironmentID, EnvironmentName: req.EnvironmentName,
		ProviderID: req.ProviderID, ProjectPath: req.ProjectPath, Path: h.spec.Path, PathCreated: created, Phase: PhaseCreating,
	}
	if h.set.HasRuntime() {
		// On record before the process exists, so that it can be found again.
		h.rec.Runtime, h.fresh = h.newRuntime(), true
	}
	if h.spec.Plan != nil {
		details, err := h.spec.Plan(ctx)
		if err != nil {
			return err
		}
		if h.rec.Details, err = wire.Marshal(details); err != nil {
			return err
		}
	}
	if err := req.Store.Create(&h.rec); err != nil {
		return err
	}
	req.Undo(h.spec.Phase, func(ctx context.Context) error {
		if err := h.spec.Discard(ctx, &h.rec); err != nil {
			return err
		}
		// The runtime's directory is ours too, and what it says is in the error.
		return errors.Join(req.Store.Delete(id), os.RemoveAll(h.runDir))
	})
	req.SetResource(id)
	if err := req.Phase(ctx, h.spec.Phase, func(ctx context.Context) error { return h.spec.Create(ctx, &h.rec) }); err != nil {
		return err
	}
	h.rec.Phase = PhaseReady
	return req.Store.Update(&h.rec)
}

// mayCreate reports whether a directory may be made at path: yes when nothing is
// there (and it will be ours), or an empty directory (which stays another's).
func mayCreate(path string) (ours bool, err error) {
	entries, err := os.ReadDir(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case err != nil:
		return false, wire.Errorf(wire.Conflict, "cannot put an environment at %s: %w", path, err)
	case len(entries) > 0:
		return false, wire.Errorf(wire.Exists, "cannot put an environment at %s: it exists and is not empty; choose another path", path)
	}
	return false, nil
}

func (h *Host) spawnSpec() runtime.Spec {
	rec := h.Record()
	spec := runtime.Spec{
		Program: h.set.Runtime.Path, Workspace: rec.Path, Name: h.name, Dir: h.runDir,
		OwnerTimeout: h.set.Runtime.OwnerTimeout, StartTimeout: h.set.Timeouts.AgentServerStartup,
		Protected: h.spec.Protected, Env: append(portBlock(rec.Resource), h.traced()...), Agents: h.set.Agents.rules(),
	}
	if rec.Runtime != nil {
		spec.Instance = rec.Runtime.InstanceID
	}
	host := firstOf(h.set.AgentServerHost, "127.0.0.1")
	if h.set.AgentServerPort > 0 {
		spec.Listen = fmt.Sprintf("tcp:%s:%d", host, h.set.AgentServerPort)
	}
	spec.Upstream = h.set.Runtime.Server(host, h.set.AgentServerPort)
	return spec
}

// startRuntime adopts the runtime on record when it still lives, or starts one.
func (h *Host) startRuntime(ctx context.Context, req *OpenRequest) error {
	proc, err := h.launch(ctx)
	if err != nil {
		return fmt.Errorf("start the runtime: %w", err)
	}
	if !proc.Adopted() {
		req.Undo("runtime", func(ctx context.Context) error { return proc.Stop(ctx, stopGrace) })
	} else {
		req.Undo("runtime", func(context.Context) error { proc.Release(); return nil })
	}
	return h.keep(proc)
}

const stopGrace = 5 * time.Second

func (h *Host) launch(ctx context.Context) (runtime.Handle, error) {
	if _, here := h.spec.Launcher.(runtime.Local); !here && h.set.Runtime.Gateway() {
		return nil, wire.Errorf(wire.Unsupported, "configuration: runtime.preset %s is for environments on this machine; leave it out here", PresetCodebolt)
	}
	now := h.Record().Runtime
	if now != nil && !h.fresh {
		proc, err := h.spec.Launcher.Adopt(ctx, h.spawnSpec(), *now)
		if err == nil || wire.CodeOf(err) != wire.NotFound {
			return proc, err
		}
	}
	if now == nil || !h.fresh {
		// Another process is another instance, and on record before it exists.
		h.mu.Lock()
		h.rec.Runtime = h.newRuntime()
		err := h.store.Update(&h.rec)
		h.mu.Unlock()
		if err != nil {
			return nil, err
		}
	}
	h.fresh = false
	return h.spec.Launcher.Start(ctx, h.spawnSpec())
}

// newRuntime is the record of a runtime that is about to be started.
func (h *Host) newRuntime() *resource.RuntimeRecord {
	return &resource.RuntimeRecord{InstanceID: uuid.NewString(), Dir: h.runDir}
}

// Each environment gets a block of ports of its own for what its agents serve;
// two agents that both begin at CODEBOLT_PORT_BASE do not meet.
const (
	portBlocks     = 2500
	portsPerBlock  = 10
	firstBlockPort = 20000
)

func portBlock(id resource.ID) []string {
	n, err := strconv.ParseUint(environmentKey(id.Key())[:8], 16, 64)
	if err != nil {
		return nil // a hash is always hexadecimal
	}
	base := strconv.FormatUint(firstBlockPort+n%portBlocks*portsPerBlock, 10)
	env := []string{"CODEBOLT_PORT_BASE=" + base}
	if _, set := os.LookupEnv("PORT"); !set {
		env = append(env, "PORT="+base)
	}
	return env
}

// keep puts a running runtime on record and hands it to whoever dials.
func (h *Host) keep(proc runtime.Handle) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.proc, h.down = proc, nil
	close(h.changed)
	h.changed = make(chan struct{})
	if now := proc.Record(); h.rec.Runtime == nil || *h.rec.Runtime != now {
		h.rec.Runtime = &now
		return h.store.Update(&h.rec)
	}
	return nil
}

// supervise starts the runtime anew when it dies, with growing pauses.
func (h *Host) supervise(ctx context.Context) {
	pause := time.Duration(0)
	for {
		h.mu.Lock()
		proc := h.proc
		h.mu.Unlock()
		begun := time.Now()
		select {
		case <-ctx.Done():
			return
		case <-proc.Done():
		}
		h.mu.Lock()
		if h.proc != proc { // restarted on request
			h.mu.Unlock()
			continue
		}
		asked := h.asked
		h.proc, h.down = nil, wire.Errorf(wire.Unavailable, "the runtime ended unexpectedly")
		if why := proc.Err(); why != nil {
			h.down = wire.Errorf(wire.Unavailable, "the runtime ended unexpectedly: %w", why)
		}
		if asked {
			h.down = wire.Errorf(wire.Unavailable, "the runtime is being restarted")
		}
		h.mu.Unlock()
		if asked {
			h.log.Info("restarting the runtime, as asked")
		} else {
			h.log.Warn("the runtime ended unexpectedly; starting it anew", "reason", errText(proc.Err()))
		}
		if asked || time.Since(begun) > time.Minute {
			pause = 0
		}
		if !h.relaunch(ctx, &pause) {
			return
		}
	}
}

// relaunch tries until a runtime runs; false when ctx ended first.
func (h *Host) relaunch(ctx context.Context, pause *time.Duration) bool {
	for {
		select {
		case <-ctx.Done():
			return false
		case <-h.hurry:
		case <-time.After(*pause):
		}
		*pause = min(max(2**pause, 250*time.Millisecond), 30*time.Second)
		h.turn.Lock()
		proc, err := h.launch(ctx)
		h.turn.Unlock()
		if err == nil {
			err = h.keep(proc)
		}
		if err == nil {
			return true
		}
		h.log.Error("runtime not restarted", "error", err)
		h.mu.Lock()
		h.down = err
		h.mu.Unlock()
	}
}

// Restart implements Restarter: the runtime is stopped, with its agents, and
// started anew.
func (h *Host) Restart(ctx context.Context) error {
	if !h.set.HasRuntime() {
		return wire.Errorf(wire.Unsupported, "restart: agents run in the server's own pool; there is no runtime to restart")
	}
	h.mu.Lock()
	proc := h.proc
	h.asked = true
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		h.asked = false
		h.mu.Unlock()
	}()
	if proc == nil {
		select { // it is down already: only the pause is in the way
		case h.hurry <- struct{}{}:
		default:
		}
	} else {
		h.turn.Lock()
		err := proc.Stop(ctx, stopGrace)
		h.turn.Unlock()
		if err != nil {
			return err
		}
	}
	// The supervisor starts it anew; wait for that.
	for {
		h.mu.Lock()
		now, changed := h.proc, h.changed
		h.mu.Unlock()
		if now != nil && now != proc {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return wire.Errorf(wire.Timeout, "restart: the runtime did not come back: %w", context.Cause(ctx))
		}
	}
}
