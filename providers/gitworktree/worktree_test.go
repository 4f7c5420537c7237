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
	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestAnExistingDirectoryThatIsNotEmptyIsRefusedAndLeftAlone(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	dir := filepath.Join(t.TempDir(), "mine")
	stage.Write(t, filepath.Join(dir, "precious"), "text")
	e := s.Env("e", nil, map[string]any{"environmentPath": dir})
	if text := s.Refused(e, wire.Exists); !strings.Contains(text, dir) || !strings.Contains(text, "not empty") {
		t.Errorf("the error: %s", text)
	}
	for _, bad := range []string{s.Project, filepath.Dir(s.Project), "/", "."} {
		s.Refused(s.Env("bad"+bad, nil, map[string]any{"environmentPath": bad}), wire.Invalid)
	}
	if stage.Read(t, filepath.Join(dir, "precious")) != "text" {
		t.Error("the directory was touched")
	}
	s.Clean(0)
	empty := t.TempDir()
	e = s.Env("empty", nil, map[string]any{"environmentPath": empty})
	if got := s.Start(e); got.WorkspacePath != empty || got.PathSource != wire.PathRequested {
		t.Errorf("in an empty directory: %+v", got.StartResult)
	}
}

func TestCommitsOnAnotherBranchStayReachableWhenTheEnvironmentGoes(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"removeIfClean", "snapshotAndRemove"} {
		s := newStage(t)
		stage.Git(t, s.Project, "branch", "feature/x")
		e, path := s.Opened("e", nil)
		stage.Write(t, filepath.Join(path, "one"), "1")
		stage.Git(t, path, "add", "-A")
		stage.Git(t, path, "commit", "-qm", "one")
		one := stage.Git(t, path, "rev-parse", "HEAD")
		stage.Git(t, path, "checkout", "-q", "feature/x")
		stage.Write(t, filepath.Join(path, "two"), "2")
		stage.Git(t, path, "add", "-A")
		stage.Git(t, path, "commit", "-qm", "two")
		two := stage.Git(t, path, "rev-parse", "HEAD")
		r := s.Stop(e, policy)
		if r.Removed != (policy == "snapshotAndRemove") {
			t.Errorf("%s: %+v", policy, r)
		}
		if _, err := os.Stat(path); (err != nil) != r.Removed {
			t.Errorf("%s: the directory: %v", policy, err)
		}
		for name, oid := range map[string]string{"one": one, "two": two} {
			if refs := stage.Git(t, s.Project, "for-each-ref", "--contains", oid); refs == "" {
				t.Errorf("%s: no ref leads to commit %s", policy, name)
			}
		}
		if stage.Git(t, s.Project, "rev-parse", "feature/x") != two {
			t.Errorf("%s: the user's branch was moved", policy)
		}
	}
}

func TestUncommittedUntrackedAndIgnoredFilesHoldARemovalOrAreRecovered(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e, path := s.Opened("e", nil)
	files := map[string]string{"src/file1.txt": "changed\n", "new.txt": "new\n", "secret.env": "KEY=1\n", "build/out.bin": "\x00\x01"}
	for name, text := range files {
		stage.Write(t, filepath.Join(path, name), text)
	}
	r := s.Stop(e, "removeIfClean")
	if holds := strings.Join(r.Holds, "; "); r.Removed || !strings.Contains(holds, "file1.txt") || !strings.Contains(holds, "new.txt") || !strings.Contains(holds, "secret.env") {
		t.Fatalf("removeIfClean: %+v", r)
	}
	s.Start(e)
	r = s.Stop(e, "snapshotAndRemove")
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
		if got := stage.Read(t, filepath.Join(back, name)); got != text {
			t.Errorf("%s came back as %q", name, got)
		}
	}
	stage.Git(t, s.Project, "worktree", "remove", "--force", back)
	s.Clean(0)
}

