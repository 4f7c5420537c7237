package gitrepo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// PushSpec says where to push.
type PushSpec struct {
	Remote string // default: origin, or the only one there is
	Branch string // name at the remote; default: the worktree's branch
	// Force replaces what the remote has, but only what was seen there last.
	Force bool
}

// PushResult says what was pushed where.
type PushResult struct {
	Branch    string
	Remote    string
	RemoteURL string // without user name and password
	Commit    string
}

// Push pushes HEAD of the worktree to a branch of a remote; what is not
// committed stays behind. The repository's pre-push hook runs. It asks for no
// password. It fails with kind Invalid when there is no remote or branch,
// Conflict when the remote has other commits on the branch, Permission when
// logging in fails and Unavailable when the remote cannot be reached.
func (r *Repo) Push(ctx context.Context, wt Worktree, spec PushSpec) (PushResult, error) {
	res, err := r.push(ctx, &wt, spec)
	return res, describe("push", &wt, err)
}

func (r *Repo) push(ctx context.Context, wt *Worktree, spec PushSpec) (PushResult, error) {
	res := PushResult{Branch: spec.Branch}
	if wt.Shadow {
		return res, wire.Errorf(wire.Unsupported, "it is in no git repository")
	}
	if res.Branch == "" {
		res.Branch = wt.Branch
	}
	if res.Branch == "" {
		return res, wire.Errorf(wire.Invalid, "it has no branch; name one")
	}
	if err := r.CheckBranchName(ctx, res.Branch); err != nil {
		return res, err
	}
	co, err := r.checkout(wt)
	if err != nil {
		return res, err
	}
	if res.Remote, err = r.remote(ctx, spec.Remote); err != nil {
		return res, err
	}
	url, err := r.run.text(ctx, call{dir: r.common, args: []string{"remote", "get-url", "--push", "--", res.Remote}})
	if err != nil {
		return res, err
	}
	res.RemoteURL = stripped(url)
	if res.Commit, err = co.head(ctx); err != nil {
		return res, err
	}
	if res.Commit == "" {
		return res, wire.Errorf(wire.Invalid, "there is no commit to push")
	}
	ref := "refs/heads/" + res.Branch
	args := []string{"push", "--quiet", "--no-follow-tags", "--recurse-submodules=no"}
	if spec.Force {
		lease := "--force-with-lease=" + ref
		seen, err := r.refOID(ctx, "refs/remotes/"+res.Remote+"/"+res.Branch)
		if err != nil {
			return res, err
		}
		if seen == "" {
			if seen, err = r.remoteOID(ctx, res.Remote, ref); err != nil {
				return res, err
			}
		}
		args = append(args, lease+":"+seen)
	}
	c := co.call(append(args, "--", res.Remote, res.Commit+":"+ref)...)
	c.write, c.hooks = true, true
	if _, err := r.run.run(ctx, c); err != nil {
		return res, explainRemote(err, res.Branch)
	}
	return res, nil
}

// remoteOID is what a remote has under a ref, "" for nothing.
func (r *Repo) remoteOID(ctx context.Context, remote, ref string) (string, error) {
	out, err := r.run.text(ctx, call{dir: r.common, args: []string{"ls-remote", "--", remote, ref}})
	if err != nil {
		return "", explainRemote(err, ref)
	}
	oid, _, _ := strings.Cut(out, "\t")
	return oid, nil
}

func explainRemote(err error, branch string) error {
	switch {
	case says(err, "stale info", "non-fast-forward", "fetch first", "[rejected]"):
		return wire.Errorf(wire.Conflict, "the remote has other commits on %s: %w", branch, err)
	case says(err, "[remote rejected]", "pre-receive hook declined", "protected branch"):
		return wire.Errorf(wire.Permission, "the remote refuses it: %w", err)
	case says(err, "Permission denied", "Authentication failed", "could not read Username", "could not read Password", "Host key verification failed", "error: 403"):
		return wire.Errorf(wire.Permission, "logging in to the remote failed; check that git push works without asking for a password: %w", err)
	}
	return err
}

