package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// bench holds what the measurements share.
type bench struct {
	bin   string
	log   io.Writer
	only  string
	scale int // samples are divided by it

	dir      string // scratch, in memory where the system has that
	listener *listener
	rows     []row
	echoRate []float64
}

func (b *bench) prepare(context.Context) (err error) {
	if b.bin, err = filepath.Abs(b.bin); err != nil {
		return err
	}
	if _, err := os.Stat(b.provider()); err != nil {
		return fmt.Errorf("%w; run make build first", err)
	}
	parent := ""
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		parent = "/dev/shm"
	}
	if b.dir, err = os.MkdirTemp(parent, "codebolt-bench-"); err != nil {
		return err
	}
	b.listener, err = listen()
	return err
}

func (b *bench) cleanup() {
	_ = b.listener.http.Close()
	_ = os.RemoveAll(b.dir)
}

func (b *bench) wants(names ...string) bool {
	if b.only == "" {
		return true
	}
	for _, n := range names {
		if strings.Contains(n, b.only) {
			return true
		}
	}
	return false
}

func (b *bench) provider() string {
	name := "codebolt-provider-gitworktree"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	return filepath.Join(b.bin, name)
}

// environ is what both our processes and git run with: the caller's
// configuration does not take part.
func (b *bench) environ() []string {
	return []string{
		"PATH=" + b.bin + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME=" + b.dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_AUTHOR_NAME=b", "GIT_AUTHOR_EMAIL=b@localhost", "GIT_COMMITTER_NAME=b", "GIT_COMMITTER_EMAIL=b@localhost",
		"CODEBOLT_STATE_DIR=" + filepath.Join(b.dir, "state"), "CODEBOLT_SERVER_URL=127.0.0.1", "SOCKET_PORT=" + strconv.Itoa(b.listener.port()),
	}
}

func (b *bench) command(ctx context.Context, dir, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = dir, b.environ()
	return cmd
}

func (b *bench) self(ctx context.Context, args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	return b.command(ctx, b.dir, self, args...)
}

func (b *bench) git(ctx context.Context, dir string, args ...string) error {
	out, err := b.command(ctx, dir, "git", args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return nil
}

// project makes a repository of that many small files in folders.
func (b *bench) project(name string, files int) (string, error) {
	dir := filepath.Join(b.dir, "projects", name)
	for i := range files {
		sub := filepath.Join(dir, fmt.Sprintf("pkg%03d", i/100), fmt.Sprintf("sub%d", i%7))
		if i%100 < 7 {
			if err := os.MkdirAll(sub, 0o755); err != nil {
				return "", err
			}
		}
		body := fmt.Sprintf("package p%d\n\n// F%d is file %d.\nfunc F%d() int { return %d }\n", i/100, i, i, i, i)
		if err := os.WriteFile(filepath.Join(sub, fmt.Sprintf("file%05d.go", i)), []byte(body), 0o644); err != nil {
			return "", err
		}
	}
	ctx := context.Background()
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "."}, {"commit", "-qm", "start"}} {
		if err := b.git(ctx, dir, args...); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// open starts the provider and an environment on project.
func (b *bench) open(ctx context.Context, project, name string, config map[string]any) (*peer, error) {
	cmd := b.command(ctx, b.dir, b.provider())
	cmd.Stderr = b.log
	p, err := b.listener.spawn(ctx, cmd)
	if err != nil {
		return nil, err
	}
	if _, err := p.call(startMessage(project, name, config), "providerStartResponse"); err != nil {
		p.end()
		return nil, err
	}
	return p, nil
}

func startMessage(project, name string, config map[string]any) map[string]any {
	m := map[string]any{"type": "providerStart", "requestId": "start", "environmentName": name, "projectPath": project}
	for k, v := range config {
		m[k] = v
	}
	return m
}

// tree measures the listing of a whole tree.
func (b *bench) tree(ctx context.Context) error {
	if !b.wants("tree") {
		return nil
	}
	const files = 20000
	project, err := b.project("tree", files)
	if err != nil {
		return err
	}
	p, err := b.open(ctx, project, "tree", nil)
	if err != nil {
		return err
	}
	defer p.end()
	workspace, err := b.workspaceOf(p)
	if err != nil {
		return err
	}
	ask := []byte(`{"type":"providerGetFullProject","recursive":true,"requestId":"t"}`)
	var ours, find []float64
	for i := range max(15/b.scale, 3) + 1 {
		begun := time.Now()
		answer, err := roundTrip(p.conn, ask)
		if err != nil {
			return err
		}
		took := millis(begun)
		if n := strings.Count(string(answer), `"isFolder":false`); n != files {
			return fmt.Errorf("the tree has %d files, not %d: %.200s", n, files, answer)
		}
		begun = time.Now()
		out, err := b.command(ctx, workspace, "find", ".", "-name", ".git", "-prune", "-o", "-printf", `%P\t%y\t%s\t%T@\n`).Output()
		if err != nil {
			return err
		}
		if len(out) < files*20 {
			return fmt.Errorf("find printed only %d bytes", len(out))
		}
		if i > 0 { // the first warms the caches
			ours, find = append(ours, took), append(find, millis(begun))
		}
	}
	b.atMost("whole tree, 20,000 files", "find -printf", "ms", ours, find, 1.5)
	return nil
}

// diff measures the diff of 1,000 changed files among 20,000.
func (b *bench) diff(ctx context.Context) error {
	if !b.wants("diff") {
		return nil
	}
	project, err := b.project("diff", 20000)
	if err != nil {
		return err
	}
	p, err := b.open(ctx, project, "diff", nil)
	if err != nil {
		return err
	}
	defer p.end()
	workspace, err := b.workspaceOf(p)
	if err != nil {
		return err
	}
	changed := 0
	err = filepath.WalkDir(workspace, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "0.go") || changed == 1000 {
			return err
		}
		changed++
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = f.WriteString("\n// changed\nvar X = 1\n")
		return errors.Join(err, f.Close())
	})
	if err != nil {
		return err
	}
	ask := []byte(`{"type":"providerGetDiffFiles","requestId":"d"}`)
	var ours, bare []float64
	for i := range max(15/b.scale, 3) + 1 {
		begun := time.Now()
		answer, err := roundTrip(p.conn, ask)
		if err != nil {
			return err
		}
		took := millis(begun)
		if !strings.Contains(string(answer), `"totalFiles":`+strconv.Itoa(changed)+`,`) {
			return fmt.Errorf("the diff has not %d files: %.300s", changed, answer)
		}
		begun = time.Now()
		if _, err := b.command(ctx, workspace, "git", "status", "--porcelain", "--untracked-files=all").Output(); err != nil {
			return err
		}
		if _, err := b.command(ctx, workspace, "git", "diff", "HEAD").Output(); err != nil {
			return err
		}
		if i > 0 {
			ours, bare = append(ours, took), append(bare, millis(begun))
		}
	}
	b.atMost("diff, 1,000 of 20,000 files changed", "git status + git diff", "ms", ours, bare, 1.3)
	return nil
}

