package main

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"time"

	units "github.com/docker/go-units"

	"github.com/codeboltai/codebolt-providers/providers/docker/internal/engine"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Where an environment's files are.
const (
	contentAuto     = "auto"     // worktree on a daemon of this machine, volume elsewhere
	contentWorktree = "worktree" // the environment's worktree is mounted
	contentVolume   = "volume"   // a volume is filled from it, and read back
)

// config is what this provider can be told besides the base's settings and those
// of the worktree.
type config struct {
	Image      string `config:"image"`      // not needed when the environment begins with a snapshot
	PullPolicy string `config:"pullPolicy"` // missing, always or never
	Platform   string `config:"platform"`   // such as linux/arm64; "" is the daemon's

	DockerHost    string `config:"dockerHost"`    // "" as for the docker program
	DockerContext string `config:"dockerContext"` // excludes dockerHost
	TLSVerify     bool   `config:"tlsVerify"`
	CertPath      string `config:"certPath"`

	Content string `config:"content"`
	// GitHistory readOnly shows the project's repository in the container, so that
	// git log, diff and status work there; none does not.
	GitHistory string `config:"gitHistory"`

	Volumes []string `config:"volumes"` // SOURCE:TARGET[:ro], a path or a volume
	// AllowUnsafeMounts allows /, home directories, the Docker socket and the like
	// as a SOURCE.
	AllowUnsafeMounts bool     `config:"allowUnsafeMounts"`
	Ports             any      `config:"ports"` // texts as for docker run -p, or an object {"host": "container"}
	Env               any      `config:"env"`   // secret: an object, or texts NAME=VALUE
	User              any      `config:"user"`  // name or number; "" keeps ownership right; "image" is the image's
	Memory            any      `config:"memory"`
	CPUs              float64  `config:"cpus"`
	PidsLimit         int64    `config:"pidsLimit"`
	ShmSize           any      `config:"shmSize"`
	Network           string   `config:"network"` // "" is one where containers do not see each other
	ReadOnlyRoot      bool     `config:"readOnlyRoot"`
	CapAdd            []string `config:"capAdd"`
	// Persist keeps the container, stopped, when the environment is closed.
	Persist bool `config:"persist"`

	PostCreate  []string      `config:"postCreate"` // argv, in the new container
	PreStop     []string      `config:"preStop"`    // argv, before the container stops
	HookTimeout time.Duration `config:"hookTimeout"`

	// Setup is a key of worktrees without a container.
	Setup []string `config:"setup"`

	prepared bool // the environment begins with a snapshot, and thereby with an image
	user     string
	limits   limits
	ports    []engine.Port
	environ  map[string]string
	mounts   []engine.Mount
}

type limits struct{ memory, shm int64 }

// defaultHookTimeout bounds postCreate; preStop also has the time that a stop has.
const defaultHookTimeout = 10 * time.Minute

// check completes the configuration and refuses what is wrong.
func (c *config) check(getenv func(string) string) (err error) {
	if c.Image = cmp.Or(strings.TrimSpace(c.Image), getenv("DOCKER_IMAGE")); c.Image == "" && !c.prepared {
		return wire.Errorf(wire.Invalid, "configuration: image is missing; name the image that environments run in, such as debian:12")
	}
	c.PullPolicy = cmp.Or(c.PullPolicy, string(engine.PullMissing))
	c.Content, c.GitHistory = cmp.Or(c.Content, contentAuto), cmp.Or(c.GitHistory, "readOnly")
	c.HookTimeout = cmp.Or(c.HookTimeout, defaultHookTimeout)
	for _, check := range []struct {
		key, value string
		allowed    []string
	}{
		{"pullPolicy", c.PullPolicy, []string{string(engine.PullMissing), string(engine.PullAlways), string(engine.PullNever)}},
		{"content", c.Content, []string{contentAuto, contentWorktree, contentVolume}},
		{"gitHistory", c.GitHistory, []string{"readOnly", "none"}},
	} {
		if !slices.Contains(check.allowed, check.value) {
			return wire.Errorf(wire.Invalid, "configuration: %s is %q; write one of %s", check.key, check.value, strings.Join(check.allowed, ", "))
		}
	}
	if len(c.Setup) > 0 {
		return wire.Errorf(wire.Invalid, "configuration: setup would run outside of the container; use postCreate")
	}
	if c.DockerHost != "" && c.DockerContext != "" {
		return wire.Errorf(wire.Invalid, "configuration: dockerHost and dockerContext exclude each other")
	}
	if c.CPUs < 0 || c.PidsLimit < 0 || c.HookTimeout < 0 || math.IsNaN(c.CPUs) {
		return wire.Errorf(wire.Invalid, "configuration: cpus, pidsLimit and hookTimeout cannot be negative; 0 is the default")
	}
	if c.Network == "host" {
		return wire.Errorf(wire.Invalid, "configuration: network is host, which gives the container this machine's own network; leave it out, or name another")
	}
	var ok bool
	if c.user, ok = manifest.Text(c.User); !ok {
		return wire.Errorf(wire.Invalid, "configuration: user is neither a name nor a number, such as 1000:1000")
	}
	if c.limits.memory, err = size("memory", c.Memory); err != nil {
		return err
	}
	if c.limits.shm, err = size("shmSize", c.ShmSize); err != nil {
		return err
	}
	if c.ports, err = ports(c.Ports); err != nil {
		return err
	}
	if c.environ, err = manifest.Variables(c.Env); err != nil {
		return err
	}
	c.mounts, err = mounts(c.Volumes, c.AllowUnsafeMounts)
	return err
}

// arch is what the container's programs are made for, in Go's names.
func (c *config) arch(info engine.Info) string {
	if parts := strings.Split(strings.ToLower(c.Platform), "/"); len(parts) > 1 {
		return parts[1]
	}
	return info.Arch
}

// fits refuses an image that the daemon cannot run.
func (c *config) fits(image engine.Image, info engine.Info) error {
	if image.OS == "linux" && image.Arch == c.arch(info) {
		return nil
	}
	return wire.Errorf(wire.Unsupported, "docker: the image %s is for %s/%s, and the daemon at %s is for %s/%s; choose another image, or set platform if the daemon emulates it",
		c.Image, image.OS, image.Arch, info.Host, info.OS, info.Arch)
}

// decoder is an open or a plan request.
type decoder interface{ Decode(into any) error }

func configOf(req decoder) (*config, error) {
	cfg := &config{}
	if err := req.Decode(cfg); err != nil {
		return nil, err
	}
	if open, ok := req.(*provider.OpenRequest); ok {
		cfg.prepared = open.FromSnapshot() != ""
	}
	return cfg, cfg.check(getenv)
}

// size reads a number of bytes: a number, or a text such as "512m".
func size(key string, value any) (int64, error) {
	wrong := func() (int64, error) {
		return 0, wire.Errorf(wire.Invalid, "configuration: %s is no size; write bytes, or a text such as 512m or 2g", key)
	}
	written, ok := manifest.Text(value)
	if !ok {
		return wrong()
	}
	if written = strings.TrimSpace(written); written == "" {
		return 0, nil
	}
	n, err := units.RAMInBytes(written)
	if err != nil || n < 0 {
		return wrong()
	}
	return n, nil
}
