//go:build linux

package engine_test

import (
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/conformance/dockertest"
	"github.com/codeboltai/codebolt-providers/providers/docker/internal/engine"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestAContainerIsMadeAsItsSpecSays(t *testing.T) {
	t.Parallel()
	b := open(t)
	volume, network, bind := b.name("v"), b.name("n"), t.TempDir()
	wantNil(t, b.CreateVolume(t.Context(), volume, b.labels))
	wantNil(t, b.EnsureNetwork(t.Context(), network, b.labels, false))
	id := b.run(t, engine.ContainerSpec{
		Name: b.name("c"), User: "1000:1000", WorkDir: "/tmp", Hostname: "box", Network: network, Env: []string{"A=b c"},
		Entrypoint: []string{"sleep"}, Command: []string{"600"},
		Mounts: []engine.Mount{{Volume: volume, Target: "/data"}, {Bind: bind, Target: "/bind", ReadOnly: true}},
		Ports:  []engine.Port{{HostIP: "127.0.0.1", ContainerPort: 80}},
		Memory: 64 << 20, CPUs: 0.5, Pids: 50, ReadOnlyRoot: true, CapAdd: []string{"CHOWN"}, Tmpfs: map[string]string{"/run": "size=1m"},
		LogMaxSize: "1m", LogMaxFiles: 2, ShmSize: 2 << 20, StopTimeout: 1500 * time.Millisecond,
	})

	// Inside.
	got := b.sh(t, id, `id -u; pwd; hostname; echo "$A"; grep -c NoNewPrivs:.1 /proc/self/status; grep CapBnd /proc/self/status; cat /proc/1/comm
touch /x /bind/x /run/x 2>&1 | grep -c Read-only; df -k /dev/shm | awk 'END{print $2}'`)
	wanted := "1000\n/tmp\nbox\nb c\n1\nCapBnd:\t0000000000000001\ndocker-init\n2\n2048"
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("in the container (-want +got):\n%s", diff)
	}

	// As the package tells.
	c, err := b.Container(t.Context(), b.name("c"))
	wantNil(t, err)
	if !c.Running || c.State != "running" || c.ID != id || c.PID < 1 || c.Started.IsZero() || c.Created.IsZero() || !c.Finished.IsZero() {
		t.Errorf("container %+v", c)
	}
	if len(c.Ports) != 1 || c.Ports[0].HostPort == 0 || c.Ports[0].HostIP != "127.0.0.1" || c.Ports[0].ContainerPort != 80 || c.Ports[0].Protocol != "tcp" {
		t.Errorf("ports %+v", c.Ports)
	}
	slices.SortFunc(c.Mounts, func(a, b engine.Mount) int { return strings.Compare(a.Target, b.Target) })
	if diff := cmp.Diff([]engine.Mount{{Bind: bind, Target: "/bind", ReadOnly: true}, {Volume: volume, Target: "/data"}}, c.Mounts); diff != "" {
		t.Errorf("mounts (-want +got):\n%s", diff)
	}

	// As the daemon tells.
	var raw struct {
		Config     struct{ StopTimeout int }
		HostConfig struct {
			Memory, NanoCPUs, PidsLimit int64
			AutoRemove, Privileged      bool
			RestartPolicy               struct{ Name string }
			LogConfig                   struct {
				Type   string
				Config map[string]string
			}
		}
	}
	wantNil(t, b.daemon.Call(t.Context(), http.MethodGet, "/containers/"+id+"/json", nil, &raw))
	h := raw.HostConfig
	if h.Memory != 64<<20 || h.NanoCPUs != 5e8 || h.PidsLimit != 50 || h.AutoRemove || h.Privileged || h.RestartPolicy.Name != "no" || raw.Config.StopTimeout != 2 {
		t.Errorf("limits %+v", raw)
	}
	if h.LogConfig.Type != "json-file" || h.LogConfig.Config["max-size"] != "1m" || h.LogConfig.Config["max-file"] != "2" {
		t.Errorf("logs %+v", h.LogConfig)
	}
}

