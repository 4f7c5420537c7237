package agenthost

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/procgroup"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// withheld are variables of the runtime's environment that agents do not get:
// they are how a provider finds its server, and what it shows to a receiver of traces.
var withheld = map[string]bool{
	"OTEL_EXPORTER_OTLP_HEADERS": true, "OTEL_EXPORTER_OTLP_TRACES_HEADERS": true,
	wire.EnvServerPort: true, wire.EnvServerHost: true, wire.EnvEnvironmentConfig: true, "threadToken": true, "agentId": true, "parentId": true,
}

// commands starts agents that are plain commands.
type commands struct{ h *Host }

// Start implements Starter.
func (s commands) Start(ctx context.Context, prompt *wire.Prompt, r Report) (Agent, error) {
	var want wire.AgentCommand
	if err := wire.Unmarshal(prompt.SelectedAgent.AgentDetails, &want); err != nil {
		return nil, wire.Errorf(wire.Invalid, "start the command: agentDetails: %w", err)
	}
	if len(want.Argv) == 0 || want.Argv[0] == "" {
		return nil, wire.Errorf(wire.Invalid, "start the command: agentDetails.argv is empty")
	}
	for _, arg := range want.Argv {
		if strings.ContainsRune(arg, 0) {
			return nil, wire.Errorf(wire.Invalid, "start the command: an argument contains a NUL")
		}
	}
	dir, err := workDir(r.Workspace, want.Dir)
	if err != nil {
		return nil, err
	}
	if want.Endpoint {
		return s.h.speak(ctx, r, func(context.Context) (*launch, error) {
			environ := agentEnviron(r, s.h.opt.Agents.Env, s.h.opt.Name, s.h.opt.InstanceID)
			for name, value := range want.Env {
				environ = append(environ, name+"="+value)
			}
			program, err := lookUp(want.Argv[0], dir, environ)
			return &launch{program, want.Argv, dir, environ}, err
		})
	}
	environ := s.environ(r, want.Env)
	program, err := lookUp(want.Argv[0], dir, environ)
	if err != nil {
		return nil, err
	}
	c := newCommand(r.Started, r.Output, r.Ended)
	return c, c.start(ctx, s.h, &exec.Cmd{Path: program, Args: want.Argv, Dir: dir, Env: environ}, r)
}

// workDir is where a command runs: below the workspace, also after links.
func workDir(root, dir string) (string, error) {
	root, err := filepath.EvalSymlinks(root)
	if err != nil {
		return "", wire.Errorf(wire.CodeOf(err), "start the command: %w", err)
	}
	if dir == "" {
		return root, nil
	}
	if !filepath.IsLocal(dir) {
		return "", wire.Errorf(wire.OutsideWorkspace, "start the command: the directory %q is outside the workspace", dir)
	}
	full, err := filepath.EvalSymlinks(filepath.Join(root, dir))
	if err != nil {
		return "", wire.Errorf(wire.CodeOf(err), "start the command: %w", err)
	}
	if rel, err := filepath.Rel(root, full); err != nil || !filepath.IsLocal(rel) {
		return "", wire.Errorf(wire.OutsideWorkspace, "start the command: the directory %q leads out of the workspace", dir)
	}
	return full, nil
}

// withoutServer is the environment without what is withheld.
func withoutServer(environ []string) (env []string) {
	for _, pair := range environ {
		if name, _, _ := strings.Cut(pair, "="); !withheld[name] {
			env = append(env, pair)
		}
	}
	return env
}

// environ is the environment of a command; later ones of a name count.
func (s commands) environ(r Report, extra map[string]string) []string {
	env := append(withoutServer(r.Environ), own(r, s.h.opt.Name, s.h.opt.InstanceID)...)
	for name, value := range extra {
		env = append(env, name+"="+value)
	}
	return env
}

// own are the variables by which an agent knows its environment, and is known.
func own(r Report, name, instance string) []string {
	return append([]string{
		"CODEBOLT_WORKSPACE=" + r.Workspace, "CODEBOLT_ENVIRONMENT_NAME=" + name,
		wire.EnvAgentInstance + "=" + r.InstanceID, wire.EnvRuntimeInstance + "=" + instance,
	}, r.Trace.Environ()...)
}

