package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/gitrepo"
	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
)

// kind is the first part of this provider's resource ids.
const kind = "directory"

// config is what this provider can be told besides the base's settings.
type config struct {
	// BaseDir is where the directories go, outside of the project; "" is the state
	// directory. Relative paths are relative to the project.
	BaseDir string `config:"baseDir"`
	// Excludes are patterns, as in a .gitignore, of what is not copied.
	Excludes []string `config:"excludes"`
	// UseGitignore also leaves out what the project's .gitignore files name.
	UseGitignore bool `config:"useGitignore"`
}

// details is what the ownership record keeps: the history of the directory, in a
// git repository beside it. The project itself need not have one.
type details struct {
	History gitrepo.Worktree `json:"history"`
	Saved   string           `json:"saved,omitzero"` // ref of the last snapshot
}

// localProvider opens environments that are a copy of the project.
type localProvider struct{}

// environment is one open copy.
type environment struct {
	*provider.Host
	repo    *gitrepo.Repo
	details details
}

// Open implements provider.Provider.
func (localProvider) Open(ctx context.Context, req *provider.OpenRequest) (provider.Environment, error) {
	var cfg config
	if err := req.Decode(&cfg); err != nil {
		return nil, err
	}
	if req.ProjectPath == "" {
		return nil, wire.Errorf(wire.Invalid, "open: projectPath is missing; name the directory to copy")
	}
	place, err := placement(cfg, req.ProjectPath, req.Start.Requested(), req.SafeName())
	if err != nil {
		return nil, err
	}
	env := &environment{}
	history := filepath.Join(req.Store.Dir(), "history", req.Key())
	env.Host, err = provider.OpenHost(ctx, req, provider.HostSpec{
		Kind: kind, Path: place.ResolvedPath, Phase: "copy", Placement: place,
		Plan: func(context.Context) (any, error) {
			return details{History: gitrepo.Worktree{CommonDir: history, Path: place.ResolvedPath, Shadow: true}}, isProject(req.ProjectPath)
		},
		Create: func(ctx context.Context, rec *resource.Record) error {
			if err := copyProject(ctx, req, cfg, rec.Path); err != nil {
				return err
			}
			return env.attach(ctx, req.Settings, rec)
		},
		Attach:  func(ctx context.Context, rec *resource.Record) error { return env.attach(ctx, req.Settings, rec) },
		Discard: discard,
		Resume:  resume,
	})
	if err != nil {
		return nil, err
	}
	return env, nil
}

// PlanPath implements provider.PathPlanner.
func (localProvider) PlanPath(_ context.Context, req *provider.PlanRequest) (wire.Placement, error) {
	var cfg config
	if err := req.Decode(&cfg); err != nil {
		return wire.Placement{}, err
	}
	if req.ProjectPath == "" {
		return wire.Placement{}, wire.Errorf(wire.Invalid, "plan: projectPath is missing; name the directory to copy")
	}
	requested := req.Requested
	if at := req.Existing(kind); at != "" {
		requested = at
	}
	return placement(cfg, req.ProjectPath, requested, req.SafeName())
}

func placement(cfg config, project, requested, name string) (wire.Placement, error) {
	host := provider.HostPath{Project: project, Requested: requested, Base: cfg.BaseDir, Folder: "local", Name: name}
	path, inside, err := host.Resolve()
	if err == nil && inside {
		err = wire.Errorf(wire.Invalid, "a copy of the project cannot be inside it, at %s; choose another baseDir or environmentPath", path)
	}
	return host.Placed(path, wire.Placement{
		SyncMode: "workspace_sync", MergeStrategy: "workspace_sync", DefaultSyncMode: "workspace_sync",
		SupportedSyncModes: []string{"workspace_sync"}, SupportedMergeStrategies: []string{"workspace_sync"},
		SyncPolicy: &wire.SyncPolicy{DefaultSyncMode: "workspace_sync", Modes: []wire.SyncModeInfo{{
			Value: "workspace_sync", Label: "Copy", Description: "A copy of the project; changes come back by patch.",
			PathFolder: "local", UsesWorkspaceSync: true, Cleanup: "filesystem",
		}}},
	}), err
}

func isProject(path string) error {
	switch info, err := os.Stat(path); {
	case err != nil:
		return wire.Errorf(wire.CodeOf(err), "open: the project: %w", err)
	case !info.IsDir():
		return wire.Errorf(wire.Invalid, "open: the project %s is not a directory", path)
	}
	return nil
}

