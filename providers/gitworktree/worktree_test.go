//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestAnExistingDirectoryThatIsNotEmptyIsRefusedAndLeftAlone(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	dir := filepath.Join(t.TempDir(), "mine")
	write(t, filepath.Join(dir, "precious"), "text")
	e := s.env("e", nil, map[string]any{"environmentPath": dir})
	if text := s.refused(e, wire.Exists); !strings.Contains(text, dir) || !strings.Contains(text, "not empty") {
		t.Errorf("the error: %s", text)
	}
	for _, bad := range []string{s.project, filepath.Dir(s.project), "/", "."} {
		s.refused(s.env("bad"+bad, nil, map[string]any{"environmentPath": bad}), wire.Invalid)
	}
	if read(t, filepath.Join(dir, "precious")) != "text" {
		t.Error("the directory was touched")
	}
	s.clean(0)
	empty := t.TempDir()
	e = s.env("empty", nil, map[string]any{"environmentPath": empty})
	if got := s.start(e); got.WorkspacePath != empty || got.PathSource != wire.PathRequested {
		t.Errorf("in an empty directory: %+v", got.StartResult)
	}
}

func TestCommitsOnAnotherBranchStayReachableWhenTheEnvironmentGoes(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"removeIfClean", "snapshotAndRemove"} {
		s := newStage(t)
		git(t, s.project, "branch", "feature/x")
		e, path := s.opened("e", nil)
		write(t, filepath.Join(path, "one"), "1")
		git(t, path, "add", "-A")
		git(t, path, "commit", "-qm", "one")
		one := git(t, path, "rev-parse", "HEAD")
		git(t, path, "checkout", "-q", "feature/x")
		write(t, filepath.Join(path, "two"), "2")
		git(t, path, "add", "-A")
		git(t, path, "commit", "-qm", "two")
		two := git(t, path, "rev-parse", "HEAD")
		r := s.stop(e, policy)
		if r.Removed != (policy == "snapshotAndRemove") {
			t.Errorf("%s: %+v", policy, r)
		}
		if _, err := os.Stat(path); (err != nil) != r.Removed {
			t.Errorf("%s: the directory: %v", policy, err)
		}
		for name, oid := range map[string]string{"one": one, "two": two} {
			if refs := git(t, s.project, "for-each-ref", "--contains", oid); refs == "" {
				t.Errorf("%s: no ref leads to commit %s", policy, name)
			}
		}
		if git(t, s.project, "rev-parse", "feature/x") != two {
			t.Errorf("%s: the user's branch was moved", policy)
		}
	}
}

func TestUncommittedUntrackedAndIgnoredFilesHoldARemovalOrAreRecovered(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e, path := s.opened("e", nil)
	files := map[string]string{"src/file1.txt": "changed\n", "new.txt": "new\n", "secret.env": "KEY=1\n", "build/out.bin": "\x00\x01"}
	for name, text := range files {
		write(t, filepath.Join(path, name), text)
	}
	r := s.stop(e, "removeIfClean")
	if holds := strings.Join(r.Holds, "; "); r.Removed || !strings.Contains(holds, "file1.txt") || !strings.Contains(holds, "new.txt") || !strings.Contains(holds, "secret.env") {
		t.Fatalf("removeIfClean: %+v", r)
	}
	s.start(e)
	r = s.stop(e, "snapshotAndRemove")
	if !r.Removed || len(r.Recovery) == 0 {
		t.Fatalf("snapshotAndRemove: %+v", r)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the directory: %v", err)
	}
	// What is printed must really bring it back.
	back := filepath.Join(t.TempDir(), "back")
	argv := strings.Fields(strings.ReplaceAll(r.Recovery[0], "DIRECTORY", back))
	if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", argv, err, out)
	}
	for name, text := range files {
		if got := read(t, filepath.Join(back, name)); got != text {
			t.Errorf("%s came back as %q", name, got)
		}
	}
	git(t, s.project, "worktree", "remove", "--force", back)
	s.clean(0)
}