func TestAContainersLifeCanBeRepeatedAtEachStep(t *testing.T) {
	t.Parallel()
	b := open(t)
	ctx := within(t, time.Minute)
	id := b.create(t, engine.ContainerSpec{Command: []string{"sh", "-c", "trap 'exit 7' TERM; echo up; while :; do sleep 0.1; done"}})
	c, err := b.Container(ctx, id)
	if err != nil || c.State != "created" || c.Running {
		t.Fatalf("%+v, %v", c, err)
	}
	want(t, b.KillContainer(ctx, id, "TERM"), wire.NotRunning, "start it first")
	for range 2 {
		wantNil(t, b.StartContainer(ctx, id))
	}
	for b.logs(t, id) == "" { // the trap is set
		time.Sleep(10 * time.Millisecond)
	}
	for range 2 {
		wantNil(t, b.StopContainer(ctx, id, 10*time.Second))
	}
	c, err = b.WaitContainer(ctx, id)
	if err != nil || c.ExitCode != 7 || c.Running || c.State != "exited" || c.Finished.IsZero() {
		t.Errorf("%+v, %v", c, err)
	}
	wantNil(t, b.StartContainer(ctx, id))
	wantNil(t, b.KillContainer(ctx, id, ""))
	if c, err = b.WaitContainer(ctx, id); err != nil || c.ExitCode != 137 {
		t.Errorf("%+v, %v", c, err)
	}
	wantNil(t, b.StartContainer(ctx, id))
	for range 2 {
		wantNil(t, b.RemoveContainer(ctx, id))
	}
	_, err = b.Container(ctx, id)
	want(t, err, wire.NotFound)
	want(t, b.StartContainer(ctx, id), wire.NotFound)
	want(t, b.StopContainer(ctx, id, time.Second), wire.NotFound)
	_, err = b.WaitContainer(ctx, id)
	want(t, err, wire.NotFound)
}

func TestRemovingAContainerFromSeveralSidesSucceedsEverywhere(t *testing.T) {
	t.Parallel()
	b := open(t)
	id := b.run(t, engine.ContainerSpec{})
	ctx, ends := within(t, time.Minute), make(chan error)
	for range 5 {
		go func() { ends <- b.RemoveContainer(ctx, id) }()
	}
	for range 5 {
		if err := <-ends; err != nil {
			t.Error(err)
		}
	}
}

func TestATakenNameIsToldFromOtherFailures(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.create(t, engine.ContainerSpec{Name: b.name("twice")})
	_, _, err := b.CreateContainer(t.Context(), engine.ContainerSpec{Name: b.name("twice"), Image: b.image})
	want(t, err, wire.Exists, "choose another name")
	_, _, err = b.CreateContainer(t.Context(), engine.ContainerSpec{Name: b.name("other"), Image: "codebolt-test/none:1"})
	want(t, err, wire.NotFound, "codebolt-test/none:1")
}