// copyProject fills the new directory.
func copyProject(ctx context.Context, req *provider.OpenRequest, cfg config, to string) error {
	said := time.Now()
	result, err := workspace.CopyTree(ctx, req.ProjectPath, to, workspace.CopyOptions{
		Excludes: cfg.Excludes, Gitignore: cfg.UseGitignore,
		Progress: func(files, bytes int64) {
			if time.Since(said) > time.Second {
				said = time.Now()
				req.Note("copy", fmt.Sprintf("%d files, %d MiB", files, bytes>>20))
			}
		},
	})
	if err != nil {
		return fmt.Errorf("copy the project: %w", err)
	}
	for _, name := range result.Skipped {
		req.Warn(name + " was not copied: it is no file, folder or link")
	}
	return nil
}

// attach opens the history beside the directory. The first time, what is in the
// directory becomes what changes are told against.
func (e *environment) attach(ctx context.Context, set provider.Settings, rec *resource.Record) (err error) {
	if err := wire.Unmarshal(rec.Details, &e.details); err != nil {
		return err
	}
	if _, err := os.Stat(rec.Path); err != nil {
		return wire.Errorf(wire.Conflict, "the directory of the environment is gone; put it back or remove the environment: %w", err)
	}
	wt := e.details.History
	e.repo, e.details.History, err = gitrepo.Shadow(ctx, wt.CommonDir, wt.Path, gitrepo.Options{Timeout: set.Timeouts.GitOperations})
	return err
}

// discard takes back a copy in which nobody has worked.
func discard(_ context.Context, rec *resource.Record) error {
	var d details
	err := wire.Unmarshal(rec.Details, &d)
	if err != nil {
		return err
	}
	errs := []error{os.RemoveAll(d.History.CommonDir)}
	if rec.PathCreated {
		errs = append(errs, os.RemoveAll(rec.Path))
	} else {
		errs = append(errs, emptyDir(rec.Path)) // it was empty, and another's, before
	}
	return errors.Join(errs...)
}

func emptyDir(path string) error {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	errs := []error{err}
	for _, e := range entries {
		errs = append(errs, os.RemoveAll(filepath.Join(path, e.Name())))
	}
	return errors.Join(errs...)
}

// resume finishes a removal: what was to be kept is in the history already.
func resume(ctx context.Context, rec *resource.Record) (gone bool, err error) {
	var d details
	if err := wire.Unmarshal(rec.Details, &d); err != nil {
		return false, err
	}
	return true, remove(ctx, rec, d)
}

// remove puts the directory into the trash and deletes it there; the history
// stays when it holds a snapshot.
func remove(ctx context.Context, rec *resource.Record, d details) error {
	_, err := resource.Trash(rec.Path, trashOf(rec))
	if err != nil && wire.CodeOf(err) != wire.NotFound {
		return err
	}
	if d.Saved == "" {
		if err := os.RemoveAll(d.History.CommonDir); err != nil {
			return err
		}
	}
	return resource.EmptyTrash(ctx, trashOf(rec), 0)
}

func trashOf(rec *resource.Record) string { return filepath.Join(filepath.Dir(rec.Path), ".trash") }

// Remove implements provider.Environment.
func (e *environment) Remove(ctx context.Context, how provider.RemovePolicy) (provider.Removal, error) {
	return e.RemoveBy(ctx, how, provider.HostRemoval{
		Holds: func(ctx context.Context) ([]string, error) {
			holds, err := e.repo.Holds(ctx, e.details.History, gitrepo.HoldSpec{})
			var sentences []string
			for _, h := range holds {
				sentences = append(sentences, h.Detail)
			}
			return sentences, err
		},
		Snapshot: func(ctx context.Context) (recovery, holds []string, err error) {
			e.details.Saved = fmt.Sprintf("refs/codebolt/snapshots/%s/%d", e.Resource().Key(), time.Now().Unix())
			snap, err := e.repo.Snapshot(ctx, e.details.History, gitrepo.SnapshotSpec{Ref: e.details.Saved, IncludeIgnored: true})
			for _, path := range snap.Skipped {
				holds = append(holds, "a snapshot cannot hold "+path)
			}
			return []string{fmt.Sprintf("git --git-dir=%s worktree add --detach DIRECTORY %s", gitrepo.Quote(e.details.History.CommonDir), e.details.Saved)}, holds, err
		},
		Details: func() any { return e.details },
		Remove: func(ctx context.Context) ([]string, error) {
			rec := e.Record()
			return nil, remove(ctx, &rec, e.details)
		},
	})
}

// Diff implements provider.Differ.
func (e *environment) Diff(ctx context.Context) (*wire.DiffResult, error) {
	return e.repo.Diff(ctx, e.details.History, gitrepo.DiffSpec{})
}

// Patch implements provider.Patcher.
func (e *environment) Patch(ctx context.Context) (string, error) {
	return e.repo.Patch(ctx, e.details.History)
}

// Reap implements provider.Reaper.
func (localProvider) Reap(ctx context.Context, req provider.ReapRequest) ([]provider.Orphan, error) {
	return provider.ReapHosts(ctx, req, provider.HostSpec{Kind: kind, Discard: discard, Resume: resume}, trashOf)
}