func TestWorkInASubmoduleHoldsEvenARemovalWithASnapshot(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	lib := filepath.Join(t.TempDir(), "lib")
	git(t, s.project, "clone", "-q", ".", lib)
	git(t, s.project, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", lib, "lib")
	git(t, s.project, "commit", "-qm", "lib")
	e, path := s.opened("e", nil)
	write(t, filepath.Join(path, "lib", "new.txt"), "work\n")
	if r := s.stop(e, "snapshotAndRemove"); r.Removed || !strings.Contains(strings.Join(r.Holds, "; "), "lib: new and not committed: new.txt") {
		t.Fatalf("a new file: %+v", r)
	}
	git(t, filepath.Join(path, "lib"), "add", "-A")
	git(t, filepath.Join(path, "lib"), "commit", "-qm", "work")
	s.start(e)
	if r := s.stop(e, "snapshotAndRemove"); r.Removed || !strings.Contains(strings.Join(r.Holds, "; "), "not pushed") {
		t.Fatalf("a commit: %+v", r)
	}
	git(t, filepath.Join(path, "lib"), "push", "-q", lib, "HEAD:refs/heads/work")
	git(t, filepath.Join(path, "lib"), "update-ref", "refs/remotes/origin/work", "HEAD")
	s.start(e)
	if r := s.stop(e, "snapshotAndRemove"); !r.Removed {
		t.Errorf("when it is pushed: %+v", r)
	}
	s.clean(0)
}

func TestDisposableFilesDoNotHoldARemoval(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e, path := s.opened("e", settings{"disposableIgnored": []string{"build/"}})
	write(t, filepath.Join(path, "build", "out.bin"), "x")
	if r := s.stop(e, "removeIfClean"); !r.Removed {
		t.Errorf("%+v", r)
	}
	s.clean(0)
	kept, at := s.opened("kept", settings{"cleanupEnvironmentPath": false})
	if r := s.stop(kept, "snapshotAndRemove"); r.Removed || len(r.Holds) != 1 {
		t.Errorf("cleanupEnvironmentPath false: %+v", r)
	}
	read(t, filepath.Join(at, "README.md"))
}

func TestStoppingAndStartingAgainFindsTheSameFiles(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e, path := s.opened("e", nil)
	write(t, filepath.Join(path, "new"), "1")
	resource := e.ResourceID()
	s.stop(e, "")
	again := s.start(e)
	if !again.Attached || again.WorkspacePath != path || again.ResourceID != resource || read(t, filepath.Join(path, "new")) != "1" {
		t.Errorf("%+v", again.StartResult)
	}
	s.close(e)
	// The directory was deleted by hand: the branch is checked out again.
	git(t, path, "add", "-A")
	git(t, path, "commit", "-qm", "kept")
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	if s.start(e); read(t, filepath.Join(path, "new")) != "1" {
		t.Error("what was committed is gone")
	}
	s.close(e)
	// Another's directory is in its place: nothing of it is touched.
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(path, "other"), "x")
	if _, err := e.Start(limit(t)); wire.CodeOf(err) != wire.Conflict {
		t.Errorf("attach to a directory of another: %v", err)
	}
	if read(t, filepath.Join(path, "other")) != "x" {
		t.Error("it was touched")
	}
}

func TestTwentyStartsAtOnceMakeTwentyWorktrees(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	const n = 20
	envs := make([]*server.Environment, n)
	paths := make([]string, n)
	for i := range n {
		envs[i] = s.env("same name", nil, nil) // the ids tell them apart
	}
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			started, err := envs[i].Start(limit(t))
			if err != nil {
				t.Errorf("start %d: %v", i, err)
				return
			}
			paths[i] = started.WorkspacePath
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	unique := slices.Compact(slices.Sorted(slices.Values(paths)))
	if len(unique) != n {
		t.Errorf("%d different directories", len(unique))
	}
	for _, path := range unique {
		if read(t, filepath.Join(path, "README.md")) != "a project\n" || git(t, path, "status", "--porcelain") != "" {
			t.Errorf("%s is not a clean checkout", path)
		}
	}
	if trees := strings.Count(git(t, s.project, "worktree", "list", "--porcelain"), "worktree "); trees != n+1 {
		t.Errorf("git knows %d worktrees", trees-1)
	}
	if status := git(t, s.project, "status", "--porcelain"); status != "" {
		t.Errorf("the project's status: %s", status)
	}
	for i := range n {
		wg.Go(func() { s.close(envs[i]) })
	}
	wg.Wait()
	s.clean(n)
}

