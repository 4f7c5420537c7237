package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/dockertest"
	"github.com/codeboltai/codebolt-providers/shared/resource"
)

// dock is what the rows of the Docker provider share.
type dock struct {
	*bench
	daemon *dockertest.Daemon
	image  string
	dir    string // scratch, on the disk where the daemon's own is
	state  string // the providers' state directory
	owner  string // label of what they make
	bare   string // label of what is made for comparison
}

// labels of the containers, volumes and networks.
const (
	ownerLabel = "codebolt.owner"
	bareLabel  = "codebolt.bench"
)

// The names of the rows, or parts of them.
const (
	rowStart  = "Docker: start answered"
	rowMemory = "Docker: memory, idle"
	rowRead   = "Docker: file read in a container, 1 KiB"
	rowInto   = " into a volume"
	rowOutOf  = " out of a volume"
	rowMany   = "Docker: environments at once"
)

// docker measures environments in containers. Where there is no daemon, and none
// can be started, it says so and measures nothing.
func (b *bench) docker(ctx context.Context) (err error) {
	if !b.wants(rowStart, rowMemory, rowRead, "Docker: "+b.amount()+rowInto, "Docker: "+b.amount()+rowOutOf, rowMany) {
		return nil
	}
	daemon, err := dockertest.Open(ctx)
	if errors.Is(err, dockertest.ErrNoDaemon) {
		fmt.Fprintln(b.log, "  no row of Docker is measured:", err)
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, daemon.Close()) }()
	d := &dock{bench: b, daemon: daemon, bare: strconv.Itoa(os.Getpid())}
	if d.image, err = daemon.Busybox(ctx); err != nil {
		return err
	}
	if d.dir, err = os.MkdirTemp("", "codebolt-bench-docker-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(d.dir)) }()
	d.state = filepath.Join(d.dir, "state")
	store, err := resource.OpenStore(d.state)
	if err != nil {
		return err
	}
	d.owner = store.Owner()
	defer func() { err = errors.Join(err, d.sweep()) }()
	for _, measure := range []func(context.Context) error{d.starting, d.reading, d.moving, d.many} {
		if err := measure(ctx); err != nil {
			return err
		}
	}
	return d.nothingLeft(ctx)
}

// launch starts the provider's process.
func (d *dock) launch(ctx context.Context) (*peer, error) {
	name := "codebolt-provider-docker"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	cmd := d.command(ctx, d.dir, filepath.Join(d.bin, name))
	cmd.Env = append(cmd.Env, resource.EnvStateDir+"="+d.state)
	cmd.Stderr = d.log
	return d.listener.spawn(ctx, cmd)
}

// begin asks for an environment.
func (d *dock) begin(p *peer, project, name string, config map[string]any) (*begun, error) {
	all := map[string]any{
		"image": d.image, "dockerHost": d.daemon.Host,
		"timeouts": map[string]any{"agentServerStartup": 110_000, "wsConnection": 60_000, "cleanup": 150_000},
	}
	for key, value := range config {
		all[key] = value
	}
	return p.start(project, name, all)
}

// environment opens an environment.
func (d *dock) environment(ctx context.Context, project, name string, config map[string]any) (*peer, *begun, error) {
	p, err := d.launch(ctx)
	if err != nil {
		return nil, nil, err
	}
	b, err := d.begin(p, project, name, config)
	if err != nil {
		p.end()
		return nil, nil, err
	}
	return p, b, nil
}

// starting compares the start of an environment with the calls of the daemon's API
// that no start of such a container can do without.
func (d *dock) starting(ctx context.Context) (err error) {
	if !d.wants(rowStart) {
		return nil
	}
	project, err := d.project("docker-start", 200)
	if err != nil {
		return err
	}
	// One stays open, so that the network is there for all.
	first, _, err := d.environment(ctx, project, "first", nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, away(first)) }()
	defer tend(first)()
	like, err := d.like(ctx)
	if err != nil {
		return err
	}
	var ours, bare []float64
	for i := range max(10/d.scale, 5) {
		p, b, err := d.environment(ctx, project, "start"+strconv.Itoa(i), nil)
		if err != nil {
			return err
		}
		ours = append(ours, b.took)
		if err := away(p); err != nil {
			return err
		}
		name := fmt.Sprintf("codebolt-bench-%s-%d", d.bare, i)
		from := time.Now()
		if err := d.createAndStart(ctx, name, like); err != nil {
			return err
		}
		bare = append(bare, millis(from))
		if err := d.discard(ctx, name); err != nil {
			return err
		}
	}
	d.within(rowStart, "create + start", ours, bare, 100)
	return nil
}