func TestASpecThatCannotBeIsRefused(t *testing.T) {
	t.Parallel()
	b := open(t)
	for name, spec := range map[string]engine.ContainerSpec{
		"a path as name":        {Name: "../x", Image: "x"},
		"no image":              {},
		"a mount of both kinds": {Image: "x", Mounts: []engine.Mount{{Volume: "v", Bind: "/b", Target: "/t"}}},
		"a mount of no kind":    {Image: "x", Mounts: []engine.Mount{{Target: "/t"}}},
		"a mount at the root":   {Image: "x", Mounts: []engine.Mount{{Volume: "v", Target: "/."}}},
		"a port out of range":   {Image: "x", Ports: []engine.Port{{ContainerPort: 70000}}},
		"an unknown protocol":   {Image: "x", Ports: []engine.Port{{ContainerPort: 1, Protocol: "icmp"}}},
		"a host for a port":     {Image: "x", Ports: []engine.Port{{ContainerPort: 1, HostIP: "localhost"}}},
		"a platform":            {Image: "x", Platform: "amd64"},
	} {
		if _, _, err := b.CreateContainer(t.Context(), spec); wire.CodeOf(err) != wire.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatKeepsAContainerFromStartingIsExplained(t *testing.T) {
	t.Parallel()
	b := open(t)
	machine := "\xb7\x00" // aarch64
	if b.Info().Arch == "arm64" {
		machine = "\x3e\x00"
	}
	root, err := dockertest.BusyboxRoot()
	wantNil(t, err)
	root["bin/foreign"] = dockertest.File{Mode: 0o755, Content: "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00" + machine + strings.Repeat("\x00", 200)}
	root["bin/plain"] = dockertest.File{Mode: fs.FileMode(0o644), Content: "x"}
	foreign := b.imported(t, "foreign", "", root)
	taken := b.run(t, engine.ContainerSpec{Ports: []engine.Port{{HostIP: "127.0.0.1", ContainerPort: 80}}})
	c, err := b.Container(t.Context(), taken)
	wantNil(t, err)

	for name, test := range map[string]struct {
		spec engine.ContainerSpec
		code wire.Code
		say  string
	}{
		"no such program":      {engine.ContainerSpec{Command: []string{"nope"}}, wire.Invalid, "no such program"},
		"no such path":         {engine.ContainerSpec{Command: []string{"/bin/nope"}}, wire.Invalid, "no such program"},
		"not executable":       {engine.ContainerSpec{Image: foreign, Command: []string{"/bin/plain"}}, wire.Invalid, "not executable"},
		"no such user":         {engine.ContainerSpec{Command: []string{"id"}, User: "nobody-here"}, wire.Invalid, "no such user"},
		"a taken port":         {engine.ContainerSpec{Ports: c.Ports}, wire.Conflict, "another host port"},
		"no such network":      {engine.ContainerSpec{Network: "codebolt-none"}, wire.NotFound, "codebolt-none"},
		"no such path to bind": {engine.ContainerSpec{Mounts: []engine.Mount{{Bind: "/nonexistent-x", Target: "/x"}}}, wire.NotFound, "daemon's machine"},
		"too little memory":    {engine.ContainerSpec{Memory: 1 << 20}, wire.Invalid, "memory"},
		"too many processors":  {engine.ContainerSpec{CPUs: 5000}, wire.Invalid, "CPUs"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.spec.Labels = b.labels
			if test.spec.Image == "" {
				test.spec.Image = b.image
			}
			id, _, err := b.CreateContainer(within(t, time.Minute), test.spec)
			if err == nil {
				err = b.StartContainer(within(t, time.Minute), id)
			}
			if err == nil { // the init started, and not the program
				_, err = b.WaitContainer(within(t, time.Minute), id)
				wantNil(t, err)
				err = b.Failure(t.Context(), id)
			}
			want(t, err, test.code, test.say)
			if wire.Retryable(err) {
				t.Error("said to be worth a retry")
			}
		})
	}
	t.Run("another architecture", func(t *testing.T) {
		t.Parallel()
		id := b.run(t, engine.ContainerSpec{Image: foreign})
		_, err := b.Exec(within(t, time.Minute), id, engine.ExecSpec{Argv: []string{"/bin/foreign"}}, nil, nil, nil)
		want(t, err, wire.Unsupported, "another architecture")
	})
}

func TestAnImageForAnotherMachineIsNamedAsTheReason(t *testing.T) {
	t.Parallel()
	b := open(t)
	other := "arm64"
	if b.Info().Arch == other {
		other = "amd64"
	}
	root, err := dockertest.BusyboxRoot()
	wantNil(t, err)
	ref := b.imported(t, "other", "linux/"+other, root)
	id := b.run(t, engine.ContainerSpec{Image: ref, Command: []string{"false"}})
	_, err = b.WaitContainer(within(t, time.Minute), id)
	wantNil(t, err)
	want(t, b.Failure(t.Context(), id), wire.Unsupported, "its image is for "+other)

	_, err = b.EnsureImage(t.Context(), ref, engine.PullNever, "linux/"+b.Info().Arch, nil)
	want(t, err, wire.Unsupported, "linux/"+other, "pullPolicy")
	img, err := b.EnsureImage(t.Context(), ref, engine.PullMissing, "linux/"+other, nil)
	if err != nil || img.Arch != other {
		t.Errorf("%+v, %v", img, err)
	}
	_, _, err = b.CreateContainer(t.Context(), engine.ContainerSpec{Image: ref, Platform: "linux/" + b.Info().Arch, Labels: b.labels})
	want(t, err, wire.Unsupported)
}

func TestTheEndOfAContainerIsExplained(t *testing.T) {
	t.Parallel()
	b := open(t)
	failing := b.create(t, engine.ContainerSpec{Command: []string{"sh", "-c", "echo it is broken >&2; exit 9"}})
	wantNil(t, b.Failure(t.Context(), failing))
	wantNil(t, b.StartContainer(t.Context(), failing))
	_, err := b.WaitContainer(within(t, time.Minute), failing)
	wantNil(t, err)
	want(t, b.Failure(t.Context(), failing), wire.Unavailable, "exit code 9", "it is broken")
	wantNil(t, b.Failure(t.Context(), b.run(t, engine.ContainerSpec{})))
}

func TestAProcessThatTakesTooMuchMemoryIsSeen(t *testing.T) {
	t.Parallel()
	b := open(t)
	if !b.Info().MemoryLimit {
		t.Fatal("the daemon cannot limit memory")
	}
	id := b.run(t, engine.ContainerSpec{Memory: 8 << 20, Command: []string{"sh", "-c", "sleep 1; exec tail -c 1000000000 /dev/zero"}})
	c, err := b.WaitContainer(within(t, time.Minute), id)
	if err != nil || !c.OOMKilled || c.ExitCode != 137 {
		t.Errorf("%+v, %v", c, err)
	}
	want(t, b.Failure(t.Context(), id), wire.Unavailable, "memory limit")
}

func TestContainersAreFoundByTheirExactLabels(t *testing.T) {
	t.Parallel()
	b := open(t)
	id := b.create(t, engine.ContainerSpec{Name: b.name("one")})
	value := b.labels[mark]
	for name, test := range map[string]struct {
		labels map[string]string
		n      int
	}{
		"the value":             {map[string]string{mark: value}, 1},
		"a part of the value":   {map[string]string{mark: value[:5]}, 0},
		"with another label":    {map[string]string{mark: value, "more": "x"}, 0},
		"a part of the key":     {map[string]string{mark[:8]: value}, 0},
		"the value as any":      {map[string]string{mark: value, "codebolt": ""}, 0},
		"a pattern for a value": {map[string]string{mark: value[:5] + ".*"}, 0},
	} {
		list, err := b.Containers(t.Context(), test.labels)
		if err != nil || len(list) != test.n {
			t.Errorf("%s: %d containers, %v", name, len(list), err)
		}
	}
	list, err := b.Containers(t.Context(), map[string]string{mark: ""})
	if err != nil || !slices.ContainsFunc(list, func(c engine.Container) bool { return c.ID == id && c.Name == b.name("one") && c.Labels[mark] == value }) {
		t.Errorf("any value: %+v, %v", list, err)
	}
	// Names match wholly too.
	_, err = b.Container(t.Context(), b.name("on"))
	want(t, err, wire.NotFound)
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	b := open(t)
	id := b.run(t, engine.ContainerSpec{})
	start := time.Now()
	_, err := b.WaitContainer(within(t, 100*time.Millisecond), id)
	want(t, err, wire.Timeout)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

// logs is what a container wrote so far.
func (b *box) logs(t *testing.T, id string) string {
	t.Helper()
	var out strings.Builder
	wantNil(t, b.Logs(within(t, time.Minute), id, engine.LogOptions{}, &out, &out))
	return out.String()
}