func TestHostileNamesAreSafeOrRefusedWithASentence(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for _, name := range []string{"x$(touch pwned)", "x`touch pwned`", ";touch pwned", "../../x", "-f", "--help", "a b", "ü", ".", "..", "a.lock", strings.Repeat("n", 255)} {
		e := s.env(name, nil, nil)
		path := s.start(e).WorkspacePath
		if rel, err := filepath.Rel(filepath.Join(s.state, "worktrees"), path); err != nil || !filepath.IsLocal(rel) || strings.Count(rel, "/") != 1 {
			t.Errorf("%q is at %s", name, path)
		}
		if r := s.stop(e, "removeIfClean"); !r.Removed {
			t.Errorf("%q: %+v", name, r)
		}
	}
	for _, name := range []string{"a\x00b", "a\nb", strings.Repeat("n", 256)} {
		// No variable can hold a NUL, so the name comes with the message alone.
		if text := s.refused(s.env("bad", nil, map[string]any{"environmentName": name}), wire.Invalid); !strings.Contains(text, "environmentName") {
			t.Errorf("%q: %s", name, text)
		}
	}
	for _, root := range []string{s.project, s.state, "."} {
		if err := exec.Command("sh", "-c", `test -z "$(find "$1" -name '*pwned*')"`, "sh", root).Run(); err != nil {
			t.Errorf("a shell has seen a name: there is a file pwned below %s", root)
		}
	}
	s.clean(0)
}

func TestNoRequestLeavesTheWorkspace(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e, path := s.opened("e", nil)
	outside := filepath.Join(t.TempDir(), "canary")
	write(t, outside, "untouched")
	if err := os.Symlink(filepath.Dir(outside), filepath.Join(path, "link")); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"../canary", "../../../../../../../../etc/passwd", outside, "link/canary", path + "x/canary", "src/../../x", ".git", ".git/config", "a\x00b"} {
		for _, m := range []map[string]any{
			{"type": wire.TypeReadFile, "path": bad},
			{"type": wire.TypeWriteFile, "path": bad, "content": "x"},
			{"type": wire.TypeDeleteFile, "path": bad},
			{"type": wire.TypeCreateFolder, "path": bad},
			{"type": wire.TypeRenameItem, "oldPath": bad, "newPath": "in"},
			{"type": wire.TypeRenameItem, "oldPath": "README.md", "newPath": bad},
			{"type": wire.TypeCopyFile, "sourcePath": "README.md", "destinationPath": bad},
		} {
			if _, err := e.Call(limit(t), m); err == nil && (bad != ".git" || m["type"] != wire.TypeReadFile) {
				t.Errorf("%v succeeds", m)
			}
		}
	}
	for _, root := range []string{"", ".", "/", path} {
		for _, typ := range []string{wire.TypeDeleteFolder, wire.TypeDeleteFile} {
			if _, err := e.Call(limit(t), map[string]any{"type": typ, "path": root}); err == nil {
				t.Errorf("%s of the root as %q succeeds", typ, root)
			}
		}
	}
	if read(t, outside) != "untouched" || !strings.HasPrefix(read(t, filepath.Join(path, ".git")), "gitdir: ") {
		t.Error("something outside was touched")
	}
	if d := s.diff(e); len(d.Files) != 1 || d.Files[0].Path != "link" {
		t.Errorf("the workspace was touched: %+v", d.Files)
	}
}