// remote is the remote to use.
func (r *Repo) remote(ctx context.Context, name string) (string, error) {
	out, err := r.run.text(ctx, call{dir: r.common, args: []string{"remote"}})
	if err != nil {
		return "", err
	}
	all := strings.Fields(out)
	switch {
	case name != "" && slices.Contains(all, name):
		return name, nil
	case name != "":
		return "", wire.Errorf(wire.Invalid, "the repository has no remote %q; it has: %s", name, strings.Join(all, ", "))
	case slices.Contains(all, "origin"):
		return "origin", nil
	case len(all) == 1:
		return all[0], nil
	case len(all) == 0:
		return "", wire.Errorf(wire.Invalid, "the repository has no remote; add one with git remote add")
	}
	return "", wire.Errorf(wire.Invalid, "the repository has several remotes, none of them origin; name one of: %s", strings.Join(all, ", "))
}

// DefaultBranch is the branch that a remote's HEAD is, as last seen or else as
// the remote says when asked. It fails with kind NotFound when it says none.
func (r *Repo) DefaultBranch(ctx context.Context, remote string) (string, error) {
	remote, err := r.remote(ctx, remote)
	if err != nil {
		return "", fmt.Errorf("default branch: %w", err)
	}
	prefix := "refs/remotes/" + remote + "/"
	if ref, err := r.run.text(ctx, call{dir: r.common, args: []string{"symbolic-ref", "--quiet", prefix + "HEAD"}}); err == nil && strings.HasPrefix(ref, prefix) {
		return strings.TrimPrefix(ref, prefix), nil
	}
	out, err := r.run.text(ctx, call{dir: r.common, args: []string{"ls-remote", "--symref", "--", remote, "HEAD"}})
	if err != nil {
		return "", fmt.Errorf("default branch: %w", explainRemote(err, "HEAD"))
	}
	if rest, ok := strings.CutPrefix(out, "ref: refs/heads/"); ok {
		branch, _, _ := strings.Cut(rest, "\t")
		return branch, nil
	}
	return "", wire.Errorf(wire.NotFound, "default branch: remote %s names none", remote)
}

// Commit commits everything in the worktree that is not ignored, and returns
// HEAD's commit; with nothing to commit that is the one that was there. Without
// an identity of the user's the author is codebolt. Hooks do not run and it is
// not signed, as both may ask. It fails with kind Conflict when a merge or the
// like is in progress.
func (r *Repo) Commit(ctx context.Context, wt Worktree, message string) (string, error) {
	oid, err := r.commit(ctx, &wt, message)
	return oid, describe("commit", &wt, err)
}

func (r *Repo) commit(ctx context.Context, wt *Worktree, message string) (string, error) {
	if wt.Shadow {
		return "", wire.Errorf(wire.Unsupported, "it is in no git repository")
	}
	if strings.TrimSpace(message) == "" {
		return "", wire.Errorf(wire.Invalid, "the message is empty")
	}
	co, err := r.checkout(wt)
	if err != nil {
		return "", err
	}
	if holds := co.unfinished(); len(holds) > 0 {
		return "", wire.Errorf(wire.Conflict, "%s", holds[0].Detail)
	}
	ch, err := co.scan(ctx, true, false)
	if err != nil {
		return "", err
	}
	if _, err := co.take(ctx, "", ch, 0); err != nil {
		return "", err
	}
	staged := co.call("diff", "--cached", "--quiet", "--no-ext-diff", "HEAD", "--")
	if _, err := r.run.run(ctx, staged); err == nil {
		return co.head(ctx)
	} else if refused(err).status != 1 {
		return "", err
	}
	c := co.call("-c", "commit.gpgSign=false", "commit", "--quiet", "--no-verify", "--cleanup=verbatim", "-F", "-")
	c.write, c.stdin = true, strings.NewReader(strings.TrimRight(message, "\n")+"\n")
	if _, err := co.identified(ctx, c, r.run.text); err != nil {
		return "", err
	}
	return co.head(ctx)
}
