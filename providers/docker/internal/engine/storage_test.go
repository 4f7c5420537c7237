//go:build linux

package engine_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/providers/docker/internal/engine"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func archive(t *testing.T, files map[string]string) *bytes.Buffer {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for name, content := range files {
		wantNil(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Uid: 1000, Gid: 1000, Size: int64(len(content))}))
		_, err := w.Write([]byte(content))
		wantNil(t, err)
	}
	wantNil(t, w.Close())
	return &buf
}

func TestFilesGoIntoAContainerAndOutOfIt(t *testing.T) {
	t.Parallel()
	b := open(t)
	id := b.create(t, engine.ContainerSpec{Command: []string{"sleep", "600"}})
	wantNil(t, b.CopyTo(t.Context(), id, "/tmp", archive(t, map[string]string{"a": "one"}))) // not running
	wantNil(t, b.StartContainer(t.Context(), id))
	wantNil(t, b.CopyTo(t.Context(), id, "/tmp", archive(t, map[string]string{"b": "two"})))
	if got := b.sh(t, id, "cd /tmp; cat a b; stat -c %u:%g:%a a"); got != "onetwo1000:1000:644" {
		t.Errorf("in the container: %q", got)
	}
	body, err := b.CopyFrom(t.Context(), id, "/tmp")
	wantNil(t, err)
	defer body.Close()
	got := map[string]string{}
	for r := tar.NewReader(body); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		wantNil(t, err)
		content, err := io.ReadAll(r)
		wantNil(t, err)
		got[h.Name] = string(content)
	}
	if diff := cmp.Diff(map[string]string{"tmp/": "", "tmp/a": "one", "tmp/b": "two"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestACopyThatCannotBeIsExplained(t *testing.T) {
	t.Parallel()
	b := open(t)
	id := b.run(t, engine.ContainerSpec{})
	long := archive(t, map[string]string{"a": string(make([]byte, 20<<20))}).Bytes()
	want(t, b.CopyTo(t.Context(), id, "/none", bytes.NewReader(long)), wire.NotFound, "/none")
	want(t, b.CopyTo(t.Context(), "codebolt-none", "/tmp", bytes.NewReader(long)), wire.NotFound)
	_, err := b.CopyFrom(t.Context(), id, "/none")
	want(t, err, wire.NotFound, "/none")
	own := wire.Errorf(wire.TooLarge, "the file is too large")
	err = b.CopyTo(t.Context(), id, "/tmp", io.MultiReader(bytes.NewReader(long[:5<<20]), iotest.ErrReader(own)))
	want(t, err, wire.TooLarge, "the file is too large")
	if !errors.Is(err, own) {
		t.Error("the cause is lost")
	}
	err = b.CopyTo(t.Context(), id, "/tmp", io.MultiReader(bytes.NewReader(long[:5<<20]), iotest.ErrReader(io.ErrUnexpectedEOF)))
	want(t, err, wire.Internal, "read what is to be copied") // and the daemon is not blamed
	readOnly := b.run(t, engine.ContainerSpec{ReadOnlyRoot: true})
	want(t, b.CopyTo(t.Context(), readOnly, "/tmp", bytes.NewReader(long)), wire.Permission, "volume or a tmpfs")
}

func TestACommitKeepsFilesAndGetsLabels(t *testing.T) {
	t.Parallel()
	b := open(t)
	id := b.run(t, engine.ContainerSpec{User: "1000", Env: []string{"A=b"}, WorkDir: "/tmp", Labels: map[string]string{"less": "label"}})
	b.sh(t, id, "echo kept > /tmp/file")
	image, err := b.Commit(within(t, time.Minute), id, engine.CommitSpec{
		Ref: "codebolt-test/" + b.name("commit") + ":1", Labels: map[string]string{"more": "label", "less": ""},
		Like: engine.Image{User: "1001", Cmd: []string{"sleep", "600"}},
	})
	wantNil(t, err)
	img, err := b.Image(t.Context(), "codebolt-test/"+b.name("commit")+":1")
	wantNil(t, err)
	if img.ID != image || img.User != "1001" || img.WorkDir != "/" || img.Labels["less"] != "" || !cmp.Equal(img.Cmd, []string{"sleep", "600"}) || img.Labels["more"] != "label" || img.Labels[mark] != b.labels[mark] || img.Size == 0 {
		t.Errorf("%+v", img)
	}
	if list, err := b.Images(t.Context(), map[string]string{mark: b.labels[mark], "more": "label"}); err != nil || len(list) != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	next := b.run(t, engine.ContainerSpec{Image: image})
	if got := b.sh(t, next, "cat /tmp/file; id -u"); got != "kept\n1001" {
		t.Errorf("%q", got)
	}
	want(t, b.RemoveImage(t.Context(), image), wire.Conflict)
	wantNil(t, b.RemoveContainer(t.Context(), next))
	for range 2 {
		wantNil(t, b.RemoveImage(t.Context(), image))
	}
	_, err = b.Commit(t.Context(), "codebolt-none", engine.CommitSpec{})
	want(t, err, wire.NotFound)
	_, err = b.Commit(t.Context(), id, engine.CommitSpec{Ref: "UPPER"})
	want(t, err, wire.Invalid)
}

func TestAVolumeIsMadeOnceAndNeverTakenFromOthers(t *testing.T) {
	t.Parallel()
	b := open(t)
	name := b.name("v")
	for range 2 {
		wantNil(t, b.CreateVolume(t.Context(), name, b.labels))
	}
	want(t, b.CreateVolume(t.Context(), name, map[string]string{mark: "another"}), wire.Conflict, "other labels")
	v, err := b.Volume(t.Context(), name)
	if err != nil || v.Name != name || v.Labels[mark] != b.labels[mark] || v.Created.IsZero() {
		t.Errorf("%+v, %v", v, err)
	}
	if list, err := b.Volumes(t.Context(), b.labels); err != nil || len(list) != 1 || list[0].Name != name {
		t.Errorf("%+v, %v", list, err)
	}
	id := b.run(t, engine.ContainerSpec{Mounts: []engine.Mount{{Volume: name, Target: "/etc"}}}) // not filled from the image
	if got := b.sh(t, id, "ls /etc | grep -c passwd || true"); got != "0" {
		t.Errorf("the image's files are in the volume")
	}
	want(t, b.RemoveVolume(t.Context(), name), wire.Conflict, "containers that use it")
	wantNil(t, b.RemoveContainer(t.Context(), id))
	for range 2 {
		wantNil(t, b.RemoveVolume(t.Context(), name))
	}
	_, err = b.Volume(t.Context(), name)
	want(t, err, wire.NotFound)
}

func TestManyAtOnceMakeOneNetwork(t *testing.T) {
	t.Parallel()
	b := open(t)
	name := b.name("n")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			e, err := engine.Connect(within(t, time.Minute), alone(t, engine.Options{Host: b.daemon.Host})) // as of another process
			if err == nil {
				err = e.EnsureNetwork(within(t, time.Minute), name, b.labels, true)
				e.Close()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	list, err := b.Networks(t.Context(), b.labels)
	if err != nil || len(list) != 1 || list[0].Name != name {
		t.Fatalf("%+v, %v", list, err)
	}
	want(t, b.EnsureNetwork(t.Context(), name, map[string]string{mark: "another"}, true), wire.Conflict, "other labels")
	want(t, b.EnsureNetwork(t.Context(), name, b.labels, false), wire.Conflict, "other settings")
	want(t, b.EnsureNetwork(t.Context(), "a/b", b.labels, false), wire.Invalid)

	id := b.run(t, engine.ContainerSpec{Network: name})
	if list, err = b.Networks(t.Context(), b.labels); err != nil || list[0].Containers != 1 {
		t.Errorf("%+v, %v", list, err)
	}
	want(t, b.RemoveNetwork(t.Context(), list[0].ID), wire.Conflict, "containers that use it")
	wantNil(t, b.RemoveContainer(t.Context(), id))
	for range 2 {
		wantNil(t, b.RemoveNetwork(t.Context(), list[0].ID))
	}
}

func TestContainersOfAnIsolatedNetworkDoNotReachEachOther(t *testing.T) {
	t.Parallel()
	b := open(t)
	for name, isolated := range map[string]bool{b.name("open"): false, b.name("shut"): true} {
		wantNil(t, b.EnsureNetwork(t.Context(), name, b.labels, isolated))
		server := b.run(t, engine.ContainerSpec{Network: name, Command: []string{"sh", "-c", "while :; do echo hello | nc -l -p 8080; done"}})
		client := b.run(t, engine.ContainerSpec{Network: name})
		address := b.sh(t, server, "hostname -i")
		got := b.sh(t, client, "for i in 1 2 3; do nc -w 1 "+address+" 8080 </dev/null && break; sleep 0.2; done || true")
		if (got == "hello") == isolated {
			t.Errorf("isolated %v: %q", isolated, got)
		}
	}
}
