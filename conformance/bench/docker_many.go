package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// memory tells what an environment that does nothing takes: the provider, and the
// runtime in its container, which must be the only one.
func (d *dock) memory(ctx context.Context, p *peer) error {
	if !d.wants(rowMemory) {
		return nil
	}
	select { // what the start took is given back
	case <-time.After(4 * time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	provider, err := residentMiB(p.cmd.Process.Pid)
	if err != nil {
		return err
	}
	container, err := d.container(ctx)
	if err != nil {
		return err
	}
	runtime, err := d.runtimeMiB(ctx, container)
	if err != nil {
		return err
	}
	d.bound(rowMemory+", of the provider", []float64{provider}, 15)
	d.reported(rowMemory+", of the runtime", "", "MiB", []float64{runtime}, nil)
	return nil
}

// runtimeMiB is the resident memory of the runtime in a container.
func (d *dock) runtimeMiB(ctx context.Context, container string) (float64, error) {
	var top struct{ Processes [][]string }
	if err := d.daemon.Call(ctx, http.MethodGet, "/containers/"+container+"/top?ps_args=-eo+pid,rss,args", nil, &top); err != nil {
		return 0, err
	}
	for _, p := range top.Processes {
		// The runtime is what was launched; others are the init process before it, and
		// those that carry connections to it.
		if len(p) == 3 && strings.HasPrefix(p[2], "/.codebolt/codebolt-runtime launch ") {
			kib, err := strconv.ParseFloat(p[1], 64)
			return kib / 1024, err
		}
	}
	return 0, fmt.Errorf("no runtime is among the processes: %v", top.Processes)
}

// many opens environments at once, and removes them.
func (d *dock) many(ctx context.Context) (err error) {
	n := 50
	if d.scale > 1 {
		n = 10
	}
	if !d.wants(rowMany) {
		return nil
	}
	project, err := d.project("docker-many", 200)
	if err != nil {
		return err
	}
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
	peers := make([]*peer, n)
	for i := range peers { // one after the other, so that it is known who is who
		if peers[i], err = d.launch(ctx); err != nil {
			return err
		}
		defer peers[i].end()
	}
	idle := make([]func(), n) // ends what is done with those that were answered
	ours, err := atOnce(n, func(i int) error {
		_, err := d.begin(peers[i], project, "many"+strconv.Itoa(i), nil)
		idle[i] = tend(peers[i])
		return err
	})
	if err != nil {
		return err
	}
	if _, err := atOnce(n, func(i int) error { idle[i](); return away(peers[i]) }); err != nil {
		return err
	}
	name := func(i int) string { return fmt.Sprintf("codebolt-bench-%s-%d", d.bare, i) }
	bare, err := atOnce(n, func(i int) error { return d.createAndStart(ctx, name(i), like) })
	if err != nil {
		return err
	}
	if _, err := atOnce(n, func(i int) error { return d.discard(ctx, name(i)) }); err != nil {
		return err
	}
	work := fmt.Sprintf("Docker: %d environments at once", n)
	d.reported(work+", all answered", "create + start", "s", []float64{ours}, []float64{bare})
	d.reported(work+", each", "create + start", "s", []float64{ours / float64(n)}, []float64{bare / float64(n)})
	return nil
}

// atOnce calls f so many times at the same time, and tells how many seconds it took
// until all had returned.
func atOnce(n int, f func(i int) error) (seconds float64, err error) {
	errs := make([]error, n)
	var all sync.WaitGroup
	from := time.Now()
	for i := range n {
		all.Go(func() { errs[i] = f(i) })
	}
	all.Wait()
	seconds = time.Since(from).Seconds()
	errs = slices.DeleteFunc(errs, func(err error) bool { return err == nil })
	if len(errs) > 0 {
		return seconds, fmt.Errorf("%d of %d at once failed, one with: %w", len(errs), n, errs[0])
	}
	return seconds, nil
}
