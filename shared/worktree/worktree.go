package worktree

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/gitrepo"
	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
)

// Environment is one open worktree. It implements [provider.Environment] with all
// that can be done with a git checkout; a provider embeds it.
type Environment struct {
	*provider.Host
	cfg     Config
	spec    Spec
	repo    *gitrepo.Repo
	details details
	files   workspace.FS // of the agents; nil when the worktree has them
}

// Worktree is the environment's worktree.
func (e *Environment) Worktree() gitrepo.Worktree { return e.details.Worktree }

// Workspace implements [provider.Environment].
func (e *Environment) Workspace() workspace.FS {
	if e.files != nil {
		return e.files
	}
	return e.Host.Workspace()
}

// Runtime implements [provider.Environment]. Files that are not in the worktree are the
// runtime's to serve.
func (e *Environment) Runtime() *provider.RuntimeAccess {
	access := e.Host.Runtime()
	if access != nil {
		access.Files = e.files != nil && !access.Plain // another agent server knows nothing of such requests
	}
	return access
}

// Detach implements [provider.Environment].
func (e *Environment) Detach(ctx context.Context) error {
	err := e.Host.Detach(ctx) // needs the connection
	return cmp.Or(err, e.done())
}

// done lets go of what leads to what is beside the worktree.
func (e *Environment) done() error {
	if e.spec.Beside.Close == nil {
		return nil
	}
	return e.spec.Beside.Close()
}

// refresh brings the worktree up to date before it is looked at.
func (e *Environment) refresh(ctx context.Context) error {
	return refresh(ctx, e.spec, e.RunDir())
}

// refresh brings a worktree up to date. Who opened the environment and who makes a
// snapshot of it may be two processes; they take turns.
func refresh(ctx context.Context, spec Spec, runDir string) error {
	if spec.Beside.Refresh == nil {
		return nil
	}
	if err := os.MkdirAll(runDir, 0o700); err != nil {
		return wire.Errorf(wire.CodeOf(err), "read the files back: %w", err)
	}
	turn, err := resource.Acquire(ctx, filepath.Join(runDir, "refresh.lock"))
	if err != nil {
		return fmt.Errorf("read the files back: %w", err)
	}
	return errors.Join(spec.Beside.Refresh(ctx), turn.Release())
}

// Health implements provider.Environment.
func (e *Environment) Health(ctx context.Context) provider.Health {
	health := e.Host.Health(ctx)
	if _, err := os.Lstat(filepath.Join(e.details.Path, ".git")); err != nil && health.Status != wire.Failing {
		return provider.Health{Status: wire.Failing, Reasons: []string{"the worktree has lost its .git file: " + err.Error()}}
	}
	return health
}

// Diff implements provider.Differ.
func (e *Environment) Diff(ctx context.Context) (*wire.DiffResult, error) {
	if err := e.refresh(ctx); err != nil {
		return nil, err
	}
	return e.repo.Diff(ctx, e.details.Worktree, gitrepo.DiffSpec{})
}

// nothingChanged is what the Node provider gives for a patch without changes.
const nothingChanged = "No changes found to merge."

// Patch implements provider.Patcher.
func (e *Environment) Patch(ctx context.Context) (string, error) {
	if err := e.refresh(ctx); err != nil {
		return "", err
	}
	patch, err := e.repo.Patch(ctx, e.details.Worktree)
	if err == nil && patch == "" && e.cfg.LegacyEmptyText {
		patch = nothingChanged
	}
	return patch, err
}

// PullRequest implements provider.PullRequester: it commits what is uncommitted,
// pushes the branch, and opens a pull request where a token allows.
func (e *Environment) PullRequest(ctx context.Context, req *wire.SendPR) (*wire.PullRequest, error) {
	title := firstOf(req.Title, e.cfg.PRTitle, "Changes of "+e.Record().EnvironmentName)
	body := firstOf(req.Description, e.cfg.PRBody)
	diff, err := e.Diff(ctx)
	if err != nil {
		return nil, err
	}
	if len(diff.Files) == 0 {
		return nil, wire.Errorf(wire.Conflict, "pull request: nothing has changed since %s", short(e.details.BaseOID))
	}
	if err := e.commit(ctx, title); err != nil {
		return nil, err
	}
	pushed, err := e.repo.Push(ctx, e.details.Worktree, gitrepo.PushSpec{Remote: e.cfg.Remote, Branch: req.Branch})
	if err != nil {
		return nil, err
	}
	pr := &wire.PullRequest{
		SourceType: "git", RMRSourceType: "git", Branch: pushed.Branch, Remote: pushed.Remote, Commit: pushed.Commit,
		Title: title, Description: body,
	}
	for _, f := range diff.Files {
		pr.MajorFilesChanged = append(pr.MajorFilesChanged, f.Path)
	}
	base := e.cfg.PRBase
	if base == "" {
		if base, err = e.repo.DefaultBranch(ctx, pushed.Remote); err != nil {
			return nil, fmt.Errorf("the branch is pushed, but what to compare it with is unknown; set prBase: %w", err)
		}
	}
	pr.CompareURL = gitrepo.CompareURL(pushed.RemoteURL, base, pushed.Branch)
	token := e.cfg.token()
	remote, ok := gitrepo.ParseRemote(pushed.RemoteURL)
	if token == "" || !ok || (remote.Host != "github.com" && e.cfg.GitHubAPI == "") {
		return pr, nil
	}
	pr.PRURL, pr.ExternalPRNumber, err = gitrepo.OpenPullRequest(ctx, gitrepo.PRSpec{
		APIURL: e.cfg.GitHubAPI, Token: token, Owner: remote.Owner, Repo: remote.Name,
		Head: pushed.Branch, Base: base, Title: title, Body: body,
	})
	if err != nil {
		return nil, fmt.Errorf("the branch %s is pushed, but the pull request could not be opened: %w", pushed.Branch, err)
	}
	pr.ExternalPRURL, pr.GitTransport = pr.PRURL, "github_pr"
	return pr, nil
}

