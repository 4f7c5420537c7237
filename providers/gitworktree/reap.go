package main

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/gitrepo"
	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/resource"
)

// reap finds what earlier lives left: interrupted starts and removals on record,
// and worktrees that git knows as ours and no record names.
func reap(ctx context.Context, req provider.ReapRequest) ([]provider.Orphan, error) {
	git := gitrepo.Options{}
	found, err := provider.ReapHosts(ctx, req, provider.HostSpec{
		Kind:    kind,
		Discard: func(ctx context.Context, rec *resource.Record) error { return discard(ctx, git, rec) },
		Resume:  func(ctx context.Context, rec *resource.Record) (bool, error) { return resume(ctx, git, rec) },
	}, func(rec *resource.Record) string { return trashOf(rec.Path) })
	errs := []error{err}
	records, err := req.Store.List()
	if err != nil {
		return found, errors.Join(append(errs, err)...)
	}
	keys, repos := map[string]bool{}, map[string]bool{}
	for _, rec := range records {
		if rec.Resource.Kind() != kind {
			continue
		}
		keys[rec.Resource.Key()] = true
		if d, err := detailsOf(rec); err == nil {
			repos[d.CommonDir] = true
		}
	}
	for common := range repos {
		if _, err := os.Stat(common); err != nil {
			continue // told of as a record without a directory
		}
		repo, err := gitrepo.Open(ctx, common, git)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		orphans, err := repo.Orphans(ctx, mark, func(e gitrepo.Entry) bool { return keys[strings.TrimPrefix(e.Reason, mark)] })
		errs = append(errs, err)
		for _, e := range orphans {
			found = append(found, provider.Orphan{
				What: "worktree", Where: e.Path,
				Kept: "no record says what in it is whose; look at it, then: git -C " + gitrepo.Quote(common) + " worktree remove -f -f " + gitrepo.Quote(e.Path),
			})
		}
	}
	return found, errors.Join(errs...)
}