func TestWorkInASubmoduleHoldsEvenARemovalWithASnapshot(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	lib := filepath.Join(t.TempDir(), "lib")
	stage.Git(t, s.Project, "clone", "-q", ".", lib)
	stage.Git(t, s.Project, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", lib, "lib")
	stage.Git(t, s.Project, "commit", "-qm", "lib")
	e, path := s.Opened("e", nil)
	stage.Write(t, filepath.Join(path, "lib", "new.txt"), "work\n")
	if r := s.Stop(e, "snapshotAndRemove"); r.Removed || !strings.Contains(strings.Join(r.Holds, "; "), "lib: new and not committed: new.txt") {
		t.Fatalf("a new file: %+v", r)
	}
	stage.Git(t, filepath.Join(path, "lib"), "add", "-A")
	stage.Git(t, filepath.Join(path, "lib"), "commit", "-qm", "work")
	s.Start(e)
	if r := s.Stop(e, "snapshotAndRemove"); r.Removed || !strings.Contains(strings.Join(r.Holds, "; "), "not pushed") {
		t.Fatalf("a commit: %+v", r)
	}
	stage.Git(t, filepath.Join(path, "lib"), "push", "-q", lib, "HEAD:refs/heads/work")
	stage.Git(t, filepath.Join(path, "lib"), "update-ref", "refs/remotes/origin/work", "HEAD")
	s.Start(e)
	if r := s.Stop(e, "snapshotAndRemove"); !r.Removed {
		t.Errorf("when it is pushed: %+v", r)
	}
	s.Clean(0)
}

func TestDisposableFilesDoNotHoldARemoval(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e, path := s.Opened("e", stage.Settings{"disposableIgnored": []string{"build/"}})
	stage.Write(t, filepath.Join(path, "build", "out.bin"), "x")
	if r := s.Stop(e, "removeIfClean"); !r.Removed {
		t.Errorf("%+v", r)
	}
	s.Clean(0)
	kept, at := s.Opened("kept", stage.Settings{"cleanupEnvironmentPath": false})
	if r := s.Stop(kept, "snapshotAndRemove"); r.Removed || len(r.Holds) != 1 {
		t.Errorf("cleanupEnvironmentPath false: %+v", r)
	}
	stage.Read(t, filepath.Join(at, "README.md"))
}

func TestStoppingAndStartingAgainFindsTheSameFiles(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e, path := s.Opened("e", nil)
	stage.Write(t, filepath.Join(path, "new"), "1")
	resource := e.ResourceID()
	s.Stop(e, "")
	again := s.Start(e)
	if !again.Attached || again.WorkspacePath != path || again.ResourceID != resource || stage.Read(t, filepath.Join(path, "new")) != "1" {
		t.Errorf("%+v", again.StartResult)
	}
	s.Close(e)
	// The directory was deleted by hand: the branch is checked out again.
	stage.Git(t, path, "add", "-A")
	stage.Git(t, path, "commit", "-qm", "kept")
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	if s.Start(e); stage.Read(t, filepath.Join(path, "new")) != "1" {
		t.Error("what was committed is gone")
	}
	s.Close(e)
	// Another's directory is in its place: nothing of it is touched.
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
	stage.Write(t, filepath.Join(path, "other"), "x")
	if _, err := e.Start(stage.Limit(t)); wire.CodeOf(err) != wire.Conflict {
		t.Errorf("attach to a directory of another: %v", err)
	}
	if stage.Read(t, filepath.Join(path, "other")) != "x" {
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
		envs[i] = s.Env("same name", nil, nil) // the ids tell them apart
	}
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			started, err := envs[i].Start(stage.Limit(t))
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
		if stage.Read(t, filepath.Join(path, "README.md")) != "a project\n" || stage.Git(t, path, "status", "--porcelain") != "" {
			t.Errorf("%s is not a clean checkout", path)
		}
	}
	if trees := strings.Count(stage.Git(t, s.Project, "worktree", "list", "--porcelain"), "worktree "); trees != n+1 {
		t.Errorf("git knows %d worktrees", trees-1)
	}
	if status := stage.Git(t, s.Project, "status", "--porcelain"); status != "" {
		t.Errorf("the project's status: %s", status)
	}
	for i := range n {
		wg.Go(func() { s.Close(envs[i]) })
	}
	wg.Wait()
	s.Clean(n)
}

