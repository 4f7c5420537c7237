//go:build linux

package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/conformance/dockertest"
	"github.com/codeboltai/codebolt-providers/conformance/stage"
)

func TestAContainerCanDoLittleAndItsDescriptionTellsNoSecret(t *testing.T) {
	t.Parallel()
	const secret = "s3cret-of-the-agents"
	s := newStage(t, stage.Settings{
		"env": map[string]any{"API_TOKEN": secret, "PLAIN": "a b"}, "memory": "256m", "cpus": 1.5,
		"postCreate": []string{"sh", "-c", `test "$API_TOKEN" = ` + secret}, "ports": []string{"8080"},
	})
	e, _ := s.Opened("safe", nil)
	if out := s.run(e, `echo "$API_TOKEN $PLAIN"; grep -E 'CapEff|CapBnd|NoNewPrivs' /proc/self/status | tr -d '[:space:]'; stat -c ' %a %u' /.codebolt/run/token`); out != secret+" a b\nCapEff:0000000000000000CapBnd:0000000000000000NoNewPrivs:1 600 0\n" {
		t.Errorf("the agent sees %q", out)
	}
	all := s.containers()
	if len(all) != 1 {
		t.Fatalf("%d containers", len(all))
	}
	c := all[0]
	h := c.HostConfig
	if h.Privileged || h.AutoRemove || !h.Init || h.RestartPolicy.Name != "" && h.RestartPolicy.Name != "no" ||
		!slices.Equal(h.CapDrop, []string{"ALL"}) || len(h.CapAdd) > 0 || !slices.Contains(h.SecurityOpt, "no-new-privileges:true") && !slices.Contains(h.SecurityOpt, "no-new-privileges") ||
		h.PidsLimit != 1024 || h.Memory != 256<<20 || h.NanoCpus != 1_500_000_000 || h.LogConfig.Config["max-size"] == "" {
		t.Errorf("%+v", h)
	}
	var described json.RawMessage
	if err := s.daemon.Call(stage.Limit(t), http.MethodGet, "/containers/"+c.ID+"/json", nil, &described); err != nil {
		t.Fatal(err)
	}
	token, err := filepath.Glob(filepath.Join(s.State, "run", "*", "token"))
	if err != nil || len(token) != 1 {
		t.Fatalf("%v, %v", token, err)
	}
	text, err := os.ReadFile(token[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{secret, string(text)} {
		if strings.Contains(string(described), hidden) {
			t.Error("docker inspect shows a secret")
		}
		if strings.Contains(s.Log.String(), hidden) {
			t.Error("the provider's log shows a secret")
		}
	}
	if strings.Contains(string(described), `"HostIp":"0.0.0.0"`) || !strings.Contains(string(described), `"HostIp":"127.0.0.1"`) {
		t.Error("the port is not on the loopback address alone")
	}
	s.Stop(e, "snapshotAndRemove")
	s.none()
}

func TestContainersOfTwoEnvironmentsDoNotReachEachOther(t *testing.T) {
	t.Parallel()
	s := newStage(t, nil)
	one, _ := s.Opened("one", nil)
	two, _ := s.Opened("two", nil)
	h := stage.Listen(one)
	s.Agent(one, "server", `ip -4 addr show eth0 | sed -n 's|.*inet \([0-9.]*\)/.*|\1|p'; while :; do echo reached | nc -l -p 9000; done`)
	h.Until(t, "the server tells its address", func() bool { return strings.HasSuffix(h.Output["server"], "\n") })
	address := strings.TrimSpace(h.Output["server"])
	if out := s.run(one, "sleep 1; nc -w 3 "+address+" 9000 </dev/null || echo no"); out != "reached\n" {
		t.Errorf("the container itself: %q", out)
	}
	if out := s.run(two, "nc -w 3 "+address+" 9000 </dev/null || echo no"); out != "no\n" {
		t.Errorf("the other container at %s: %q", address, out)
	}
	s.Stop(one, "snapshotAndRemove")
	s.Stop(two, "snapshotAndRemove")
	s.none()
}

func TestWhatIsNotOursIsLeftAlone(t *testing.T) {
	t.Parallel()
	s := on(t, dockertest.New(t, dockertest.Options{}), nil)
	e, path := s.Opened("mine", nil)
	name := strings.TrimPrefix(s.containers()[0].Name, "/")
	s.Close(e)
	s.removeContainers()
	// Somebody else's container under our name, and one whose name begins with it.
	for _, taken := range []string{name, name + "-too"} {
		var made struct{ ID string }
		body := map[string]any{"Image": s.daemon.Image(t), "Cmd": []string{"true"}, "Labels": map[string]string{"codebolt.owner": "somebody else"}}
		if err := s.daemon.Call(stage.Limit(t), http.MethodPost, "/containers/create?name="+taken, body, &made); err != nil {
			t.Fatal(err)
		}
	}
	if text := s.Refused(e, "conflict"); !strings.Contains(text, name) {
		t.Errorf("%q does not name the container", text)
	}
	left := s.daemon.Leftovers(t, "codebolt.owner=somebody else")
	if want := []string{"container " + name, "container " + name + "-too"}; !slices.Equal(left, want) {
		t.Errorf("of somebody else's there is %v", left)
	}
	if err := s.daemon.Call(stage.Limit(t), http.MethodDelete, "/containers/"+name, nil, nil); err != nil {
		t.Fatal(err)
	}
	if started := s.Start(e); started.WorkspacePath != path {
		t.Errorf("%+v", started.StartResult)
	}
	s.Stop(e, "snapshotAndRemove")
	s.none()
	if left := s.daemon.Leftovers(t, "codebolt.owner=somebody else"); len(left) != 1 {
		t.Errorf("of somebody else's there is %v", left)
	}
}
