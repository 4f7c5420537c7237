package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/server"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// session is a server for one project, and what this program needs around it.
type session struct {
	*server.Server
	app     *app
	project string // absolute
	logs    *logBuffer
	record  *os.File
}

// open starts a server for the project. Its state is outside of the project.
func (a *app) open() (*session, error) {
	project, err := filepath.Abs(a.project)
	if err == nil {
		project, err = filepath.EvalSymlinks(project)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the project %s is not there", a.project)
	}
	if err != nil {
		return nil, fmt.Errorf("the project %s: %w", a.project, err)
	}
	if info, err := os.Stat(project); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("the project %s is not a directory", project)
	}
	state, err := resource.StateDir()
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(project))
	s := &session{app: a, project: project, logs: &logBuffer{}}
	if a.verbose {
		s.logs.also = a.stderr
	}
	options := server.Options{StateDir: filepath.Join(state, "server", filepath.Base(project)+"-"+hex.EncodeToString(sum[:4]))}
	options.Record = io.Discard
	options.Restart = server.RestartPolicy{Max: 3, Backoff: 200 * time.Millisecond}
	options.ExitGrace = exitGrace()
	if a.record != "" {
		if s.record, err = os.OpenFile(a.record, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
			return nil, fmt.Errorf("record frames: %w", err)
		}
		options.Record = s.record
	}
	if s.Server, err = server.New(options); err != nil {
		return nil, errors.Join(err, s.closeRecord())
	}
	return s, nil
}

// exitGrace is how long a provider may take to exit by itself once it has let go of its
// environment. It stays for a second, for a server that asks again; we do not, and SIGTERM
// makes it leave at once and in good order. Windows has no such signal.
func exitGrace() time.Duration {
	if runtime.GOOS == "windows" {
		return 3 * time.Second
	}
	return time.Millisecond
}

func (s *session) closeRecord() error {
	if s.record == nil {
		return nil
	}
	return s.record.Close()
}

// close ends the server and the providers it still runs, without removing
// anything.
func (s *session) close() {
	if err := errors.Join(s.Close(), s.closeRecord()); err != nil {
		fmt.Fprintln(s.app.stderr, "codebolt-providers:", err)
	}
}

// known finds an environment of this project by its name.
func (s *session) known(name string) (server.Known, error) {
	all, err := s.Known()
	if err != nil {
		return server.Known{}, err
	}
	var names []string
	for _, k := range all {
		if k.Name == name {
			return k, nil
		}
		names = append(names, printable(k.Name))
	}
	if len(names) == 0 {
		return server.Known{}, fmt.Errorf("there is no environment %q: this project has none; make one with: codebolt-providers run PROVIDER -- COMMAND", name)
	}
	return server.Known{}, fmt.Errorf("there is no environment %q; this project has: %s", name, strings.Join(names, ", "))
}

// prepare makes an environment ready to be started: a new one, or the known one
// of that id. once is configuration for this time only.
func (s *session) prepare(k server.Known, config, once map[string]any) (*server.Environment, error) {
	m, err := s.app.find(k.ProviderName)
	if err != nil {
		return nil, err
	}
	program, err := m.program()
	if err != nil {
		return nil, err
	}
	installed, err := installedConfig(s.project, m.UniqueID)
	if err != nil {
		return nil, err
	}
	return s.Create(server.EnvironmentSpec{
		Name: k.Name, ID: k.ID, ProjectPath: s.project, ProviderName: m.UniqueID, Program: program, Manifest: m.Manifest,
		Installed: installed, Config: manifest.Merge(k.Config, config), Start: once, Stderr: s.logs,
		Env: s.app.asks(m.Name),
	})
}

// providerProgram finds the program of a provider: beside this one, or in PATH.
func providerProgram(folder string) (string, error) {
	name := "codebolt-provider-" + folder
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if self, err := os.Executable(); err == nil {
		if target, err := filepath.EvalSymlinks(self); err == nil {
			self = target
		}
		if path := filepath.Join(filepath.Dir(self), name); isFile(path) {
			return path, nil
		}
	}
	if path, err := exec.LookPath(name); err == nil {
		return filepath.Abs(path)
	}
	return "", fmt.Errorf("%s was not found beside this program or in PATH; make build puts it there", name)
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// start starts the provider of an environment and shows the phases.
func (s *session) start(ctx context.Context, e *server.Environment) (wire.StartResult, error) {
	show := s.app.phases()
	cancel := e.Subscribe(show.frame)
	defer cancel()
	begun := time.Now()
	started, err := e.Start(ctx)
	show.end()
	if err != nil {
		return wire.StartResult{}, s.explain(err)
	}
	show.opened(e.Name(), started.StartResult, time.Since(begun))
	return started.StartResult, nil
}

// explain adds to an error what a person needs to act on it.
func (s *session) explain(err error) error {
	if wire.CodeOf(err) == wire.Unavailable || wire.CodeOf(err) == wire.Internal {
		if tail := s.logs.tail(); tail != "" && !s.app.verbose {
			return fmt.Errorf("%w\nthe provider's log ends with:\n%s", err, tail)
		}
	}
	return err
}

// detach lets go of an environment and keeps it.
func (s *session) detach(ctx context.Context, e *server.Environment) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if err := e.Close(ctx); err != nil {
		fmt.Fprintln(s.app.stderr, "codebolt-providers: let go of the environment:", err)
	}
}

// look starts the provider without a runtime, for as long as f looks at the
// environment.
func (s *session) look(ctx context.Context, name string, f func(*server.Environment) error) error {
	k, err := s.known(name)
	if err != nil {
		return err
	}
	e, err := s.prepare(k, nil, map[string]any{"executionMode": "local_thread_pool"})
	if err != nil {
		return err
	}
	if _, err := e.Start(ctx); err != nil {
		return s.explain(err)
	}
	defer s.detach(ctx, e)
	return f(e)
}

// diff asks for everything that changed in an environment.
func diff(ctx context.Context, e *server.Environment) (*wire.DiffResult, error) {
	answer, err := e.Call(ctx, map[string]any{"type": wire.TypeGetDiffFiles})
	if err != nil {
		return nil, fmt.Errorf("ask what changed: %w", err)
	}
	result := &wire.DiffResult{}
	return result, answer.Reply.Result(result)
}

// logBuffer keeps the end of what the providers log.
type logBuffer struct {
	also io.Writer
	mu   sync.Mutex
	text []byte
}

const logTail = 1500 // bytes

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text = append(b.text, p...)
	if len(b.text) > 4*logTail {
		b.text = append([]byte(nil), b.text[len(b.text)-logTail:]...)
	}
	if b.also != nil {
		return b.also.Write(p)
	}
	return len(p), nil
}

func (b *logBuffer) tail() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := b.text
	if len(text) > logTail {
		text = text[len(text)-logTail:]
	}
	return strings.TrimSpace(string(text))
}
