package main

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/codeboltai/codebolt-providers/providers/docker/internal/engine"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// spares refuses volumes by which a container could change the project's own files.
func (c *config) spares(project string) error {
	if c.AllowUnsafeMounts || project == "" {
		return nil
	}
	for _, m := range c.mounts {
		for _, at := range []string{m.Bind, resolved(m.Bind)} {
			if m.Bind != "" && !m.ReadOnly && (within(at, project) || within(project, at)) {
				return wire.Errorf(wire.Permission, "configuration: volumes has %s, where the project's own files are; mount it with :ro, or set allowUnsafeMounts", m.Bind)
			}
		}
	}
	return nil
}

var volumeName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

// mounts reads SOURCE:TARGET[:ro|:rw] texts.
func mounts(texts []string, allowUnsafe bool) ([]engine.Mount, error) {
	var all []engine.Mount
	for _, text := range texts {
		m, ok := mount(text)
		if !ok {
			return nil, wire.Errorf(wire.Invalid, "configuration: volumes has %q, which is not SOURCE:TARGET[:ro], with an absolute path or a volume's name, and an absolute path in the container", text)
		}
		if within(m.Target, inside) || within(inside, m.Target) {
			return nil, wire.Errorf(wire.Invalid, "configuration: volumes has %q, which would cover %s, where the runtime is; choose another target", text, inside)
		}
		if m.Bind != "" && !allowUnsafe {
			if why := dangerous(m.Bind); why != "" {
				return nil, wire.Errorf(wire.Permission, "configuration: volumes has %q, which is refused: %s; mount something narrower, or set allowUnsafeMounts", text, why)
			}
		}
		all = append(all, m)
	}
	return all, nil
}

func mount(text string) (m engine.Mount, ok bool) {
	parts := strings.Split(text, ":")
	if drive := len(parts) > 2 && len(parts[0]) == 1 && strings.HasPrefix(parts[1], `\`); drive { // C:\…
		parts = append([]string{parts[0] + ":" + parts[1]}, parts[2:]...)
	}
	switch {
	case len(parts) == 3 && parts[2] == "ro":
		m.ReadOnly = true
	case len(parts) == 3 && parts[2] == "rw":
	case len(parts) != 2:
		return m, false
	}
	source := parts[0]
	if source == "~" || strings.HasPrefix(source, "~/") {
		home, err := os.UserHomeDir()
		if err != nil {
			return m, false
		}
		source = filepath.Join(home, source[1:])
	}
	switch {
	case filepath.IsAbs(source) || path.IsAbs(source):
		m.Bind = filepath.Clean(source)
	case volumeName.MatchString(source):
		m.Volume = source
	default:
		return m, false
	}
	m.Target = path.Clean(parts[1])
	return m, path.IsAbs(parts[1]) && m.Target != "/"
}

// systemPaths give whoever can write or read them the whole machine, or more than
// a container should have of it.
var systemPaths = []string{
	"/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/root", "/run", "/sbin", "/sys", "/usr", "/var", "/var/lib", "/var/run", "/var/lib/docker", "/var/lib/containerd",
}

// whole are those of which also everything below is refused.
var whole = []string{"/boot", "/dev", "/etc", "/proc", "/sys", "/var/lib/docker", "/var/lib/containerd"}

// dangerous tells why a path must not be mounted; "" when it may. Links count for
// what they lead to.
func dangerous(p string) string {
	for _, p := range []string{p, resolved(p)} {
		switch {
		case filepath.Dir(p) == p:
			return "it is the whole file system"
		case strings.HasSuffix(p, ".sock") && strings.Contains(filepath.Base(p), "docker"), isSocket(p):
			return "it is a socket, and the Docker socket gives all of the machine to the container"
		}
		if home, err := os.UserHomeDir(); err == nil && within(resolved(home), p) {
			return "it is a home directory, with keys and settings in it"
		}
		if dir := filepath.Dir(p); dir == "/home" || dir == "/Users" || p == "/home" || p == "/Users" {
			return "it is a home directory, with keys and settings in it"
		}
		if state, err := resource.StateDir(); err == nil && (within(p, state) || within(state, p)) {
			return "it is where the state of environments is kept"
		}
		for _, s := range systemPaths {
			if p == s {
				return "it belongs to the system"
			}
		}
		for _, s := range whole {
			if within(p, s) {
				return "it belongs to the system"
			}
		}
	}
	return ""
}

// resolved is where the links of a path lead, as far as it exists.
func resolved(p string) string {
	rest := ""
	for dir := p; ; dir = filepath.Dir(dir) {
		if target, err := filepath.EvalSymlinks(dir); err == nil {
			return filepath.Join(target, rest)
		}
		if filepath.Dir(dir) == dir {
			return p
		}
		rest = filepath.Join(filepath.Base(dir), rest)
	}
}

func isSocket(p string) bool {
	info, err := os.Lstat(p)
	return err == nil && info.Mode()&os.ModeSocket != 0
}

// within reports whether p is dir or lies below it.
func within(p, dir string) bool {
	rel, err := filepath.Rel(dir, p)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
