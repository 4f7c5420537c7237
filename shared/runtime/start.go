package runtime

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strconv"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// maxSocketPath is the longest path a unix socket can have on every system.
const maxSocketPath = 100

// Start starts a runtime and waits until it listens. What an earlier runtime in
// the same Dir left running is ended first. When Start fails or ctx ends, no
// process is left.
func Start(ctx context.Context, spec Spec) (*Process, error) {
	if spec.StartTimeout == 0 {
		spec.StartTimeout = 30 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, spec.StartTimeout)
	defer cancel()
	if err := prepareDir(spec); err != nil {
		return nil, err
	}
	logFile, err := openLog(filepath.Join(spec.Dir, fileLog))
	if err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "start the runtime: %w", err)
	}
	defer logFile.Close()
	if spec.Upstream != nil {
		return startUpstream(ctx, spec, logFile)
	}
	return startOwn(ctx, spec, logFile)
}

// prepareDir makes the private directory and ends what a predecessor left.
func prepareDir(spec Spec) error {
	if err := os.MkdirAll(spec.Dir, 0o700); err != nil {
		return wire.Errorf(wire.CodeOf(err), "start the runtime: %w", err)
	}
	before, err := os.ReadFile(filepath.Join(spec.Dir, fileInstance))
	if err == nil {
		resource.KillMarked(wire.EnvRuntimeInstance, strings.TrimSpace(string(before)))
	}
	for _, name := range []string{AddressFile, fileSocket} {
		if err := os.Remove(filepath.Join(spec.Dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return wire.Errorf(wire.CodeOf(err), "start the runtime: %w", err)
		}
	}
	if err := os.WriteFile(filepath.Join(spec.Dir, fileInstance), []byte(spec.Instance), 0o600); err != nil {
		return wire.Errorf(wire.CodeOf(err), "start the runtime: %w", err)
	}
	return nil
}

// maxLog is the size over which the log of a runtime begins anew at its start.
const maxLog = 1 << 20

func openLog(path string) (*os.File, error) {
	mode := os.O_CREATE | os.O_RDWR | os.O_APPEND // the runtime reads its end when it has become too long
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		mode |= os.O_TRUNC
	}
	return os.OpenFile(path, mode, 0o600)
}

func (s Spec) listen() string {
	if s.Listen != "" {
		return s.Listen
	}
	const loopback = "tcp:127.0.0.1:0"
	if goruntime.GOOS == "windows" {
		return loopback
	}
	path := filepath.Join(s.Dir, fileSocket)
	if len(path) > maxSocketPath {
		// A private directory of a short name stands in for one whose name is too
		// long; the runtime removes the socket and the directory at its end.
		sum := sha256.Sum256([]byte(s.Dir))
		path = filepath.Join(os.TempDir(), "codebolt-"+strconv.Itoa(os.Getuid())+"-"+hex.EncodeToString(sum[:6]), fileSocket)
	}
	if len(path) > maxSocketPath {
		return loopback
	}
	return "unix:" + path
}

func startOwn(ctx context.Context, spec Spec, logFile *os.File) (*Process, error) {
	program, err := find(spec.Program)
	if err != nil {
		return nil, err
	}
	token, err := TokenOf(spec.Dir)
	if err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "start the runtime: %w", err)
	}
	cmd := exec.Command(program, spec.Flags(spec.Dir, spec.listen())...) //nolint:noctx,forbidigo // it outlives this call; ctx bounds the start alone
	ready, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the runtime: %w", err)
	}
	cmd.Stderr = logFile
	p, err := spawn(cmd, spec, "")
	if err != nil {
		return nil, err
	}
	p.token = token
	line := make(chan string, 1)
	go func() {
		text, err := bufio.NewReader(ready).ReadString('\n')
		if err == nil || errors.Is(err, io.EOF) {
			line <- text
		}
		close(line)
		_ = ready.Close() // it says nothing more there
		_ = cmd.Wait()    // Done tells that it ended
		close(p.done)
	}()
	select {
	case text := <-line:
		if rest, ok := strings.CutPrefix(strings.TrimSpace(text), wire.RuntimeReadyLine+" on "); ok {
			p.record.Address = rest
			return p, nil
		}
		err = wire.Errorf(wire.Unavailable, "start the runtime: it ended at once: %s", tail(filepath.Join(spec.Dir, fileLog)))
	case <-ctx.Done():
		err = startFailed(ctx, spec)
	}
	kill(p.record)
	<-p.done
	return nil, errors.Join(err, p.sweep())
}

// TokenOf is the token of the runtimes of a private directory, made when there is
// none. A runtime that is started anew has the same, so that whoever was connected
// finds it again.
func TokenOf(dir string) (string, error) {
	path := filepath.Join(dir, TokenFile)
	if data, err := os.ReadFile(path); err == nil && len(data) >= len(rand.Text()) {
		return string(data), nil
	}
	token := rand.Text()
	return token, os.WriteFile(path, []byte(token), 0o600)
}

