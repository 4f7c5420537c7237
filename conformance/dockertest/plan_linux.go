package dockertest

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// plan is what the first process of a cell is told.
type plan struct {
	Dir    string   // all of the daemon but its data; it goes with the cell
	Cgroup string   // the group above those of the containers
	Args   []string // of dockerd, with its program
	Env    []string // of dockerd
}

// newPlan says how dockerd runs with a folder of ours.
func newPlan(dir string, o Options) (*plan, error) {
	dockerd, err := programs()
	if err != nil {
		return nil, err
	}
	data, err := filepath.Abs(cmp.Or(o.DataRoot, filepath.Join(dir, "data")))
	if err != nil {
		return nil, err
	}
	for _, path := range []string{dir, data} {
		if hidden(path) {
			return nil, fmt.Errorf("%s lies in /run, which the daemon has for itself; set TMPDIR to another place", path)
		}
	}
	if err := errors.Join(
		os.MkdirAll(data, 0o711),
		os.Mkdir(filepath.Join(dir, "tmp"), 0o700),
		os.WriteFile(filepath.Join(dir, "daemon.json"), []byte("{}\n"), 0o600), // not the machine's
	); err != nil {
		return nil, err
	}
	cgroup := filepath.Base(dir)
	args := []string{
		dockerd, "--config-file", filepath.Join(dir, "daemon.json"),
		"--host", socket(dir), "--data-root", data, "--exec-root", "/run/docker", "--pidfile", "/run/docker.pid",
		"--storage-driver", storageDriver(data),
		"--exec-opt", "native.cgroupdriver=cgroupfs", "--cgroup-parent", "/" + cgroup, "--log-level", "warn",
	}
	return &plan{
		Dir: dir, Cgroup: cgroup, Args: append(args, o.Args...),
		Env: []string{"PATH=" + searchPath(), "HOME=" + dir, "TMPDIR=" + filepath.Join(dir, "tmp")},
	}, nil
}

func socket(dir string) string { return "unix://" + filepath.Join(dir, "docker.sock") }

// hidden tells whether a path lies where the cell puts a file system of its own.
func hidden(path string) bool {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	return strings.HasPrefix(path+"/", "/run/")
}

// storageDriver is the usual one, except on an overlay, which cannot carry another.
func storageDriver(dir string) string {
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) == nil && fs.Type == unix.OVERLAYFS_SUPER_MAGIC {
		return "vfs"
	}
	return "overlay2"
}

// searchPath is where the programs of a system administrator are, too, which other
// users' PATH often lacks.
func searchPath() string {
	return strings.Join([]string{os.Getenv("PATH"), "/usr/local/sbin", "/usr/sbin", "/sbin"}, ":")
}

// programs finds dockerd, and what it does not start without.
func programs() (dockerd string, err error) {
	if os.Geteuid() != 0 {
		return "", fmt.Errorf("%w, and only root can start one; start Docker, or run the tests as root", ErrNoDaemon)
	}
	found := map[string]string{}
	var lacking []string
	for _, name := range []string{"dockerd", "containerd", "runc", "iptables"} {
		for _, dir := range filepath.SplitList(searchPath()) {
			if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil && found[name] == "" {
				found[name] = path
			}
		}
		if found[name] == "" {
			lacking = append(lacking, name)
		}
	}
	if len(lacking) > 0 {
		return "", fmt.Errorf("%w, and to start one %s must be installed; on Debian install docker.io and iptables", ErrNoDaemon, strings.Join(lacking, ", "))
	}
	return found["dockerd"], nil
}
