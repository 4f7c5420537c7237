package runtime

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Files in a runtime's private directory that codebolt-runtime knows too.
const (
	TokenFile   = "token"       // what it demands of callers
	AddressFile = "address"     // where it listens; it writes that itself
	AuditFile   = "audit.jsonl" // what its agents asked for and were let do; it writes that itself
)

const (
	fileInstance = "instance"
	fileLog      = "log"
	fileSocket   = "sock"
)

// Process is a running runtime. Its methods are safe for concurrent use.
type Process struct {
	record  resource.RuntimeRecord
	token   string
	adopted bool
	done    chan struct{} // closed when the process has ended
	hurry   chan struct{} // closed when its end is awaited
	hasten  sync.Once
	release chan struct{}
	once    sync.Once
	watcher sync.WaitGroup
}

// Adopted tells that the process was found rather than started.
func (p *Process) Adopted() bool { return p.adopted }

// Token is what the runtime demands; "" for an upstream one.
func (p *Process) Token() string { return p.token }

// Record is how to find this process again with [Adopt].
func (p *Process) Record() resource.RuntimeRecord { return p.record }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err implements Handle: nobody tells why a process has ended that is not always
// this one's child.
func (p *Process) Err() error { return nil }

// URL is where the runtime listens: ws://host:port, or ws+unix:///path.
func (p *Process) URL() string {
	kind, where, _ := strings.Cut(p.record.Address, ":")
	if kind == "unix" {
		return "ws+unix://" + filepath.ToSlash(where)
	}
	return "ws://" + where
}

// Dial opens a byte stream to the runtime's listener.
func (p *Process) Dial(ctx context.Context) (net.Conn, error) { return dial(ctx, p.record.Address) }

func dial(ctx context.Context, address string) (net.Conn, error) {
	network, where, ok := strings.Cut(address, ":")
	if !ok || (network != "unix" && network != "tcp") {
		return nil, wire.Errorf(wire.Invalid, "reach the runtime: %q is no address", address)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, where)
	if err != nil {
		return nil, wire.Errorf(wire.Unavailable, "reach the runtime: %w", err)
	}
	return conn, nil
}

func (p *Process) caller() Caller { return Caller{Dial: p.Dial, Token: p.token} }

// Health asks the runtime how it is. It answers within two seconds.
func (p *Process) Health(ctx context.Context) (wire.RuntimeHealth, error) {
	if p.record.Gateway { // that its port answers is all it tells
		ctx, cancel := context.WithTimeout(ctx, healthLimit)
		defer cancel()
		conn, err := p.Dial(ctx)
		if err == nil {
			err = conn.Close()
		}
		if err == nil && !listensFor(strings.TrimPrefix(p.record.Address, "tcp:"), p.record.InstanceID) {
			err = wire.Errorf(wire.Conflict, "health of the runtime: another process listens at %s", p.record.Address)
		}
		return wire.RuntimeHealth{}, err
	}
	h, err := p.caller().Health(ctx)
	if err == nil && !p.record.Upstream && h.InstanceID != p.record.InstanceID {
		err = wire.Errorf(wire.Conflict, "health of the runtime: another process answers at %s", p.record.Address)
	}
	return h, err
}

// Agents is how many agents run in it now. An upstream runtime does not tell,
// and counts as having none: it has no end of its own when its owner stays away,
// so it is not left behind for them.
func (p *Process) Agents(ctx context.Context) (int, error) {
	h, err := p.Health(ctx)
	return h.Agents, err
}

// Release lets go of the process without stopping it. It is idempotent.
func (p *Process) Release() {
	p.once.Do(func() { close(p.release) })
	if p.adopted {
		p.watcher.Wait()
	}
}

// killDelay is how long past its grace a runtime has to stop its agents and end.
const killDelay = time.Second

// Stop ends the runtime and its agents: in good order within grace, else by
// force. It is idempotent, and returns when the process has ended.
func (p *Process) Stop(ctx context.Context, grace time.Duration) error {
	defer p.Release()
	select {
	case <-p.done:
		return p.sweep()
	default:
	}
	p.hasten.Do(func() { close(p.hurry) })
	if p.record.Upstream {
		terminate(p.record)
	} else {
		ask, cancel := context.WithTimeout(ctx, grace)
		if err := p.caller().Shutdown(ask); err != nil {
			terminate(p.record)
		}
		cancel()
	}
	timer := time.NewTimer(grace + killDelay)
	defer timer.Stop()
	select {
	case <-p.done:
		return p.sweep()
	case <-timer.C:
	case <-ctx.Done():
	}
	kill(p.record)
	select {
	case <-p.done:
		return p.sweep()
	case <-time.After(killDelay):
		return wire.Errorf(wire.Internal, "stop the runtime: process %d does not end", p.record.PID)
	}
}

