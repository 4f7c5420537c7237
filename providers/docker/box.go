package main

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/providers/docker/internal/engine"
	"github.com/codeboltai/codebolt-providers/shared/gitrepo"
	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/sshconn"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
	"github.com/codeboltai/codebolt-providers/shared/worktree"
)

// Labels of everything that this provider makes on a daemon. They hold no secret.
const (
	labelOwner   = "codebolt.owner"    // the store whose records tell of it
	labelEnv     = "codebolt.env"      // the environment's key
	labelName    = "codebolt.name"     // and what people call it
	labelMade    = "codebolt.provider" // by which provider
	labelCreated = "codebolt.created"
	labelFilled  = "codebolt.filled" // of a volume: what says that it has been filled
	labelRole    = "codebolt.role"   // of a volume or network: run, work, network
)

// providerID is the value of labelMade.
const providerID = "codebolt-docker"

// facts is what the ownership record keeps of a container.
type facts struct {
	Owner     string `json:"owner"`     // value of labelOwner
	Key       string `json:"key"`       // value of labelEnv
	Container string `json:"container"` // name
	// RunVolume has the runtime, its token and its socket; "" when a folder of this
	// machine has them.
	RunVolume string `json:"runVolume,omitzero"`
	Folder    string `json:"folder,omitzero"`
	Work      string `json:"work,omitzero"` // volume with the files; "" when the worktree is mounted
	// Daemon is where all this is, and how it is reached.
	Daemon daemon `json:"daemon"`
	// Image is what a container that is gone is made from again: an id, so that it
	// is the same.
	Image string `json:"image,omitzero"`
	// Prepared tells that Image is a snapshot's: what postCreate does is done.
	Prepared bool `json:"prepared,omitzero"`
}

// daemon names a Docker daemon.
type daemon struct {
	Address   string `json:"address"` // as the daemon's Info tells it
	Host      string `json:"host,omitzero"`
	Context   string `json:"context,omitzero"`
	TLSVerify bool   `json:"tlsVerify,omitzero"`
	CertPath  string `json:"certPath,omitzero"`
}

// box is the container of one environment. It is the launcher of its runtime,
// which is the container's main process.
type box struct {
	cfg  *config
	log  *slog.Logger
	name string            // of the container
	mark map[string]string // labels of all that it has

	mu     sync.Mutex
	eng    *engine.Engine
	facts  facts
	report provider.Reporter // while the environment is being opened

	path    string // of the worktree, and of the files in the container
	repo    string // the project's repository
	program string // the setting runtime.path
	folder  string // where that of the runtime would be
	busy    chan struct{}
	owner   *owner // of the container's processes; under busy
}

// newBox prepares the box of an environment that is about to be opened.
func newBox(req *provider.OpenRequest, cfg *config) *box {
	owner := req.Store.Owner()
	return &box{
		cfg: cfg, log: req.Log, name: boxName(req.SafeName(), owner), report: req, busy: make(chan struct{}, 1),
		folder: folderOf(provider.RunDir(req.Store, resource.NewID(kind, req.Key()))),
		mark: map[string]string{
			labelOwner: owner, labelEnv: req.Key(), labelName: req.SafeName(), labelMade: providerID,
			labelCreated: time.Now().UTC().Format(time.RFC3339),
		},
	}
}

// boxName is the name of an environment's container.
func boxName(name, owner string) string {
	return "codebolt-" + strings.ToLower(name) + "-" + owner[:6]
}

// opened tells that the environment is open: nobody waits for reports any more.
func (b *box) opened() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.report = provider.LogReporter(b.log)
}

func (b *box) tell() provider.Reporter {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.report
}

// beside is the box as what a worktree environment has beside its worktree.
func (b *box) beside() worktree.Beside {
	return worktree.Beside{
		Plan: b.plan,
		Attach: func(_ context.Context, wt gitrepo.Worktree, raw wire.Raw) error {
			b.path, b.repo = wt.Path, wt.CommonDir
			return b.take(raw)
		},
		Refresh: b.refresh,
		Files: func() workspace.FS {
			if b.facts.Work == "" {
				return nil
			}
			return b.files()
		},
		Close: b.close,
		Remove: func(ctx context.Context, _ *resource.Record, raw wire.Raw) error {
			if err := b.take(raw); err != nil {
				return err
			}
			return b.remove(ctx)
		},
	}
}

