package procgroup

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"time"
)

// DrainTime is how long output may still come after the program itself has ended,
// from what it left running.
const DrainTime = 500 * time.Millisecond

// Process is a running program. Its methods are safe for concurrent use.
type Process struct {
	cmd            *exec.Cmd
	stdout, stderr *os.File
	gone, drained  chan struct{}
	err            error // of the wait, once it is gone
}

// Start starts the program in a group of its own, with no standard input. Its output
// is to be taken with [Process.Read].
//
// Its error is that of [exec.Cmd.Start], wrapped.
func Start(cmd *exec.Cmd) (*Process, error) {
	outR, outW, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start the command: %w", err)
	}
	errR, errW, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the command: %w", err), outR.Close(), outW.Close())
	}
	cmd.Stdout, cmd.Stderr = outW, errW
	arrange(cmd)
	err = cmd.Start()
	_, _ = outW.Close(), errW.Close() // the child has its own
	if err != nil {
		_, _ = outR.Close(), errR.Close() // nothing was written to them
		return nil, fmt.Errorf("start the command: %w", err)
	}
	p := &Process{cmd: cmd, stdout: outR, stderr: errR, gone: make(chan struct{}), drained: make(chan struct{})}
	go func() { p.err = cmd.Wait(); close(p.gone) }()
	return p, nil
}

// Read has the functions get what the program prints, in pieces that are theirs until
// they return and that do not end within a character of UTF-8; while they wait, so
// does the program. They are called until [Process.Drained] says so. It is to be
// called once.
func (p *Process) Read(stdout, stderr func(piece []byte)) {
	var readers sync.WaitGroup
	readers.Go(func() { read(p.stdout, stdout) })
	readers.Go(func() { read(p.stderr, stderr) })
	go func() { readers.Wait(); close(p.drained) }()
}

// Pid is the process id of the program.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Gone is closed when the program itself has ended.
func (p *Process) Gone() <-chan struct{} { return p.gone }

// Drained is closed when nobody holds its output any more and all of it was read.
func (p *Process) Drained() <-chan struct{} { return p.drained }

// State is how the program ended, nil with the reason when that is not known. It is
// to be asked for once the program is gone.
func (p *Process) State() (*os.ProcessState, error) { return p.cmd.ProcessState, p.err }

// Interrupt asks the group to end as Ctrl-C does. On Windows it ends it.
func (p *Process) Interrupt() { interrupt(p.Pid()) }

// Terminate asks the group to end. On Windows it ends it.
func (p *Process) Terminate() { terminate(p.Pid()) }

// Kill ends the group.
func (p *Process) Kill() { kill(p.Pid()) }

// EndRest stops what the program left running in its group, after a moment to end
// by itself. It is to be called once, when the program is gone, and reports whether
// there was anything to stop.
func (p *Process) EndRest() (stopped bool) { return endRest(p.Pid(), p.drained) }

// Release reads what is in the pipes and waits for no more: something that left the
// group can hold them open for ever. It returns when the functions of Read are called
// no more.
func (p *Process) Release() {
	now := time.Now()
	for _, pipe := range []*os.File{p.stdout, p.stderr} {
		if errors.Is(pipe.SetReadDeadline(now), os.ErrNoDeadline) {
			// As on Windows. What still reads ends when the last holder does.
			select {
			case <-p.drained:
			case <-time.After(pipeRest):
			}
			return
		}
	}
	<-p.drained
}
