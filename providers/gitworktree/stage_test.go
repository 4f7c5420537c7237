//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/programtest"
	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/manifests"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// programs is the folder with the provider and the runtime, built for these
// tests: they are judged as the processes that people run.
var programs string

func TestMain(m *testing.M) {
	for name, value := range map[string]string{
		"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@localhost",
		"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@localhost",
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	os.Exit(programtest.Main(m, &programs, map[string]string{
		"codebolt-provider-gitworktree": ".", "codebolt-runtime": "../../cmd/codebolt-runtime",
	}))
}

// stage is a project, a state directory of its own and a server.
type stage struct {
	t       *testing.T
	project string
	state   string
	server  *server.Server
	log     *syncBuffer
	environ []string // further variables of the providers
}

type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func newStage(t *testing.T) *stage {
	t.Helper()
	return stageOn(t, newProject(t))
}

func stageOn(t *testing.T, project string) *stage {
	t.Helper()
	s := &stage{t: t, project: project, state: t.TempDir(), log: &syncBuffer{}}
	var err error
	if s.server, err = server.New(server.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.server.Close(); err != nil {
			t.Errorf("close the server: %v", err)
		}
		s.killRuntimes()
		if t.Failed() {
			text := s.log.String()
			t.Log(text[max(0, len(text)-6000):])
		}
	})
	return s
}

// newProject is a repository with a few files and two commits.
func newProject(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "project")
	git(t, "", "init", "-q", "-b", "main", dir)
	for i := range 20 {
		write(t, filepath.Join(dir, "src", fmt.Sprintf("file%d.txt", i)), fmt.Sprintf("line one of %d\nline two\n", i))
	}
	write(t, filepath.Join(dir, ".gitignore"), "*.env\nbuild/\n")
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-qm", "first")
	write(t, filepath.Join(dir, "README.md"), "a project\n")
	git(t, dir, "add", "-A")
	git(t, dir, "commit", "-qm", "second")
	return dir
}

func git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

type settings map[string]any