// take takes the facts from a record.
func (b *box) take(raw wire.Raw) error {
	var f facts
	err := wire.Unmarshal(raw, &f)
	if err == nil && (f.Container == "" || f.Key == "" || f.Owner == "" || f.RunVolume == "" && f.Folder == "") {
		err = errors.New("names are missing")
	}
	if err != nil {
		return wire.Errorf(wire.Internal, "the environment's record does not tell of its container: %w", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.facts, b.mark[labelEnv], b.mark[labelOwner] = f, f.Key, f.Owner
	return nil
}

// lock takes the turn to start or stop the container.
func (b *box) lock(ctx context.Context) error {
	select {
	case b.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (b *box) unlock() { <-b.busy }

// plan decides names and where the files will be, and sees that there is a daemon
// and an image before anything is made.
func (b *box) plan(ctx context.Context, wt gitrepo.Worktree, from wire.Raw) (any, error) {
	b.path, b.repo = wt.Path, wt.CommonDir
	snap, err := b.from(from)
	if err != nil {
		return nil, err
	}
	eng, err := b.engine(ctx)
	if err != nil {
		return nil, err
	}
	info := eng.Info()
	if info.OS != "linux" {
		return nil, wire.Errorf(wire.Unsupported, "docker: the daemon at %s runs %s containers; environments need Linux containers", info.Host, info.OS)
	}
	// Nobody else can have made volumes of these names: see unlabelled.
	nonce := strings.ToLower(rand.Text()[:10])
	b.facts = facts{
		Owner: b.mark[labelOwner], Key: b.mark[labelEnv], Container: b.name,
		Daemon: daemon{Address: info.Host, Host: b.cfg.DockerHost, Context: b.cfg.DockerContext, TLSVerify: b.cfg.TLSVerify, CertPath: b.cfg.CertPath},
	}
	volume, err := b.cfg.inVolume(info)
	if err != nil {
		return nil, err
	}
	if volume {
		b.facts.Work = b.name + "-work-" + nonce
	}
	if b.canMount(info, volume) {
		b.facts.Folder = b.folder
	} else {
		b.facts.RunVolume = b.name + "-run-" + nonce
	}
	var image engine.Image
	err = b.tell().Phase(ctx, "image", func(ctx context.Context) (err error) {
		if snap != nil {
			image, err = snap.image(ctx, eng)
		} else {
			image, err = eng.EnsureImage(ctx, b.cfg.Image, engine.PullPolicy(b.cfg.PullPolicy), b.cfg.Platform, func(line string) { b.tell().Note("image", line) })
		}
		if err == nil {
			err = b.cfg.fits(image, info)
		}
		return err
	})
	b.facts.Image, b.facts.Prepared = image.ID, snap != nil
	return b.facts, err
}

// inVolume decides whether the files are in a volume.
func (c *config) inVolume(info engine.Info) (bool, error) {
	switch {
	case c.Content == contentVolume:
		return true, nil
	case c.Content == contentWorktree && !info.Local:
		return false, wire.Errorf(wire.Unsupported, "docker: the daemon at %s is on another machine, where the worktree is not; set content to volume or auto", info.Host)
	case c.Content == contentWorktree && info.UserNS:
		return false, wire.Errorf(wire.Unsupported, "docker: the daemon at %s maps the users of containers to others, so files of the worktree would get wrong owners; set content to volume or auto", info.Host)
	}
	return !info.Local || info.UserNS, nil
}

// engine connects to the daemon at the first call that needs it.
func (b *box) engine(ctx context.Context) (*engine.Engine, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.eng != nil {
		return b.eng, nil
	}
	d := b.facts.Daemon
	if d.Address == "" {
		d = daemon{Host: b.cfg.DockerHost, Context: b.cfg.DockerContext, TLSVerify: b.cfg.TLSVerify, CertPath: b.cfg.CertPath}
	}
	eng, err := d.connect(ctx, b.log)
	if err != nil {
		return nil, err
	}
	if at := eng.Info().Host; d.Address != "" && at != d.Address {
		_ = eng.Close() // it is the wrong one
		return nil, wire.Errorf(wire.Conflict, "docker: this environment's container is on the daemon at %s, and the configuration leads to %s; set dockerHost to where it is", d.Address, at)
	}
	b.eng = eng
	return eng, nil
}

func (d daemon) connect(ctx context.Context, log *slog.Logger) (*engine.Engine, error) {
	return engine.Connect(ctx, engine.Options{
		Host: d.Host, Context: d.Context, TLSVerify: d.TLSVerify, CertPath: d.CertPath,
		SSH: func(ctx context.Context, host *url.URL) (func(context.Context, string) (net.Conn, error), func() error, error) {
			target, err := sshconn.ParseURL(host)
			if err != nil {
				return nil, nil, err
			}
			way := sshconn.NewLine(target, sshconn.Options{Log: log})
			if _, err := way.Client(ctx); err != nil {
				return nil, nil, err
			}
			return way.DialUnix, way.Close, nil
		},
	})
}

// close ends the connection to the daemon. It is idempotent.
func (b *box) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.eng == nil {
		return nil
	}
	err := b.eng.Close()
	b.eng = nil
	return err
}
