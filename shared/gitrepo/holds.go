package gitrepo

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// The kinds of [Hold].
const (
	HoldInProgress  = "in_progress" // a rebase, merge or the like is not finished
	HoldUncommitted = "uncommitted" // tracked files changed
	HoldUntracked   = "untracked"   // new files
	HoldIgnored     = "ignored"     // ignored files that are not disposable, such as .env
	HoldCommits     = "commits"     // commits that nothing else leads to
	HoldSubmodule   = "submodule"   // work in a submodule, which no snapshot can have
)

// HoldSpec says what may be lost and what counts as landed.
type HoldSpec struct {
	// Disposable are ignored files not worth keeping, in the manner of .gitignore:
	// "node_modules/", "*.log", "/dist". They do not hold tracked or untracked
	// files back.
	Disposable []string
	// Target is the revision that work lands on. Commits whose changes it has, also
	// when squashed or rebased, are not lost. The default is the worktree's
	// BaseRef.
	Target string
}

// Hold is one reason why removing a worktree would lose work.
type Hold struct {
	Kind   string `json:"kind"`
	Detail string `json:"detail"` // a sentence for people
}

// Holds tells why removing the worktree would lose work; nothing when it would
// not, or when its directory and commits are gone already. Stashes are the
// repository's and are never lost. An error means that nobody knows, so nothing
// may be removed.
func (r *Repo) Holds(ctx context.Context, wt Worktree, spec HoldSpec) ([]Hold, error) {
	look := r.holds
	if wt.Shadow {
		look = r.shadowHolds
	}
	holds, err := look(ctx, &wt, spec)
	return holds, describe("look for work in", &wt, err)
}

func (r *Repo) holds(ctx context.Context, wt *Worktree, spec HoldSpec) ([]Hold, error) {
	var holds []Hold
	var tips []string
	co, err := r.checkout(wt)
	switch {
	case err == nil:
		holds = co.unfinished()
		files, err := co.fileHolds(ctx, spec.Disposable)
		if err != nil {
			return nil, err
		}
		holds = append(holds, files...)
		modules, err := co.submoduleHolds(ctx, spec.Disposable)
		if err != nil {
			return nil, err
		}
		holds = append(holds, modules...)
		head, err := co.head(ctx)
		if err != nil {
			return nil, err
		}
		if head != "" {
			tips = append(tips, head)
		}
	case wire.CodeOf(err) != wire.NotFound:
		return nil, err
	}
	if wt.CreatedBranch && wt.Branch != "" {
		oid, err := r.refOID(ctx, wt.ref())
		if err != nil {
			return nil, err
		}
		if oid != "" && (len(tips) == 0 || oid != tips[0]) {
			tips = append(tips, oid)
		}
	}
	for _, tip := range tips {
		hold, err := r.commitHold(ctx, wt, tip, spec.Target)
		if err != nil {
			return nil, err
		}
		if hold != nil {
			holds = append(holds, *hold)
		}
	}
	return holds, nil
}

// shadowHolds finds what a plain directory has beside what it had at first.
func (r *Repo) shadowHolds(ctx context.Context, wt *Worktree, spec HoldSpec) ([]Hold, error) {
	co, err := r.checkout(wt)
	if wire.CodeOf(err) == wire.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	changes, err := r.Diff(ctx, *wt, DiffSpec{MaxFile: 1, MaxTotal: 1, MaxFiles: 1})
	if err != nil {
		return nil, err
	}
	var changed, ignored []string
	for _, f := range changes.Files {
		changed = append(changed, f.Path)
	}
	out, err := co.run.run(ctx, co.call("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"))
	if err != nil {
		return nil, err
	}
	for _, name := range fields(out) {
		if !isDisposable(name, spec.Disposable) {
			ignored = append(ignored, name)
		}
	}
	var holds []Hold
	if len(changed) > 0 {
		holds = append(holds, Hold{HoldUncommitted, "changed since the beginning: " + listed(changed)})
	}
	if len(ignored) > 0 {
		holds = append(holds, Hold{HoldIgnored, "ignored by git and nowhere else: " + listed(ignored)})
	}
	return holds, nil
}

// unfinished finds operations that git has begun and waits to go on with.
func (c *checkout) unfinished() []Hold {
	var holds []Hold
	for _, op := range []struct{ file, name string }{
		{"rebase-merge", "a rebase"},
		{"rebase-apply", "a rebase or git am"},
		{"MERGE_HEAD", "a merge"},
		{"CHERRY_PICK_HEAD", "a cherry-pick"},
		{"REVERT_HEAD", "a revert"},
		{"BISECT_LOG", "a bisect"},
		{"sequencer", "a series of cherry-picks or reverts"},
	} {
		if exists(filepath.Join(c.gitDir, op.file)) {
			holds = append(holds, Hold{HoldInProgress, op.name + " is in progress; finish or abort it"})
		}
	}
	return holds
}