// starts measures how long it takes to connect and to open an environment.
func (b *bench) starts(ctx context.Context) error {
	if !b.wants("spawn", "start") {
		return nil
	}
	project, err := b.project("starts", 200)
	if err != nil {
		return err
	}
	var connected, printed, started, added []float64
	for i := range max(40/b.scale, 8) {
		begun := time.Now()
		p, err := b.listener.spawn(ctx, b.command(ctx, b.dir, b.provider()))
		if err != nil {
			return err
		}
		connected = append(connected, millis(begun))
		if _, err := p.call(startMessage(project, "start"+strconv.Itoa(i), nil), "providerStartResponse"); err != nil {
			p.end()
			return err
		}
		started = append(started, millis(begun))
		p.end()

		begun = time.Now()
		if err := b.command(ctx, b.dir, b.provider(), "--version").Run(); err != nil {
			return err
		}
		printed = append(printed, millis(begun))

		begun = time.Now()
		if err := b.git(ctx, project, "worktree", "add", "-q", "-b", "bare"+strconv.Itoa(i), filepath.Join(b.dir, "bare"+strconv.Itoa(i))); err != nil {
			return err
		}
		added = append(added, millis(begun))
	}
	b.within("spawn to connected", "exec --version", connected, printed, 10)
	b.within("spawn to start answered, git worktree", "git worktree add", started, added, 20)
	return nil
}

// workspaceOf asks where an open environment is.
func (b *bench) workspaceOf(p *peer) (string, error) {
	raw, err := p.call(map[string]any{"type": "providerGetTreeChildren", "path": "root", "requestId": "w"}, "providerGetTreeChildrenResponse")
	if err != nil {
		return "", err
	}
	var entries []struct{ ID, Path string }
	if err := json.Unmarshal(raw, &entries); err != nil || len(entries) == 0 {
		return "", fmt.Errorf("the workspace is empty or unreadable: %w", err)
	}
	return strings.TrimSuffix(entries[0].Path, string(filepath.Separator)+entries[0].ID), nil
}

func millis(since time.Time) float64 { return float64(time.Since(since).Microseconds()) / 1000 }

// residentMiB is the resident memory of a process.
func residentMiB(pid int) (float64, error) {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kib / 1024, err
		}
	}
	return 0, fmt.Errorf("no VmRSS for process %d", pid)
}