func TestTheDiffTellsEverythingAndAppliesElsewhere(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e, path := s.opened("e", nil)
	write(t, filepath.Join(path, ".gitignore"), "*.env\nbuild/\nfirst in the list\n") // unstaged, and first
	write(t, filepath.Join(path, "src/file2.txt"), "committed\n")
	git(t, path, "commit", "-qam", "work")
	write(t, filepath.Join(path, ".gitignore"), "*.env\nbuild/\nagain\n")
	git(t, path, "mv", "src/file3.txt", "src/renamed ü.txt")
	git(t, path, "rm", "-q", "src/file4.txt")
	write(t, filepath.Join(path, "binary"), "\x00\x01\x02")
	write(t, filepath.Join(path, "ä b\tc.txt"), strings.Repeat("a large file\n", 400_000))
	if err := os.Symlink("README.md", filepath.Join(path, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(path, "src/file5.txt"), 0o755); err != nil {
		t.Fatal(err)
	}
	index := read(t, git(t, path, "rev-parse", "--path-format=absolute", "--git-path", "index"))
	d := s.diff(e)
	got := map[string]string{}
	for _, f := range d.Files {
		got[f.Path] = f.Status
	}
	want := map[string]string{
		".gitignore": "modified", "src/file2.txt": "modified", "src/renamed ü.txt": "renamed", "src/file4.txt": "deleted",
		"binary": "added", "ä b\tc.txt": "added", "link": "added", "src/file5.txt": "modified",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if read(t, git(t, path, "rev-parse", "--path-format=absolute", "--git-path", "index")) != index {
		t.Error("looking changed the index")
	}
	var patch string
	s.call(e, map[string]any{"type": wire.TypeMergeAsPatch}, &patch)
	for name, text := range map[string]string{"rawDiff": d.RawDiff, "patch": patch} {
		other := filepath.Join(t.TempDir(), "other")
		git(t, "", "clone", "-q", s.project, other)
		file := filepath.Join(t.TempDir(), "patch")
		write(t, file, text)
		git(t, other, "apply", "--index", file)
		git(t, path, "add", "-A", "-N")
		if out, err := exec.Command("diff", "-r", "--no-dereference", "-x", ".git", path, other).CombinedOutput(); err != nil {
			t.Errorf("%s gives another tree: %s", name, out)
		}
	}
}

func TestTwoEnvironmentsHaveRuntimesOfTheirOwnAlsoWhenThePortIsBusy(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	port := ln.Addr().(*net.TCPAddr).Port
	urls := map[string]bool{fmt.Sprintf("ws://127.0.0.1:%d", port): true}
	for _, name := range []string{"one", "two"} {
		e := s.env(name, settings{"agentServerPort": port}, nil)
		h := listen(e)
		started := s.start(e)
		if urls[started.AgentServerURL] || !strings.HasPrefix(started.AgentServerURL, "ws://127.0.0.1:") {
			t.Errorf("%s is at %s; taken are %v", name, started.AgentServerURL, urls)
		}
		urls[started.AgentServerURL] = true
		s.agent(e, "a", "pwd -P")
		h.until(t, "the agent ends", func() bool { return h.ends["a"] != nil })
		if got := strings.TrimSpace(h.output["a"]); got != started.WorkspacePath {
			t.Errorf("%s: its agent works in %s", name, got)
		}
	}
}

func TestAnAgentAtWorkSurvivesTheProviderAndIsHeardAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e, path := s.opened("e", nil)
	h := listen(e)
	s.agent(e, "a", `echo before; while [ ! -e go ]; do sleep 0.02; done; echo after; exit 5`)
	h.until(t, "it works", func() bool { return h.output["a"] == "before\n" })
	s.close(e)
	if n := len(s.runtimes()); n != 1 {
		t.Fatalf("%d runtimes are left for the agent", n)
	}
	write(t, filepath.Join(path, "go"), "")
	s.start(e)
	h.until(t, "its end is told", func() bool { return h.ends["a"] != nil })
	if end := h.ends["a"]; h.output["a"] != "before\nafter\n" || end.ExitCode == nil || *end.ExitCode != 5 {
		t.Errorf("heard %q, %+v", h.output["a"], end)
	}
	// An agent at work holds a removal, and a restart of the runtime ends it.
	s.agent(e, "b", `echo b; exec sleep 1000`)
	h.until(t, "it works", func() bool { return h.output["b"] == "b\n" })
	s.call(e, map[string]any{"type": wire.TypeEnvironmentRestart, "environmentId": e.ID()}, nil)
	h.until(t, "its end is told", func() bool { return h.ends["b"] != nil })
	s.agent(e, "c", `echo c; exec sleep 1000`)
	h.until(t, "the new runtime works", func() bool { return h.output["c"] == "c\n" })
	git(t, path, "clean", "-qfd")
	if r := s.stop(e, "removeIfClean"); r.Removed || !strings.Contains(strings.Join(r.Holds, ""), "at work") {
		t.Errorf("removed while an agent works: %+v", r)
	}
	s.start(e)
	if r := s.stop(e, "snapshotAndRemove"); !r.Removed {
		t.Errorf("%+v", r)
	}
	s.clean(0)
}

func TestKindsOfRepository(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, project string) string{
		"bare": func(t *testing.T, project string) string {
			bare := filepath.Join(t.TempDir(), "bare.git")
			git(t, "", "clone", "-q", "--bare", project, bare)
			return bare
		},
		"shallow": func(t *testing.T, project string) string {
			dir := filepath.Join(t.TempDir(), "shallow")
			git(t, "", "clone", "-q", "--depth", "1", "file://"+project, dir)
			return dir
		},
		"detached": func(t *testing.T, project string) string {
			git(t, project, "checkout", "-q", "--detach")
			return project
		},
		"in a worktree": func(t *testing.T, project string) string {
			dir := filepath.Join(t.TempDir(), "linked")
			git(t, project, "worktree", "add", "-q", dir)
			return dir
		},
		"with LFS and no git-lfs": func(t *testing.T, project string) string {
			write(t, filepath.Join(project, ".gitattributes"), "*.bin filter=lfs diff=lfs merge=lfs -text\n")
			write(t, filepath.Join(project, "big.bin"), "version https://git-lfs.github.com/spec/v1\noid sha256:0000000000000000000000000000000000000000000000000000000000000000\nsize 3\n")
			git(t, project, "-c", "filter.lfs.clean=cat", "-c", "filter.lfs.smudge=cat", "add", "-A")
			git(t, project, "commit", "-qm", "lfs")
			git(t, project, "config", "filter.lfs.smudge", "git-lfs-that-is-not-there smudge -- %f")
			git(t, project, "config", "filter.lfs.process", "git-lfs-that-is-not-there filter-process")
			git(t, project, "config", "filter.lfs.required", "true")
			return project
		},
		"with a submodule": func(t *testing.T, project string) string {
			git(t, project, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", newProject(t), "module")
			git(t, project, "commit", "-qm", "module")
			return project
		},
		"sparse": func(t *testing.T, project string) string {
			write(t, filepath.Join(project, "other", "f"), "x")
			git(t, project, "add", "-A")
			git(t, project, "commit", "-qm", "other")
			git(t, project, "sparse-checkout", "set", "--cone", "src")
			return project
		},
		"read-only": func(t *testing.T, project string) string {
			if err := os.Chmod(filepath.Join(project, "README.md"), 0o444); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(project, 0o555); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.Chmod(project, 0o755) }) // so that it can be removed
			return project
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := stageOn(t, prepare(t, newProject(t)))
			e, path := s.opened("e", nil)
			read(t, filepath.Join(path, "src", "file1.txt"))
			if d := s.diff(e); len(d.Files) != 0 {
				t.Errorf("a fresh environment differs: %+v", d.Files)
			}
			write(t, filepath.Join(path, "new.txt"), "x\n")
			if d := s.diff(e); len(d.Files) != 1 || d.Files[0].Path != "new.txt" {
				t.Errorf("the diff: %+v", d.Files)
			}
			if r := s.stop(e, "snapshotAndRemove"); !r.Removed {
				t.Errorf("%+v", r)
			}
		})
	}
	unborn := filepath.Join(t.TempDir(), "unborn")
	git(t, "", "init", "-q", unborn)
	s := stageOn(t, unborn)
	if text := s.refused(s.env("e", nil, nil), wire.Invalid); !strings.Contains(text, "first commit") {
		t.Errorf("an unborn branch: %s", text)
	}
	s = stageOn(t, t.TempDir())
	if text := s.refused(s.env("e", nil, nil), wire.Invalid); !strings.Contains(text, "git init") {
		t.Errorf("no repository: %s", text)
	}
}

