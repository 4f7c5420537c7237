//go:build linux

package main

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/conformance/stage"
	"github.com/codeboltai/codebolt-providers/shared/runtime"
)

// greeter listens on a socket and greets who connects.
func greeter(t *testing.T, path string) {
	t.Helper()
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("hello"))
			_ = conn.Close()
		}
	}()
}

func TestASocketInTheFolderIsReachedAndNothingElse(t *testing.T) {
	t.Parallel()
	folder, other := t.TempDir(), filepath.Join(t.TempDir(), "other")
	at := filepath.Join(folder, socketName)
	if _, err := dialFolder(t.Context(), folder); !os.IsNotExist(err) {
		t.Errorf("nothing there: %v", err)
	}
	greeter(t, other)
	for what, put := range map[string]func() error{
		"a link to a socket elsewhere": func() error { return os.Symlink(other, at) },
		"a file":                       func() error { return os.WriteFile(at, nil, 0o666) },
		"a folder":                     func() error { return os.Mkdir(at, 0o777) },
	} {
		if err := put(); err != nil {
			t.Fatal(err)
		}
		if conn, err := dialFolder(t.Context(), folder); err == nil {
			_ = conn.Close()
			t.Errorf("%s was followed", what)
		}
		if err := os.Remove(at); err != nil {
			t.Fatal(err)
		}
	}
	greeter(t, at)
	conn, err := dialFolder(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if text, err := io.ReadAll(conn); string(text) != "hello" {
		t.Errorf("%q, %v", text, err)
	}
}

// connecting are the processes in the stage's containers that carry a connection.
func (s *play) connecting() (all []string) {
	s.T.Helper()
	for _, c := range s.containers() {
		var top struct{ Processes [][]string }
		if err := s.daemon.Call(stage.Limit(s.T), http.MethodGet, "/containers/"+c.ID+"/top", nil, &top); err != nil {
			s.T.Fatal(err)
		}
		for _, p := range top.Processes {
			if line := strings.Join(p, " "); strings.Contains(line, programIn+" connect") {
				all = append(all, line)
			}
		}
	}
	return all
}

func TestARuntimeIsReachedWithoutAProcessInItsContainer(t *testing.T) {
	t.Parallel()
	for _, content := range []string{contentWorktree, contentVolume} {
		s := newStage(t, stage.Settings{"content": content})
		e, _ := s.Opened("direct", nil)
		s.run(e, "echo work > work.txt")
		if found := s.connecting(); len(found) > 0 {
			t.Errorf("%s: processes carry the connection: %q", content, found)
		}
		s.Stop(e, "snapshotAndRemove")
		s.none()
		s.Clean(0)
	}
}

// What a container put where a file of the provider's goes is replaced, and what it
// leads to stays as it was.
func TestLinksInTheFolderAreNotWrittenThrough(t *testing.T) {
	t.Parallel()
	b := &box{facts: facts{Folder: t.TempDir()}}
	victim := filepath.Join(t.TempDir(), "victim")
	stage.Write(t, victim, "precious")
	for _, name := range []string{runtime.TokenFile, "launch.json", socketName} {
		if err := os.Symlink(victim, filepath.Join(b.facts.Folder, name)); err != nil {
			t.Fatal(err)
		}
	}
	err := b.putInFolder(owner{1234, 1234}, map[string][]byte{runtime.TokenFile: []byte("token"), "launch.json": []byte("launch"), socketName: nil})
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(victim)
	if err != nil || stage.Read(t, victim) != "precious" {
		t.Errorf("the file outside is %q, %v", stage.Read(t, victim), err)
	}
	if uid, _, _ := ownerOf(info); uid != os.Getuid() {
		t.Errorf("the file outside is now %d's", uid)
	}
	for name, want := range map[string]string{runtime.TokenFile: "token", "launch.json": "launch"} {
		info, err := os.Lstat(filepath.Join(b.facts.Folder, name))
		if err != nil || info.Mode() != 0o600 || stage.Read(t, filepath.Join(b.facts.Folder, name)) != want {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		if uid, gid, _ := ownerOf(info); os.Getuid() == 0 && (uid != 1234 || gid != 1234) {
			t.Errorf("%s is %d:%d's", name, uid, gid)
		}
	}
}

// A volume that somebody removed is not one in which everything was deleted.
func TestAVolumeThatIsGoneIsFilledAgain(t *testing.T) {
	t.Parallel()
	s := newStage(t, stage.Settings{"content": contentVolume, "persist": false})
	e, path := s.Opened("lost", nil)
	s.run(e, "echo work > work.txt")
	s.Diff(e)
	_, _, volumes := s.volumesOnRecord()
	s.Close(e)
	for _, name := range volumes {
		if name == "" {
			continue
		}
		if err := s.daemon.Call(stage.Limit(t), http.MethodDelete, "/volumes/"+name, nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	s.Start(e)
	if out := s.run(e, "cat work.txt"); out != "work\n" {
		t.Errorf("the work is %q", out)
	}
	if text := stage.Read(t, filepath.Join(path, "work.txt")); text != "work\n" {
		t.Errorf("the work is %q outside", text)
	}
	if d := s.Diff(e); len(d.Files) != 1 {
		t.Errorf("the diff: %+v", d.Files)
	}
	s.Stop(e, "snapshotAndRemove")
	s.none()
}
