package agentcall_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/shared/agentcall"
)

// newGitConsole is a console whose git has only this configuration.
func newGitConsole(t *testing.T, config string, change func(*agentcall.Options)) *console {
	t.Helper()
	file := filepath.Join(t.TempDir(), "gitconfig")
	if err := os.WriteFile(file, []byte("[init]\n\tdefaultBranch = main\n"+config), 0o644); err != nil {
		t.Fatal(err)
	}
	return newConsole(t, func(o *agentcall.Options) {
		o.Environ = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Dir(file), "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + file, "SystemRoot=" + os.Getenv("SystemRoot")}
		if change != nil {
			change(o)
		}
	})
}

const identity = "[user]\n\tname = Ann\n\temail = ann@example.org\n"

func (c *console) git(action string, extra frame) frame {
	c.t.Helper()
	f := frame{"type": "gitEvent", "action": action}
	for key, value := range extra {
		f[key] = value
	}
	return c.ask(f)
}

func (c *console) mustGit(action string, extra frame) frame {
	c.t.Helper()
	got := c.git(action, extra)
	if got["success"] != true {
		c.t.Fatalf("%s: %v", action, got)
	}
	return got
}

// real runs git as a person would.
func (c *console) real(args ...string) string {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), "git", append([]string{"-c", "user.name=p", "-c", "user.email=p@p", "-c", "init.defaultBranch=main"}, args...)...)
	cmd.Dir = c.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func TestAnAgentCommitsAndLooksAtWhatItCommitted(t *testing.T) {
	t.Parallel()
	c := newGitConsole(t, identity, nil)
	expect(t, c.git("Init", nil), frame{"type": "gitInitResponse", "success": true})
	if got := c.mustGit("gitLogs", nil); got["total"] != 0.0 {
		t.Errorf("log of nothing: %v", got)
	}
	c.write("a.txt", "one\n")
	expect(t, c.git("Add", nil), frame{"type": "AddResponse", "success": true, "content": ""})
	expect(t, c.git("Commit", frame{"message": ""}), frame{"success": false, "code": "invalid"})
	got := c.git("Commit", frame{"message": "-first\n\n# body"})
	expect(t, got, frame{"type": "gitCommitResponse", "success": true, "content": "-first\n\n# body", "hash": c.real("rev-parse", "HEAD")})
	expect(t, c.git("Commit", frame{"message": "again"}), frame{"success": false, "code": "conflict"})

	log := c.mustGit("gitLogs", nil)
	expect(t, log, frame{"type": "gitLogsResponse", "total": 1})
	if diff := cmp.Diff(log["data"], log["logs"]); diff != "" {
		t.Error(diff)
	}
	expect(t, log["data"].([]any)[0].(frame), frame{
		"hash": got["hash"], "message": "-first", "body": "# body", "author_name": "Ann", "author_email": "ann@example.org", "refs": "HEAD -> main",
	})

	c.write("a.txt", "two\n")
	patch := c.mustGit("Diff", nil)
	if text, _ := patch["diff"].(string); patch["type"] != "DiffResponse" || !strings.Contains(text, "-one\n+two\n") || patch["data"] != text {
		t.Errorf("diff %v", patch)
	}
	c.mustGit("Add", nil)
	c.mustGit("Commit", frame{"message": "second"})
	if text, _ := c.mustGit("Diff", frame{"commitHash": got["hash"]})["diff"].(string); !strings.Contains(text, "-one\n+two\n") {
		t.Errorf("diff with a commit: %q", text)
	}
	expect(t, c.git("Diff", frame{"commitHash": "0123456789"}), frame{"success": false, "code": "not_found"})
}

