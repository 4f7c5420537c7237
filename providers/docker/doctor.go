package main

import (
	"context"
	"fmt"
	"log/slog"
	"os/exec"
	"strings"

	"github.com/codeboltai/codebolt-providers/providers/docker/internal/engine"
	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Doctor implements provider.Doctor.
func (containers) Doctor(ctx context.Context, req *provider.DoctorRequest) []provider.Finding {
	cfg := &config{}
	var set provider.Settings
	err := req.Decode(cfg)
	if err == nil {
		err = req.Decode(&set)
	}
	if err != nil {
		return []provider.Finding{provider.Found("settings", "", err)}
	}
	var found []provider.Finding
	// Without an image everything but that can be looked at.
	if err := cfg.check(getenv); err != nil {
		found = append(found, provider.Found("settings", "", err))
	} else {
		found = append(found, provider.Found("settings", "complete", nil))
	}
	git, err := exec.LookPath("git")
	f := provider.Found("git", git, err)
	if err != nil {
		f.Advice = "install git: environments begin with a worktree of the project"
	}
	found = append(found, f)
	d := daemon{Host: cfg.DockerHost, Context: cfg.DockerContext, TLSVerify: cfg.TLSVerify, CertPath: cfg.CertPath}
	eng, err := d.connect(ctx, slog.New(slog.DiscardHandler))
	if err != nil {
		return append(found, provider.Found("daemon", "", err))
	}
	defer func() { _ = eng.Close() }() // it was only looked at
	return append(found, examine(ctx, eng, cfg, set)...)
}

// examine looks at what a daemon can do.
func examine(ctx context.Context, eng *engine.Engine, cfg *config, set provider.Settings) []provider.Finding {
	info := eng.Info()
	var found []provider.Finding
	add := func(check, detail string, err error) { found = append(found, provider.Found(check, detail, err)) }
	add("daemon", fmt.Sprintf("%s at %s, API %s, %s/%s", info.ServerVersion, info.Host, info.APIVersion, info.OS, info.Arch), nil)
	if info.OS != "linux" {
		add("containers", "", wire.Errorf(wire.Unsupported, "the daemon runs %s containers; environments need Linux containers", info.OS))
	}
	program, err := runtime.FindFor(set.Runtime.Path, "linux", info.Arch)
	add("runtime", program, err)
	where := "in the environment's worktree, which is mounted"
	volume, err := cfg.inVolume(info)
	if volume {
		where = "in a volume that is filled from the environment's worktree"
	}
	add("files", where, err)
	for _, limit := range []struct {
		wanted, has bool
		key         string
	}{
		{cfg.limits.memory > 0, info.MemoryLimit, "memory"}, {cfg.CPUs > 0, info.CPULimit, "cpus"}, {cfg.PidsLimit > 0, info.PidsLimit, "pidsLimit"},
	} {
		if limit.wanted && !limit.has {
			add("limits", "", wire.Errorf(wire.Unsupported, "the daemon cannot limit %s: its kernel lacks that cgroup", limit.key))
		}
	}
	if len(info.Warnings) > 0 {
		add("warnings", strings.Join(info.Warnings, "; "), nil)
	}
	if cfg.Image == "" {
		return found
	}
	image, err := eng.Image(ctx, cfg.Image)
	switch {
	case err == nil:
		add("image", fmt.Sprintf("%s is there, for %s/%s", cfg.Image, image.OS, image.Arch), nil)
	case wire.CodeOf(err) == wire.NotFound && engine.PullPolicy(cfg.PullPolicy) != engine.PullNever:
		add("image", cfg.Image+" is not there; the first start pulls it", nil)
	default:
		add("image", "", err)
		found[len(found)-1].Advice = "pull or build it, or set pullPolicy to missing"
	}
	return found
}

// Logs implements provider.Logger.
func (containers) Logs(ctx context.Context, req provider.LogsRequest) error {
	b, err := recorded(req.Store, req.Record, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { _ = b.close() }() // it was only read from
	eng, err := b.engine(ctx)
	if err != nil {
		return err
	}
	c, err := b.find(ctx, eng)
	if err != nil {
		return err
	}
	return eng.Logs(ctx, c.ID, engine.LogOptions{Follow: req.Follow, Tail: req.Tail}, req.Stdout, req.Stderr)
}
