package provider

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
)

// minFree is how much free disk an environment needs to count as healthy.
const minFree = 64 << 20 // bytes

// Resource implements Environment.
func (h *Host) Resource() resource.ID { return h.rec.Resource }

// Placement implements Environment.
func (h *Host) Placement() wire.Placement {
	p := h.spec.Placement
	p.ResolvedPath, p.EnvironmentPath = h.rec.Path, h.rec.Path
	return p
}

// Workspace implements Environment.
func (h *Host) Workspace() workspace.FS { return h.local }

// Path is the workspace's directory.
func (h *Host) Path() string { return h.rec.Path }

// RunDir is the private directory of the environment's runtime.
func (h *Host) RunDir() string { return h.runDir }

// Settings are the base's settings of this environment.
func (h *Host) Settings() Settings { return h.set }

// Runtime implements Environment.
func (h *Host) Runtime() *RuntimeAccess {
	if !h.set.HasRuntime() {
		return nil
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return &RuntimeAccess{
		URL: h.proc.URL(), Token: h.proc.Token(), AppID: h.spec.Kind + "-" + h.rec.EnvironmentID,
		Plain: h.set.Runtime.Upstream(), Gateway: h.set.Runtime.Gateway(), Dial: h.dial,
	}
}

// dial connects to whichever runtime runs now.
func (h *Host) dial(ctx context.Context) (net.Conn, error) {
	h.mu.Lock()
	proc, down := h.proc, h.down
	h.mu.Unlock()
	if proc == nil {
		return nil, wire.Errorf(wire.Unavailable, "no runtime: %w", down)
	}
	return proc.Dial(ctx)
}

// Health implements Environment: the directory is there and writable space is
// left, and the runtime lives.
func (h *Host) Health(ctx context.Context) Health {
	if err := context.Cause(ctx); err != nil {
		return Health{Status: wire.Degraded, Reasons: []string{err.Error()}}
	}
	if info, err := os.Stat(h.rec.Path); err != nil || !info.IsDir() {
		return Health{Status: wire.Failing, Reasons: []string{fmt.Sprintf("the workspace directory %s is gone", h.rec.Path)}}
	}
	found := Health{Status: wire.Healthy}
	if free, err := freeSpace(h.rec.Path); err == nil && free < minFree {
		found = Health{Status: wire.Degraded, Reasons: []string{fmt.Sprintf("only %d MiB of disk are free", free>>20)}}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.set.HasRuntime() && h.proc == nil {
		found = found.Worse(Health{Status: wire.Degraded, Reasons: []string{errText(h.down)}})
	}
	return found
}

// Detach implements Environment. A runtime with agents at work is left to them,
// and found again by the next open; an idle one is stopped.
func (h *Host) Detach(ctx context.Context) error { return h.letGo(ctx, true) }

// StopAgents stops the runtime and all agents in it, for a removal.
func (h *Host) StopAgents(ctx context.Context) error {
	proc := h.unwatch()
	if proc == nil {
		return nil
	}
	return proc.Stop(ctx, stopGrace)
}

// BeginRemoval puts it on record that the environment is being removed, with
// the details that finishing an interrupted removal needs.
func (h *Host) BeginRemoval(details any) error {
	raw, err := wire.Marshal(details)
	if err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rec.Phase, h.rec.Details = PhaseRemoving, raw
	return h.store.Update(&h.rec)
}

// CancelRemoval takes BeginRemoval back.
func (h *Host) CancelRemoval() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rec.Phase = PhaseReady
	return h.store.Update(&h.rec)
}

// Forget deletes the record of an environment that is removed, and lets go.
func (h *Host) Forget(ctx context.Context) error {
	if err := h.StopAgents(ctx); err != nil {
		return err
	}
	return errors.Join(
		h.store.Delete(h.rec.Resource),
		os.RemoveAll(h.runDir), // ours: made for this environment's runtime
		h.letGo(ctx, false),
	)
}

// Record returns a copy of the ownership record.
func (h *Host) Record() resource.Record {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.rec
}

// unwatch ends the supervision and takes the runtime over.
func (h *Host) unwatch() runtime.Handle {
	if h.stop != nil {
		h.stop()
		h.watching.Wait()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	proc := h.proc
	h.proc = nil
	h.down = wire.Errorf(wire.NotRunning, "the environment is closed")
	return proc
}

func (h *Host) letGo(ctx context.Context, spareAgents bool) error {
	h.mu.Lock()
	if h.released {
		h.mu.Unlock()
		return nil
	}
	h.released = true
	h.mu.Unlock()
	var errs []error
	if proc := h.unwatch(); proc != nil {
		agents := 0
		if spareAgents {
			var err error
			if agents, err = proc.Agents(ctx); err != nil {
				agents = 0 // a runtime that does not answer is no home for agents
			}
		}
		if agents > 0 {
			h.log.Info("the runtime goes on", "agents", agents)
			proc.Release()
		} else {
			errs = append(errs, proc.Stop(ctx, stopGrace))
		}
	}
	return errors.Join(append(errs, h.local.Close(), h.lease.Release())...)
}