func TestAStatusTellsOfEachKindOfChange(t *testing.T) {
	t.Parallel()
	c := newGitConsole(t, identity, nil)
	c.mustGit("Init", nil)
	for _, name := range []string{"changed", "staged", "removed", "moved here", "both"} {
		c.write(name, strings.Repeat(name+"\n", 20))
	}
	c.mustGit("Add", nil)
	c.mustGit("Commit", frame{"message": "base"})
	c.write("changed", "x")
	c.write("staged", "x")
	c.real("add", "staged")
	c.write("both", "x")
	c.real("add", "both")
	c.write("both", "y")
	c.real("rm", "-q", "removed")
	c.real("mv", "moved here", "moved\tthere ü")
	c.write("new folder/new", "")
	c.write("added", "")
	c.real("add", "added")
	got := c.mustGit("Status", nil)
	want := frame{
		"not_added": []any{"new folder/new"}, "conflicted": []any{}, "created": []any{"added"}, "deleted": []any{"removed"},
		"modified": []any{"both", "changed", "staged"}, "renamed": []any{frame{"from": "moved here", "to": "moved\tthere ü"}},
		"staged": []any{"added", "both", "moved\tthere ü", "removed", "staged"},
		"files": []any{
			frame{"path": "added", "index": "A", "working_dir": " "},
			frame{"path": "both", "index": "M", "working_dir": "M"},
			frame{"path": "changed", "index": " ", "working_dir": "M"},
			frame{"path": "moved\tthere ü", "index": "R", "working_dir": " "},
			frame{"path": "removed", "index": "D", "working_dir": " "},
			frame{"path": "staged", "index": "M", "working_dir": " "},
			frame{"path": "new folder/new", "index": "?", "working_dir": "?"},
		},
		"ahead": 0.0, "behind": 0.0, "current": "main", "tracking": nil, "detached": false,
	}
	if diff := cmp.Diff(want, got["data"]); diff != "" || got["type"] != "gitStatusResponse" {
		t.Errorf("%s\n%v", diff, got["type"])
	}
}

func TestAStatusTellsOfAConflict(t *testing.T) {
	t.Parallel()
	c := newGitConsole(t, identity, nil)
	c.mustGit("Init", nil)
	for _, branch := range []string{"main", "side", "main"} {
		if branch == "side" {
			c.mustGit("gitBranch", frame{"branch": branch})
		}
		if branch == "main" && c.real("branch") != "" {
			c.mustGit("Checkout", frame{"branch": branch})
		}
		c.write("a", branch+c.real("branch"))
		c.mustGit("Add", nil)
		c.mustGit("Commit", frame{"message": branch})
	}
	c.run("git merge side")
	data := c.mustGit("Status", nil)["data"].(frame)
	if diff := cmp.Diff([]any{"a"}, data["conflicted"]); diff != "" {
		t.Error(diff)
	}
}

func TestBranchesAreMadeAndSwitched(t *testing.T) {
	t.Parallel()
	c := newGitConsole(t, identity, nil)
	c.mustGit("Init", nil)
	c.write("a", "1")
	c.mustGit("Add", nil)
	c.mustGit("Commit", frame{"message": "1"})
	expect(t, c.git("gitBranch", frame{"branch": "feature/x"}), frame{"type": "gitBranchResponse", "success": true, "branch": "feature/x"})
	if got := c.real("branch", "--show-current"); got != "feature/x" {
		t.Errorf("on %s", got)
	}
	c.write("a", "2")
	c.mustGit("Add", nil)
	c.mustGit("Commit", frame{"message": "2"})
	c.write("a", "not committed")
	expect(t, c.git("Checkout", frame{"branch": "main"}), frame{"type": "gitCheckoutResponse", "success": false, "code": "conflict"})
	c.write("a", "2")
	expect(t, c.git("Checkout", frame{"branch": "main"}), frame{"success": true, "branch": "main"})
	expect(t, c.git("Checkout", frame{"branch": "nowhere"}), frame{"success": false, "code": "not_found"})
	expect(t, c.git("gitBranch", frame{"branch": "feature/x"}), frame{"success": false, "code": "exists"})
	expect(t, c.git("gitBranch", frame{"branch": "a..b"}), frame{"success": false, "code": "invalid"})
}

func TestAParameterIsNeverTakenForAnOption(t *testing.T) {
	t.Parallel()
	c := newGitConsole(t, identity, func(o *agentcall.Options) { o.Network = true })
	c.mustGit("Init", nil)
	c.write("a", "1")
	c.mustGit("Add", nil)
	c.mustGit("Commit", frame{"message": "1"})
	for _, f := range []frame{
		{"action": "Checkout", "branch": "--orphan=x"},
		{"action": "Checkout", "branch": "-f"},
		{"action": "Checkout", "branch": "main\n"},
		{"action": "Checkout"},
		{"action": "gitBranch", "branch": "-D"},
		{"action": "gitBranch", "branch": "a\x00b"},
		{"action": "Diff", "commitHash": "--output=stolen"},
		{"action": "Clone", "url": "--upload-pack=touch stolen"},
		{"action": "Clone", "url": "ssh://-oProxyCommand=touch/x"},
		{"action": "Clone", "url": "-oProxyCommand=touch:x"},
		{"action": "Clone", "url": "https://example.org/x", "path": "--config=x"},
	} {
		expect(t, c.git(f["action"].(string), f), frame{"success": false, "code": "invalid"})
	}
	if _, err := os.Stat(filepath.Join(c.dir, "stolen")); err == nil {
		t.Error("an option was taken")
	}
}

