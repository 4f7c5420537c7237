package agentcall

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/codeboltai/codebolt-providers/shared/gitrepo"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// The answers have the types that the SDK waits for.
var gitVerbs = map[string]map[string]verb{"gitEvent": {
	"Init":      gitVerb("gitInitResponse", "InitResponse", "gitInitResult", needWrite, gitInit),
	"Status":    gitVerb("gitStatusResponse", "StatusResponse", "gitStatusResult", needRead, gitStatus),
	"Add":       gitVerb("AddResponse", "", "gitAddResult", needWrite, gitAdd),
	"Commit":    gitVerb("gitCommitResponse", "", "gitCommitResult", needWrite, gitCommit),
	"Checkout":  gitVerb("gitCheckoutResponse", "CheckoutResponse", "gitCheckoutResult", needWrite, gitCheckout),
	"gitBranch": gitVerb("gitBranchResponse", "", "gitBranchResult", needWrite, gitBranch),
	"gitLogs":   gitVerb("gitLogsResponse", "", "gitLogsResult", needRead, gitLogs),
	"Diff":      gitVerb("DiffResponse", "", "gitDiffResult", needRead, gitDiff),
	"Push":      gitVerb("PushResponse", "", "gitPushResult", needExec, gitPush),
	"Pull":      gitVerb("PullResponse", "", "gitPullResult", needExec, gitPull),
	"Clone":     gitVerb("gitCloneResponse", "CloneResponse", "gitCloneResult", needExec, gitClone),
	// The names of the SDK that sends no ids.
	"Branch": gitVerb("BranchResponse", "", "gitBranchResult", needWrite, gitBranch),
	"Logs":   gitVerb("LogsResponse", "", "gitLogsResult", needRead, gitLogs),
}}

const (
	// maxGitOutput is how much of git's output is taken.
	maxGitOutput = 1 << 20
	// networkTimeout is how long git may take with another machine.
	networkTimeout = 10 * time.Minute
)

// gitArgs are the parameters of the requests, of which each has some.
type gitArgs struct {
	Message    string `json:"message"`
	Branch     string `json:"branch"`
	CommitHash string `json:"commitHash"`
	URL        string `json:"url"`
	Path       string `json:"path"`
}

// gitBody is an answer: message, and members of its kind.
type gitBody map[string]any

// gitCall is a request in the making.
type gitCall struct {
	gitArgs
	c       *Caller
	program *gitrepo.Program
	dir     string // the workspace
	hooks   bool
}

// gitVerb makes a verb of what git is to do; notice is the action of what the platform
// is told of it.
func gitVerb(response, unnamed, notice string, n need, do func(context.Context, *gitCall) (gitBody, error)) verb {
	return verb{response: response, unnamed: unnamed, need: n, do: func(ctx context.Context, c *Caller, r *request) (any, error) {
		body, err := c.git(ctx, r, n == needExec, do)
		if ctx.Err() == nil {
			c.tellGit(r, notice, body, err)
		}
		if err != nil {
			return nil, err
		}
		return body, nil
	}}
}

func (c *Caller) git(ctx context.Context, r *request, network bool, do func(context.Context, *gitCall) (gitBody, error)) (gitBody, error) {
	// Where commands are asked for, hooks are commands that nobody was asked for.
	g := &gitCall{c: c, dir: c.s.opt.Files.Root(), hooks: c.s.opt.Policy.Mode.auto()}
	if err := wire.Unmarshal(r.frame, &g.gitArgs); err != nil {
		return nil, err
	}
	timeout := c.s.opt.CommandTimeout
	if network {
		if !c.s.opt.Network {
			return nil, wire.Errorf(wire.Unsupported, "git %s: this environment does not let agents reach other repositories; the setting agents.network allows it", strings.ToLower(r.Action))
		}
		timeout = max(timeout, networkTimeout)
	}
	var err error
	g.program, err = gitrepo.Find(ctx, gitrepo.Options{Timeout: timeout, Log: c.s.opt.Log})
	if errors.Is(err, exec.ErrNotFound) {
		return nil, wire.Errorf(wire.Unsupported, "%w", err)
	}
	if err != nil {
		return nil, err
	}
	body, err := do(ctx, g)
	if _, stderr := gitrepo.Complaint(err); strings.Contains(stderr, "not a git repository") || strings.Contains(stderr, "cannot use bare repository") {
		err = wire.Errorf(wire.NotFound, "the workspace %s is in no git repository; Init makes one: %w", g.dir, err)
	}
	return body, err
}

