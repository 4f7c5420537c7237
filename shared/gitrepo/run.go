package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

const (
	defaultTimeout = 180 * time.Second
	// termGrace is how long git may take to remove its lock files when stopped.
	termGrace = 2 * time.Second
	// stderrMax is how much of git's complaints is kept.
	stderrMax = 32 << 10
)

// runner runs the git program.
type runner struct {
	git     string
	timeout time.Duration
	log     *slog.Logger
	noLFS   bool // git-lfs is not installed
}

// call is one run of git.
type call struct {
	dir    string
	base   []string // the environment that is cleaned; nil: this process's
	env    []string // on top of the cleaned environment
	args   []string
	stdin  io.Reader
	stdout io.Writer // nil: collected and returned
	write  bool      // may take locks that git could do without
	hooks  bool      // the repository's hooks may run
	// finish lets git end by itself when this process is killed: for the short
	// updates that lock what the whole repository needs, where a lock file left
	// behind would be in everyone's way.
	finish bool
}

// gitError is git's refusal.
type gitError struct {
	verb   string
	status int
	stderr string
	cause  error
}

func (e *gitError) Error() string {
	if text := complaint(e.stderr); text != "" {
		return "git " + e.verb + ": " + text
	}
	return fmt.Sprintf("git %s: %v", e.verb, e.cause)
}

func (e *gitError) Unwrap() error { return e.cause }

// complaint shortens git's stderr to the lines that say what is wrong, without
// the secrets that URLs may carry.
func complaint(stderr string) string {
	var bad, all []string
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "hint:") || strings.HasPrefix(line, "warning:") {
			continue
		}
		all = append(all, line)
		if rest, ok := strings.CutPrefix(line, "fatal: "); ok {
			bad = append(bad, rest)
		} else if rest, ok := strings.CutPrefix(line, "error: "); ok {
			bad = append(bad, rest)
		}
	}
	if len(bad) == 0 {
		bad = all
	}
	if len(bad) > 6 {
		bad = append(bad[:6], "…")
	}
	return redact(strings.Join(bad, "; "))
}

var urlSecret = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^/\s'"@]*@`)

// redact takes user names and passwords out of URLs.
func redact(text string) string { return urlSecret.ReplaceAllString(text, "$1") }

// refused returns the git error in err, or an empty one.
func refused(err error) *gitError {
	if e, ok := errors.AsType[*gitError](err); ok {
		return e
	}
	return &gitError{}
}

// says reports whether git's refusal contains one of the texts.
func says(err error, texts ...string) bool {
	stderr := refused(err).stderr
	for _, text := range texts {
		if strings.Contains(stderr, text) {
			return true
		}
	}
	return false
}

// keptGitEnv are the variables by which a user configures git as a whole; every
// other GIT_ variable points git at some repository, index or program of the
// process that started us.
var keptGitEnv = []string{
	"GIT_SSH=", "GIT_SSH_COMMAND=", "GIT_SSH_VARIANT=", "GIT_SSL_", "GIT_HTTP_", "GIT_PROXY_", "GIT_ALLOW_PROTOCOL=",
	"GIT_AUTHOR_", "GIT_COMMITTER_", "GIT_CONFIG_GLOBAL=", "GIT_CONFIG_SYSTEM=", "GIT_CONFIG_NOSYSTEM=",
	"GIT_CONFIG_COUNT=", "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_", "GIT_EXEC_PATH=", "GIT_TEMPLATE_DIR=",
	"GIT_CEILING_DIRECTORIES=", "GIT_DISCOVERY_ACROSS_FILESYSTEM=", "GIT_LFS_",
}

// environment is what git sees: the caller's, without what would redirect it or
// make it ask.
func (c *call) environment() []string {
	var env []string
	ssh := false
	base := c.base
	if base == nil {
		base = os.Environ()
	}
	for _, kv := range base {
		if strings.HasPrefix(kv, "GIT_") {
			kept := false
			for _, name := range keptGitEnv {
				kept = kept || strings.HasPrefix(kv, name)
			}
			if !kept {
				continue
			}
			ssh = ssh || strings.HasPrefix(kv, "GIT_SSH_COMMAND=") || strings.HasPrefix(kv, "GIT_SSH=")
		}
		if strings.HasPrefix(kv, "LC_") || strings.HasPrefix(kv, "LANGUAGE=") {
			continue
		}
		env = append(env, kv)
	}
	env = append(env, "GIT_TERMINAL_PROMPT=0", "GIT_ASKPASS=", "GCM_INTERACTIVE=never", "LC_ALL=C", "GIT_EDITOR=true")
	if !ssh {
		env = append(env, "GIT_SSH_COMMAND=ssh -oBatchMode=yes")
	}
	if !c.write {
		env = append(env, "GIT_OPTIONAL_LOCKS=0")
	}
	return append(env, c.env...)
}