func TestHostileNamesAreSafeOrRefusedWithASentence(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for _, name := range []string{"x$(touch pwned)", "x`touch pwned`", ";touch pwned", "../../x", "-f", "--help", "a b", "ü", ".", "..", "a.lock", strings.Repeat("n", 255)} {
		e := s.Env(name, nil, nil)
		path := s.Start(e).WorkspacePath
		if rel, err := filepath.Rel(filepath.Join(s.State, "worktrees"), path); err != nil || !filepath.IsLocal(rel) || strings.Count(rel, "/") != 1 {
			t.Errorf("%q is at %s", name, path)
		}
		if r := s.Stop(e, "removeIfClean"); !r.Removed {
			t.Errorf("%q: %+v", name, r)
		}
	}
	for _, name := range []string{"a\x00b", "a\nb", strings.Repeat("n", 256)} {
		// No variable can hold a NUL, so the name comes with the message alone.
		if text := s.Refused(s.Env("bad", nil, map[string]any{"environmentName": name}), wire.Invalid); !strings.Contains(text, "environmentName") {
			t.Errorf("%q: %s", name, text)
		}
	}
	for _, root := range []string{s.Project, s.State, "."} {
		if err := exec.Command("sh", "-c", `test -z "$(find "$1" -name '*pwned*')"`, "sh", root).Run(); err != nil {
			t.Errorf("a shell has seen a name: there is a file pwned below %s", root)
		}
	}
	s.Clean(0)
}

func TestNoRequestLeavesTheWorkspace(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e, path := s.Opened("e", nil)
	outside := filepath.Join(t.TempDir(), "canary")
	stage.Write(t, outside, "untouched")
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
			if _, err := e.Call(stage.Limit(t), m); err == nil && (bad != ".git" || m["type"] != wire.TypeReadFile) {
				t.Errorf("%v succeeds", m)
			}
		}
	}
	for _, root := range []string{"", ".", "/", path} {
		for _, typ := range []string{wire.TypeDeleteFolder, wire.TypeDeleteFile} {
			if _, err := e.Call(stage.Limit(t), map[string]any{"type": typ, "path": root}); err == nil {
				t.Errorf("%s of the root as %q succeeds", typ, root)
			}
		}
	}
	if stage.Read(t, outside) != "untouched" || !strings.HasPrefix(stage.Read(t, filepath.Join(path, ".git")), "gitdir: ") {
		t.Error("something outside was touched")
	}
	if d := s.Diff(e); len(d.Files) != 1 || d.Files[0].Path != "link" {
		t.Errorf("the workspace was touched: %+v", d.Files)
	}
}

