// Package gitrepo does with git what an environment in its own worktree needs:
// make one and take it back, show and carry away what changed in it, keep
// snapshots of it, and remove it without losing work.
//
// It runs the git program, 2.38 or newer, and never a shell. Nothing it runs
// asks for a password, runs the repository's hooks (pushing excepted) or
// changes the index, HEAD, stash or files of a checkout that it was not told to
// change. It knows nothing of providers, records or agents, and it is no
// general git library.
//
//	repo, err := gitrepo.Open(ctx, projectDir, gitrepo.Options{})
//	base, err := repo.Resolve(ctx, "HEAD")
//	wt := gitrepo.Worktree{CommonDir: repo.CommonDir(), Path: dir, Branch: "codebolt/x-1f", BaseOID: base, CreatedBranch: true, Reason: "codebolt x"}
//	err = repo.Add(ctx, gitrepo.AddSpec{Worktree: wt}) // on failure: repo.Discard(ctx, wt)
//	changes, err := repo.Diff(ctx, wt, gitrepo.DiffSpec{})
package gitrepo
