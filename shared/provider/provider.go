package provider

import (
	"context"
	"net"

	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
)

// Provider opens environments of one kind.
type Provider interface {
	// Open creates the environment that req names or, when it exists already,
	// attaches to it. It is idempotent. When it fails, what it made in this call
	// is undone: either Open does that itself, or it registers each undo with
	// [OpenRequest.Undo] before it makes the thing. It never falls back to
	// something less isolated than was asked for, and it observes ctx, which is
	// cancelled when the server stops the environment meanwhile.
	Open(ctx context.Context, req *OpenRequest) (Environment, error)
}

// Environment is one open environment. All methods may be called concurrently,
// and each bounds its own waiting by ctx.
type Environment interface {
	// Resource is the id under which this environment is found again. What it
	// names was persisted before it was made.
	Resource() resource.ID

	// Placement says where the workspace is, for the answer to providerStart.
	Placement() wire.Placement

	// Workspace gives access to the files, confined to the workspace root. It
	// returns the same value each time.
	Workspace() workspace.FS

	// Runtime tells how to reach the remote runtime, or nil when agents run
	// elsewhere and this environment has none.
	Runtime() *RuntimeAccess

	// Health checks the environment itself: that its place exists and is
	// usable. The base adds what it knows of the runtime's connection. It
	// answers within two seconds or when ctx ends.
	Health(ctx context.Context) Health

	// Detach lets go: afterwards this process holds nothing of the environment,
	// which stays as it is for the next Open. It is idempotent.
	Detach(ctx context.Context) error

	// Remove deletes the environment and then lets go like Detach, unless it
	// holds work that exists nowhere else: then, under [RemoveIfClean], nothing
	// is deleted and the Removal says what holds it. It is idempotent.
	Remove(ctx context.Context, how RemovePolicy) (Removal, error)
}

// RuntimeAccess is the way to an environment's remote runtime.
type RuntimeAccess struct {
	// URL is what the server is told in agentServerUrl.
	URL string
	// Token is shown to the runtime as a bearer token; "" for runtimes that ask
	// for none.
	Token string
	// Dial opens a byte stream to the runtime's listener, however it is reached.
	Dial func(ctx context.Context) (net.Conn, error)
	// AppID is the name under which the provider registers.
	AppID string
	// Plain marks an upstream runtime, which does not know how to resume a
	// session.
	Plain bool
	// Gateway marks an upstream runtime that speaks as the direct execution gateway does.
	Gateway bool
	// Files tells that the files are where only the runtime reaches them: file
	// requests go to it, and to Environment.Workspace while it does not answer.
	Files bool
}

// RemovePolicy says when an environment may be deleted.
type RemovePolicy string

// The values of the setting onStop. Under Keep the base detaches and never
// calls Remove.
const (
	Keep              RemovePolicy = "keep"
	RemoveIfClean     RemovePolicy = "removeIfClean"
	SnapshotAndRemove RemovePolicy = "snapshotAndRemove"
)

// Removal is the outcome of a Remove. It is also the message of
// providerStopResponse when the policy is not Keep; an extension.
type Removal struct {
	Removed bool `json:"removed"`
	// Holds are the reasons why the environment was not removed: sentences.
	Holds []string `json:"holds,omitzero"`
	// Recovery tells how to get back what was removed: commands or places.
	Recovery []string `json:"recovery,omitzero"`
}

// Health is the state of an environment.
type Health struct {
	Status  string   // wire.Healthy, wire.Degraded or wire.Failing
	Reasons []string // why it is not healthy
}

// Worse returns the worse of two states, with the reasons of both.
func (h Health) Worse(o Health) Health {
	rank := map[string]int{wire.Healthy: 0, wire.Degraded: 1, wire.Failing: 2}
	worse := Health{Status: h.Status, Reasons: append(append([]string(nil), h.Reasons...), o.Reasons...)}
	if rank[o.Status] > rank[h.Status] {
		worse.Status = o.Status
	}
	return worse
}

// Differ is an Environment that can tell what changed in it.
type Differ interface {
	// Diff answers providerGetDiffFiles. No change is an empty result; a failure
	// is an error and never an empty result.
	Diff(ctx context.Context) (*wire.DiffResult, error)
}

// Patcher is an Environment that can give its changes as one patch.
type Patcher interface {
	// Patch answers providerMergeAsPatch and createPatchRequest: a patch that
	// git apply takes, "" when nothing changed.
	Patch(ctx context.Context) (string, error)
}

// PullRequester is an Environment that can offer its changes for review.
type PullRequester interface {
	// PullRequest answers providerSendPR and createPullRequestRequest.
	PullRequest(ctx context.Context, req *wire.SendPR) (*wire.PullRequest, error)
}

// Restarter is an Environment that can start its runtime anew.
type Restarter interface {
	// Restart answers environmentRestartRequest. Files stay as they are.
	Restart(ctx context.Context) error
}

// PathPlanner is a Provider that can tell where an environment would be, before
// it is opened.
type PathPlanner interface {
	// PlanPath answers providerProspectivePath. It changes nothing, and Open
	// with the same request puts the environment there.
	PlanPath(ctx context.Context, req *PlanRequest) (wire.Placement, error)
}

// Reaper is a Provider that can find what earlier lives left behind.
type Reaper interface {
	// Reap looks for resources of this provider that nothing owns any more and,
	// unless req.DryRun is set, removes those that hold no work.
	Reap(ctx context.Context, req ReapRequest) ([]Orphan, error)
}

// ReapRequest says what to look for.
type ReapRequest struct {
	Store  *resource.Store
	DryRun bool
}

// Orphan is something that nothing owns any more.
type Orphan struct {
	Resource resource.ID `json:"resource,omitzero"`
	What     string      `json:"what"`             // "worktree", "branch", "record", …
	Where    string      `json:"where"`            // path or name
	Removed  bool        `json:"removed"`          // false: only reported
	Kept     string      `json:"kept,omitzero"`    // why it was not removed
	Problem  string      `json:"problem,omitzero"` // why removing it failed
}