func TestWhatTheConfigurationAsksForIsDone(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	git(t, s.project, "branch", "old", "HEAD~1")
	git(t, s.project, "branch", "mine")
	write(t, filepath.Join(s.project, "secret.env"), "KEY=1")
	write(t, filepath.Join(s.project, "other.env"), "KEY=2")
	write(t, filepath.Join(s.project, "src", "file1.txt"), "uncommitted\n")
	write(t, filepath.Join(s.project, "untracked.txt"), "untracked\n")

	_, path := s.opened("base", settings{"baseRef": "old", "branchPrefix": "agents/"})
	if _, err := os.Stat(filepath.Join(path, "README.md")); err == nil || !strings.HasPrefix(git(t, path, "branch", "--show-current"), "agents/base-") {
		t.Errorf("baseRef, branchPrefix: %v, %s", err, git(t, path, "branch", "--show-current"))
	}
	existing, path := s.opened("existing", settings{"existingBranch": "mine"})
	if git(t, path, "branch", "--show-current") != "mine" {
		t.Error("existingBranch is not checked out")
	}
	if text := s.refused(s.env("twice", settings{"existingBranch": "mine"}, nil), wire.Conflict); !strings.Contains(text, path) {
		t.Errorf("a branch that is checked out elsewhere: %s", text)
	}
	if r := s.stop(existing, "removeIfClean"); !r.Removed || git(t, s.project, "branch", "--list", "mine") == "" {
		t.Errorf("removing with the user's branch: %+v", r)
	}
	carried, path := s.opened("carry", settings{"carryUncommitted": true, "copyFiles": []string{"secret.env"}, "setup": []string{"sh", "-c", "echo ready > build.txt"}})
	for name, want := range map[string]string{"src/file1.txt": "uncommitted\n", "untracked.txt": "untracked\n", "secret.env": "KEY=1", "build.txt": "ready\n"} {
		if got := read(t, filepath.Join(path, name)); got != want {
			t.Errorf("carried %s: %q", name, got)
		}
	}
	if _, err := os.Stat(filepath.Join(path, "other.env")); err == nil {
		t.Error("an ignored file was copied that nobody asked for")
	}
	s.close(carried)
	failing := s.env("failing", settings{"setup": []string{"sh", "-c", "echo no luck >&2; exit 3"}}, nil)
	if text := s.refused(failing, wire.Conflict); !strings.Contains(text, "no luck") {
		t.Errorf("a failing setup: %s", text)
	}
	_, path = s.opened("sparse", settings{"sparsePaths": []string{"src"}})
	write(t, filepath.Join(s.project, ".worktree-test"), "")
	if _, err := os.Stat(filepath.Join(path, "src", "file1.txt")); err != nil {
		t.Errorf("sparse: %v", err)
	}
	inside := s.env("inside", settings{"worktreeBaseDir": ".worktree"}, nil)
	if got := s.start(inside).WorkspacePath; filepath.Dir(got) != filepath.Join(s.project, ".worktree") {
		t.Errorf("worktreeBaseDir: %s", got)
	}
	if status := git(t, s.project, "status", "--porcelain"); strings.Contains(status, ".worktree/") {
		t.Errorf("the worktrees show in the project's status: %s", status)
	}
	for key, bad := range map[string]any{"submodules": "some", "onStop": "destroy", "commitPolicy": "never", "agentServerPort": "many", "timeouts": map[string]any{"cleanup": -1}} {
		if text := s.refused(s.env("bad-"+key, settings{key: bad}, nil), wire.Invalid); !strings.Contains(text, key) && key != "timeouts" {
			t.Errorf("%s: %s", key, text)
		}
	}
	pool := s.env("pool", settings{"executionMode": "local_thread_pool"}, nil)
	if started := s.start(pool); started.AgentServerURL != "" || len(s.processes()) == 0 {
		t.Errorf("in the server's pool: %+v", started.StartResult)
	}
}

