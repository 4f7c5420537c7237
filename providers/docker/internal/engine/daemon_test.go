//go:build linux

package engine_test

import (
	"bytes"
	"syscall"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/dockertest"
	"github.com/codeboltai/codebolt-providers/providers/docker/internal/engine"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestADaemonThatCrashesEndsItsStreamsAndIsUsedAgain(t *testing.T) {
	t.Parallel()
	d := dockertest.New(t, dockertest.Options{})
	b := openAt(t, d)
	id := b.run(t, engine.ContainerSpec{})
	conn, err := b.ExecConn(within(t, time.Minute), id, engine.ExecSpec{Argv: []string{"cat"}})
	wantNil(t, err)
	defer conn.Close()
	waited := make(chan error, 1)
	go func() {
		_, err := b.Exec(within(t, 2*time.Minute), id, engine.ExecSpec{Argv: []string{"sleep", "600"}}, nil, nil, nil)
		waited <- err
	}()
	time.Sleep(300 * time.Millisecond) // most likely it runs by then

	d.Kill(t)
	wantNil(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
	_, err = conn.Read(make([]byte, 1))
	want(t, err, wire.Unavailable, "broke")
	want(t, <-waited, wire.Unavailable)

	d.Restart(t)
	wantNil(t, b.StartContainer(within(t, time.Minute), id)) // whatever became of it
	if got := b.sh(t, id, "echo again"); got != "again" {
		t.Errorf("%q", got)
	}
	b.create(t, engine.ContainerSpec{Name: b.name("next")})
}

func TestAFullDiskIsToldAndNotRetried(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := syscall.Mount("engine-test", dir, "tmpfs", 0, "size=48m"); err != nil {
		if testing.Short() {
			t.Skipf("a small disk cannot be mounted: %v", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	b := openAt(t, dockertest.New(t, dockertest.Options{DataRoot: dir}))
	id := b.run(t, engine.ContainerSpec{})
	long := archive(t, map[string]string{"a": string(make([]byte, 64<<20))})
	err := b.CopyTo(within(t, time.Minute), id, "/tmp", bytes.NewReader(long.Bytes()))
	want(t, err, wire.Unavailable, "no space left on device", "docker system prune")
	if wire.Retryable(err) {
		t.Error("said to be worth a retry")
	}
	wantNil(t, b.RemoveContainer(within(t, time.Minute), id)) // a full disk can be emptied
}
