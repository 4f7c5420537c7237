//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// both are the two places where files can be.
func both(t *testing.T, f func(t *testing.T, s *play)) {
	for _, content := range []string{contentWorktree, contentVolume} {
		t.Run(content, func(t *testing.T) {
			t.Parallel()
			f(t, newStage(t, stage.Settings{"content": content}))
		})
	}
}

// none checks that the stage's environments left nothing on the daemon.
func (s *play) none() {
	s.T.Helper()
	for _, what := range s.own() {
		s.T.Errorf("left on the daemon: %s", what)
	}
}

// own is what the daemon has of this stage's environments.
func (s *play) own() []string {
	s.T.Helper()
	return s.daemon.Leftovers(s.T, labelOwner+"="+s.owner())
}

// run runs a script as an agent to its end, and gives what it printed.
func (s *play) run(e *server.Environment, script string) string {
	s.T.Helper()
	h := stage.Listen(e)
	id := fmt.Sprintf("a%p", h)
	s.Agent(e, id, script)
	h.Until(s.T, "the agent ends", func() bool { return h.Ends[id] != nil })
	h.Mu.Lock()
	defer h.Mu.Unlock()
	if end := h.Ends[id]; end.ExitCode == nil || *end.ExitCode != 0 {
		s.T.Errorf("%s: %+v, printed %q", script, end, h.Output[id])
	}
	return h.Output[id]
}

func TestWhatAnAgentDoesInTheContainerIsInTheDiffAndTheProjectStaysAsItWas(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *play) {
		before := stage.Git(t, s.Project, "status", "--porcelain", "--branch")
		e, path := s.Opened("work", nil)
		out := s.run(e, `set -e
pwd; cat /etc/os-release | head -1
echo new > new.txt; echo changed > src/file1.txt; rm src/file2.txt; mkdir -p deep/er; printf '\000\377' > deep/er/bytes; chmod 755 new.txt; ln -s new.txt link`)
		if want := path + "\nID=codebolt-test\n"; out != want {
			t.Errorf("printed %q, want %q", out, want)
		}
		statuses := map[string]string{}
		for _, f := range s.Diff(e).Files {
			statuses[f.Path] = f.Status
		}
		want := map[string]string{"new.txt": "added", "src/file1.txt": "modified", "src/file2.txt": "deleted", "deep/er/bytes": "added", "link": "added"}
		if fmt.Sprint(statuses) != fmt.Sprint(want) {
			t.Errorf("the diff tells %v, want %v", statuses, want)
		}
		info, err := os.Stat(filepath.Join(path, "new.txt"))
		if err != nil {
			t.Fatal(err)
		}
		if stat := info.Sys().(*syscall.Stat_t); int(stat.Uid) != os.Getuid() || info.Mode().Perm() != 0o755 {
			t.Errorf("new.txt belongs to %d and has mode %v", stat.Uid, info.Mode())
		}
		if after := stage.Git(t, s.Project, "status", "--porcelain", "--branch"); after != before {
			t.Errorf("the project was %q and is %q", before, after)
		}
		if r := s.Stop(e, "removeIfClean"); r.Removed || len(r.Holds) == 0 {
			t.Errorf("work was removed: %+v", r)
		}
		s.Start(e)
		if r := s.Stop(e, "snapshotAndRemove"); !r.Removed || len(r.Recovery) == 0 {
			t.Errorf("not removed: %+v", r)
		}
		s.none()
		s.Clean(0)
	})
}

