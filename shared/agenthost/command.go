package agenthost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

const (
	// outputPiece is the most that one AgentOutput carries, in bytes.
	outputPiece = 32 << 10
	// drainTime is how long output may still come after the command itself has
	// ended, from what it left running; then that is stopped.
	drainTime = 500 * time.Millisecond
	// pipeSize is how much a pipe holds.
	pipeSize = 64 << 10
	// pipeRest is how long what a pipe holds may take to come out of it.
	pipeRest = 50 * time.Millisecond
)

// envInstance tells a command, and all that it starts, which agent it is.
const envInstance = "CODEBOLT_AGENT_INSTANCE"

// withheld are variables of the runtime's environment that agents do not get:
// they are how a provider finds its server.
var withheld = map[string]bool{
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
			environ := s.environ(r, want.Env)
			program, err := lookUp(want.Argv[0], dir, environ)
			return &launch{program, want.Argv, dir, environ}, err
		})
	}
	environ := s.environ(r, want.Env)
	program, err := lookUp(want.Argv[0], dir, environ)
	if err != nil {
		return nil, err
	}
	c := newCommand(program, want.Argv, dir, environ)
	c.started, c.print, c.over = r.Started, r.Output, r.Ended
	return c, c.start(ctx, s.h, r)
}

// newCommand prepares a process of a group of its own. Where its output goes and who
// hears of its end is still to be set.
func newCommand(program string, argv []string, dir string, environ []string) *command {
	return &command{
		cmd:   &exec.Cmd{Path: program, Args: argv, Dir: dir, Env: environ, SysProcAttr: ownGroup()},
		grace: make(chan time.Duration, 1), gone: make(chan struct{}),
	}
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

// environ is the environment of a command; later ones of a name count.
func (s commands) environ(r Report, extra map[string]string) []string {
	var env []string
	for _, pair := range r.Environ {
		if name, _, _ := strings.Cut(pair, "="); !withheld[name] {
			env = append(env, pair)
		}
	}
	env = append(env, own(r, s.h.opt.Name, s.h.opt.InstanceID)...)
	for name, value := range extra {
		env = append(env, name+"="+value)
	}
	return env
}

// own are the variables by which an agent knows its environment, and is known.
func own(r Report, name, instance string) []string {
	return []string{
		"CODEBOLT_WORKSPACE=" + r.Workspace, "CODEBOLT_ENVIRONMENT_NAME=" + name,
		envInstance + "=" + r.InstanceID, wire.EnvRuntimeInstance + "=" + instance,
	}
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
	cmd     *exec.Cmd
	started func(pid int)
	print   func(stream string, data []byte)
	over    func(wire.ProcessStopped) // how it ended
	grace   chan time.Duration        // a request to stop
	gone    chan struct{}             // closed when the process has been waited for
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

func (c *command) start(ctx context.Context, h *Host, r Report) error {
	outR, outW, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("start the command: %w", err)
	}
	errR, errW, err := os.Pipe()
	if err != nil {
		return errors.Join(fmt.Errorf("start the command: %w", err), outR.Close(), outW.Close())
	}
	c.cmd.Stdout, c.cmd.Stderr = outW, errW
	err = c.cmd.Start()
	_, _ = outW.Close(), errW.Close() // the child has its own
	if err != nil {
		_, _ = outR.Close(), errR.Close() // nothing was written to them
		return wire.Errorf(wire.CodeOf(err), "start the command: %w", err)
	}
	c.started(c.cmd.Process.Pid)
	h.wg.Go(func() { c.attend(ctx, r, outR, errR) })
	return nil
}

// attend carries the output on, stops the process group when asked to, and
// reports the end.
func (c *command) attend(ctx context.Context, r Report, stdout, stderr *os.File) {
	var readers sync.WaitGroup
	readers.Go(func() { c.copyOutput(r.h.log, wire.Stdout, stdout) })
	readers.Go(func() { c.copyOutput(r.h.log, wire.Stderr, stderr) })
	drained := make(chan struct{})
	go func() { readers.Wait(); close(drained) }()
	var waitErr error
	go func() { waitErr = c.cmd.Wait(); close(c.gone) }()

	group := c.cmd.Process.Pid
	asked := c.await(ctx, group)
	// What the command left running goes too: nothing else owns it.
	stopped := endGroup(group, drained)
	if asked {
		// Whoever stops an agent means all of it, also what made itself independent.
		resource.KillMarked(envInstance, r.InstanceID)
	}
	// Something that left the group can still hold the pipes open. What is in
	// them is read, and no more waited for.
	now := time.Now()
	_, _ = stdout.SetReadDeadline(now), stderr.SetReadDeadline(now) // fails where pipes know no deadlines
	<-drained
	end := wire.ProcessStopped{Synthetic: true}
	if stopped {
		end.Extra = wire.Extra(`{"leftovers":"stopped"}`)
	}
	describeEnd(&end, c.cmd.ProcessState, waitErr)
	c.over(end)
}

// await waits for the end of the process, and brings it about when told to; asked
// tells that it was.
func (c *command) await(ctx context.Context, group int) (asked bool) {
	var force <-chan time.Time
	done := ctx.Done()
	for {
		select {
		case <-c.gone:
			return asked
		case grace := <-c.grace:
			asked = true
			terminateGroup(group)
			force = time.After(grace)
		case <-done:
			// The runtime ends: stopAll sends the request to stop.
			done = nil
		case <-force:
			killGroup(group)
		}
	}
}

// copyOutput reports what comes through a pipe, without tearing characters
// apart.
func (c *command) copyOutput(log *slog.Logger, stream string, from *os.File) {
	defer from.Close()
	buf := make([]byte, outputPiece)
	held := 0
	rest := -1 // bytes that are still taken once the pipe's time is over
	for {
		n, err := from.Read(buf[held:])
		switch {
		case rest < 0 && errors.Is(err, os.ErrDeadlineExceeded):
			rest = pipeSize
			err = from.SetReadDeadline(time.Now().Add(pipeRest))
		case rest >= 0 && err == nil:
			if rest -= n; rest <= 0 {
				err = io.EOF
			}
		case errors.Is(err, os.ErrDeadlineExceeded):
			err = io.EOF
		}
		n += held
		held = 0
		if err == nil {
			held = torn(buf[:n])
		}
		if n > held {
			c.print(stream, buf[:n-held])
		}
		copy(buf, buf[n-held:n])
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrClosed) {
				log.Debug("agent output", "error", err)
			}
			return
		}
	}
}

// torn is how many bytes at the end begin a character that is not complete.
func torn(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if c := b[len(b)-n]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(b[len(b)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}

func describeEnd(end *wire.ProcessStopped, state *os.ProcessState, err error) {
	if state == nil {
		end.Problem = wire.ProblemOf(fmt.Errorf("wait for the command: %w", err))
		return
	}
	if sig, ok := signalOf(state); ok {
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