// tellGit tells the platform what came of a request.
func (c *Caller) tellGit(r *request, action string, body gitBody, err error) {
	type data struct {
		Success        bool   `json:"success"`
		Message        string `json:"message"`
		RepositoryPath string `json:"repositoryPath"`
		Hash           string `json:"hash,omitzero"`
		Branch         string `json:"branch,omitzero"`
		URL            string `json:"url,omitzero"`
	}
	text := func(key string) string { s, _ := body[key].(string); return s }
	d := data{
		Success: err == nil, Message: text("message"), RepositoryPath: c.s.opt.Files.Root(),
		Hash: text("hash"), Branch: text("branch"), URL: text("url"),
	}
	if err != nil {
		d.Message = err.Error()
	}
	frame, fail := wire.Marshal(struct {
		Type            string  `json:"type"`
		Action          string  `json:"action"`
		Content         string  `json:"content"`
		Data            data    `json:"data"`
		RequestID       wire.ID `json:"requestId"`
		ToolUseID       wire.ID `json:"toolUseId"`
		ThreadID        string  `json:"threadId"`
		AgentID         string  `json:"agentId"`
		AgentInstanceID string  `json:"agentInstanceId"`
		RepositoryPath  string  `json:"repositoryPath"`
		IsError         bool    `json:"isError"`
	}{
		"gitnotify", action, d.Message, d, r.RequestID, r.RequestID,
		c.agent.ThreadID, c.agent.ID, c.agent.InstanceID, d.RepositoryPath, err != nil,
	})
	if fail != nil {
		c.s.opt.Log.Error("notification of git", "action", action, "error", fail)
		return
	}
	c.agent.Tell(frame)
}

// run runs git in the workspace.
func (g *gitCall) run(ctx context.Context, write bool, args ...string) (out string, whole bool, err error) {
	return g.runWith(ctx, gitrepo.Command{Args: args, Write: write, Hooks: write && g.hooks})
}

func (g *gitCall) runWith(ctx context.Context, command gitrepo.Command) (out string, whole bool, err error) {
	command.Dir, command.Environ = g.dir, g.c.environ()
	if command.Limit == 0 {
		command.Limit = maxGitOutput
	}
	text, whole, err := g.program.Run(ctx, command)
	return string(text), whole, err
}

func gitInit(ctx context.Context, g *gitCall) (gitBody, error) {
	if _, _, err := g.run(ctx, true, "init", "--quiet"); err != nil {
		return nil, err
	}
	return gitBody{"message": "Initialized a git repository in " + g.dir}, nil
}

// gitAdd adds all that changed in the workspace, which may be but a part of the
// repository.
func gitAdd(ctx context.Context, g *gitCall) (gitBody, error) {
	if _, _, err := g.run(ctx, true, "add", "--all", "--", "."); err != nil {
		return nil, err
	}
	return gitBody{"message": "Added all changes", "content": ""}, nil
}

func gitCommit(ctx context.Context, g *gitCall) (gitBody, error) {
	if strings.TrimSpace(g.Message) == "" {
		return nil, wire.Errorf(wire.Invalid, "git commit: the message is missing")
	}
	if strings.ContainsRune(g.Message, 0) {
		return nil, wire.Errorf(wire.Invalid, "git commit: the message has a NUL character")
	}
	args := append(g.identity(ctx), "commit", "--file=-")
	out, _, err := g.runWith(ctx, gitrepo.Command{Args: args, Stdin: strings.NewReader(g.Message), Write: true, Hooks: g.hooks})
	if err != nil {
		if strings.Contains(out, "nothing to commit") || strings.Contains(out, "nothing added to commit") || strings.Contains(out, "no changes added to commit") {
			return nil, wire.Errorf(wire.Conflict, "git commit: there is nothing to commit; changes must be added first")
		}
		return nil, err
	}
	hash, _, err := g.run(ctx, false, "rev-parse", "HEAD")
	if err != nil {
		return nil, err
	}
	return gitBody{"message": "Committed the changes", "content": g.Message, "hash": strings.TrimSpace(hash)}, nil
}

// identity has git name somebody who commits, when it is not configured who does;
// what git guesses from the machine's name does not count.
func (g *gitCall) identity(ctx context.Context) []string {
	for _, who := range []string{"GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"} {
		if _, _, err := g.run(ctx, false, "-c", "user.useConfigOnly=true", "var", who); err != nil {
			return []string{"-c", "user.name=Codebolt Agent", "-c", "user.email=agent@localhost"}
		}
	}
	return nil
}

