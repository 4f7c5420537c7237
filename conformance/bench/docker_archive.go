package main

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// putArchive copies a folder into one of a container, as docker cp does.
func (d *dock) putArchive(ctx context.Context, container, to, dir string) error {
	r, w := io.Pipe()
	go func() {
		archive := tar.NewWriter(w)
		err := addFiles(archive, dir)
		if err == nil {
			err = archive.Close()
		}
		w.CloseWithError(err)
	}()
	err := d.daemon.Call(ctx, http.MethodPut, "/containers/"+container+"/archive?"+url.Values{"path": {to}}.Encode(), r, nil)
	_ = r.CloseWithError(err) // the writer is not left waiting
	return err
}

// addFiles adds a folder and the files in it to an archive.
func addFiles(archive *tar.Writer, dir string) error {
	name := filepath.Base(dir)
	if err := archive.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755}); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := addFile(archive, filepath.Join(dir, entry.Name()), name+"/"+entry.Name()); err != nil {
			return err
		}
	}
	return nil
}

func addFile(archive *tar.Writer, path, name string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // it was only read
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h, err := tar.FileInfoHeader(info, "")
	if err != nil {
		return err
	}
	h.Name = name
	if err := archive.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.Copy(archive, f)
	return err
}

// getArchive copies a folder of a container into one here, which it makes.
func (d *dock) getArchive(ctx context.Context, container, from, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // it was only opened
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker/containers/"+container+"/archive?"+url.Values{"path": {from}}.Encode(), nil)
	if err != nil {
		return err
	}
	answer, err := d.uncompressed().Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }() // it was only read
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the archive of %s: %s", from, answer.Status)
	}
	for archive := tar.NewReader(answer.Body); ; {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = extract(root, h, archive)
		}
		if err != nil {
			return err
		}
	}
}

// uncompressed is a client that asks for no compression, as docker does on one
// machine: it would take longer than all the rest.
func (d *dock) uncompressed() *http.Client {
	network, address, _ := strings.Cut(d.daemon.Host, "://")
	return &http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}}}
}

func extract(root *os.Root, h *tar.Header, content io.Reader) error {
	switch h.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(filepath.Clean(h.Name), 0o755)
	case tar.TypeReg:
	default:
		return fmt.Errorf("%s is neither a file nor a folder", h.Name)
	}
	f, err := root.Create(h.Name)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close(), root.Chtimes(h.Name, h.ModTime, h.ModTime))
}

// execute runs a command in a container, which must succeed.
func (d *dock) execute(ctx context.Context, container string, argv ...string) error {
	var made struct{ ID string }
	if err := d.daemon.Call(ctx, http.MethodPost, "/containers/"+container+"/exec", map[string]any{"Cmd": argv, "AttachStdout": true, "AttachStderr": true}, &made); err != nil {
		return err
	}
	if err := d.daemon.Call(ctx, http.MethodPost, "/exec/"+made.ID+"/start", map[string]any{"Detach": false}, nil); err != nil {
		return err
	}
	var end struct {
		Running  bool
		ExitCode int
	}
	if err := d.daemon.Call(ctx, http.MethodGet, "/exec/"+made.ID+"/json", nil, &end); err != nil {
		return err
	}
	if end.Running || end.ExitCode != 0 {
		return fmt.Errorf("%v in a container ended with %d", argv, end.ExitCode)
	}
	return nil
}