// argv puts the settings before the verb that keep git from running programs or
// background work of its own accord.
func (r *runner) argv(c *call) []string {
	args := []string{"-c", "core.fsmonitor=false", "-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "core.safecrlf=false", "-c", "core.quotePath=true"}
	if !c.hooks {
		args = append(args, "-c", "core.hooksPath="+os.DevNull)
	}
	if r.noLFS {
		args = append(args, "-c", "filter.lfs.smudge=", "-c", "filter.lfs.clean=", "-c", "filter.lfs.process=", "-c", "filter.lfs.required=false")
	}
	return append(args, c.args...)
}

// verb names a call in errors.
func (c *call) verb() string {
	n := 0
	for n < len(c.args) && c.args[n] == "-c" {
		n += 2
	}
	if n >= len(c.args) {
		return ""
	}
	if n+1 < len(c.args) && (c.args[n] == "worktree" || c.args[n] == "submodule" || c.args[n] == "lfs") {
		return c.args[n] + " " + c.args[n+1]
	}
	return c.args[n]
}

// run runs git and returns its standard output. A refusal is a *gitError.
func (r *runner) run(ctx context.Context, c call) ([]byte, error) {
	if err := context.Cause(ctx); err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "git %s: %w", c.verb(), err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, r.timeout,
		wire.Errorf(wire.Timeout, "git %s took longer than %s", c.verb(), r.timeout))
	defer cancel()

	var out bytes.Buffer
	complaints := &tail{max: stderrMax}
	cmd := exec.CommandContext(ctx, r.git, r.argv(&c)...)
	cmd.Dir, cmd.Env, cmd.Stdin, cmd.Stderr = c.dir, c.environment(), c.stdin, complaints
	cmd.Stdout = &out
	if c.stdout != nil {
		cmd.Stdout = c.stdout
	}
	stop := arrange(cmd, c.finish)
	cmd.WaitDelay = termGrace + time.Second

	// The kernel ends a child when the thread that made it ends, so this thread
	// must live for as long as git runs.
	runtime.LockOSThread()
	start := time.Now()
	err := cmd.Run()
	runtime.UnlockOSThread()
	stop()
	r.log.DebugContext(ctx, "git", "verb", c.verb(), "took", time.Since(start), "error", err)
	if err == nil {
		return out.Bytes(), nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return nil, wire.Errorf(wire.CodeOf(cause), "git %s: %w", c.verb(), cause)
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return nil, wire.Errorf(wire.CodeOf(err), "git %s: %w", c.verb(), err)
	}
	failed := &gitError{verb: c.verb(), status: exit.ExitCode(), stderr: complaints.String(), cause: err}
	return out.Bytes(), wire.Errorf(failed.code(), "%w", failed)
}

// text is run for output of one line.
func (r *runner) text(ctx context.Context, c call) (string, error) {
	out, err := r.run(ctx, c)
	return strings.TrimSuffix(strings.TrimSuffix(string(out), "\n"), "\r"), err
}

// code is the kind of what git complains about.
func (e *gitError) code() wire.Code {
	has := func(texts ...string) bool {
		for _, text := range texts {
			if strings.Contains(e.stderr, text) {
				return true
			}
		}
		return false
	}
	switch {
	case has("No space left on device"):
		return wire.Unavailable
	case has(".lock': File exists"):
		return wire.Conflict
	case has("Permission denied", "dubious ownership", "Read-only file system", "could not read Username",
		"could not read Password", "Authentication failed", "insufficient permission"):
		return wire.Permission
	case has("not a git repository"):
		return wire.Invalid
	case has("Could not resolve host", "Connection refused", "Connection timed out", "unable to access", "Could not read from remote repository"):
		return wire.Unavailable
	}
	return wire.Internal
}

// tail keeps the last bytes written to it.
type tail struct {
	max int
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if over := len(t.buf) - t.max; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.buf) }

// fields splits -z output.
func fields(out []byte) []string {
	text := strings.TrimSuffix(string(out), "\x00")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\x00")
}