func TestAClonesSourceAndTargetStayInTheWorkspace(t *testing.T) {
	t.Parallel()
	c := newGitConsole(t, identity, func(o *agentcall.Options) { o.Network = true })
	outside := newGitConsole(t, identity, nil)
	outside.mustGit("Init", nil)
	c.real("init", "-q", "own")
	for _, f := range []frame{
		{"url": outside.dir},
		{"url": "file://" + filepath.ToSlash(outside.dir)},
		{"url": "file://" + filepath.ToSlash(c.dir) + "/%2e%2e/x"},
		{"url": "own", "path": "../beside"},
		{"url": "own", "path": outside.dir},
		{"url": "own", "path": "."},
	} {
		expect(t, c.git("Clone", f), frame{"success": false, "code": "outside_workspace"})
	}
	expect(t, c.git("Clone", frame{"url": "ext::sh -c touch% stolen"}), frame{"success": false, "code": "unsupported"})
	if runtime.GOOS != "windows" {
		if err := os.Symlink(outside.dir, filepath.Join(c.dir, "link")); err != nil {
			t.Fatal(err)
		}
		expect(t, c.git("Clone", frame{"url": "own", "path": "link/x"}), frame{"success": false, "code": "outside_workspace"})
	}
	expect(t, c.git("Clone", frame{"url": "own", "path": "copies/one"}), frame{"type": "gitCloneResponse", "success": true, "url": "own", "path": "copies/one"})
	expect(t, c.git("Clone", frame{"url": "own"}), frame{"success": false, "code": "exists"}) // where it is itself
	if _, err := os.Stat(filepath.Join(c.dir, "copies", "one", ".git")); err != nil {
		t.Error(err)
	}
}

func TestPushAndPullReachTheRemote(t *testing.T) {
	t.Parallel()
	c := newGitConsole(t, identity, func(o *agentcall.Options) { o.Network = true })
	c.mustGit("Init", nil)
	c.write("a", "1")
	c.mustGit("Add", nil)
	c.mustGit("Commit", frame{"message": "1"})
	expect(t, c.git("Push", nil), frame{"type": "PushResponse", "success": false, "code": "invalid"})
	expect(t, c.git("Pull", nil), frame{"type": "PullResponse", "success": false, "code": "invalid"})
	bare := t.TempDir()
	c.real("init", "-q", "--bare", bare)
	c.real("remote", "add", "origin", bare)
	expect(t, c.git("Push", nil), frame{"success": true})
	other := newGitConsole(t, identity, func(o *agentcall.Options) { o.Network = true })
	other.real("clone", "-q", bare, ".")
	other.write("b", "2")
	other.mustGit("Add", nil)
	other.mustGit("Commit", frame{"message": "2"})
	expect(t, other.git("Push", nil), frame{"success": true})
	c.write("c", "3")
	c.mustGit("Add", nil)
	c.mustGit("Commit", frame{"message": "3"})
	expect(t, c.git("Push", nil), frame{"success": false, "code": "conflict"})
	expect(t, c.git("Pull", nil), frame{"success": false, "code": "conflict"}) // git wants to be told how
	c.real("config", "pull.rebase", "false")
	expect(t, c.git("Pull", nil), frame{"success": true})
	data := c.mustGit("Status", nil)["data"].(frame)
	expect(t, data, frame{"ahead": 2, "behind": 0, "tracking": "origin/main"})
}