func TestTheDiffTellsEverythingAndAppliesElsewhere(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e, path := s.Opened("e", nil)
	stage.Write(t, filepath.Join(path, ".gitignore"), "*.env\nbuild/\nfirst in the list\n") // unstaged, and first
	stage.Write(t, filepath.Join(path, "src/file2.txt"), "committed\n")
	stage.Git(t, path, "commit", "-qam", "work")
	stage.Write(t, filepath.Join(path, ".gitignore"), "*.env\nbuild/\nagain\n")
	stage.Git(t, path, "mv", "src/file3.txt", "src/renamed ü.txt")
	stage.Git(t, path, "rm", "-q", "src/file4.txt")
	stage.Write(t, filepath.Join(path, "binary"), "\x00\x01\x02")
	stage.Write(t, filepath.Join(path, "ä b\tc.txt"), strings.Repeat("a large file\n", 400_000))
	if err := os.Symlink("README.md", filepath.Join(path, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(path, "src/file5.txt"), 0o755); err != nil {
		t.Fatal(err)
	}
	index := stage.Read(t, stage.Git(t, path, "rev-parse", "--path-format=absolute", "--git-path", "index"))
	d := s.Diff(e)
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
	if stage.Read(t, stage.Git(t, path, "rev-parse", "--path-format=absolute", "--git-path", "index")) != index {
		t.Error("looking changed the index")
	}
	var patch string
	s.Call(e, map[string]any{"type": wire.TypeMergeAsPatch}, &patch)
	for name, text := range map[string]string{"rawDiff": d.RawDiff, "patch": patch} {
		other := filepath.Join(t.TempDir(), "other")
		stage.Git(t, "", "clone", "-q", s.Project, other)
		file := filepath.Join(t.TempDir(), "patch")
		stage.Write(t, file, text)
		stage.Git(t, other, "apply", "--index", file)
		stage.Git(t, path, "add", "-A", "-N")
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
		e := s.Env(name, stage.Settings{"agentServerPort": port}, nil)
		h := stage.Listen(e)
		started := s.Start(e)
		if urls[started.AgentServerURL] || !strings.HasPrefix(started.AgentServerURL, "ws://127.0.0.1:") {
			t.Errorf("%s is at %s; taken are %v", name, started.AgentServerURL, urls)
		}
		urls[started.AgentServerURL] = true
		s.Agent(e, "a", "pwd -P")
		h.Until(t, "the agent ends", func() bool { return h.Ends["a"] != nil })
		if got := strings.TrimSpace(h.Output["a"]); got != started.WorkspacePath {
			t.Errorf("%s: its agent works in %s", name, got)
		}
	}
}

func TestAnAgentAtWorkSurvivesTheProviderAndIsHeardAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e, path := s.Opened("e", nil)
	h := stage.Listen(e)
	s.Agent(e, "a", `echo before; while [ ! -e go ]; do sleep 0.02; done; echo after; exit 5`)
	h.Until(t, "it works", func() bool { return h.Output["a"] == "before\n" })
	s.Close(e)
	if n := len(s.Runtimes()); n != 1 {
		t.Fatalf("%d runtimes are left for the agent", n)
	}
	stage.Write(t, filepath.Join(path, "go"), "")
	s.Start(e)
	h.Until(t, "its end is told", func() bool { return h.Ends["a"] != nil })
	if end := h.Ends["a"]; h.Output["a"] != "before\nafter\n" || end.ExitCode == nil || *end.ExitCode != 5 {
		t.Errorf("heard %q, %+v", h.Output["a"], end)
	}
	// An agent at work holds a removal, and a restart of the runtime ends it.
	s.Agent(e, "b", `echo b; exec sleep 1000`)
	h.Until(t, "it works", func() bool { return h.Output["b"] == "b\n" })
	s.Call(e, map[string]any{"type": wire.TypeEnvironmentRestart, "environmentId": e.ID()}, nil)
	h.Until(t, "its end is told", func() bool { return h.Ends["b"] != nil })
	s.Agent(e, "c", `echo c; exec sleep 1000`)
	h.Until(t, "the new runtime works", func() bool { return h.Output["c"] == "c\n" })
	stage.Git(t, path, "clean", "-qfd")
	if r := s.Stop(e, "removeIfClean"); r.Removed || !strings.Contains(strings.Join(r.Holds, ""), "at work") {
		t.Errorf("removed while an agent works: %+v", r)
	}
	s.Start(e)
	if r := s.Stop(e, "snapshotAndRemove"); !r.Removed {
		t.Errorf("%+v", r)
	}
	s.Clean(0)
}

