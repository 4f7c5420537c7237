package dockertest

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAContainerOfTheTestImageRuns(t *testing.T) {
	t.Parallel()
	d := Shared(t)
	out := run(t, d, map[string]any{
		"Image": d.Image(t), "User": "agent",
		"Cmd": []string{"sh", "-c", `id -un; pwd; stat -c %a /tmp; touch /tmp/x /home/agent/x; touch /x 2>/dev/null || echo refused; . /etc/os-release; echo $ID`},
	})
	if want := "agent\r\n/\r\n1777\r\nrefused\r\ncodebolt-test\r\n"; out != want {
		t.Errorf("the container wrote %q, want %q", out, want)
	}
}

func TestNodeRunsInItsImage(t *testing.T) {
	t.Parallel()
	d := Shared(t)
	files, err := NodeRoot()
	if err != nil {
		t.Fatal(err)
	}
	files["agent/index.js"] = File{Content: `require("dns").lookup("localhost", (error) => console.log(error ?? "hello"))`}
	const ref = "codebolt-test/node:1"
	d.ImportImage(t, ref, files, []string{"USER agent", "WORKDIR /agent"})
	if out, want := run(t, d, map[string]any{"Image": ref, "Cmd": []string{"node", "index.js"}}), "hello\r\n"; out != want {
		t.Errorf("the container wrote %q, want %q", out, want)
	}
}

func TestContainersOfOneNetworkReachEachOtherByName(t *testing.T) {
	t.Parallel()
	d := Shared(t)
	const network, server = "codebolt-test-names", "codebolt-test-server"
	call(t, d, http.MethodPost, "/networks/create", map[string]any{"Name": network}, nil)
	t.Cleanup(func() { remove(t, d, "/networks/"+network) })
	inside := map[string]any{"NetworkMode": network}
	id := create(t, d, map[string]any{
		"Image": d.Image(t), "HostConfig": inside, "Cmd": []string{"sh", "-c", "echo hello | nc -l -p 80"},
		"NetworkingConfig": map[string]any{"EndpointsConfig": map[string]any{network: map[string]any{"Aliases": []string{server}}}},
	})
	call(t, d, http.MethodPost, "/containers/"+id+"/start", nil, nil)
	client := []string{"timeout", "20", "sh", "-c", "until nc " + server + " 80; do sleep 0.1; done 2>/dev/null"}
	if got, want := run(t, d, map[string]any{"Image": d.Image(t), "HostConfig": inside, "Cmd": client}), "hello\r\n"; got != want {
		t.Errorf("the client got %q, want %q", got, want)
	}
}

func TestAnImageOfAnyRootIsMade(t *testing.T) {
	t.Parallel()
	d := Shared(t)
	const ref = "codebolt-test/any-root:1"
	files := map[string]File{"/etc/motd": {Content: "no shell here\n"}, "var/lib/x": {Link: "/etc/motd"}}
	d.ImportImage(t, ref, files, []string{"USER 1000", `ENTRYPOINT ["/nothing"]`, "LABEL codebolt.test.any-root=yes"})
	var image struct {
		Config struct {
			User       string
			Entrypoint []string
		}
	}
	call(t, d, http.MethodGet, "/images/"+ref+"/json", nil, &image)
	if image.Config.User != "1000" || !cmp.Equal(image.Config.Entrypoint, []string{"/nothing"}) {
		t.Errorf("the image has the configuration %+v", image.Config)
	}
	id := create(t, d, map[string]any{"Image": ref})
	var refused *Error
	if err := d.Call(t.Context(), http.MethodPost, "/containers/"+id+"/start", nil, nil); !errors.As(err, &refused) {
		t.Errorf("to start what is not there gave %v", err)
	}
}

func TestAnImageIsForThePlatformItIsMadeFor(t *testing.T) {
	t.Parallel()
	d := Shared(t)
	for _, platform := range []string{"linux/arm64", "linux/amd64"} {
		ref := "codebolt-test/platform:" + strings.ReplaceAll(platform, "/", "-")
		d.ImportPlatform(t, platform, ref, map[string]File{"hello": {Content: platform}}, []string{"USER 7"})
		var image struct {
			Os, Architecture string
			Config           struct{ User string }
		}
		call(t, d, http.MethodGet, "/images/"+ref+"/json", nil, &image)
		if got := image.Os + "/" + image.Architecture; got != platform || image.Config.User != "7" {
			t.Errorf("the image for %s is for %s, with the user %q", platform, got, image.Config.User)
		}
	}
}

func TestWhatATestImportsGoesWithIt(t *testing.T) {
	t.Parallel()
	d := Shared(t)
	const label = "codebolt.test.goes=yes"
	t.Run("it", func(t *testing.T) {
		for _, platform := range []string{"", "linux/arm64"} {
			d.ImportPlatform(t, platform, "codebolt-test/goes:1", map[string]File{"hello": {}}, []string{"LABEL " + label})
		}
		if got, want := d.Leftovers(t, label), []string{"image codebolt-test/goes:1"}; !cmp.Equal(got, want) {
			t.Errorf("the daemon has %q, want %q", got, want)
		}
	})
	if got := d.Leftovers(t, label); got != nil {
		t.Errorf("the daemon still has %q", got)
	}
}

func TestLeftoversOfEveryKindAreFound(t *testing.T) {
	t.Parallel()
	d := Shared(t)
	const key, name = "codebolt.test.kinds", "codebolt-test-kinds"
	labels := map[string]string{key: "yes"}
	d.ImportImage(t, name+":1", map[string]File{"hello": {}}, []string{"LABEL " + key + "=yes"})
	for kind, path := range map[string]string{"/volumes/": "/volumes/create", "/networks/": "/networks/create"} {
		call(t, d, http.MethodPost, path, map[string]any{"Name": name, "Labels": labels}, nil)
		t.Cleanup(func() { remove(t, d, kind+name) })
	}
	call(t, d, http.MethodPost, "/containers/create?name="+name, map[string]any{"Image": d.Image(t), "Labels": labels}, nil)
	t.Cleanup(func() { remove(t, d, "/containers/"+name+"?force=1") })
	want := []string{"container " + name, "image " + name + ":1", "network " + name, "volume " + name}
	for _, label := range []string{key, key + "=yes"} {
		if got := d.Leftovers(t, label); !cmp.Equal(got, want) {
			t.Errorf("with %s the daemon has %q, want %q", label, got, want)
		}
	}
	if got := d.Leftovers(t, key+"=no"); got != nil {
		t.Errorf("with another value the daemon has %q", got)
	}
}