// env makes an environment that is not yet started.
func (s *stage) env(name string, config settings, start map[string]any) *server.Environment {
	s.t.Helper()
	m, _, err := manifests.Load("git-worktree")
	if err != nil {
		s.t.Fatal(err)
	}
	e, err := s.server.Create(server.EnvironmentSpec{
		Name: name, ProjectPath: s.project, Program: filepath.Join(programs, "codebolt-provider-gitworktree"), Manifest: m,
		Env: append(s.environ, resource.EnvStateDir+"="+s.state), Config: config, Start: start, Stderr: s.log,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return e
}

// limit bounds whatever one step of a test waits for.
func limit(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func (s *stage) start(e *server.Environment) *server.Started {
	s.t.Helper()
	started, err := e.Start(limit(s.t))
	if err != nil {
		s.t.Fatalf("start %q: %v", e.Name(), err)
	}
	return started
}

// opened makes and starts an environment.
func (s *stage) opened(name string, config settings) (*server.Environment, string) {
	s.t.Helper()
	e := s.env(name, config, nil)
	return e, s.start(e).WorkspacePath
}

// refused starts an environment that must not start, and gives the error.
func (s *stage) refused(e *server.Environment, code wire.Code) string {
	s.t.Helper()
	_, err := e.Start(limit(s.t))
	if wire.CodeOf(err) != code {
		s.t.Fatalf("start %q: %v, want kind %s", e.Name(), err, code)
	}
	s.close(e)
	return err.Error()
}

func (s *stage) close(e *server.Environment) {
	s.t.Helper()
	if err := e.Close(limit(s.t)); err != nil {
		s.t.Errorf("close %q: %v", e.Name(), err)
	}
}

func (s *stage) call(e *server.Environment, message map[string]any, result any) {
	s.t.Helper()
	answer, err := e.Call(limit(s.t), message)
	if err == nil && result != nil {
		err = answer.Reply.Result(result)
	}
	if err != nil {
		s.t.Fatalf("%v: %v", message["type"], err)
	}
}

func (s *stage) diff(e *server.Environment) *wire.DiffResult {
	s.t.Helper()
	d := &wire.DiffResult{}
	s.call(e, map[string]any{"type": wire.TypeGetDiffFiles}, d)
	return d
}

type removal struct {
	Removed  bool     `json:"removed"`
	Holds    []string `json:"holds"`
	Recovery []string `json:"recovery"`
}

// stop stops an environment under a policy and waits for the provider's end.
func (s *stage) stop(e *server.Environment, policy string) removal {
	s.t.Helper()
	answer, err := e.Stop(limit(s.t), policy)
	var r removal
	if err == nil && policy != "" && policy != "keep" {
		err = answer.Reply.Result(&r)
	}
	if err != nil {
		s.t.Fatalf("stop %q under %s: %v", e.Name(), policy, err)
	}
	if _, err := e.Wait(limit(s.t)); err != nil {
		s.t.Fatalf("the provider does not end: %v", err)
	}
	return r
}

// heard keeps what an environment's agents say.
type heard struct {
	mu     sync.Mutex
	output map[string]string // stdout by agent
	ends   map[string]*wire.ProcessStopped
	moved  chan struct{}
}

func listen(e *server.Environment) *heard {
	h := &heard{output: map[string]string{}, ends: map[string]*wire.ProcessStopped{}, moved: make(chan struct{}, 1)}
	e.Subscribe(func(head wire.Header, frame []byte) {
		h.mu.Lock()
		defer h.mu.Unlock()
		switch head.Type {
		case wire.TypeAgentOutput:
			m := wire.AgentOutput{}
			if wire.Unmarshal(frame, &m) == nil && m.Stream == wire.Stdout {
				if known := int64(len(h.output[m.AgentID])) - m.Offset; known < int64(len(m.Data)) {
					h.output[m.AgentID] += m.Data[max(known, 0):]
				}
			}
		case wire.TypeProcessStopped:
			m := &wire.ProcessStopped{}
			if wire.Unmarshal(frame, m) == nil {
				h.ends[m.AgentID] = m
			}
		default:
			return
		}
		select {
		case h.moved <- struct{}{}:
		default:
		}
	})
	return h
}

// until waits until what was heard satisfies a condition.
func (h *heard) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	timeout := time.After(60 * time.Second)
	for {
		h.mu.Lock()
		done := ok()
		h.mu.Unlock()
		if done {
			return
		}
		select {
		case <-h.moved:
		case <-timeout:
			t.Fatalf("%s: never; heard %+v %+v", what, h.output, h.ends)
		}
	}
}

// agent starts a shell script as an agent.
func (s *stage) agent(e *server.Environment, id, script string) {
	s.t.Helper()
	details, err := wire.Marshal(wire.AgentCommand{Argv: []string{"sh", "-c", script}})
	if err != nil {
		s.t.Fatal(err)
	}
	err = e.StartAgent(limit(s.t), wire.MessageResponse{
		Header: wire.Header{Type: wire.TypeMessageResponse}, MessageID: "m-" + id,
		Message: wire.Prompt{SelectedAgent: &wire.SelectedAgent{ID: id, AgentType: wire.AgentTypeCommand, AgentDetails: details}},
	})
	if err != nil {
		s.t.Fatalf("start the agent %s: %v", id, err)
	}
}

// processes are the processes that have this stage's state directory, by
// program.
func (s *stage) processes() map[int]string {
	found := map[int]string{}
	mark := []byte(resource.EnvStateDir + "=" + s.state)
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, dir := range dirs {
		environ, err := os.ReadFile(filepath.Join(dir, "environ"))
		if err != nil || !bytes.Contains(append(append([]byte{0}, environ...), 0), append(append([]byte{0}, mark...), 0)) {
			continue
		}
		stat, err := os.ReadFile(filepath.Join(dir, "stat"))
		if err != nil || bytes.Contains(stat, []byte(") Z ")) {
			continue
		}
		cmdline, _ := os.ReadFile(filepath.Join(dir, "cmdline")) // it may have ended just now
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil {
			found[pid] = string(bytes.ReplaceAll(cmdline, []byte{0}, []byte{' '}))
		}
	}
	return found
}

func (s *stage) runtimes() (pids []int) {
	for pid, cmd := range s.processes() {
		if strings.HasPrefix(cmd, filepath.Join(programs, "codebolt-runtime")+" ") {
			pids = append(pids, pid)
		}
	}
	return pids
}

func (s *stage) killRuntimes() int {
	n := 0
	for _, pid := range s.runtimes() {
		if syscall.Kill(pid, syscall.SIGKILL) == nil {
			n++
		}
	}
	return n
}

// clean checks that nothing is left that nothing owns: worktrees and branches
// only of the environments that are on record, no lock, no temporary file, and
// no process unless agents are at work.
func (s *stage) clean(environments int) {
	s.t.Helper()
	records, err := filepath.Glob(filepath.Join(s.state, "envs", "*.json"))
	if err != nil || len(records) != environments {
		s.t.Errorf("%d records, want %d: %v", len(records), environments, records)
	}
	if trees := strings.Count(git(s.t, s.project, "worktree", "list", "--porcelain"), "worktree "); trees != environments+1 {
		s.t.Errorf("%d worktrees beside the project, want %d", trees-1, environments)
	}
	if branches := git(s.t, s.project, "for-each-ref", "--format=%(refname)", "refs/heads/codebolt/"); len(strings.Fields(branches)) != environments {
		s.t.Errorf("branches, want %d: %s", environments, branches)
	}
	for _, root := range []string{filepath.Join(s.project, ".git"), s.state} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			name := filepath.Base(path)
			if strings.HasSuffix(name, ".lock") || strings.HasSuffix(name, ".lease") || strings.Contains(name, "codebolt-tmp") || strings.HasPrefix(name, "codebolt-index-") || strings.Contains(name, "trash") {
				s.t.Errorf("left behind: %s", path)
			}
			return err
		})
		if err != nil {
			s.t.Error(err)
		}
	}
	// Ending takes a moment.
	var left map[int]string
	for range 300 {
		if left = s.processes(); len(left) == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if len(left) > 0 {
		s.t.Errorf("processes left: %v", left)
	}
}