func TestKindsOfRepository(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, project string) string{
		"bare": func(t *testing.T, project string) string {
			bare := filepath.Join(t.TempDir(), "bare.git")
			stage.Git(t, "", "clone", "-q", "--bare", project, bare)
			return bare
		},
		"shallow": func(t *testing.T, project string) string {
			dir := filepath.Join(t.TempDir(), "shallow")
			stage.Git(t, "", "clone", "-q", "--depth", "1", "file://"+project, dir)
			return dir
		},
		"detached": func(t *testing.T, project string) string {
			stage.Git(t, project, "checkout", "-q", "--detach")
			return project
		},
		"in a worktree": func(t *testing.T, project string) string {
			dir := filepath.Join(t.TempDir(), "linked")
			stage.Git(t, project, "worktree", "add", "-q", dir)
			return dir
		},
		"with LFS and no git-lfs": func(t *testing.T, project string) string {
			stage.Write(t, filepath.Join(project, ".gitattributes"), "*.bin filter=lfs diff=lfs merge=lfs -text\n")
			stage.Write(t, filepath.Join(project, "big.bin"), "version https://git-lfs.github.com/spec/v1\noid sha256:0000000000000000000000000000000000000000000000000000000000000000\nsize 3\n")
			stage.Git(t, project, "-c", "filter.lfs.clean=cat", "-c", "filter.lfs.smudge=cat", "add", "-A")
			stage.Git(t, project, "commit", "-qm", "lfs")
			stage.Git(t, project, "config", "filter.lfs.smudge", "git-lfs-that-is-not-there smudge -- %f")
			stage.Git(t, project, "config", "filter.lfs.process", "git-lfs-that-is-not-there filter-process")
			stage.Git(t, project, "config", "filter.lfs.required", "true")
			return project
		},
		"with a submodule": func(t *testing.T, project string) string {
			stage.Git(t, project, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", stage.NewProject(t), "module")
			stage.Git(t, project, "commit", "-qm", "module")
			return project
		},
		"sparse": func(t *testing.T, project string) string {
			stage.Write(t, filepath.Join(project, "other", "f"), "x")
			stage.Git(t, project, "add", "-A")
			stage.Git(t, project, "commit", "-qm", "other")
			stage.Git(t, project, "sparse-checkout", "set", "--cone", "src")
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
			s := stageOn(t, prepare(t, stage.NewProject(t)))
			e, path := s.Opened("e", nil)
			stage.Read(t, filepath.Join(path, "src", "file1.txt"))
			if d := s.Diff(e); len(d.Files) != 0 {
				t.Errorf("a fresh environment differs: %+v", d.Files)
			}
			stage.Write(t, filepath.Join(path, "new.txt"), "x\n")
			if d := s.Diff(e); len(d.Files) != 1 || d.Files[0].Path != "new.txt" {
				t.Errorf("the diff: %+v", d.Files)
			}
			if r := s.Stop(e, "snapshotAndRemove"); !r.Removed {
				t.Errorf("%+v", r)
			}
		})
	}
	unborn := filepath.Join(t.TempDir(), "unborn")
	stage.Git(t, "", "init", "-q", unborn)
	s := stageOn(t, unborn)
	if text := s.Refused(s.Env("e", nil, nil), wire.Invalid); !strings.Contains(text, "first commit") {
		t.Errorf("an unborn branch: %s", text)
	}
	s = stageOn(t, t.TempDir())
	if text := s.Refused(s.Env("e", nil, nil), wire.Invalid); !strings.Contains(text, "git init") {
		t.Errorf("no repository: %s", text)
	}
}

