//go:build linux

package engine_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/dockertest"
	"github.com/codeboltai/codebolt-providers/providers/docker/internal/engine"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestMain(m *testing.M) { os.Exit(dockertest.Main(m)) }

// mark is the label of all that these tests make.
const mark = "codebolt.engine-test"

// box is a daemon with a label for one test, which removes what has it.
type box struct {
	*engine.Engine
	daemon *dockertest.Daemon
	image  string
	labels map[string]string
}

func open(t *testing.T) *box {
	t.Helper()
	return openAt(t, dockertest.Shared(t))
}

func openAt(t *testing.T, d *dockertest.Daemon) *box {
	t.Helper()
	e := connect(t, engine.Options{Host: d.Host})
	b := &box{Engine: e, daemon: d, image: d.Image(t), labels: map[string]string{mark: strings.ToLower(rand.Text()[:10])}}
	t.Cleanup(func() { b.clear(t) })
	return b
}

// connect connects to a daemon for one test, untouched by this user's settings.
func connect(t *testing.T, o engine.Options) *engine.Engine {
	t.Helper()
	e, err := engine.Connect(within(t, 20*time.Second), alone(t, o))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// alone keeps the user's settings out of a test.
func alone(t *testing.T, o engine.Options) engine.Options {
	if o.ConfigDir == "" {
		o.ConfigDir = t.TempDir()
	}
	if o.Getenv == nil {
		o.Getenv = func(string) string { return "" }
	}
	return o
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func (b *box) clear(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	check := func(err error) {
		if err != nil {
			t.Errorf("clean up: %v", err)
		}
	}
	containers, err := b.Containers(ctx, b.labels)
	check(err)
	for _, c := range containers {
		check(b.RemoveContainer(ctx, c.ID))
	}
	images, err := b.Images(ctx, b.labels)
	check(err)
	for _, i := range images {
		check(b.RemoveImage(ctx, i.ID))
	}
	volumes, err := b.Volumes(ctx, b.labels)
	check(err)
	for _, v := range volumes {
		check(b.RemoveVolume(ctx, v.Name))
	}
	networks, err := b.Networks(ctx, b.labels)
	check(err)
	for _, n := range networks {
		check(b.RemoveNetwork(ctx, n.ID))
	}
	if left := b.daemon.Leftovers(t, mark+"="+b.labels[mark]); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// imported makes an image for one test, which goes after the test's containers.
func (b *box) imported(t *testing.T, name, platform string, root map[string]dockertest.File) string {
	t.Helper()
	ref := "codebolt-test/" + b.name(name) + ":1"
	b.daemon.ImportPlatform(t, platform, ref, root, nil)
	t.Cleanup(func() { b.clear(t) })
	return ref
}

// name is a name that no other test uses.
func (b *box) name(prefix string) string { return "engine-" + prefix + "-" + b.labels[mark] }

// create makes a container for the spec, with the test's image and label where it
// says none.
func (b *box) create(t *testing.T, s engine.ContainerSpec) string {
	t.Helper()
	if s.Image == "" {
		s.Image = b.image
	}
	s.Labels = b.labels
	id, _, err := b.CreateContainer(within(t, time.Minute), s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// run makes and starts a container that waits to be stopped.
func (b *box) run(t *testing.T, s engine.ContainerSpec) string {
	t.Helper()
	if s.Command == nil {
		s.Command = []string{"sleep", "600"}
	}
	id := b.create(t, s)
	if err := b.StartContainer(within(t, time.Minute), id); err != nil {
		t.Fatal(err)
	}
	return id
}

// sh runs a script in a container and returns what it prints.
func (b *box) sh(t *testing.T, id, script string) string {
	t.Helper()
	var out, complaints bytes.Buffer
	code, err := b.Exec(within(t, time.Minute), id, engine.ExecSpec{Argv: []string{"sh", "-c", script}}, nil, &out, &complaints)
	if err != nil || code != 0 {
		t.Fatalf("sh -c %q: code %d, %v: %s", script, code, err, complaints.String())
	}
	return strings.TrimSpace(out.String())
}

// want checks an error's kind and that its sentence has the words.
func want(t *testing.T, err error, code wire.Code, words ...string) {
	t.Helper()
	if wire.CodeOf(err) != code {
		t.Fatalf("kind %q of %v, want %q", wire.CodeOf(err), err, code)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error %q does not say %q", err, word)
		}
	}
}

func wantNil(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
