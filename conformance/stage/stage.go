//go:build unix

// Package stage is what a Go provider's own tests act on: a project, a state
// directory and an emulated server that starts the provider's real program. What a
// test starts is gone when the test is over.
package stage

import (
	"bytes"
	"context"
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

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Stage is a project, a state directory of its own and a server.
type Stage struct {
	T        *testing.T
	Project  string // a git repository
	State    string // the state directory
	Server   *server.Server
	Log      *Buffer // what the providers log
	Program  string  // the provider's, with codebolt-runtime beside it
	Manifest *manifest.Manifest
	Environ  []string // further variables of the providers
	Config   Settings // of every environment
}

// Buffer keeps what is written to it. It is safe for concurrent use.
type Buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write implements io.Writer.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// String is all that was written.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// Options say whose tests these are.
type Options struct {
	// Program is the provider's, with codebolt-runtime beside it.
	Program string
	// Manifests is the folder with codeboltprovider.yaml and providers.yaml.
	Manifests fs.FS
	Project   string   // "" is a new one; see NewProject
	Config    Settings // of every environment
	Environ   []string // further variables of the providers
}

// New sets a stage that is cleared away after the test.
func New(t *testing.T, o Options) *Stage {
	t.Helper()
	if o.Project == "" {
		o.Project = NewProject(t)
	}
	s := &Stage{
		T: t, Project: o.Project, State: t.TempDir(), Log: &Buffer{},
		Program: o.Program, Config: o.Config, Environ: o.Environ,
	}
	var err error
	if s.Manifest, err = manifest.Load(o.Manifests, "."); err != nil {
		t.Fatal(err)
	}
	if s.Server, err = server.New(server.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Server.Close(); err != nil {
			t.Errorf("close the server: %v", err)
		}
		s.KillRuntimes()
		if t.Failed() {
			text := s.Log.String()
			t.Log(text[max(0, len(text)-6000):])
		}
	})
	return s
}

// NewProject is a repository with a few files and two commits.
func NewProject(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "project")
	Git(t, "", "init", "-q", "-b", "main", dir)
	for i := range 20 {
		Write(t, filepath.Join(dir, "src", fmt.Sprintf("file%d.txt", i)), fmt.Sprintf("line one of %d\nline two\n", i))
	}
	Write(t, filepath.Join(dir, ".gitignore"), "*.env\nbuild/\n")
	Git(t, dir, "add", "-A")
	Git(t, dir, "commit", "-qm", "first")
	Write(t, filepath.Join(dir, "README.md"), "a project\n")
	Git(t, dir, "add", "-A")
	Git(t, dir, "commit", "-qm", "second")
	return dir
}