func TestAWorktreeInsideTheProjectHidesOnlyItself(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for _, base := range []string{".", "src", ".worktree"} {
		_, path := s.opened("in "+base, settings{"worktreeBaseDir": base})
		if !strings.HasPrefix(path, s.project) {
			t.Errorf("%s: at %s", base, path)
		}
		if got := git(t, s.project, "status", "--porcelain"); got != "" {
			t.Errorf("%s: the project's status is now %s", base, got)
		}
	}
	_, path := s.opened("again", settings{"worktreeBaseDir": ".worktree"})
	if got := read(t, filepath.Join(s.project, ".git", "info", "exclude")); strings.Contains(got, filepath.Base(path)) || !strings.Contains(got, "/.worktree/\n") {
		t.Errorf("not excluded as a whole: %s", got)
	}
	write(t, filepath.Join(s.project, "src", "new.txt"), "n")
	if got := git(t, s.project, "status", "--porcelain"); got != "?? src/new.txt" {
		t.Errorf("a new file of the project: %q", got)
	}
	if text := s.refused(s.env("prefix", settings{"branchPrefix": "a b~"}, nil), wire.Invalid); !strings.Contains(text, "branch name") {
		t.Errorf("a bad prefix: %s", text)
	}
}

func TestThePlannedPathIsWhereTheEnvironmentGoes(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	first, _ := s.opened("first", nil)
	var plan wire.PathPlan
	ask := map[string]any{"type": wire.TypeProspectivePath, "environmentName": "next", "environmentId": "next-id", "projectPath": s.project}
	s.call(first, ask, &plan)
	if plan.ResolvedPath == "" || plan.PathSource != wire.PathProposed || plan.SyncMode != "git" {
		t.Errorf("plan %+v", plan)
	}
	ask["environmentPath"] = "~/somewhere"
	s.call(first, ask, &plan)
	home, err := os.UserHomeDir()
	if err != nil || plan.ResolvedPath != filepath.Join(home, "somewhere") || plan.PathSource != wire.PathRequested {
		t.Errorf("plan %+v, %v", plan, err)
	}
}

