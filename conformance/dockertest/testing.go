package dockertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// patience is how long the daemon may take for what is done in no time.
const patience = time.Minute

// shared is the daemon of this test process.
var shared struct {
	sync.Mutex
	tried  bool
	daemon *Daemon
	err    error
}

// Main runs the tests of a package, closes the daemon of [Shared], and returns the
// status to exit with. Call it in TestMain.
func Main(m *testing.M) int {
	status := m.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.daemon == nil {
		return status
	}
	if err := shared.daemon.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = max(status, 1)
	}
	shared.daemon = nil
	return status
}

// Shared gives the daemon of this test process, which [Open] found or started for
// its first test. Without one the test fails; in short mode it is skipped where a
// daemon can't be had at all.
func Shared(tb testing.TB) *Daemon {
	tb.Helper()
	shared.Lock()
	defer shared.Unlock()
	if !shared.tried {
		shared.tried = true
		shared.daemon, shared.err = Open(context.WithoutCancel(tb.Context()))
	}
	need(tb, shared.err)
	return shared.daemon
}

// New starts a daemon for this test alone, which closes it. Without one the test
// fails, or is skipped, as with [Shared].
func New(tb testing.TB, o Options) *Daemon {
	tb.Helper()
	d, err := Start(tb.Context(), o)
	need(tb, err)
	d.alone = true
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("the log of dockerd ends with:\n%s", d.cell.log(40))
		}
		if err := d.Close(); err != nil {
			tb.Error(err)
		}
	})
	return d
}

func need(tb testing.TB, err error) {
	tb.Helper()
	switch {
	case err == nil:
	case testing.Short() && errors.Is(err, ErrNoDaemon):
		tb.Skip(err)
	default:
		tb.Fatal(err)
	}
}

// Kill ends the dockerd of [New] as a crash does. Its containers go on, and meet
// the next one at [Daemon.Restart].
func (d *Daemon) Kill(tb testing.TB) {
	tb.Helper()
	d.end(tb, "kill")
}

// Stop ends the dockerd of [New] in an orderly way, which stops its containers.
func (d *Daemon) Stop(tb testing.TB) {
	tb.Helper()
	d.end(tb, "stop")
}

// Restart stops the dockerd of [New] if it runs, starts it again on the same data
// and waits until it answers.
func (d *Daemon) Restart(tb testing.TB) {
	tb.Helper()
	d.end(tb, "stop")
	if err := d.up(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

func (d *Daemon) end(tb testing.TB, how string) {
	tb.Helper()
	if !d.alone {
		tb.Fatal("dockertest: this daemon is not the test's own; take one from New")
	}
	if err := d.cell.end(how, patience); err != nil {
		tb.Fatal(err)
	}
}

// ImportImage makes an image of any root, and removes it with the test. The
// changes are lines of a Dockerfile, as "USER 1000"; see [Daemon.Import] for more.
func (d *Daemon) ImportImage(tb testing.TB, ref string, files map[string]File, changes []string) {
	tb.Helper()
	d.ImportPlatform(tb, "", ref, files, changes)
}

// ImportPlatform is [Daemon.ImportImage] for another platform, as "linux/arm64".
func (d *Daemon) ImportPlatform(tb testing.TB, platform, ref string, files map[string]File, changes []string) {
	tb.Helper()
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), patience)
		defer cancel()
		if d.ping(ctx) != nil && d.cell != nil {
			return // it is down, and the image goes with it
		}
		if err := d.removeImage(ctx, ref, true); err != nil {
			tb.Error(err)
		}
	})
	if err := d.Import(tb.Context(), Image{Ref: ref, Files: files, Changes: changes, Platform: platform}); err != nil {
		tb.Fatal(err)
	}
}

// Image gives the name of a local image for tests, [ImageRef], and makes it first
// when the daemon does not have it. Its root is the one of [BusyboxRoot].
func (d *Daemon) Image(tb testing.TB) string {
	tb.Helper()
	ref, err := d.Busybox(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return ref
}

// Leftovers tells what the daemon has with a label, as "KEY" or "KEY=VALUE":
// containers in any state, volumes, networks and images, each as "container NAME".
// A test that proves that nothing stays wants none.
func (d *Daemon) Leftovers(tb testing.TB, label string) []string {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(tb.Context()), patience)
	defer cancel()
	found, err := d.labelled(ctx, label)
	if err != nil {
		tb.Fatal(err)
	}
	return found
}