// fileHolds finds files that no commit has.
func (c *checkout) fileHolds(ctx context.Context, disposable []string) ([]Hold, error) {
	out, err := c.run.run(ctx, c.call("status", "--porcelain=v2", "-z", "--untracked-files=all", "--ignored=matching", "--no-renames", "--ignore-submodules=none"))
	if err != nil {
		return nil, err
	}
	found := map[string][]string{}
	for _, item := range fields(out) {
		var (
			kind string
			n    int // fields before the path
		)
		switch item[0] {
		case '1':
			if strings.HasPrefix(item, "1 .M S.") {
				continue // it has the right commit; what else is in it submoduleHolds tells
			}
			kind, n = HoldUncommitted, 8
		case 'u':
			kind, n = HoldUncommitted, 10
		case '?':
			kind, n = HoldUntracked, 1
		case '!':
			kind, n = HoldIgnored, 1
		default:
			return nil, fmt.Errorf("git status: cannot read %q", item)
		}
		part := strings.SplitN(item, " ", n+1)
		if len(part) != n+1 {
			return nil, fmt.Errorf("git status: cannot read %q", item)
		}
		if kind == HoldIgnored && isDisposable(part[n], disposable) {
			continue
		}
		found[kind] = append(found[kind], part[n])
	}
	var holds []Hold
	for _, k := range []struct{ kind, text string }{
		{HoldUncommitted, "changed and not committed"}, {HoldUntracked, "new and not committed"}, {HoldIgnored, "ignored by git and nowhere else"},
	} {
		if paths := found[k.kind]; len(paths) > 0 {
			holds = append(holds, Hold{k.kind, k.text + ": " + listed(paths)})
		}
	}
	return holds, nil
}

