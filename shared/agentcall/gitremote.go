package agentcall

import (
	"context"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func gitPush(ctx context.Context, g *gitCall) (gitBody, error) {
	args := []string{"push", "--quiet"}
	if _, _, err := g.run(ctx, false, "rev-parse", "--verify", "--quiet", "@{upstream}"); err != nil {
		remote, err := g.remote(ctx, "push")
		if err != nil {
			return nil, err
		}
		args = append(args, "--set-upstream", "--", remote, "HEAD")
	}
	if _, _, err := g.run(ctx, true, args...); err != nil {
		return nil, explainRemote("push", err)
	}
	return gitBody{"message": "Pushed the commits"}, nil
}

// remote is the one that a branch without a remote one is pushed to.
func (g *gitCall) remote(ctx context.Context, op string) (string, error) {
	out, _, err := g.run(ctx, false, "remote")
	if err != nil {
		return "", err
	}
	remotes := strings.Fields(out)
	switch {
	case len(remotes) == 1:
		return remotes[0], harmless(op, "remote", remotes[0])
	case slices.Contains(remotes, "origin"):
		return "origin", nil
	case len(remotes) == 0:
		return "", wire.Errorf(wire.Invalid, "git %s: the repository has no remote", op)
	}
	return "", wire.Errorf(wire.Invalid, "git %s: the branch belongs to none of the remotes %s", op, strings.Join(remotes, ", "))
}

func gitPull(ctx context.Context, g *gitCall) (gitBody, error) {
	if err := g.ownsCheckout(ctx, "pull"); err != nil {
		return nil, err
	}
	if _, _, err := g.run(ctx, true, append(g.identity(ctx), "pull", "--quiet", "--no-edit")...); err != nil {
		return nil, explainRemote("pull", err)
	}
	return gitBody{"message": "Pulled the commits"}, nil
}

func explainRemote(op string, err error) error {
	switch {
	case complains(err, "There is no tracking information", "No remote repository specified"):
		return wire.Errorf(wire.Invalid, "git %s: the branch has no remote branch: %w", op, err)
	case complains(err, "non-fast-forward", "fetch first", "[rejected]"):
		return wire.Errorf(wire.Conflict, "git %s: the remote has other commits; pull first: %w", op, err)
	case complains(err, "divergent branches", "CONFLICT", "Automatic merge failed", "would be overwritten", "unmerged files"):
		return wire.Errorf(wire.Conflict, "git %s: the changes of both sides do not go together by themselves: %w", op, err)
	case complains(err, "[remote rejected]", "pre-receive hook declined"):
		return wire.Errorf(wire.Permission, "git %s: the remote refuses it: %w", op, err)
	case complains(err, "Host key verification failed", "Authentication failed", "could not read Username", "could not read Password"):
		return wire.Errorf(wire.Permission, "git %s: logging in to the remote failed: %w", op, err)
	}
	return err
}

func gitClone(ctx context.Context, g *gitCall) (gitBody, error) {
	if err := harmless("clone", "url", g.URL); err != nil {
		return nil, err
	}
	if err := g.reachable(); err != nil {
		return nil, err
	}
	into := g.Path
	if into == "" {
		into = cloneName(g.URL)
	}
	if err := harmless("clone", "path", into); err != nil {
		return nil, err
	}
	at := placeOf(g.c.s.opt.Files.Root(), into)
	if !at.inside || at.real == "." {
		return nil, wire.Errorf(wire.OutsideWorkspace, "git clone: %q is not inside the workspace", into)
	}
	if _, _, err := g.run(ctx, true, "clone", "--quiet", "--", g.URL, filepath.FromSlash(at.real)); err != nil {
		if complains(err, "already exists and is not an empty directory") {
			return nil, wire.Errorf(wire.Exists, "git clone: %w", err)
		}
		return nil, explainRemote("clone", err)
	}
	shown := g.URL
	if u, err := url.Parse(shown); err == nil && u.User != nil {
		u.User = nil
		shown = u.String()
	}
	return gitBody{"message": "Cloned into " + at.real, "url": shown, "path": at.real}, nil
}

// reachable fails when the URL is none that an agent may clone from: it leads to no
// other machine, and to no place inside the workspace either.
func (g *gitCall) reachable() error {
	if scheme, rest, ok := strings.Cut(g.URL, "://"); ok {
		switch strings.ToLower(scheme) {
		case "https", "http", "ssh", "git":
			if rest == "" || strings.HasPrefix(rest, "-") {
				return wire.Errorf(wire.Invalid, "git clone: %q is no URL", g.URL)
			}
			return nil
		case "file":
			name, err := url.PathUnescape(rest) // as git does
			if err != nil || !strings.HasPrefix(name, "/") || !placeOf(g.dir, filePath(name)).inside {
				return wire.Errorf(wire.OutsideWorkspace, "git clone: %q is not inside the workspace", g.URL)
			}
			return nil
		}
		return wire.Errorf(wire.Unsupported, "git clone: URLs of the kind %q are not allowed", scheme)
	}
	if strings.Contains(g.URL, "::") {
		return wire.Errorf(wire.Unsupported, "git clone: helpers for remotes are not allowed")
	}
	host, _, colon := strings.Cut(g.URL, ":")
	if colon && !strings.ContainsAny(host, `/\`) && len(host) > 1 {
		if _, name, at := strings.Cut(host, "@"); at {
			host = name
		}
		return harmless("clone", "host", host)
	}
	if !placeOf(g.dir, g.URL).inside {
		return wire.Errorf(wire.OutsideWorkspace, "git clone: %q is not inside the workspace", g.URL)
	}
	return nil
}

// filePath is the path of a file URL; where paths begin with a drive, it has a slash
// before that.
func filePath(name string) string {
	if filepath.VolumeName(strings.TrimPrefix(name, "/")) != "" {
		return strings.TrimPrefix(name, "/")
	}
	return name
}