func gitCheckout(ctx context.Context, g *gitCall) (gitBody, error) {
	if err := harmless("checkout", "branch", g.Branch); err != nil {
		return nil, err
	}
	if err := g.ownsCheckout(ctx, "checkout"); err != nil {
		return nil, err
	}
	_, _, err := g.run(ctx, true, "checkout", "--quiet", g.Branch, "--")
	switch {
	case complains(err, "would be overwritten"):
		return nil, wire.Errorf(wire.Conflict, "git checkout: it would overwrite changes that are not committed: %w", err)
	case complains(err, "invalid reference", "did not match", "unknown revision"):
		return nil, wire.Errorf(wire.NotFound, "git checkout: there is no branch %q: %w", g.Branch, err)
	case err != nil:
		return nil, err
	}
	return gitBody{"message": "Switched to " + g.Branch, "branch": g.Branch}, nil
}

// gitBranch makes a branch and switches to it, as the agents expect.
func gitBranch(ctx context.Context, g *gitCall) (gitBody, error) {
	if err := harmless("branch", "branch", g.Branch); err != nil {
		return nil, err
	}
	_, _, err := g.run(ctx, true, "checkout", "--quiet", "-b", g.Branch, "--")
	switch {
	case complains(err, "already exists"):
		return nil, wire.Errorf(wire.Exists, "git branch: there is a branch %q: %w", g.Branch, err)
	case complains(err, "not a valid branch name"):
		return nil, wire.Errorf(wire.Invalid, "git branch: %q is no name that git allows: %w", g.Branch, err)
	case err != nil:
		return nil, err
	}
	return gitBody{"message": "Created and switched to " + g.Branch, "branch": g.Branch}, nil
}

func gitDiff(ctx context.Context, g *gitCall) (gitBody, error) {
	args := []string{"diff", "--no-color", "--no-ext-diff", "--no-textconv"}
	if g.CommitHash != "" {
		if err := harmless("diff", "commit", g.CommitHash); err != nil {
			return nil, err
		}
		args = append(args, g.CommitHash)
	}
	hidden, err := g.c.s.opt.Policy.Deny.pathspecs()
	if err != nil {
		return nil, err
	}
	args = append(args, "--", ".")
	out, whole, err := g.run(ctx, false, append(args, hidden...)...)
	if complains(err, "unknown revision", "bad revision", "bad object") {
		return nil, wire.Errorf(wire.NotFound, "git diff: there is no commit %q: %w", g.CommitHash, err)
	}
	if err != nil {
		return nil, err
	}
	patch := valid(out)
	body := gitBody{"message": "Compared the files", "data": patch, "diff": patch}
	if !whole {
		body["truncated"] = true
	}
	return body, nil
}

// ownsCheckout fails when files outside the workspace belong to the same checkout and
// would be changed with those in it.
func (g *gitCall) ownsCheckout(ctx context.Context, op string) error {
	out, _, err := g.run(ctx, false, "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	top := filepath.FromSlash(strings.TrimSuffix(out, "\n"))
	a, err := os.Stat(top)
	if err != nil {
		return wire.Errorf(wire.CodeOf(err), "git %s: %w", op, err)
	}
	b, err := os.Stat(g.dir)
	if err != nil {
		return wire.Errorf(wire.CodeOf(err), "git %s: %w", op, err)
	}
	if !os.SameFile(a, b) {
		return wire.Errorf(wire.OutsideWorkspace, "git %s: the workspace is only a part of the checkout %s, all of which would change", op, top)
	}
	return nil
}

// harmless fails when what an agent gave as a parameter could be anything but a name.
func harmless(op, what, value string) error {
	switch {
	case value == "":
		return wire.Errorf(wire.Invalid, "git %s: the %s is missing", op, what)
	case strings.HasPrefix(value, "-"):
		return wire.Errorf(wire.Invalid, "git %s: the %s %q would be an option", op, what, value)
	case strings.ContainsFunc(value, unicode.IsControl):
		return wire.Errorf(wire.Invalid, "git %s: the %s %q has control characters", op, what, value)
	}
	return nil
}

// complains reports whether git refused with one of the texts.
func complains(err error, texts ...string) bool {
	_, stderr := gitrepo.Complaint(err)
	return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(stderr, text) })
}
