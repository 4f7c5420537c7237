package engine

import (
	"cmp"
	"context"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
	"github.com/docker/go-connections/nat"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// api is the Engine API in this package's types. Its errors are the client
// library's own; [Engine.fail] makes sense of them.
type api struct{ docker *client.Client }

// newAPI makes a client whose every connection comes from dial. The address
// only names the daemon in HTTP headers.
func newAPI(address string, dial func(context.Context) (net.Conn, error)) (*api, error) {
	if address == "" {
		address = client.DummyHost
	}
	transport := &http.Transport{MaxIdleConns: 6, IdleConnTimeout: 30 * time.Second, DisableCompression: true}
	docker, err := client.NewClientWithOpts(
		client.WithHTTPClient(&http.Client{Transport: transport, CheckRedirect: client.CheckRedirect}),
		client.WithHost("tcp://"+address),
		client.WithScheme("http"), // the connection may be TLS: that is dial's matter
		client.WithDialContext(func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }),
		client.WithAPIVersionNegotiation(),
	)
	transport.Proxy = nil
	return &api{docker}, err
}

func (a *api) close() error { return a.docker.Close() }

// connectionFailed reports whether no answer came at all.
func connectionFailed(err error) bool { return client.IsErrConnectionFailed(err) }

// ping negotiates and returns the daemon's API version.
func (a *api) ping(ctx context.Context) (string, error) {
	p, err := a.docker.Ping(ctx)
	if err == nil {
		a.docker.NegotiateAPIVersionPing(p)
	}
	return p.APIVersion, err
}

func (a *api) version() string { return a.docker.ClientVersion() }

func (a *api) info(ctx context.Context) (Info, error) {
	v, err := a.docker.ServerVersion(ctx)
	if err != nil {
		return Info{}, err
	}
	i, err := a.docker.Info(ctx)
	if err != nil {
		return Info{}, err
	}
	info := Info{
		APIVersion: a.version(), ServerVersion: v.Version, OS: v.Os, Arch: v.Arch, logDriver: i.LoggingDriver,
		MemoryLimit: i.MemoryLimit, PidsLimit: i.PidsLimit, CPULimit: i.CPUCfsQuota, Warnings: i.Warnings,
	}
	info.Sockets = (i.DefaultRuntime == "runc" || i.DefaultRuntime == "crun") && !strings.HasPrefix(i.OperatingSystem, "Docker Desktop")
	for _, option := range i.SecurityOptions {
		name, _, _ := strings.Cut(strings.TrimPrefix(option, "name="), ",")
		info.Rootless = info.Rootless || name == "rootless"
		info.UserNS = info.UserNS || name == "userns"
	}
	return info, nil
}

func (a *api) image(ctx context.Context, ref string) (Image, error) {
	r, err := a.docker.ImageInspect(ctx, ref)
	if err != nil {
		return Image{}, err
	}
	img := Image{ID: r.ID, Ref: ref, Digests: r.RepoDigests, OS: r.Os, Arch: r.Architecture, Size: r.Size, variant: r.Variant}
	if c := r.Config; c != nil {
		img.User, img.WorkDir, img.Env, img.Entrypoint, img.Cmd, img.Labels = c.User, c.WorkingDir, c.Env, c.Entrypoint, c.Cmd, c.Labels
	}
	return img, nil
}

func (a *api) imageIDs(ctx context.Context, labels map[string]string) ([]string, error) {
	list, err := a.docker.ImageList(ctx, image.ListOptions{Filters: labelled(labels)})
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	return ids, err
}

func (a *api) pull(ctx context.Context, ref, platform, auth string) (io.ReadCloser, error) {
	return a.docker.ImagePull(ctx, ref, image.PullOptions{Platform: platform, RegistryAuth: auth})
}

func (a *api) removeImage(ctx context.Context, id string) error {
	_, err := a.docker.ImageRemove(ctx, id, image.RemoveOptions{PruneChildren: true})
	return err
}

// commit gives every default a value: the container's own would be taken instead of
// an empty one.
func (a *api) commit(ctx context.Context, id string, s *CommitSpec) (string, error) {
	r, err := a.docker.ContainerCommit(ctx, id, container.CommitOptions{
		Reference: s.Ref, Pause: true, Config: &container.Config{
			Labels: s.Labels, User: cmp.Or(s.Like.User, "0"), WorkingDir: cmp.Or(s.Like.WorkDir, "/"),
			Entrypoint: s.Like.Entrypoint, Cmd: s.Like.Cmd,
		},
	})
	return r.ID, err
}

