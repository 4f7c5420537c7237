package gitrepo

import (
	"context"
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// SnapshotSpec says what snapshot to take.
type SnapshotSpec struct {
	// Ref keeps the snapshot, such as refs/codebolt/snapshots/<key>/<n>. It must
	// be below refs/codebolt/, and is replaced when it is there.
	Ref     string
	Message string // default "snapshot"
	// IncludeIgnored takes ignored files as well.
	IncludeIgnored bool
	// MaxFile leaves larger files out, in bytes; 0 is no limit. A tracked file that
	// grew too large stays as it was.
	MaxFile int64
	// KeepLast deletes all but the last that many snapshots beside Ref, by number;
	// 0 keeps them all.
	KeepLast int
}

// Snapshot is what a working tree held at one moment, as a commit.
type Snapshot struct {
	OID  string `json:"oid"`
	Tree string `json:"tree"`
	Ref  string `json:"ref"`
	// Staged is a commit of what the index held, when neither HEAD nor the files
	// have that. The snapshot has it as its second parent.
	Staged string `json:"staged,omitzero"`
	// Skipped are the paths that are not in it: too large, unreadable, or (with a
	// slash at the end) a repository of its own.
	Skipped []string `json:"skipped,omitzero"`
}

// Snapshot records all files of the worktree as a commit on top of HEAD, and what
// is staged beside them. HEAD, branches, index, stash and files stay as they are.
// Snapshots of the same files have the same Tree.
func (r *Repo) Snapshot(ctx context.Context, wt Worktree, spec SnapshotSpec) (Snapshot, error) {
	snap, err := r.snapshot(ctx, &wt, spec)
	return snap, describe("snapshot", &wt, err)
}

func (r *Repo) snapshot(ctx context.Context, wt *Worktree, spec SnapshotSpec) (Snapshot, error) {
	var none Snapshot
	if err := checkSnapshotRef(spec.Ref); err != nil {
		return none, err
	}
	co, err := r.checkout(wt)
	if err != nil {
		return none, err
	}
	index, dir, err := co.tempIndex()
	if err != nil {
		return none, err
	}
	defer os.RemoveAll(dir)
	indexed, err := co.indexTree(ctx, index)
	if err != nil && !says(err, "unmerged") { // each side of a conflict is in a commit
		return none, err
	}
	tree, skipped, err := co.writeTree(ctx, index, spec.IncludeIgnored, spec.MaxFile)
	if err != nil {
		return none, err
	}
	parent, err := co.head(ctx)
	if err != nil {
		return none, err
	}
	if parent == "" && wt.Shadow {
		parent = wt.BaseOID
	}
	message := spec.Message
	if message == "" {
		message = "snapshot"
	}
	parents := []string{parent}
	staged, err := co.stagedOnly(ctx, indexed, tree, parent)
	if err != nil {
		return none, err
	}
	if staged != "" {
		parents = append(parents, staged)
	}
	oid, err := co.commitTree(ctx, tree, message, parents...)
	if err != nil {
		return none, err
	}
	update := co.call("update-ref", "--end-of-options", spec.Ref, oid)
	update.write, update.finish = true, true
	if _, err := r.run.run(ctx, update); err != nil {
		return none, err
	}
	if spec.KeepLast > 0 {
		if err := r.keepLast(ctx, path.Dir(spec.Ref), spec.KeepLast); err != nil {
			return none, err
		}
	}
	return Snapshot{OID: oid, Tree: tree, Ref: spec.Ref, Staged: staged, Skipped: skipped}, nil
}

func checkSnapshotRef(ref string) error {
	if !strings.HasPrefix(ref, "refs/codebolt/") || strings.ContainsAny(ref, "\x00\n") {
		return wire.Errorf(wire.Invalid, "ref %q is not below refs/codebolt/", ref)
	}
	return nil
}

// writeTree takes all changes into an index, "" being the checkout's own, and
// writes it as a tree.
func (c *checkout) writeTree(ctx context.Context, index string, ignored bool, maxFile int64) (tree string, skipped []string, err error) {
	ch, err := c.scan(ctx, true, ignored)
	if err != nil {
		return "", nil, err
	}
	if skipped, err = c.take(ctx, index, ch, maxFile); err != nil {
		return "", nil, err
	}
	tree, err = c.indexTree(ctx, index)
	return tree, skipped, err
}

// indexTree writes an index, "" being the checkout's own, as a tree.
func (c *checkout) indexTree(ctx context.Context, index string) (string, error) {
	write := c.call("write-tree", "--missing-ok")
	write.write = true
	if index != "" {
		write.env = append(write.env, "GIT_INDEX_FILE="+index)
	}
	return c.run.text(ctx, write)
}

// stagedOnly makes a commit of what was staged, "" when that is all in the files
// or in the parent. What was staged and then changed again is nowhere else.
func (c *checkout) stagedOnly(ctx context.Context, indexed, tree, parent string) (string, error) {
	if indexed == "" || indexed == tree || parent == "" {
		return "", nil
	}
	was, err := c.run.text(ctx, c.call("rev-parse", "--verify", "--quiet", parent+"^{tree}"))
	if err != nil || was == indexed {
		return "", err
	}
	return c.commitTree(ctx, indexed, "staged", parent)
}

// commitTree makes a commit that no ref leads to yet. Empty parents do not count.
func (c *checkout) commitTree(ctx context.Context, tree, message string, parents ...string) (string, error) {
	args := []string{"commit-tree", "--no-gpg-sign", "-F", "-"}
	for _, parent := range parents {
		if parent != "" {
			args = append(args, "-p", parent)
		}
	}
	commit := c.call(append(args, tree)...)
	commit.write, commit.stdin = true, strings.NewReader(strings.TrimRight(message, "\n")+"\n")
	return c.identified(ctx, commit, c.run.text)
}

// identified runs a call that needs an author, with a name of our own only when
// the user has set none.
func (c *checkout) identified(ctx context.Context, made call, run func(context.Context, call) (string, error)) (string, error) {
	if _, err := c.run.run(ctx, c.call("-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT")); err != nil {
		if refused(err).status == 0 {
			return "", err
		}
		for _, who := range []string{"AUTHOR", "COMMITTER"} {
			made.env = append(made.env, "GIT_"+who+"_NAME=codebolt", "GIT_"+who+"_EMAIL=codebolt@localhost")
		}
	}
	return run(ctx, made)
}

// keepLast deletes all but the last snapshots below a prefix.
func (r *Repo) keepLast(ctx context.Context, prefix string, keep int) error {
	out, err := r.run.run(ctx, call{dir: r.common, args: []string{"for-each-ref", "--sort=-version:refname", "--format=%(refname)%00%(objectname)", prefix + "/"}})
	if err != nil {
		return err
	}
	var drop strings.Builder
	for i, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
		if ref, oid, ok := strings.Cut(line, "\x00"); ok && i >= keep {
			fmt.Fprintf(&drop, "delete %s %s\n", ref, oid)
		}
	}
	if drop.Len() == 0 {
		return nil
	}
	_, err = r.run.run(ctx, call{dir: r.common, write: true, finish: true, args: []string{"update-ref", "--stdin"}, stdin: strings.NewReader(drop.String())})
	return err
}
