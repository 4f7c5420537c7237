package outpost

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// maxRequest is the longest request that is read, in bytes.
const maxRequest = 4 << 20

// Serve serves the one request in the arguments behind [Subcommand], or else on stdin,
// and returns the status to exit with.
func Serve(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	used()
	in := bufio.NewReader(stdin)
	line, err := readRequest(args, in)
	r := &Request{}
	if err == nil {
		err = wire.Unmarshal(line, r)
	}
	if err == nil && r.Do == Exec {
		return r.exec(ctx, in, stdout, stderr)
	}
	answer := &Answer{}
	if err == nil && r.Want != "" {
		answer.By, err = Sum()
	}
	if err == nil && answer.By == r.Want {
		err = r.serve(ctx, answer)
	}
	if err != nil {
		answer = &Answer{By: answer.By, Problem: wire.ProblemOf(failed(r, err))}
	}
	text, merr := wire.Marshal(answer)
	if merr == nil {
		_, merr = stdout.Write(text)
	}
	if merr != nil {
		fmt.Fprintln(stderr, "codebolt-runtime: outpost:", merr)
	}
	if err != nil || merr != nil {
		return 1
	}
	return 0
}

func readRequest(args []string, in *bufio.Reader) ([]byte, error) {
	switch len(args) {
	case 0:
		return readLine(in)
	case 1:
		return base64.RawURLEncoding.DecodeString(args[0])
	}
	return nil, wire.Errorf(wire.Invalid, "one request at a time")
}