func (a *api) createContainer(ctx context.Context, s *ContainerSpec, platform *ocispec.Platform, logDriver string) (string, []string, error) {
	yes := true
	config := &container.Config{
		Image: s.Image, User: s.User, WorkingDir: s.WorkDir, Hostname: s.Hostname,
		Entrypoint: s.Entrypoint, Cmd: s.Command, Env: s.Env, Labels: s.Labels, ExposedPorts: nat.PortSet{},
	}
	if s.StopTimeout > 0 {
		config.StopTimeout = seconds(s.StopTimeout)
	}
	host := &container.HostConfig{
		NetworkMode: container.NetworkMode(s.Network), PortBindings: nat.PortMap{},
		RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled},
		CapDrop:       []string{"ALL"}, CapAdd: s.CapAdd, SecurityOpt: []string{"no-new-privileges"},
		ReadonlyRootfs: s.ReadOnlyRoot, Tmpfs: s.Tmpfs, ShmSize: s.ShmSize, Init: &yes,
		Resources: container.Resources{Memory: s.Memory, NanoCPUs: int64(s.CPUs * 1e9)},
	}
	if s.Pids > 0 {
		host.PidsLimit = &s.Pids
	}
	if limits := s.logLimits(); logDriver != "" && limits != nil {
		host.LogConfig = container.LogConfig{Type: logDriver, Config: limits}
	}
	for _, m := range s.Mounts {
		entry := mount.Mount{Type: mount.TypeBind, Source: m.Bind, Target: m.Target, ReadOnly: m.ReadOnly}
		if m.Volume != "" {
			entry.Type, entry.Source, entry.VolumeOptions = mount.TypeVolume, m.Volume, &mount.VolumeOptions{NoCopy: true}
		}
		host.Mounts = append(host.Mounts, entry)
	}
	for _, p := range s.Ports {
		port := nat.Port(strconv.Itoa(p.ContainerPort) + "/" + p.Protocol)
		binding := nat.PortBinding{HostIP: p.HostIP}
		if p.HostPort != 0 {
			binding.HostPort = strconv.Itoa(p.HostPort)
		}
		config.ExposedPorts[port] = struct{}{}
		host.PortBindings[port] = append(host.PortBindings[port], binding)
	}
	r, err := a.docker.ContainerCreate(ctx, config, host, nil, platform, s.Name)
	return r.ID, r.Warnings, err
}

func (a *api) start(ctx context.Context, id string) error {
	return a.docker.ContainerStart(ctx, id, container.StartOptions{})
}

func (a *api) stop(ctx context.Context, id string, grace time.Duration) error {
	return a.docker.ContainerStop(ctx, id, container.StopOptions{Timeout: seconds(grace)})
}

func (a *api) kill(ctx context.Context, id, signal string) error {
	return a.docker.ContainerKill(ctx, id, signal)
}

func (a *api) removeContainer(ctx context.Context, id string) error {
	return a.docker.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
}

// wait returns when the container does not run.
func (a *api) wait(ctx context.Context, id string) error {
	// One of the two always delivers, also when ctx ends; leaving earlier would
	// leave the library's goroutine behind.
	done, failed := a.docker.ContainerWait(ctx, id, container.WaitConditionNotRunning)
	select {
	case <-done:
		return nil
	case err := <-failed:
		return err
	}
}

func (a *api) container(ctx context.Context, id string) (Container, error) {
	r, err := a.docker.ContainerInspect(ctx, id)
	if err != nil {
		return Container{}, err
	}
	c := Container{ID: r.ID, Name: strings.TrimPrefix(r.Name, "/"), ImageID: r.Image, Created: timestamp(r.Created)}
	if s := r.State; s != nil {
		c.State, c.Running, c.PID = s.Status, s.Running, s.Pid
		c.ExitCode, c.OOMKilled, c.Error = s.ExitCode, s.OOMKilled, s.Error
		c.Started, c.Finished = timestamp(s.StartedAt), timestamp(s.FinishedAt)
	}
	if r.Config != nil {
		c.Image, c.Labels, c.User = r.Config.Image, r.Config.Labels, r.Config.User
	}
	for _, m := range r.Mounts {
		entry := Mount{Target: m.Destination, ReadOnly: !m.RW}
		switch m.Type {
		case mount.TypeVolume:
			entry.Volume = m.Name
		case mount.TypeBind:
			entry.Bind = m.Source
		default:
			continue
		}
		c.Mounts = append(c.Mounts, entry)
	}
	bound := nat.PortMap{}
	if r.HostConfig != nil {
		bound = r.HostConfig.PortBindings
	}
	if c.Running && r.NetworkSettings != nil {
		bound = r.NetworkSettings.Ports
	}
	for port, bindings := range bound {
		for _, b := range bindings {
			number, _ := strconv.Atoi(b.HostPort) // "" until it is given one
			c.Ports = append(c.Ports, Port{HostIP: b.HostIP, HostPort: number, ContainerPort: port.Int(), Protocol: port.Proto()})
		}
	}
	return c, nil
}

