package dockertest

import (
	"errors"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

func TestTwoDaemonsAtOnceShareNothing(t *testing.T) {
	t.Parallel()
	daemons := []*Daemon{New(t, Options{}), New(t, Options{})}
	const network = "same"
	for _, d := range daemons {
		call(t, d, http.MethodPost, "/networks/create", map[string]any{
			"Name": network, "IPAM": map[string]any{"Config": []map[string]string{{"Subnet": "10.77.0.0/24"}}},
		}, nil)
	}
	for _, d := range daemons {
		address := map[string]any{network: map[string]any{"IPAMConfig": map[string]string{"IPv4Address": "10.77.0.7"}}}
		id := create(t, d, map[string]any{
			"Image": d.Image(t), "Cmd": []string{"sleep", "1000"},
			"HostConfig": map[string]any{"NetworkMode": network}, "NetworkingConfig": map[string]any{"EndpointsConfig": address},
		})
		call(t, d, http.MethodPost, "/containers/"+id+"/start", nil, nil)
	}
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range addresses {
		if strings.HasPrefix(address.String(), "10.77.0.") {
			t.Errorf("their network is this machine's too, which has %v", address)
		}
	}
	for _, d := range daemons {
		var containers []struct{ ID string }
		call(t, d, http.MethodGet, "/containers/json", nil, &containers)
		if len(containers) != 1 {
			t.Errorf("%s has %d containers, want its own", d.Host, len(containers))
		}
	}
}

func TestAStoppedDaemonAnswersNoMoreUntilItsRestart(t *testing.T) {
	t.Parallel()
	d := New(t, Options{})
	id := create(t, d, map[string]any{"Image": d.Image(t), "Cmd": []string{"sh", "-c", "trap exit TERM; sleep 1000 & wait"}})
	call(t, d, http.MethodPost, "/containers/"+id+"/start", nil, nil)
	d.Stop(t)
	if d.ping(t.Context()) == nil {
		t.Error("the daemon answers after Stop")
	}
	for range 2 { // once when it is down, once when it runs
		d.Restart(t)
		if status := status(t, d, id); status != "exited" {
			t.Errorf("the container is %s, want it exited", status)
		}
	}
}

func TestContainersGoOnWhenTheirDaemonIsKilled(t *testing.T) {
	t.Parallel()
	d := New(t, Options{Args: []string{"--live-restore"}})
	id := create(t, d, map[string]any{"Image": d.Image(t), "Cmd": []string{"sleep", "1000"}})
	call(t, d, http.MethodPost, "/containers/"+id+"/start", nil, nil)
	d.Kill(t)
	if d.ping(t.Context()) == nil {
		t.Error("the daemon answers after Kill")
	}
	d.Restart(t)
	if status := status(t, d, id); status != "running" {
		t.Errorf("the container is %s, want it running", status)
	}
}

func status(t *testing.T, d *Daemon, id string) string {
	t.Helper()
	var container struct{ State struct{ Status string } }
	call(t, d, http.MethodGet, "/containers/"+id+"/json", nil, &container)
	return container.State.Status
}

func TestADaemonCanBeFilledUp(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := unix.Mount("tmpfs", root, "tmpfs", 0, "size=24m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(root, 0); err != nil {
			t.Error(err)
		}
	})
	d := New(t, Options{DataRoot: root})
	err := d.Import(t.Context(), Image{Ref: "codebolt-test/large:1", Files: map[string]File{"large": {Content: strings.Repeat("x", 32<<20)}}})
	if err == nil || !strings.Contains(err.Error(), "no space left on device") {
		t.Errorf("to import 32 MiB gave %v", err)
	}
	run(t, d, map[string]any{"Image": d.Image(t), "Cmd": []string{"true"}})
}

func TestADaemonReachesWhoListensForIt(t *testing.T) {
	t.Parallel()
	d := New(t, Options{})
	listener, err := d.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int32
	registry := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { //nolint:gosec // it is gone with the test
		asked.Add(1)
		http.Error(w, `{"errors":[{"code":"DENIED","message":"not for you"}]}`, http.StatusForbidden)
	})}
	served := make(chan error, 1)
	go func() { served <- registry.Serve(listener) }()
	t.Cleanup(func() {
		registry.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	err = d.Call(t.Context(), http.MethodPost, "/images/create"+query("fromImage", listener.Addr().String()+"/x", "tag", "1"), nil, nil)
	if asked.Load() == 0 {
		t.Errorf("the daemon did not ask the registry: %v", err)
	}
}

func TestADaemonThatDoesNotStartSaysWhyAndLeavesNothing(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	_, err := Start(t.Context(), Options{Args: []string{"--no-such-option"}})
	if err == nil || !strings.Contains(err.Error(), "--no-such-option") {
		t.Errorf("the error is %v, want it to have the log", err)
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}