func TestOtherRepositoriesAreReachedOnlyWhereThatIsConfigured(t *testing.T) {
	t.Parallel()
	c := newGitConsole(t, identity, nil)
	for _, action := range []string{"Push", "Pull", "Clone"} {
		got := c.git(action, frame{"url": "https://example.org/x"})
		expect(t, got, frame{"success": false, "code": "unsupported", "message": got["error"]})
		if !strings.Contains(got["error"].(string), "agents.network") {
			t.Errorf("it does not say what to do: %v", got["error"])
		}
	}
}

func TestAnAgentWithoutAnIdentityCommitsAllTheSame(t *testing.T) {
	t.Parallel()
	c := newGitConsole(t, "", nil)
	c.mustGit("Init", nil)
	c.write("a", "1")
	c.mustGit("Add", nil)
	c.mustGit("Commit", frame{"message": "1"})
	if got := c.real("log", "-1", "--format=%an <%ae> %cn"); got != "Codebolt Agent <agent@localhost> Codebolt Agent" {
		t.Errorf("committed by %s", got)
	}
}

func TestWithoutARepositoryGitSaysSo(t *testing.T) {
	t.Parallel()
	c := newGitConsole(t, identity, nil)
	for _, action := range []string{"Status", "Add", "gitLogs"} {
		expect(t, c.git(action, nil), frame{"success": false, "code": "not_found"})
	}
	// Anybody could have written what looks like a bare repository.
	c.real("init", "-q", "--bare", ".")
	expect(t, c.git("gitLogs", nil), frame{"success": false, "code": "not_found"})
}

func TestAPartOfACheckoutDoesNotSwitchTheWhole(t *testing.T) {
	t.Parallel()
	c := newGitConsole(t, identity, nil)
	c.real("init", "-q")
	c.write("outside", "1")
	c.write("part/inside", "1")
	c.real("add", "-A")
	c.real("commit", "-q", "-m", "1")
	part := newConsoleIn(t, filepath.Join(c.dir, "part"), nil)
	c.write("outside", "2")
	c.write("part/inside", "2")
	part.mustGit("Add", nil)
	if got := c.real("diff", "--cached", "--name-only"); got != "part/inside" {
		t.Errorf("added %q", got)
	}
	expect(t, part.git("Checkout", frame{"branch": "HEAD"}), frame{"success": false, "code": "outside_workspace"})
}

func TestThePlatformIsToldOfGit(t *testing.T) {
	t.Parallel()
	c := newGitConsole(t, identity, nil)
	c.mustGit("Init", nil)
	got := c.await("the notification", &c.told, 0, func(f frame) bool { return f["action"] == "gitInitResult" })
	expect(t, got, frame{"type": "gitnotify", "threadId": "thread", "agentId": "coder", "isError": false, "repositoryPath": c.dir, "toolUseId": got["requestId"]})
	expect(t, got["data"].(frame), frame{"success": true, "repositoryPath": c.dir, "message": got["content"]})
	c.git("Checkout", frame{"branch": "nowhere"})
	got = c.await("the notification", &c.told, 0, func(f frame) bool { return f["action"] == "gitCheckoutResult" })
	expect(t, got, frame{"isError": true})
}

func TestAnAgentThatSendsNoIdsGetsTheAnswersThatItsSDKWaitsFor(t *testing.T) {
	t.Parallel()
	c := newGitConsole(t, identity, nil)
	c.write("a", "1")
	for _, step := range []struct {
		request  frame
		response string
	}{
		{frame{"action": "Init", "path": c.dir}, "InitResponse"},
		{frame{"action": "Status", "path": c.dir}, "StatusResponse"},
		{frame{"action": "Add", "path": c.dir}, "AddResponse"},
		{frame{"action": "Commit", "message": "m"}, "gitCommitResponse"},
		{frame{"action": "Branch", "path": c.dir, "branch": "b"}, "BranchResponse"},
		{frame{"action": "Checkout", "path": c.dir, "branch": "main"}, "CheckoutResponse"},
		{frame{"action": "Logs", "path": c.dir}, "LogsResponse"},
		{frame{"action": "Diff", "path": c.dir, "commitHash": "HEAD"}, "DiffResponse"},
	} {
		n := len(c.heard())
		step.request["type"] = "gitEvent"
		c.send(step.request)
		got := c.await(step.response, &c.said, n, func(frame) bool { return true })
		if _, named := got["requestId"]; named || got["type"] != step.response || got["success"] != true {
			t.Errorf("%v is answered with %v", step.request, got)
		}
	}
}