func startFailed(ctx context.Context, spec Spec) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return wire.Errorf(wire.Timeout, "start the runtime: it was not ready within %v (timeouts.agentServerStartup): %s", spec.StartTimeout, tail(filepath.Join(spec.Dir, fileLog)))
	}
	return fmt.Errorf("start the runtime: %w", context.Cause(ctx))
}

// spawn starts the process in a session of its own: it outlives the provider
// when agents are at work, and the terminal's Ctrl-C is not for it.
func spawn(cmd *exec.Cmd, spec Spec, address string) (*Process, error) {
	cmd.Env = append(append(os.Environ(), spec.Env...), wire.EnvRuntimeInstance+"="+spec.Instance)
	cmd.Dir = spec.Workspace
	cmd.SysProcAttr = detached()
	if err := cmd.Start(); err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "start the runtime: %w", err)
	}
	started, _ := resource.ProcessStarted(cmd.Process.Pid)
	return &Process{
		record: resource.RuntimeRecord{
			InstanceID: spec.Instance, Dir: spec.Dir, Address: address, PID: cmd.Process.Pid, Started: started,
			Upstream: spec.Upstream != nil, Gateway: spec.Upstream != nil && spec.Upstream.Gateway,
		},
		done: make(chan struct{}), hurry: make(chan struct{}), release: make(chan struct{}),
	}, nil
}

// readyPoll is how often a starting upstream runtime is looked at.
const readyPoll = 50 * time.Millisecond

func startUpstream(ctx context.Context, spec Spec, logFile *os.File) (*Process, error) {
	up := *spec.Upstream
	if up.Host == "" {
		up.Host = "127.0.0.1"
	}
	port, err := freePort(ctx, up.Host, up.Port)
	if err != nil {
		return nil, err
	}
	argv := make([]string, len(up.Command))
	for i, arg := range up.Command {
		argv[i] = strings.NewReplacer("{port}", strconv.Itoa(port), "{workspace}", spec.Workspace).Replace(arg)
	}
	if len(argv) == 0 || argv[0] == "" {
		return nil, wire.Errorf(wire.Invalid, "start the runtime: runtime.command is empty")
	}
	from, err := logFile.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, fmt.Errorf("start the runtime: %w", err)
	}
	cmd := exec.Command(argv[0], argv[1:]...) //nolint:noctx,forbidigo // it outlives this call; ctx bounds the start alone
	cmd.Stdout, cmd.Stderr = logFile, logFile
	address := "tcp:" + net.JoinHostPort(up.Host, strconv.Itoa(port))
	p, err := spawn(cmd, spec, address)
	if err != nil {
		return nil, err
	}
	go func() {
		_ = cmd.Wait() // Done tells that it ended
		close(p.done)
	}()
	ticker := time.NewTicker(readyPoll)
	defer ticker.Stop()
	for {
		select {
		case <-p.done:
			return nil, errors.Join(wire.Errorf(wire.Unavailable, "start the runtime: %s ended at once: %s", argv[0], tail(logFile.Name())), p.sweep())
		case <-ctx.Done():
			err := startFailed(ctx, spec)
			kill(p.record)
			<-p.done
			return nil, errors.Join(err, p.sweep())
		case <-ticker.C:
		}
		if up.Gateway || saidReady(logFile.Name(), from) {
			if _, err := p.Health(ctx); err == nil {
				err := os.WriteFile(filepath.Join(spec.Dir, AddressFile), []byte(address), 0o600)
				if err == nil {
					p.watcher.Go(p.boundUpstream)
					return p, nil
				}
				kill(p.record)
				<-p.done
				return nil, errors.Join(wire.Errorf(wire.CodeOf(err), "start the runtime: %w", err), p.sweep())
			}
		}
	}
}

// saidReady looks for the line by which an upstream runtime tells that it
// listens.
func saidReady(path string, from int64) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	text, err := io.ReadAll(io.NewSectionReader(f, from, maxLog))
	return err == nil && bytes.Contains(text, []byte(wire.RuntimeReadyLine))
}

// portTries is how many ports from the preferred one on are tried.
const portTries = 100

// freePort finds a port that nothing listens on, from the preferred one on.
func freePort(ctx context.Context, host string, preferred int) (int, error) {
	var last error
	for port := preferred; port < preferred+portTries; port++ {
		ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			last = err
			continue
		}
		free := ln.Addr().(*net.TCPAddr).Port
		return free, ln.Close()
	}
	return 0, wire.Errorf(wire.Unavailable, "start the runtime: no free port from %d on: %w", preferred, last)
}

// LogTail is the end of the log of the runtime in a private directory, for a sentence.
func LogTail(dir string) string { return tail(filepath.Join(dir, fileLog)) }

// tail is the end of a log, for an error message.
func tail(path string) string {
	data, err := os.ReadFile(path)
	if err != nil || len(bytes.TrimSpace(data)) == 0 {
		return "it said nothing"
	}
	data = bytes.TrimSpace(data)
	if len(data) > 500 {
		data = data[len(data)-500:]
	}
	return strings.ToValidUTF8(string(data), "?")
}