// commit commits what is uncommitted, if the policy allows.
func (e *Environment) commit(ctx context.Context, message string) error {
	holds, err := e.repo.Holds(ctx, e.details.Worktree, gitrepo.HoldSpec{})
	if err != nil {
		return err
	}
	for _, hold := range holds {
		switch {
		case hold.Kind == gitrepo.HoldInProgress:
			return wire.Errorf(wire.Conflict, "pull request: %s; finish or abort it first", hold.Detail)
		case hold.Kind != gitrepo.HoldUncommitted && hold.Kind != gitrepo.HoldUntracked:
		case e.cfg.CommitPolicy == "refuse":
			return wire.Errorf(wire.Conflict, "pull request: %s; commit first, or set commitPolicy to autoCommit", hold.Detail)
		default:
			_, err := e.repo.Commit(ctx, e.details.Worktree, message)
			return err
		}
	}
	return nil
}

// keptSnapshots is how many snapshots of one environment are kept.
const keptSnapshots = 10

// Remove implements provider.Environment.
func (e *Environment) Remove(ctx context.Context, how provider.RemovePolicy) (provider.Removal, error) {
	d := e.details
	d.Snapshot = ""
	var beyond []string // work that a snapshot of this repository cannot have
	removal := provider.HostRemoval{
		Holds: func(ctx context.Context) ([]string, error) {
			if err := e.refresh(ctx); err != nil {
				return nil, err
			}
			holds, err := e.repo.Holds(ctx, e.details.Worktree, gitrepo.HoldSpec{Disposable: e.cfg.DisposableIgnored})
			var sentences []string
			for _, h := range holds {
				sentences = append(sentences, h.Detail)
				if h.Kind == gitrepo.HoldSubmodule {
					beyond = append(beyond, "a snapshot cannot hold this: "+h.Detail)
				}
			}
			return sentences, err
		},
		Snapshot: func(ctx context.Context) (recovery, holds []string, err error) {
			if len(beyond) > 0 {
				return nil, beyond, nil
			}
			snap, err := e.repo.Snapshot(ctx, e.details.Worktree, gitrepo.SnapshotSpec{
				Ref: fmt.Sprintf("refs/codebolt/snapshots/%s/%d", e.Resource().Key(), time.Now().Unix()), Message: "Snapshot of " + e.Record().EnvironmentName + " before its removal",
				IncludeIgnored: true, KeepLast: keptSnapshots,
			})
			if err != nil {
				return nil, nil, err
			}
			for _, path := range snap.Skipped {
				holds = append(holds, "a snapshot cannot hold "+path)
			}
			d.Snapshot = snap.Ref
			at := "git -C " + gitrepo.Quote(e.Record().ProjectPath)
			recovery = []string{fmt.Sprintf("%s worktree add --detach DIRECTORY %s", at, snap.Ref)}
			if snap.Staged != "" {
				recovery = append(recovery, fmt.Sprintf("%s diff %s^1 %s^2 # what was staged", at, snap.Ref, snap.Ref))
			}
			return recovery, holds, nil
		},
		Details: func() any { return d },
		Remove: func(ctx context.Context) ([]string, error) {
			rec := e.Record()
			if err := removeBeside(ctx, e.spec, &rec, d); err != nil {
				return nil, err
			}
			recovery, err := e.repo.Remove(ctx, e.details.Worktree, gitrepo.RemoveSpec{Snapshot: d.Snapshot})
			if err == nil {
				err = emptyTrash(ctx, e.details.Path)
			}
			return recovery, err
		},
	}
	if !e.cfg.CleanupEnvironmentPath {
		removal.Keep = "cleanupEnvironmentPath is false"
	}
	result, err := e.RemoveBy(ctx, how, removal)
	if err == nil {
		err = e.done()
	}
	return result, err
}

// trashOf is where the directory of a worktree goes when it is removed.
func trashOf(path string) string { return filepath.Join(filepath.Dir(path), gitrepo.TrashName) }

// emptyTrash deletes what was removed. What it cannot delete in time stays in the
// trash for gc.
func emptyTrash(ctx context.Context, path string) error {
	err := resource.EmptyTrash(ctx, trashOf(path), 0)
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func short(oid string) string { return oid[:min(len(oid), 12)] }

func firstOf(values ...string) string {
	for _, v := range values {
		if strings.TrimSpace(v) != "" {
			return v
		}
	}
	return ""
}