// lookUp finds a program as a shell would, in the PATH the command will have.
func lookUp(name, dir string, environ []string) (string, error) {
	if strings.ContainsRune(name, filepath.Separator) || strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		path, err := exec.LookPath(name)
		if err != nil {
			return "", notFound(name, err)
		}
		return path, nil
	}
	path := ""
	for _, pair := range environ {
		if v, ok := strings.CutPrefix(pair, "PATH="); ok {
			path = v
		}
	}
	for _, folder := range filepath.SplitList(path) {
		if !filepath.IsAbs(folder) {
			continue // a relative folder of PATH would run what the workspace holds
		}
		if found, err := exec.LookPath(filepath.Join(folder, name)); err == nil {
			return found, nil
		}
	}
	return "", notFound(name, exec.ErrNotFound)
}

func notFound(name string, err error) error {
	code := wire.NotFound
	if errors.Is(err, fs.ErrPermission) {
		code = wire.Permission
	}
	return wire.Errorf(code, "cannot run %q: no such command, or it is not executable: %w", name, err)
}

// command is a running plain command.
type command struct {
	started func(pid int)
	print   func(stream string, data []byte)
	over    func(wire.ProcessStopped) // how it ended

	process *procgroup.Process
	grace   chan time.Duration // a request to stop
}

// newCommand prepares a command, of which others hear by these functions.
func newCommand(started func(pid int), printed func(stream string, data []byte), over func(wire.ProcessStopped)) *command {
	return &command{started: started, print: printed, over: over, grace: make(chan time.Duration, 1)}
}

// Deliver implements Agent: a plain command takes no messages.
func (c *command) Deliver([]byte) bool { return false }

// Stop implements Agent.
func (c *command) Stop(grace time.Duration) {
	for {
		select {
		case c.grace <- grace:
			return
		default:
		}
		select { // the later request counts
		case <-c.grace:
		default:
		}
	}
}

func (c *command) start(ctx context.Context, h *Host, cmd *exec.Cmd, r Report) error {
	var err error
	if c.process, err = procgroup.Start(cmd); err != nil {
		return wire.Errorf(wire.CodeOf(err), "%w", err)
	}
	c.started(c.process.Pid())
	c.process.Read(func(b []byte) { c.print(wire.Stdout, b) }, func(b []byte) { c.print(wire.Stderr, b) })
	h.wg.Go(func() { c.attend(ctx, r) })
	return nil
}

// attend stops the process group when asked to, and reports the end.
func (c *command) attend(ctx context.Context, r Report) {
	asked := c.await(ctx)
	// What the command left running goes too: nothing else owns it.
	stopped := c.process.EndRest()
	if asked {
		// Whoever stops an agent means all of it, also what made itself independent.
		resource.KillMarked(wire.EnvAgentInstance, r.InstanceID)
	}
	c.process.Release()
	end := wire.ProcessStopped{Synthetic: true}
	if stopped {
		end.Extra = wire.Extra(`{"leftovers":"stopped"}`)
	}
	state, err := c.process.State()
	describeEnd(&end, state, err)
	c.over(end)
}

// await waits for the end of the process, and brings it about when told to; asked
// tells that it was.
func (c *command) await(ctx context.Context) (asked bool) {
	var force <-chan time.Time
	done := ctx.Done()
	for {
		select {
		case <-c.process.Gone():
			return asked
		case grace := <-c.grace:
			asked = true
			c.process.Terminate()
			force = time.After(grace)
		case <-done:
			// The runtime ends: stopAll sends the request to stop.
			done = nil
		case <-force:
			c.process.Kill()
		}
	}
}

func describeEnd(end *wire.ProcessStopped, state *os.ProcessState, err error) {
	if state == nil {
		end.Problem = wire.ProblemOf(fmt.Errorf("wait for the command: %w", err))
		return
	}
	if number, sig := procgroup.SignalOf(state); number != 0 {
		end.Signal = sig
		end.Problem = wire.ProblemOf(fmt.Errorf("the command was ended by %s", sig))
		return
	}
	code := state.ExitCode()
	end.ExitCode = &code
	if code != 0 {
		end.Problem = wire.ProblemOf(fmt.Errorf("the command ended with status %d", code))
	}
}