func TestAPullRequestIsPushedAndOpened(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	remote := filepath.Join(t.TempDir(), "remote.git")
	git(t, "", "clone", "-q", "--bare", s.project, remote)
	git(t, s.project, "remote", "add", "origin", "git@github.com:acme/app.git")
	ssh := filepath.Join(t.TempDir(), "ssh") // reaches the one remote there is
	write(t, ssh, "#!/bin/sh\nexec git receive-pack '"+remote+"'\n")
	if err := os.Chmod(ssh, 0o755); err != nil {
		t.Fatal(err)
	}
	s.environ = append(s.environ, "GIT_SSH_COMMAND="+ssh)
	const token = "ghp_012345678901234567890123456789012345"
	var asked map[string]any
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token || r.Method != http.MethodPost || r.URL.Path != "/repos/acme/app/pulls" {
			t.Errorf("asked %s %s", r.Method, r.URL)
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"html_url":"https://github.com/acme/app/pull/7","number":7}`)
	}))
	defer api.Close()
	send := map[string]any{"type": wire.TypeSendPR, "title": "A change", "description": "Why"}

	e, path := s.opened("e", settings{"prBase": "main", "githubToken": token, "githubApiUrl": api.URL})
	if _, err := e.Call(limit(t), send); wire.CodeOf(err) != wire.Conflict {
		t.Errorf("a pull request of nothing: %v", err)
	}
	write(t, filepath.Join(path, "new.txt"), "x\n")
	var pr wire.PullRequest
	s.call(e, send, &pr)
	if pr.PRURL != "https://github.com/acme/app/pull/7" || pr.ExternalPRNumber != 7 || asked["head"] != pr.Branch || asked["base"] != "main" || asked["title"] != "A change" {
		t.Errorf("%+v, asked %v", pr, asked)
	}
	if git(t, remote, "rev-parse", "refs/heads/"+pr.Branch) != pr.Commit || git(t, remote, "show", pr.Commit+":new.txt") != "x" {
		t.Error("the branch is not at the remote")
	}
	if strings.Contains(s.log.String(), token) {
		t.Error("the token is in the log")
	}
	plain, path := s.opened("plain", settings{"prBase": "main", "commitPolicy": "refuse"})
	write(t, filepath.Join(path, "new.txt"), "y\n")
	if _, err := plain.Call(limit(t), send); wire.CodeOf(err) != wire.Conflict {
		t.Errorf("uncommitted work under refuse: %v", err)
	}
	git(t, path, "add", "-A")
	git(t, path, "commit", "-qm", "y")
	pr = wire.PullRequest{}
	s.call(plain, send, &pr)
	if pr.PRURL != "" || !strings.HasPrefix(pr.CompareURL, "https://github.com/acme/app/compare/main...") {
		t.Errorf("without a token: %+v", pr)
	}
}

func TestHeartbeatsGoOnWhileALongStartRuns(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e := s.env("e", settings{"setup": []string{"sleep", "12"}}, nil)
	var (
		mu    sync.Mutex
		beats []time.Time
	)
	e.Subscribe(func(head wire.Header, _ []byte) {
		if head.Type == wire.TypeProviderHeartbeat {
			mu.Lock()
			beats = append(beats, time.Now())
			mu.Unlock()
		}
	})
	s.start(e)
	mu.Lock()
	defer mu.Unlock()
	if len(beats) < 2 || beats[1].Sub(beats[0]) > 11*time.Second {
		t.Errorf("beats at %v", beats)
	}
}