func TestFilesAreReadAndWrittenWhereTheAgentWorks(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *play) {
		e, path := s.Opened("files", nil)
		s.Call(e, map[string]any{"type": wire.TypeWriteFile, "path": "made/by/server.txt", "content": "from the server\n"}, nil)
		if out := s.run(e, "cat made/by/server.txt; echo from the agent > reply.txt"); out != "from the server\n" {
			t.Errorf("the agent read %q", out)
		}
		var content string
		s.Call(e, map[string]any{"type": wire.TypeReadFile, "path": filepath.Join(path, "reply.txt")}, &content)
		if content != "from the agent\n" {
			t.Errorf("the server read %q", content)
		}
		s.run(e, "ln -s /etc/passwd escape")
		answer, err := e.Call(stage.Limit(t), map[string]any{"type": wire.TypeReadFile, "path": "escape"})
		if err == nil {
			err = answer.Reply.Result(&content)
		}
		if wire.CodeOf(err) != wire.OutsideWorkspace {
			t.Errorf("a link out of the workspace was read: %q, %v", content, err)
		}
		s.Call(e, map[string]any{"type": wire.TypeDeleteFile, "path": "escape"}, nil)
		if r := s.Stop(e, "snapshotAndRemove"); !r.Removed {
			t.Errorf("not removed: %+v", r)
		}
		s.none()
	})
}

func TestAContainerThatStoppedIsStartedAndOneThatIsGoneIsMadeAgainOfTheSameFiles(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *play) {
		e, path := s.Opened("again", nil)
		s.run(e, "echo work > work.txt; echo inside > /outside-of-the-workspace")
		s.Close(e)
		started := s.Start(e)
		if !started.Attached || started.WorkspacePath != path {
			t.Errorf("%+v", started.StartResult)
		}
		if out := s.run(e, "cat work.txt /outside-of-the-workspace"); out != "work\ninside\n" {
			t.Errorf("after a stop: %q", out)
		}
		s.Close(e)
		s.removeContainers()
		started = s.Start(e)
		if !started.Attached || !strings.Contains(strings.Join(started.Warnings, "\n"), "container is gone") {
			t.Errorf("nobody says that the container is another one: %+v", started.StartResult)
		}
		if out := s.run(e, "cat work.txt; ls /outside-of-the-workspace || echo gone"); out != "work\ngone\n" {
			t.Errorf("after a new container: %q", out)
		}
		if r := s.Stop(e, "snapshotAndRemove"); !r.Removed {
			t.Errorf("not removed: %+v", r)
		}
		s.none()
		s.Clean(0)
	})
}

func TestARepositoryThatAnAgentMadeUpRunsNothingOutside(t *testing.T) {
	t.Parallel()
	both(t, func(t *testing.T, s *play) {
		e, _ := s.Opened("evil", nil)
		marker := filepath.Join(t.TempDir(), "ran")
		// A repository whose settings run a program wherever git looks at it, as an
		// untracked folder and in the place of the workspace's own.
		out := s.run(e, `
for d in evil deep/evil; do
	mkdir -p $d/.git/objects $d/.git/refs/heads $d/.git/hooks
	echo 'ref: refs/heads/main' > $d/.git/HEAD
	printf '[core]\n\trepositoryformatversion = 0\n\tfsmonitor = %s/evil/run\n\tsshCommand = %s/evil/run\n\thooksPath = %s/evil\n[diff]\n\texternal = %s/evil/run\n[filter "x"]\n\tclean = %s/evil/run\n' "$PWD" "$PWD" "$PWD" "$PWD" "$PWD" > $d/.git/config
	echo text > $d/file
done
printf '#!/bin/sh\necho "$0 $@" >> `+marker+`\n' > evil/run
chmod 755 evil/run
cp evil/run evil/post-checkout; cp evil/run evil/reference-transaction
echo '* filter=x diff=x' > .gitattributes
printf '[submodule "evil"]\n\tpath = evil\n\turl = ./evil\n' > .gitmodules
rm -f .git 2>/dev/null && echo removed; mv .git old 2>/dev/null && echo moved
echo "gitdir: $PWD/evil/.git" > .git 2>/dev/null && echo written
true`)
		if out != "" && s.Config["content"] == contentWorktree {
			t.Errorf("the pointer to the repository was %q", out)
		}
		s.Diff(e)
		var patch string
		s.Call(e, map[string]any{"type": wire.TypeMergeAsPatch}, &patch)
		s.Stop(e, "removeIfClean")
		s.Start(e)
		s.Stop(e, "snapshotAndRemove")
		if ran, err := os.ReadFile(marker); err == nil {
			t.Errorf("outside of the container ran: %s", ran)
		}
	})
}