// sweep ends what a runtime that is gone left running, and takes away its files
// save the log and the token, which the next one has too. What a next one has put
// in their place already stays.
func (p *Process) sweep() error {
	resource.KillMarked(wire.EnvRuntimeInstance, p.record.InstanceID)
	now, err := os.ReadFile(filepath.Join(p.record.Dir, fileInstance))
	if err == nil && strings.TrimSpace(string(now)) != p.record.InstanceID {
		return nil
	}
	var errs []error
	for _, name := range []string{fileInstance, AddressFile, fileSocket} {
		if err := os.Remove(filepath.Join(p.record.Dir, name)); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Adopt finds the runtime that rec tells of. It fails with kind NotFound when
// that one no longer runs, or does not prove that it is the one.
func Adopt(ctx context.Context, spec Spec, rec resource.RuntimeRecord) (*Process, error) {
	if rec.Upstream != (spec.Upstream != nil) || rec.Upstream && rec.Gateway != spec.Upstream.Gateway {
		return nil, wire.Errorf(wire.NotFound, "adopt the runtime: the configuration asks for another kind")
	}
	if address, err := os.ReadFile(filepath.Join(rec.Dir, AddressFile)); err == nil {
		rec.Address = strings.TrimSpace(string(address))
	}
	if rec.Address == "" {
		return nil, wire.Errorf(wire.NotFound, "adopt the runtime: it never listened")
	}
	p := &Process{record: rec, adopted: true, done: make(chan struct{}), hurry: make(chan struct{}), release: make(chan struct{})}
	if rec.Upstream {
		if started, alive := resource.ProcessStarted(rec.PID); !alive || started != rec.Started {
			return nil, wire.Errorf(wire.NotFound, "adopt the runtime: it has ended")
		}
		if _, err := p.Health(ctx); err != nil {
			return nil, wire.Errorf(wire.NotFound, "adopt the runtime: %w", err)
		}
	} else {
		token, err := os.ReadFile(filepath.Join(rec.Dir, TokenFile))
		if err != nil {
			return nil, wire.Errorf(wire.NotFound, "adopt the runtime: %w", err)
		}
		p.token = string(token)
		h, err := p.Health(ctx)
		if err != nil {
			return nil, wire.Errorf(wire.NotFound, "adopt the runtime: %w", err)
		}
		started, alive := resource.ProcessStarted(h.PID)
		if !alive {
			return nil, wire.Errorf(wire.NotFound, "adopt the runtime: it is ending")
		}
		p.record.PID, p.record.Started = h.PID, started
	}
	p.watcher.Go(p.watch)
	if rec.Upstream {
		p.watcher.Go(p.boundUpstream)
	}
	return p, nil
}

// Look asks the runtime that rec tells of, a process of this machine, what runs in it. It
// takes nothing over and changes nothing. It fails with kind NotFound when that process
// no longer runs or is not of this machine, and otherwise as Caller.Status does.
func Look(ctx context.Context, rec resource.RuntimeRecord) (wire.RuntimeStatus, error) {
	started, alive := resource.ProcessStarted(rec.PID)
	if rec.PID <= 0 || !alive || started != rec.Started { // nobody else is shown the token
		return wire.RuntimeStatus{}, wire.Errorf(wire.NotFound, "look at the runtime: it does not run on this machine")
	}
	if rec.Upstream {
		return wire.RuntimeStatus{}, wire.Errorf(wire.Unsupported, "look at the runtime: it does not tell what runs in it")
	}
	if address, err := os.ReadFile(filepath.Join(rec.Dir, AddressFile)); err == nil {
		rec.Address = strings.TrimSpace(string(address))
	}
	token, err := os.ReadFile(filepath.Join(rec.Dir, TokenFile))
	if err != nil {
		return wire.RuntimeStatus{}, wire.Errorf(wire.CodeOf(err), "look at the runtime: %w", err)
	}
	return (&Process{record: rec, token: string(token)}).caller().Status(ctx)
}

// End ends the runtime that rec tells of, as Process.Stop does, for whoever does not
// have it as a [Process], and what it left running when it is gone already. It is
// idempotent.
func End(ctx context.Context, rec resource.RuntimeRecord, grace time.Duration) error {
	if address, err := os.ReadFile(filepath.Join(rec.Dir, AddressFile)); err == nil {
		rec.Address = strings.TrimSpace(string(address))
	}
	token, _ := os.ReadFile(filepath.Join(rec.Dir, TokenFile)) // without it, it is ended by force
	p := &Process{record: rec, token: string(token), adopted: true, done: make(chan struct{}), hurry: make(chan struct{}), release: make(chan struct{})}
	if rec.PID == 0 && !rec.Upstream && rec.Address != "" { // its start was not heard to the end
		if h, err := p.Health(ctx); err == nil {
			p.record.PID = h.PID
			p.record.Started, _ = resource.ProcessStarted(h.PID)
		}
	}
	p.watcher.Go(p.watch)
	return p.Stop(ctx, grace)
}

// watchEvery is how often an adopted process is looked at: it is nobody's child
// that could be waited for. Its awaited end is noticed sooner.
const (
	watchEvery = 250 * time.Millisecond
	hurryEvery = 5 * time.Millisecond
)

func (p *Process) watch() {
	ticker := time.NewTicker(watchEvery)
	defer ticker.Stop()
	hurry := p.hurry
	for {
		started, alive := resource.ProcessStarted(p.record.PID)
		if !alive || started != p.record.Started {
			close(p.done)
			return
		}
		select {
		case <-ticker.C:
		case <-hurry:
			hurry = nil
			ticker.Reset(hurryEvery)
		case <-p.release:
			return
		}
	}
}
