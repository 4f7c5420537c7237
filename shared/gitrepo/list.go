package gitrepo

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
)

// Entry is one checkout of the repository.
type Entry struct {
	Path     string
	HEAD     string // commit; "" for a bare repository
	Branch   string // short name; "" when HEAD is detached
	Main     bool   // the repository's own checkout, not a worktree
	Bare     bool
	Detached bool
	Locked   bool
	Reason   string // why it is locked
	Prunable bool   // its directory is gone
}

// List tells of all checkouts that the repository knows, the main one first.
// Entries that a killed git left half made are not among them.
func (r *Repo) List(ctx context.Context) ([]Entry, error) {
	out, err := r.run.run(ctx, call{dir: r.common, args: []string{"worktree", "list", "--porcelain", "-z"}})
	if err != nil {
		return nil, fmt.Errorf("list worktrees: %w", err)
	}
	var all []Entry
	for item := range strings.SplitSeq(string(out), "\x00") {
		key, value, _ := strings.Cut(item, " ")
		if key == "worktree" {
			all = append(all, Entry{Path: filepath.FromSlash(value), Main: len(all) == 0})
			continue
		}
		if len(all) == 0 {
			continue
		}
		e := &all[len(all)-1]
		switch key {
		case "HEAD":
			e.HEAD = value
			if strings.Trim(value, "0") == "" {
				e.HEAD = ""
			}
		case "branch":
			e.Branch = strings.TrimPrefix(value, "refs/heads/")
		case "bare":
			e.Bare = true
		case "detached":
			e.Detached = true
		case "locked":
			e.Locked, e.Reason = true, value
		case "prunable":
			e.Prunable = true
		}
	}
	return all, nil
}

// Orphans lists the worktrees that are locked for a reason beginning with mark
// and that known denies: those that were made here and that no record is about.
func (r *Repo) Orphans(ctx context.Context, mark string, known func(Entry) bool) ([]Entry, error) {
	all, err := r.List(ctx)
	var orphans []Entry
	for _, e := range all {
		if !e.Main && e.Locked && strings.HasPrefix(e.Reason, mark) && !known(e) {
			orphans = append(orphans, e)
		}
	}
	return orphans, err
}
