package worktree

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/gitrepo"
	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Facts is what the environment of a record has besides its worktree, as
// Beside.Plan returned it.
func Facts(rec *resource.Record) (wire.Raw, error) {
	d, err := detailsOf(rec)
	return d.Beside, err
}

// Reap finds what earlier lives left of environments of spec.Kind: interrupted
// starts and removals on record, and worktrees that git knows as ours and no
// record names. It is a [provider.Reaper]'s Reap; of spec, Kind and Beside.Remove
// are used.
func Reap(ctx context.Context, req provider.ReapRequest, spec Spec) ([]provider.Orphan, error) {
	git := gitrepo.Options{}
	found, err := provider.ReapHosts(ctx, req, hostSpec(spec, git), func(rec *resource.Record) string { return trashOf(rec.Path) })
	errs := []error{err}
	records, err := req.Store.List()
	if err != nil {
		return found, errors.Join(append(errs, err)...)
	}
	keys, repos := map[string]bool{}, map[string]bool{}
	for _, rec := range records {
		keys[rec.Resource.Key()] = true // also of other kinds: they are somebody's
		if rec.Resource.Kind() != spec.Kind {
			continue
		}
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
