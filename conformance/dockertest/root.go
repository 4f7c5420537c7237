package dockertest

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// File is one of the root of an image.
type File struct {
	// Mode is its permissions and, for a folder, [fs.ModeDir]; the default is that
	// of a file anyone may read, or of a folder anyone may enter.
	Mode    fs.FileMode
	Content string
	// Link makes it a symbolic link to this.
	Link     string
	UID, GID int
}

// BusyboxRoot is the root of the image of [Daemon.Image], to be changed at will: a
// static busybox with its commands as links to it, root and the user "agent" with
// the id 1000, /tmp and /etc/os-release. It needs a static busybox on this machine.
func BusyboxRoot() (map[string]File, error) {
	program, err := staticBusybox()
	if err != nil {
		return nil, fmt.Errorf("dockertest: the test image needs a static busybox on this machine; install busybox-static: %w", err)
	}
	content, err := os.ReadFile(program)
	if err != nil {
		return nil, fmt.Errorf("dockertest: %w", err)
	}
	commands, err := exec.Command(program, "--list-full").Output() //nolint:forbidigo,noctx // it only prints its table
	if err != nil {
		return nil, fmt.Errorf("dockertest: busybox --list-full: %w", err)
	}
	files := map[string]File{
		"tmp":            {Mode: fs.ModeDir | fs.ModeSticky | 0o777},
		"root":           {Mode: fs.ModeDir | 0o700},
		"home/agent":     {Mode: fs.ModeDir | 0o755, UID: 1000, GID: 1000},
		"etc/passwd":     {Content: "root:x:0:0:root:/root:/bin/sh\nagent:x:1000:1000:agent:/home/agent:/bin/sh\n"},
		"etc/group":      {Content: "root:x:0:\nagent:x:1000:\n"},
		"etc/os-release": {Content: "ID=codebolt-test\nNAME=\"Codebolt test\"\nPRETTY_NAME=\"Codebolt test 1\"\nVERSION_ID=1\n"},
	}
	for command := range strings.FieldsSeq(string(commands)) {
		files[command] = File{Link: "/bin/busybox"}
	}
	files["bin/busybox"] = File{Mode: 0o755, Content: string(content)}
	return files, nil
}

// NodeRoot is [BusyboxRoot] with the node of this machine and the shared libraries
// it needs, so that an agent in one file runs in it: about 100 MB, which a test
// makes an image of with [Daemon.ImportImage]. It needs node on this machine, and
// a Linux.
func NodeRoot() (map[string]File, error) {
	files, err := BusyboxRoot()
	if err != nil {
		return nil, err
	}
	program, err := exec.LookPath("node")
	if err == nil {
		program, err = filepath.EvalSymlinks(program)
	}
	if err != nil {
		return nil, fmt.Errorf("dockertest: this test image needs Node on this machine; install nodejs: %w", err)
	}
	needed, err := exec.Command("ldd", program).Output() //nolint:forbidigo,noctx // it only prints its table
	if err != nil {
		return nil, fmt.Errorf("dockertest: ldd %s: %w", program, err)
	}
	from := map[string]string{"usr/bin/node": program}
	for word := range strings.FieldsSeq(string(needed)) {
		if strings.HasPrefix(word, "/") { // also the loader, which stands alone in its line
			from[strings.TrimPrefix(word, "/")] = word
		}
	}
	for name, source := range from {
		content, err := os.ReadFile(source)
		if err != nil {
			return nil, fmt.Errorf("dockertest: %w", err)
		}
		files[name] = File{Mode: 0o755, Content: string(content)}
	}
	return files, nil
}

func staticBusybox() (string, error) {
	program, err := exec.LookPath("busybox")
	if err != nil {
		return "", err
	}
	file, err := elf.Open(program)
	if err != nil {
		return "", err
	}
	defer file.Close() //nolint:errcheck // it was only read
	for _, part := range file.Progs {
		if part.Type == elf.PT_INTERP {
			return "", fmt.Errorf("%s needs the libraries of this machine", program)
		}
	}
	return program, nil
}

// pack makes the tar of a root, the same bytes for the same files. The folders
// above a file need not be named.
func pack(files map[string]File) ([]byte, error) {
	all := map[string]File{}
	for name, file := range files {
		name = strings.TrimPrefix(path.Clean("/"+name), "/")
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if _, ok := all[dir]; !ok {
				all[dir] = File{Mode: fs.ModeDir}
			}
		}
		all[name] = file
	}
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		file := all[name]
		if err := w.WriteHeader(header(name, file)); err != nil {
			return nil, fmt.Errorf("dockertest: %w", err)
		}
		if _, err := w.Write([]byte(file.Content)); err != nil {
			return nil, fmt.Errorf("dockertest: %s: %w", name, err)
		}
	}
	err := w.Close()
	return out.Bytes(), err
}

func header(name string, file File) *tar.Header {
	h := &tar.Header{
		Typeflag: tar.TypeReg, Name: name, Mode: int64(file.Mode.Perm()), Size: int64(len(file.Content)), Uid: file.UID, Gid: file.GID,
	}
	switch {
	case file.Link != "":
		h.Typeflag, h.Linkname, h.Mode = tar.TypeSymlink, file.Link, 0o777
	case file.Mode.IsDir():
		h.Typeflag, h.Name = tar.TypeDir, name+"/"
		if h.Mode == 0 {
			h.Mode = 0o755
		}
	case h.Mode == 0:
		h.Mode = 0o644
	}
	for mode, bit := range map[fs.FileMode]int64{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if file.Mode&mode != 0 {
			h.Mode |= bit
		}
	}
	return h
}
