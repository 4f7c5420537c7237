package provider

import (
	"context"
	"fmt"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// HostRemoval says how a host environment is removed without losing work.
type HostRemoval struct {
	// Keep, when not "", is why this environment is never removed.
	Keep string
	// Holds gives the reasons why removing would lose work, as sentences.
	Holds func(ctx context.Context) ([]string, error)
	// Snapshot saves all that Holds told of, where it outlives the environment.
	// recovery tells how to get it back; holds is what it could not save.
	Snapshot func(ctx context.Context) (recovery, holds []string, err error)
	// Details are put on record before Remove runs, for HostSpec.Resume.
	Details func() any
	// Remove removes the directory and what belongs to it. It is idempotent.
	Remove func(ctx context.Context) (recovery []string, err error)
}

// RemoveBy removes the environment as far as the policy and its work allow; it
// is [Environment].Remove in terms of r. Whatever the outcome, the environment
// is let go of afterwards, unless an error is returned.
func (h *Host) RemoveBy(ctx context.Context, how RemovePolicy, r HostRemoval) (Removal, error) {
	held := func(reasons ...string) (Removal, error) {
		return Removal{Holds: reasons}, h.Detach(ctx)
	}
	if r.Keep != "" {
		return held(r.Keep)
	}
	if how == RemoveIfClean {
		agents, err := h.Agents(ctx)
		if err != nil {
			h.log.Warn("the runtime does not tell of its agents", "error", err)
		}
		if agents > 0 {
			return held(fmt.Sprintf("%d agents are at work", agents))
		}
	}
	// From here on nobody may change the files.
	if err := h.StopAgents(ctx); err != nil {
		return Removal{}, err
	}
	holds, err := r.Holds(ctx)
	if err != nil {
		return Removal{}, fmt.Errorf("look for work that would be lost: %w", err)
	}
	var out Removal
	if len(holds) > 0 {
		if how != SnapshotAndRemove {
			return held(holds...)
		}
		var unsaved []string
		if out.Recovery, unsaved, err = r.Snapshot(ctx); err != nil {
			return Removal{}, fmt.Errorf("save the work before removing: %w", err)
		}
		if len(unsaved) > 0 {
			return held(unsaved...)
		}
	}
	if err := h.BeginRemoval(r.Details()); err != nil {
		return Removal{}, err
	}
	recovery, err := r.Remove(ctx)
	if err != nil {
		return Removal{}, fmt.Errorf("remove: %w", err)
	}
	out.Removed, out.Recovery = true, append(out.Recovery, recovery...)
	return out, h.Forget(ctx)
}

// Agents is how many agents are at work in the environment's runtime.
func (h *Host) Agents(ctx context.Context) (int, error) {
	h.mu.Lock()
	proc := h.proc
	h.mu.Unlock()
	if proc == nil {
		return 0, nil
	}
	n, err := proc.Agents(ctx)
	if err != nil {
		return 0, wire.Errorf(wire.CodeOf(err), "ask the runtime for its agents: %w", err)
	}
	return n, nil
}