func TestWhatTheConfigurationAsksForIsDone(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	stage.Git(t, s.Project, "branch", "old", "HEAD~1")
	stage.Git(t, s.Project, "branch", "mine")
	stage.Write(t, filepath.Join(s.Project, "secret.env"), "KEY=1")
	stage.Write(t, filepath.Join(s.Project, "other.env"), "KEY=2")
	stage.Write(t, filepath.Join(s.Project, "src", "file1.txt"), "uncommitted\n")
	stage.Write(t, filepath.Join(s.Project, "untracked.txt"), "untracked\n")

	_, path := s.Opened("base", stage.Settings{"baseRef": "old", "branchPrefix": "agents/"})
	if _, err := os.Stat(filepath.Join(path, "README.md")); err == nil || !strings.HasPrefix(stage.Git(t, path, "branch", "--show-current"), "agents/base-") {
		t.Errorf("baseRef, branchPrefix: %v, %s", err, stage.Git(t, path, "branch", "--show-current"))
	}
	existing, path := s.Opened("existing", stage.Settings{"existingBranch": "mine"})
	if stage.Git(t, path, "branch", "--show-current") != "mine" {
		t.Error("existingBranch is not checked out")
	}
	if text := s.Refused(s.Env("twice", stage.Settings{"existingBranch": "mine"}, nil), wire.Conflict); !strings.Contains(text, path) {
		t.Errorf("a branch that is checked out elsewhere: %s", text)
	}
	if r := s.Stop(existing, "removeIfClean"); !r.Removed || stage.Git(t, s.Project, "branch", "--list", "mine") == "" {
		t.Errorf("removing with the user's branch: %+v", r)
	}
	carried, path := s.Opened("carry", stage.Settings{"carryUncommitted": true, "copyFiles": []string{"secret.env"}, "setup": []string{"sh", "-c", "echo ready > build.txt"}})
	for name, want := range map[string]string{"src/file1.txt": "uncommitted\n", "untracked.txt": "untracked\n", "secret.env": "KEY=1", "build.txt": "ready\n"} {
		if got := stage.Read(t, filepath.Join(path, name)); got != want {
			t.Errorf("carried %s: %q", name, got)
		}
	}
	if _, err := os.Stat(filepath.Join(path, "other.env")); err == nil {
		t.Error("an ignored file was copied that nobody asked for")
	}
	s.Close(carried)
	failing := s.Env("failing", stage.Settings{"setup": []string{"sh", "-c", "echo no luck >&2; exit 3"}}, nil)
	if text := s.Refused(failing, wire.Conflict); !strings.Contains(text, "no luck") {
		t.Errorf("a failing setup: %s", text)
	}
	_, path = s.Opened("sparse", stage.Settings{"sparsePaths": []string{"src"}})
	stage.Write(t, filepath.Join(s.Project, ".worktree-test"), "")
	if _, err := os.Stat(filepath.Join(path, "src", "file1.txt")); err != nil {
		t.Errorf("sparse: %v", err)
	}
	inside := s.Env("inside", stage.Settings{"worktreeBaseDir": ".worktree"}, nil)
	if got := s.Start(inside).WorkspacePath; filepath.Dir(got) != filepath.Join(s.Project, ".worktree") {
		t.Errorf("worktreeBaseDir: %s", got)
	}
	if status := stage.Git(t, s.Project, "status", "--porcelain"); strings.Contains(status, ".worktree/") {
		t.Errorf("the worktrees show in the project's status: %s", status)
	}
	for key, bad := range map[string]any{"submodules": "some", "onStop": "destroy", "commitPolicy": "never", "agentServerPort": "many", "timeouts": map[string]any{"cleanup": -1}} {
		if text := s.Refused(s.Env("bad-"+key, stage.Settings{key: bad}, nil), wire.Invalid); !strings.Contains(text, key) && key != "timeouts" {
			t.Errorf("%s: %s", key, text)
		}
	}
	pool := s.Env("pool", stage.Settings{"executionMode": "local_thread_pool"}, nil)
	if started := s.Start(pool); started.AgentServerURL != "" || len(s.Processes()) == 0 {
		t.Errorf("in the server's pool: %+v", started.StartResult)
	}
}

func TestAWorktreeInsideTheProjectHidesOnlyItself(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for _, base := range []string{".", "src", ".worktree"} {
		_, path := s.Opened("in "+base, stage.Settings{"worktreeBaseDir": base})
		if !strings.HasPrefix(path, s.Project) {
			t.Errorf("%s: at %s", base, path)
		}
		if got := stage.Git(t, s.Project, "status", "--porcelain"); got != "" {
			t.Errorf("%s: the project's status is now %s", base, got)
		}
	}
	_, path := s.Opened("again", stage.Settings{"worktreeBaseDir": ".worktree"})
	if got := stage.Read(t, filepath.Join(s.Project, ".git", "info", "exclude")); strings.Contains(got, filepath.Base(path)) || !strings.Contains(got, "/.worktree/\n") {
		t.Errorf("not excluded as a whole: %s", got)
	}
	stage.Write(t, filepath.Join(s.Project, "src", "new.txt"), "n")
	if got := stage.Git(t, s.Project, "status", "--porcelain"); got != "?? src/new.txt" {
		t.Errorf("a new file of the project: %q", got)
	}
	if text := s.Refused(s.Env("prefix", stage.Settings{"branchPrefix": "a b~"}, nil), wire.Invalid); !strings.Contains(text, "branch name") {
		t.Errorf("a bad prefix: %s", text)
	}
}

