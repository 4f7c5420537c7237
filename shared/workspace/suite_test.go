package workspace_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
	"github.com/google/go-cmp/cmp"
)

// site is a workspace with a neighbour that nothing may touch.
type site struct {
	t       *testing.T
	kind    string
	fs      workspace.FS
	files   *workspace.Files
	dir     string // the workspace
	outside string // the neighbour: canary, d/canary
	before  map[string]string
}

// onBoth runs a test against the files of this machine, also without what only
// Linux can, and against the same seen through Remote and Serve with every
// message encoded and decoded.
func onBoth(t *testing.T, test func(t *testing.T, s *site)) {
	t.Helper()
	for _, kind := range []string{local, slow, remote} {
		t.Run(kind, func(t *testing.T) { test(t, newSite(t, kind)) })
	}
}

const (
	local  = "local"
	slow   = "local by names"
	remote = "remote"
)

// fine is the kind of no error.
const fine = wire.Code("")

func newSite(t *testing.T, kind string, protected ...string) *site {
	t.Helper()
	base := t.TempDir()
	s := &site{t: t, kind: kind, dir: filepath.Join(base, "ws"), outside: filepath.Join(base, "outside")}
	must(t, os.MkdirAll(filepath.Join(s.outside, "d"), 0o755))
	must(t, os.Mkdir(s.dir, 0o755))
	must(t, os.WriteFile(filepath.Join(s.outside, "canary"), []byte("secret"), 0o644))
	must(t, os.WriteFile(filepath.Join(s.outside, "d", "canary"), []byte("secret"), 0o644))
	s.before = snapshot(t, s.outside)
	l, err := workspace.OpenLocal(s.dir, workspace.LocalOptions{Protected: protected})
	must(t, err)
	t.Cleanup(func() {
		must(t, l.Close())
		s.untouched(t)
	})
	s.fs = l
	switch kind {
	case slow:
		l.SlowOnly()
	case remote:
		s.fs = workspace.Remote(l.Root(), overWire(l))
	}
	s.files = &workspace.Files{FS: s.fs}
	return s
}

func overWire(fs workspace.FS) func(context.Context, *wire.AppFS) (*wire.AppFSReply, error) {
	return func(ctx context.Context, req *wire.AppFS) (*wire.AppFSReply, error) {
		frame, err := wire.Marshal(req)
		if err != nil {
			return nil, err
		}
		var got wire.AppFS
		if err := wire.Unmarshal(frame, &got); err != nil {
			return nil, err
		}
		if frame, err = wire.Marshal(workspace.Serve(ctx, fs, &got)); err != nil {
			return nil, err
		}
		reply := new(wire.AppFSReply)
		return reply, wire.Unmarshal(frame, reply)
	}
}

// untouched fails the test when anything happened beside the workspace.
func (s *site) untouched(t *testing.T) {
	t.Helper()
	if diff := cmp.Diff(s.before, snapshot(t, s.outside)); diff != "" {
		t.Errorf("the neighbour of the workspace changed:\n%s", diff)
	}
}

func (s *site) do(verb string, req wire.FileRequest) (any, error) {
	s.t.Helper()
	return s.files.Do(s.t.Context(), verb, &req)
}

func (s *site) path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

func (s *site) file(name, content string) {
	s.t.Helper()
	must(s.t, os.MkdirAll(filepath.Dir(s.path(name)), 0o755))
	must(s.t, os.WriteFile(s.path(name), []byte(content), 0o644))
}

func (s *site) link(target, name string) {
	s.t.Helper()
	must(s.t, os.MkdirAll(filepath.Dir(s.path(name)), 0o755))
	must(s.t, os.Symlink(target, s.path(name)))
}

// holds fails the test unless a file has this content.
func (s *site) holds(name, content string) {
	s.t.Helper()
	got, err := os.ReadFile(s.path(name))
	if err != nil || string(got) != content {
		s.t.Errorf("%s holds %q, %v; want %q", name, got, err, content)
	}
}

func (s *site) exists(name string) bool {
	_, err := os.Lstat(s.path(name))
	return err == nil
}

// snapshot maps all below dir to mode and content.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	must(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, p)
		all[rel] = info.Mode().String()
		switch {
		case info.Mode().IsRegular():
			data, err := os.ReadFile(p)
			all[rel] += " " + string(data)
			return err
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			all[rel] += " " + target
			return err
		}
		return nil
	}))
	return all
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t testing.TB, what string, err error, want wire.Code) {
	t.Helper()
	if got := wire.CodeOf(err); got != want {
		t.Errorf("%s: got %q (%v), want %q", what, got, err, want)
	}
}

func pointer(s string) *string { return &s }
