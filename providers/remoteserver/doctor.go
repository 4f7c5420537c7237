package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path"
	"strconv"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/sshconn"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// minFree is how much room on the host an environment should find.
const minFree = 256 << 20 // bytes

// Doctor implements provider.Doctor.
func (servers) Doctor(ctx context.Context, req *provider.DoctorRequest) []provider.Finding {
	cfg := &config{}
	var set provider.Settings
	err := req.Decode(cfg)
	if err == nil {
		err = req.Decode(&set)
	}
	if err == nil {
		err = cfg.check(os.Getenv)
	}
	found := []provider.Finding{provider.Found("settings", "complete", err)}
	if err != nil {
		return found
	}
	git, err := exec.LookPath("git")
	f := provider.Found("git", git, err)
	if err != nil {
		f.Advice = "install git here: environments begin with a worktree of the project"
	}
	found = append(found, f)
	line := sshconn.NewLine(cfg.target, cfg.options(slog.New(slog.DiscardHandler)))
	defer func() { _ = line.Close() }() // the host was only looked at
	client, err := line.Client(ctx)
	if err != nil {
		return append(found, provider.Found("connection", "", err))
	}
	found = append(found, provider.Found("connection", client.Describe()+", host key "+client.Fingerprint(), nil))
	return append(found, examine(ctx, client, cfg, set.Runtime.Path)...)
}

// examine looks at a host.
func examine(ctx context.Context, client *sshconn.Client, cfg *config, configured string) []provider.Finding {
	m, _, err := look(ctx, client, cfg.ProgramDir, nil)
	if err != nil {
		return []provider.Finding{provider.Found("system", "", err)}
	}
	found := []provider.Finding{provider.Found("system", fmt.Sprintf("%s/%s, home %s", m.System, m.Arch, m.Home), nil)}
	programs, err := placed("programDir", cfg.ProgramDir, m.Home)
	p, perr := openProgram(configured, m)
	if perr == nil {
		defer p.Close()
	}
	detail := ""
	if err = firstOf(err, perr); err == nil {
		at := path.Join(programs, p.Sum, "codebolt-runtime")
		var there bool
		if there, err = p.isAt(ctx, client, at); there {
			detail = at + " is there"
		} else {
			detail = p.Name() + " goes to " + at + " at the first start"
		}
	}
	found = append(found, provider.Found("program", detail, err))
	dir, err := placed("dir", cfg.Dir, m.Home)
	if err != nil {
		return append(found, provider.Found("folder", "", err))
	}
	return append(found, room(ctx, client, dir)...)
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// room looks whether environments can be made in a folder, and how much they may have.
func room(ctx context.Context, client *sshconn.Client, dir string) []provider.Finding {
	var out, said bytes.Buffer
	status, err := client.Run(ctx, sshconn.Command{Argv: []string{"/bin/sh", "-c", roomScript, "sh", dir}, Stdout: &out, Stderr: &said})
	if err != nil {
		return []provider.Finding{provider.Found("folder", "", err)}
	}
	at, table, _ := strings.Cut(out.String(), "\n")
	if status == 71 {
		f := provider.Found("folder", "", wire.Errorf(wire.Permission, "the user may not make %s, as %s is not for it to write in", dir, at))
		f.Advice = "set dir to a folder that is"
		return []provider.Finding{f}
	}
	found := []provider.Finding{provider.Found("folder", dir, nil)}
	lines := strings.Split(strings.TrimSpace(table), "\n")
	fields := strings.Fields(lines[len(lines)-1])
	if status != 0 || len(fields) < 4 {
		return append(found, provider.Found("disk", "", wire.Errorf(wire.Unavailable, "df does not tell: %s", complaint(said.Bytes()))))
	}
	free, err := strconv.ParseInt(fields[3], 10, 64)
	f := provider.Found("disk", fmt.Sprintf("%d MiB are free", free>>10), err)
	if err == nil && free<<10 < minFree {
		f.OK, f.Advice = false, "make room on the host, or set dir to a folder on another disk"
	}
	return append(found, f)
}