// Git runs git, which must succeed, and returns what it printed.
func Git(t *testing.T, dir string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(context.Background(), "git", args...) // also in clean-ups, after the test's own context
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// Write writes a file and the folders above it.
func Write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Read is the content of a file, which must be there.
func Read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Settings are configuration.
type Settings map[string]any

// Env makes an environment that is not yet started. The start message has the
// members of start too.
func (s *Stage) Env(name string, config Settings, start map[string]any) *server.Environment {
	s.T.Helper()
	e, err := s.Server.Create(server.EnvironmentSpec{
		Name: name, ProjectPath: s.Project, Program: s.Program, Manifest: s.Manifest,
		Env: append(s.Environ, resource.EnvStateDir+"="+s.State), Config: manifest.Merge(s.Config, config), Start: start, Stderr: s.Log,
	})
	if err != nil {
		s.T.Fatal(err)
	}
	return e
}

// Limit bounds whatever one step of a test waits for.
func Limit(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// Start starts an environment, which must succeed.
func (s *Stage) Start(e *server.Environment) *server.Started {
	s.T.Helper()
	started, err := e.Start(Limit(s.T))
	if err != nil {
		s.T.Fatalf("start %q: %v", e.Name(), err)
	}
	return started
}

// Opened makes and starts an environment.
func (s *Stage) Opened(name string, config Settings) (*server.Environment, string) {
	s.T.Helper()
	e := s.Env(name, config, nil)
	return e, s.Start(e).WorkspacePath
}

// Refused starts an environment that must not start, and gives the error.
func (s *Stage) Refused(e *server.Environment, code wire.Code) string {
	s.T.Helper()
	_, err := e.Start(Limit(s.T))
	if wire.CodeOf(err) != code {
		s.T.Fatalf("start %q: %v, want kind %s", e.Name(), err, code)
	}
	s.Close(e)
	return err.Error()
}

// Close lets go of an environment, which must succeed.
func (s *Stage) Close(e *server.Environment) {
	s.T.Helper()
	if err := e.Close(Limit(s.T)); err != nil {
		s.T.Errorf("close %q: %v", e.Name(), err)
	}
}

// Call makes a request, which must succeed; result may be nil.
func (s *Stage) Call(e *server.Environment, message map[string]any, result any) {
	s.T.Helper()
	answer, err := e.Call(Limit(s.T), message)
	if err == nil && result != nil {
		err = answer.Reply.Result(result)
	}
	if err != nil {
		s.T.Fatalf("%v: %v", message["type"], err)
	}
}

// Diff asks for what changed.
func (s *Stage) Diff(e *server.Environment) *wire.DiffResult {
	s.T.Helper()
	d := &wire.DiffResult{}
	s.Call(e, map[string]any{"type": wire.TypeGetDiffFiles}, d)
	return d
}

// Removal is the answer to a stop that removes.
type Removal struct {
	Removed  bool     `json:"removed"`
	Holds    []string `json:"holds"`
	Recovery []string `json:"recovery"`
}

// Stop stops an environment under a policy and waits for the provider's end.
func (s *Stage) Stop(e *server.Environment, policy string) Removal {
	s.T.Helper()
	answer, err := e.Stop(Limit(s.T), policy)
	var r Removal
	if err == nil && policy != "" && policy != "keep" {
		err = answer.Reply.Result(&r)
	}
	if err != nil {
		s.T.Fatalf("stop %q under %s: %v", e.Name(), policy, err)
	}
	if _, err := e.Wait(Limit(s.T)); err != nil {
		s.T.Fatalf("the provider does not end: %v", err)
	}
	return r
}

// Heard keeps what an environment's agents say.
type Heard struct {
	Mu     sync.Mutex        // guards the others
	Output map[string]string // stdout by agent
	Ends   map[string]*wire.ProcessStopped
	moved  chan struct{}
}

// Listen keeps what the agents of an environment say from now on.
func Listen(e *server.Environment) *Heard {
	h := &Heard{Output: map[string]string{}, Ends: map[string]*wire.ProcessStopped{}, moved: make(chan struct{}, 1)}
	e.Subscribe(func(head wire.Header, frame []byte) {
		h.Mu.Lock()
		defer h.Mu.Unlock()
		switch head.Type {
		case wire.TypeAgentOutput:
			m := wire.AgentOutput{}
			if wire.Unmarshal(frame, &m) == nil && m.Stream == wire.Stdout {
				if known := int64(len(h.Output[m.AgentID])) - m.Offset; known < int64(len(m.Data)) {
					h.Output[m.AgentID] += m.Data[max(known, 0):]
				}
			}
		case wire.TypeProcessStopped:
			m := &wire.ProcessStopped{}
			if wire.Unmarshal(frame, m) == nil {
				h.Ends[m.AgentID] = m
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

// Until waits until what was Heard satisfies a condition.
func (h *Heard) Until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	timeout := time.After(60 * time.Second)
	for {
		h.Mu.Lock()
		done := ok()
		h.Mu.Unlock()
		if done {
			return
		}
		select {
		case <-h.moved:
		case <-timeout:
			t.Fatalf("%s: never; Heard %+v %+v", what, h.Output, h.Ends)
		}
	}
}

// Agent starts a shell script as an agent.
func (s *Stage) Agent(e *server.Environment, id, script string) {
	s.T.Helper()
	s.AgentArgv(e, id, "sh", "-c", script)
}

// AgentArgv starts a command as an agent.
func (s *Stage) AgentArgv(e *server.Environment, id string, argv ...string) {
	s.T.Helper()
	details, err := wire.Marshal(wire.AgentCommand{Argv: argv})
	if err != nil {
		s.T.Fatal(err)
	}
	err = e.StartAgent(Limit(s.T), wire.MessageResponse{
		Header: wire.Header{Type: wire.TypeMessageResponse}, MessageID: "m-" + id,
		Message: wire.Prompt{SelectedAgent: &wire.SelectedAgent{ID: id, AgentType: wire.AgentTypeCommand, AgentDetails: details}},
	})
	if err != nil {
		s.T.Fatalf("start the agent %s: %v", id, err)
	}
}

// Processes are the processes that have this Stage's state directory, by
// program.
func (s *Stage) Processes() map[int]string {
	found := map[int]string{}
	mark := []byte(resource.EnvStateDir + "=" + s.State)
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		s.T.Fatal(err)
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

// Runtimes are the runtimes of this stage that are processes of this machine.
func (s *Stage) Runtimes() (pids []int) {
	for pid, cmd := range s.Processes() {
		if strings.HasPrefix(cmd, filepath.Join(filepath.Dir(s.Program), "codebolt-runtime")+" ") {
			pids = append(pids, pid)
		}
	}
	return pids
}

// KillRuntimes kills them and tells how many there were.
func (s *Stage) KillRuntimes() int {
	n := 0
	for _, pid := range s.Runtimes() {
		if syscall.Kill(pid, syscall.SIGKILL) == nil {
			n++
		}
	}
	return n
}