func (a *api) containerIDs(ctx context.Context, labels map[string]string) ([]string, error) {
	list, err := a.docker.ContainerList(ctx, container.ListOptions{All: true, Filters: labelled(labels)})
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = list[i].ID
	}
	return ids, err
}

func (a *api) logs(ctx context.Context, id string, o LogOptions) (io.ReadCloser, error) {
	options := container.LogsOptions{ShowStdout: true, ShowStderr: true, Follow: o.Follow, Tail: "all"}
	if o.Tail > 0 {
		options.Tail = strconv.Itoa(o.Tail)
	}
	if !o.Since.IsZero() {
		options.Since = o.Since.Format(time.RFC3339Nano)
	}
	return a.docker.ContainerLogs(ctx, id, options)
}

func (a *api) stat(ctx context.Context, id, path string) error {
	_, err := a.docker.ContainerStatPath(ctx, id, path)
	return err
}

func (a *api) copyTo(ctx context.Context, id, dir string, tar io.Reader) error {
	return a.docker.CopyToContainer(ctx, id, dir, tar, container.CopyToContainerOptions{})
}

func (a *api) copyFrom(ctx context.Context, id, path string) (io.ReadCloser, error) {
	r, _, err := a.docker.CopyFromContainer(ctx, id, path)
	return r, err
}

func (a *api) createExec(ctx context.Context, id string, s *ExecSpec, stdin bool) (string, error) {
	r, err := a.docker.ContainerExecCreate(ctx, id, container.ExecOptions{
		Cmd: s.Argv, User: s.User, WorkingDir: s.WorkDir, Env: s.Env, AttachStdin: stdin, AttachStdout: true, AttachStderr: true,
	})
	return r.ID, err
}

// exec tells whether a command still runs, and its exit code when it does not.
func (a *api) exec(ctx context.Context, id string) (running bool, code int, err error) {
	r, err := a.docker.ContainerExecInspect(ctx, id)
	return r.Running, r.ExitCode, err
}

func (a *api) createVolume(ctx context.Context, name string, labels map[string]string) (Volume, error) {
	v, err := a.docker.VolumeCreate(ctx, volume.CreateOptions{Name: name, Labels: labels})
	return volumeOf(&v), err
}

func (a *api) removeVolume(ctx context.Context, name string) error {
	return a.docker.VolumeRemove(ctx, name, false)
}

func (a *api) volume(ctx context.Context, name string) (Volume, error) {
	v, err := a.docker.VolumeInspect(ctx, name)
	return volumeOf(&v), err
}

func (a *api) volumes(ctx context.Context, labels map[string]string) ([]Volume, error) {
	r, err := a.docker.VolumeList(ctx, volume.ListOptions{Filters: labelled(labels)})
	var list []Volume
	for _, v := range r.Volumes {
		list = append(list, volumeOf(v))
	}
	return list, err
}

func volumeOf(v *volume.Volume) Volume {
	return Volume{Name: v.Name, Labels: v.Labels, Created: timestamp(v.CreatedAt)}
}

func (a *api) createNetwork(ctx context.Context, name string, labels, options map[string]string) (string, error) {
	r, err := a.docker.NetworkCreate(ctx, name, network.CreateOptions{Driver: "bridge", Labels: labels, Options: options})
	return r.ID, err
}

func (a *api) removeNetwork(ctx context.Context, id string) error {
	return a.docker.NetworkRemove(ctx, id)
}

func (a *api) network(ctx context.Context, id string) (Network, error) {
	n, err := a.docker.NetworkInspect(ctx, id, network.InspectOptions{})
	return networkOf(&n), err
}

// networks lists by labels and, when name is not empty, by a part of the name.
func (a *api) networks(ctx context.Context, name string, labels map[string]string) ([]Network, error) {
	chosen := labelled(labels)
	if name != "" {
		chosen.Add("name", name)
	}
	r, err := a.docker.NetworkList(ctx, network.ListOptions{Filters: chosen})
	var list []Network
	for i := range r {
		list = append(list, networkOf(&r[i]))
	}
	return list, err
}

func networkOf(n *network.Inspect) Network {
	return Network{ID: n.ID, Name: n.Name, Labels: n.Labels, Containers: len(n.Containers), created: n.Created, driver: n.Driver, options: n.Options}
}

// labelled asks for what has all of the labels; "" is any value.
func labelled(labels map[string]string) filters.Args {
	args := filters.NewArgs()
	for key, value := range labels {
		if value != "" {
			key += "=" + value
		}
		args.Add("label", key)
	}
	return args
}

// seconds rounds up, as the API has whole seconds.
func seconds(d time.Duration) *int {
	n := int((d + time.Second - 1) / time.Second)
	return &n
}

// timestamp reads the API's times, whose zero is the year 1.
func timestamp(text string) time.Time {
	t, _ := time.Parse(time.RFC3339Nano, text)
	return t
}