func readLine(in *bufio.Reader) (line []byte, err error) {
	for len(line) < maxRequest {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
	return nil, wire.Errorf(wire.TooLarge, "the request has more than %d bytes", maxRequest)
}

// failed says what to do about an error that the system gives.
func failed(r *Request, err error) error {
	code := wire.CodeOf(err)
	_, ours := errors.AsType[*wire.Error](err)
	switch {
	case full(err):
		return wire.Errorf(code, "the host's disk is full: %w; make room, or set dir to a folder on another disk", err)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return wire.Errorf(code, "the host does not allow it: %w; set dir to a folder that its user may write in", err)
	case ours:
		return err
	}
	return wire.Errorf(code, "%s on the host: %w", r.Do, err)
}

func full(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

func (r *Request) serve(ctx context.Context, answer *Answer) (err error) {
	if err := r.Folder.check(); err != nil {
		return err
	}
	record := r.Record
	record.Dir = r.Folder.Run()
	if slices.Contains([]string{Make, Filled, Start, Stop, Remove}, r.Do) {
		lock, lerr := r.Folder.lock(ctx, r.Do == Make)
		if lerr != nil {
			return lerr
		}
		defer func() { err = errors.Join(err, r.Folder.unlock(lock)) }()
	}
	switch r.Do {
	case Look:
		err = r.look(answer)
	case Make:
		answer.Made, answer.Filled, err = r.Folder.make()
	case Filled:
		err = r.Folder.fill()
	case Start:
		err = r.start(ctx, answer)
	case Adopt:
		root, oerr := r.Folder.open()
		if oerr != nil {
			return oerr // NotFound, when there is none
		}
		root.Close()
		spec := runtime.Spec{}
		if record.Upstream {
			spec.Upstream = &runtime.Upstream{}
		}
		var p *runtime.Process
		if p, err = runtime.Adopt(ctx, spec, record); err == nil {
			p.Release()
			record = p.Record()
			answer.Record = &record
		}
	case Alive:
		started, alive := resource.ProcessStarted(record.PID)
		if answer.Alive = alive && started == record.Started; !answer.Alive {
			answer.Said = runtime.LogTail(record.Dir)
		} else if record.Upstream {
			runtime.CutLog(record.Dir)
		}
	case Stop:
		err = r.stop(ctx, record)
	case Remove:
		if err = r.stop(ctx, record); err == nil {
			err = r.Folder.remove()
		}
	default:
		err = wire.Errorf(wire.Unsupported, "codebolt-runtime on the host does not know %q", r.Do)
	}
	return err
}

// look tells how things are.
func (r *Request) look(answer *Answer) error {
	root, err := r.Folder.open()
	if err == nil {
		answer.There, answer.Filled = true, r.Folder.isFilled(root)
		err = root.Close()
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// stop ends the runtime on record, if there is one. Nothing is changed in a folder
// that is not ours.
func (r *Request) stop(ctx context.Context, record resource.RuntimeRecord) error {
	if record.InstanceID == "" {
		return nil
	}
	root, err := r.Folder.open()
	if err == nil {
		root.Close()
		return runtime.End(ctx, record, time.Duration(r.GraceMS)*time.Millisecond)
	}
	if errors.Is(err, fs.ErrNotExist) || wire.CodeOf(err) == wire.Conflict {
		resource.KillMarked(wire.EnvRuntimeInstance, record.InstanceID)
		return nil
	}
	return err
}

// used notes in the time of this program's file that it is used: one that was not for
// long is taken away when another is put beside it. Programs elsewhere than in a folder
// named by their hash are not of that kind, and stay as they are.
func used() {
	const often = time.Hour
	self, err := os.Executable()
	if err != nil {
		return
	}
	name := filepath.Base(filepath.Dir(self))
	if sum, err := hex.DecodeString(name); err != nil || len(sum) != sha256.Size {
		return
	}
	if info, err := os.Stat(self); err == nil && time.Since(info.ModTime()) > often {
		_ = os.Chtimes(self, time.Time{}, time.Now()) // whoever may not is not who put it there
	}
}

// Sum is the SHA-256 of this program, in hexadecimal digits.
func Sum() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	f, err := os.Open(self)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// start starts a runtime in the folder.
func (r *Request) start(ctx context.Context, answer *Answer) error {
	l := r.Launch
	if l == nil || l.Instance == "" || l.Token == "" {
		return wire.Errorf(wire.Invalid, "start: what to start is missing")
	}
	if r.Filled {
		if err := r.Folder.fill(); err != nil {
			return err
		}
	}
	if err := r.look(answer); err != nil || !answer.Filled {
		return err
	}
	root, err := r.Folder.open()
	if err != nil {
		return err
	}
	defer root.Close()
	for _, name := range []string{filesName, runName} { // somebody may have removed them
		if err := root.MkdirAll(name, 0o700); err != nil {
			return err
		}
	}
	if err := resource.WriteFile(filepath.Join(r.Folder.Run(), runtime.TokenFile), []byte(l.Token), 0o600); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	spec := runtime.Spec{
		Program: self, Workspace: r.Folder.Files(), Name: l.Name, Dir: r.Folder.Run(), Instance: l.Instance, Listen: r.Folder.listen(),
		OwnerTimeout: time.Duration(l.OwnerTimeoutMS) * time.Millisecond, StartTimeout: time.Duration(l.StartTimeoutMS) * time.Millisecond,
		Protected: l.Protected, Env: l.Env, Agents: l.Agents,
	}
	if len(l.Command) > 0 {
		spec.Upstream = &runtime.Upstream{Command: l.Command, Port: l.Port}
	}
	p, err := runtime.Start(ctx, spec)
	if err != nil {
		return err
	}
	record := p.Record()
	answer.Record = &record
	return nil
}

// maxSocket is the longest path that a unix socket can have on every system.
const maxSocket = 100

// listen is where a runtime listens: in its folder or, where that has too long a
// path, in one below the home directory; "" leaves it to the runtime.
func (f Folder) listen() string {
	if own := filepath.Join(f.Run(), "sock"); len(own) <= maxSocket {
		return "unix:" + own
	}
	if short, ok := f.shortSocket(); ok {
		return "unix:" + short
	}
	return ""
}

// shortSocket is the socket below the home directory.
func (f Folder) shortSocket() (string, bool) {
	home, err := os.UserHomeDir()
	if err != nil {
		return "", false
	}
	sum := sha256.Sum256([]byte(f.Path()))
	short := filepath.Join(home, ".codebolt", "sock", hex.EncodeToString(sum[:6]), "s")
	return short, len(short) <= maxSocket
}

// exec runs a program beside the files. It ends with whoever asked for it.
func (r *Request) exec(ctx context.Context, asker io.Reader, stdout, stderr io.Writer) int {
	const cannot = 127
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	fail := func(err error) int {
		fmt.Fprintln(stdout, err)
		return cannot
	}
	if err := r.Folder.check(); err != nil {
		return fail(err)
	}
	root, err := r.Folder.open()
	if err != nil {
		return fail(err)
	}
	root.Close()
	if len(r.Argv) == 0 || r.Argv[0] == "" {
		return fail(errors.New("no program is named"))
	}
	cmd := exec.CommandContext(ctx, r.Argv[0], r.Argv[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.Env = r.Folder.Files(), stdout, stdout, append(os.Environ(), r.Env...)
	cmd.WaitDelay = time.Second
	inOwnGroup(cmd)
	if err := cmd.Start(); err != nil {
		return fail(err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, asker) // it says nothing, until it is gone
		cancel()
	}()
	err = cmd.Wait()
	if err != nil && cmd.ProcessState == nil {
		fmt.Fprintln(stderr, err)
		return cannot
	}
	return statusOf(cmd.ProcessState)
}