func TestThePlannedPathIsWhereTheEnvironmentGoes(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	first, _ := s.Opened("first", nil)
	var plan wire.PathPlan
	ask := map[string]any{"type": wire.TypeProspectivePath, "environmentName": "next", "environmentId": "next-id", "projectPath": s.Project}
	s.Call(first, ask, &plan)
	if plan.ResolvedPath == "" || plan.PathSource != wire.PathProposed || plan.SyncMode != "git" {
		t.Errorf("plan %+v", plan)
	}
	ask["environmentPath"] = "~/somewhere"
	s.Call(first, ask, &plan)
	home, err := os.UserHomeDir()
	if err != nil || plan.ResolvedPath != filepath.Join(home, "somewhere") || plan.PathSource != wire.PathRequested {
		t.Errorf("plan %+v, %v", plan, err)
	}
}

func TestAPullRequestIsPushedAndOpened(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	remote := filepath.Join(t.TempDir(), "remote.git")
	stage.Git(t, "", "clone", "-q", "--bare", s.Project, remote)
	stage.Git(t, s.Project, "remote", "add", "origin", "git@github.com:acme/app.git")
	ssh := filepath.Join(t.TempDir(), "ssh") // reaches the one remote there is
	stage.Write(t, ssh, "#!/bin/sh\nexec git receive-pack '"+remote+"'\n")
	if err := os.Chmod(ssh, 0o755); err != nil {
		t.Fatal(err)
	}
	s.Environ = append(s.Environ, "GIT_SSH_COMMAND="+ssh)
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

	e, path := s.Opened("e", stage.Settings{"prBase": "main", "githubToken": token, "githubApiUrl": api.URL})
	if _, err := e.Call(stage.Limit(t), send); wire.CodeOf(err) != wire.Conflict {
		t.Errorf("a pull request of nothing: %v", err)
	}
	stage.Write(t, filepath.Join(path, "new.txt"), "x\n")
	var pr wire.PullRequest
	s.Call(e, send, &pr)
	if pr.PRURL != "https://github.com/acme/app/pull/7" || pr.ExternalPRNumber != 7 || asked["head"] != pr.Branch || asked["base"] != "main" || asked["title"] != "A change" {
		t.Errorf("%+v, asked %v", pr, asked)
	}
	if stage.Git(t, remote, "rev-parse", "refs/heads/"+pr.Branch) != pr.Commit || stage.Git(t, remote, "show", pr.Commit+":new.txt") != "x" {
		t.Error("the branch is not at the remote")
	}
	if strings.Contains(s.Log.String(), token) {
		t.Error("the token is in the log")
	}
	plain, path := s.Opened("plain", stage.Settings{"prBase": "main", "commitPolicy": "refuse"})
	stage.Write(t, filepath.Join(path, "new.txt"), "y\n")
	if _, err := plain.Call(stage.Limit(t), send); wire.CodeOf(err) != wire.Conflict {
		t.Errorf("uncommitted work under refuse: %v", err)
	}
	stage.Git(t, path, "add", "-A")
	stage.Git(t, path, "commit", "-qm", "y")
	pr = wire.PullRequest{}
	s.Call(plain, send, &pr)
	if pr.PRURL != "" || !strings.HasPrefix(pr.CompareURL, "https://github.com/acme/app/compare/main...") {
		t.Errorf("without a token: %+v", pr)
	}
}

func TestHeartbeatsGoOnWhileALongStartRuns(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	e := s.Env("e", stage.Settings{"setup": []string{"sleep", "12"}}, nil)
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
	s.Start(e)
	mu.Lock()
	defer mu.Unlock()
	if len(beats) < 2 || beats[1].Sub(beats[0]) > 11*time.Second {
		t.Errorf("beats at %v", beats)
	}
}
