package engine

import (
	"context"
	"net"
	"path"
	"strconv"
	"strings"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Mount shows a volume or a path of the daemon's machine in a container. Exactly
// one of Volume and Bind is set. A volume stays empty when it is empty: what the
// image has there is not copied.
type Mount struct {
	Volume, Bind string
	Target       string // absolute
	ReadOnly     bool
}

// Port makes a container's port reachable at the daemon's machine.
type Port struct {
	HostIP        string // "" is every interface
	HostPort      int    // 0 is a free one
	ContainerPort int
	Protocol      string // "" is tcp
}

// ContainerSpec describes a container to be made. Whatever it says, the container
// runs under an init process, gains no privileges, has no capabilities but CapAdd,
// is neither restarted nor removed by the daemon, and has neither terminal nor
// standard input.
type ContainerSpec struct {
	Name         string // "" lets the daemon choose one
	Image        string // a reference or id of a local image
	Platform     string // os/arch[/variant]; "" is the image's
	User         string // "" is the image's
	WorkDir      string // "" is the image's
	Hostname     string
	Network      string // a network's name; "" is the daemon's default
	Entrypoint   []string
	Command      []string
	Env          []string // name=value
	Labels       map[string]string
	Mounts       []Mount
	Ports        []Port
	Memory       int64   // bytes; 0 is no limit
	CPUs         float64 // 0 is no limit
	Pids         int64   // 0 is no limit
	ReadOnlyRoot bool
	CapAdd       []string
	Tmpfs        map[string]string // options by path
	LogMaxSize   string            // as "10m"; used when the daemon keeps logs in files
	LogMaxFiles  int
	ShmSize      int64         // bytes; 0 is the daemon's default
	StopTimeout  time.Duration // of stops that do not say one; 0 is the daemon's default
}

// CreateContainer makes a container and does not start it. The warnings are the
// daemon's, such as on limits that it ignores. It fails with kind Exists when the
// name is taken, NotFound when the image, a network or a bind's path is missing,
// and Invalid when the spec is wrong. When the connection breaks, whether there is
// a container is unknown: look for its name.
func (e *Engine) CreateContainer(ctx context.Context, s ContainerSpec) (id string, warnings []string, err error) {
	platform, err := s.check()
	if err != nil {
		return "", nil, err
	}
	if older(e.info.APIVersion, "1.41") {
		platform = nil // such a daemon cannot be told; EnsureImage has looked
	}
	driver := e.info.logDriver
	if driver != "json-file" && driver != "local" {
		driver = "" // it takes no limits
	}
	op := "create container " + s.Name
	type created struct {
		id       string
		warnings []string
	}
	c, err := retry(ctx, e, strings.TrimSpace(op), unsent, func() (c created, err error) {
		c.id, c.warnings, err = e.api.createContainer(ctx, &s, platform, driver)
		return c, err
	})
	return c.id, c.warnings, err
}

// check completes the spec and refuses what the daemon would misunderstand.
func (s *ContainerSpec) check() (*ocispec.Platform, error) {
	if s.Name != "" {
		if err := named("container", s.Name); err != nil {
			return nil, err
		}
	}
	if s.Image == "" {
		return nil, wire.Errorf(wire.Invalid, "docker: create container: no image is named; name one")
	}
	ports := make([]Port, len(s.Ports)) // the caller's stay as they are
	copy(ports, s.Ports)
	s.Ports = ports
	for i := range s.Ports {
		p := &s.Ports[i]
		if p.Protocol == "" {
			p.Protocol = "tcp"
		}
		if p.ContainerPort < 1 || p.ContainerPort > 65535 || p.HostPort < 0 || p.HostPort > 65535 {
			return nil, wire.Errorf(wire.Invalid, "docker: create container: port %d:%d is out of range; use 1 to 65535", p.HostPort, p.ContainerPort)
		}
		if p.Protocol != "tcp" && p.Protocol != "udp" && p.Protocol != "sctp" {
			return nil, wire.Errorf(wire.Invalid, "docker: create container: %q is no protocol of a port; use tcp, udp or sctp", p.Protocol)
		}
		if p.HostIP != "" && net.ParseIP(p.HostIP) == nil {
			return nil, wire.Errorf(wire.Invalid, "docker: create container: %q is no IP address for a port", p.HostIP)
		}
	}
	for _, m := range s.Mounts {
		if (m.Volume == "") == (m.Bind == "") {
			return nil, wire.Errorf(wire.Invalid, "docker: create container: the mount at %q needs a volume or a path, and not both", m.Target)
		}
		if !path.IsAbs(m.Target) || path.Clean(m.Target) == "/" {
			return nil, wire.Errorf(wire.Invalid, "docker: create container: %q is no place for a mount; use an absolute path below /", m.Target)
		}
	}
	return parsePlatform(s.Platform)
}

// logLimits are the log driver's options; nil for none.
func (s *ContainerSpec) logLimits() map[string]string {
	limits := map[string]string{}
	if s.LogMaxSize != "" {
		limits["max-size"] = s.LogMaxSize
		if s.LogMaxFiles > 0 { // without a size the driver refuses a number
			limits["max-file"] = strconv.Itoa(s.LogMaxFiles)
		}
	}
	if len(limits) == 0 {
		return nil
	}
	return limits
}

// parsePlatform reads os/arch[/variant]; "" is nil.
func parsePlatform(text string) (*ocispec.Platform, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // no platform is asked for
	}
	parts := strings.Split(strings.ToLower(text), "/")
	if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || parts[1] == "" {
		return nil, wire.Errorf(wire.Invalid, "docker: %q is no platform; write it as linux/amd64", text)
	}
	p := &ocispec.Platform{OS: parts[0], Architecture: parts[1]}
	if len(parts) == 3 {
		p.Variant = parts[2]
	}
	return p, nil
}