// listed names the first few of many.
func listed(paths []string) string {
	const most = 10
	if len(paths) <= most {
		return strings.Join(paths, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(paths[:most], ", "), len(paths)-most)
}

// isDisposable matches a path, or a directory ending in a slash, with patterns
// like those of .gitignore. A pattern that matches a directory matches all in
// it.
func isDisposable(name string, patterns []string) bool {
	name = strings.TrimSuffix(name, "/")
	parts := strings.Split(name, "/")
	for _, pattern := range patterns {
		pattern = strings.TrimSuffix(strings.TrimSuffix(pattern, "/**"), "/")
		anchored := strings.Contains(pattern, "/")
		if rest, ok := strings.CutPrefix(pattern, "**/"); ok && !strings.Contains(rest, "/") {
			pattern, anchored = rest, false
		}
		pattern = strings.TrimPrefix(pattern, "/")
		if pattern == "" {
			continue
		}
		for i := range parts {
			candidate := parts[i]
			if anchored {
				candidate = strings.Join(parts[:i+1], "/")
			}
			if ok, err := path.Match(pattern, candidate); ok && err == nil {
				return true
			}
		}
	}
	return false
}

// submoduleHolds finds work in submodules, whose repositories go with the
// worktree: files that no commit has, and commits that no remote has.
func (c *checkout) submoduleHolds(ctx context.Context, disposable []string) ([]Hold, error) {
	holds, err := c.linkHolds(ctx, "", disposable)
	root := filepath.Join(c.gitDir, "modules")
	if err != nil || !exists(root) {
		return holds, err
	}
	// Also those that are checked out no more.
	err = filepath.WalkDir(root, func(dir string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() || !exists(filepath.Join(dir, "HEAD")) || !exists(filepath.Join(dir, "objects")) {
			return nil
		}
		rel, _ := filepath.Rel(root, dir)
		hold, err := c.unpushed(ctx, dir, filepath.ToSlash(rel))
		if err != nil {
			return err
		}
		holds = append(holds, hold...)
		if exists(filepath.Join(dir, "modules")) {
			return nil // it has submodules itself
		}
		return filepath.SkipDir
	})
	return holds, err
}

// linkHolds finds work in the submodules that are checked out, and in theirs.
func (c *checkout) linkHolds(ctx context.Context, above string, disposable []string) ([]Hold, error) {
	out, err := c.run.run(ctx, c.call("ls-files", "-z", "--stage"))
	if err != nil {
		return nil, err
	}
	var holds []Hold
	for _, item := range fields(out) {
		_, name, ok := strings.Cut(item, "\t")
		if !ok || !strings.HasPrefix(item, "160000 ") {
			continue
		}
		dir := filepath.Join(c.workTree, filepath.FromSlash(name))
		if isDir(dir) != nil {
			continue
		}
		gitDir, err := dotGit(dir)
		if gone(err) {
			continue // not checked out
		}
		if err != nil {
			return nil, err
		}
		sub := &checkout{c.run, gitDir, dir}
		name = above + name
		work := sub.unfinished()
		files, err := sub.fileHolds(ctx, disposable)
		if err != nil {
			return nil, err
		}
		for _, w := range append(work, files...) {
			holds = append(holds, Hold{HoldSubmodule, "submodule " + name + ": " + w.Detail})
		}
		if inside(c.workTree, gitDir) { // not absorbed into the modules of the worktree
			hold, err := c.unpushed(ctx, gitDir, name)
			if err != nil {
				return nil, err
			}
			holds = append(holds, hold...)
		}
		below, err := sub.linkHolds(ctx, name+"/", disposable)
		if err != nil {
			return nil, err
		}
		holds = append(holds, below...)
	}
	return holds, nil
}

// unpushed finds commits that no remote of a submodule has.
func (c *checkout) unpushed(ctx context.Context, gitDir, name string) ([]Hold, error) {
	out, err := c.run.text(ctx, call{dir: gitDir, env: []string{"GIT_DIR=" + gitDir, "GIT_WORK_TREE=" + gitDir}, args: []string{"rev-list", "--count", "HEAD", "--branches", "--glob=refs/stash", "--not", "--remotes", "--tags"}})
	if err != nil || out == "0" {
		return nil, err
	}
	return []Hold{{HoldSubmodule, fmt.Sprintf("submodule %s has %s commits that were not pushed", name, out)}}, nil
}

// commitHold tells what would be lost with a commit if the worktree and its
// branch went away.
func (r *Repo) commitHold(ctx context.Context, wt *Worktree, tip, target string) (*Hold, error) {
	args := []string{"rev-list", "--count", tip, "--not", wt.BaseOID}
	if wt.CreatedBranch && wt.Branch != "" {
		args = append(args, "--exclude="+wt.ref())
	}
	// Snapshots are not where people look for their commits.
	args = append(args, "--exclude=refs/codebolt/*", "--glob=refs/*")
	count, err := r.run.text(ctx, call{dir: r.common, env: comingAndGoing, args: args})
	if err != nil || count == "0" {
		return nil, err
	}
	landed, err := r.landed(ctx, wt, tip, target)
	if err != nil || landed {
		return nil, err
	}
	detail := fmt.Sprintf("%s commits up to %s are on no other branch, tag or remote", count, tip[:12])
	if wt.CreatedBranch {
		detail = fmt.Sprintf("%s commits up to %s are on no branch but %s, no tag and no remote", count, tip[:12], wt.Branch)
	}
	return &Hold{HoldCommits, detail}, nil
}

// landed reports whether the target has the changes of all commits up to tip,
// if not the commits: one by one, or squashed into one.
func (r *Repo) landed(ctx context.Context, wt *Worktree, tip, target string) (bool, error) {
	if target == "" {
		target = wt.BaseRef
	}
	if target == "" || target == "HEAD" || strings.HasPrefix(target, "-") {
		target = wt.BaseOID
	}
	oid, err := r.refOID(ctx, target+"^{commit}")
	if err != nil {
		return false, err
	}
	if oid == "" {
		oid = wt.BaseOID
	}
	out, err := r.run.run(ctx, call{dir: r.common, args: []string{"cherry", oid, tip, wt.BaseOID}})
	if err != nil {
		return false, err
	}
	if !strings.Contains("\n"+string(out), "\n+") {
		// Merges are not listed, and may have changes of their own.
		merges, err := r.run.text(ctx, call{dir: r.common, args: []string{"rev-list", "--merges", "--count", tip, "--not", oid, wt.BaseOID}})
		if err != nil || merges == "0" {
			return err == nil, err
		}
	}
	// If merging would change nothing, everything is there.
	merged, err := r.run.text(ctx, call{dir: r.common, write: true, args: []string{"merge-tree", "--write-tree", "--no-messages", oid, tip}})
	if err != nil {
		if status := refused(err).status; status == 1 || says(err, "unrelated histories") {
			return false, nil
		}
		return false, err
	}
	tree, err := r.run.text(ctx, call{dir: r.common, args: []string{"rev-parse", "--verify", "--quiet", oid + "^{tree}"}})
	return merged == tree, err
}
