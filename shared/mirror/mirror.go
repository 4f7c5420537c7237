// Package mirror keeps a directory of this machine, such as a git worktree, and a
// directory elsewhere, in which agents work, the same: the one is filled from the
// other, and read back before it is looked at. The work there is done by the
// subcommands pack, unpack and file of codebolt-runtime.
//
//	m := mirror.Mirror{Here: worktree, There: "/srv/files", Run: onThatMachine}
//	err := m.Fill(ctx, tell)
//	… agents work there …
//	err = m.ReadBack(ctx)
//
// It does not merge: what is read back stands.
package mirror

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/transfer"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Mirror is a pair of directories. Its methods may be called concurrently, as far as
// Run may.
type Mirror struct {
	Here  string // of this machine, and what paths of files begin with for everybody
	There string // the other one, as its machine calls it
	// Run runs codebolt-runtime with arguments on that machine. A failure of it is an
	// error that begins with what was being done.
	Run func(ctx context.Context, what string, args []string, stdin io.Reader, stdout io.Writer) error
}

// Teller hears how it goes.
type Teller interface {
	Note(phase, message string)
	Warn(text string)
}

// pointer is what of a worktree is not for another machine: where git finds the
// repository.
const pointer = ".git"

// Submodules tells that a worktree has submodules, which no mirror may have: what is
// read back must not tell git here which repositories to trust.
func Submodules(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, ".gitmodules"))
	return err == nil
}

// Fill sends what is here to there, where nothing is deleted.
func (m Mirror) Fill(ctx context.Context, tell Teller) error {
	r, w := io.Pipe()
	go func() {
		said := time.Now()
		result, err := transfer.Pack(ctx, m.Here, w, transfer.PackOptions{Excludes: []string{pointer}, Progress: func(files, bytes int64) {
			if time.Since(said) > time.Second {
				said = time.Now()
				tell.Note("files", fmt.Sprintf("%d files, %d MiB", files, bytes>>20))
			}
		}})
		for _, name := range result.Skipped {
			tell.Warn(name + " was not copied: it is no file, folder or link")
		}
		w.CloseWithError(err)
	}()
	defer func() { _ = r.Close() }() // the writer is not left waiting
	return m.Run(ctx, "fill the environment", []string{"unpack", "--root", m.There, "--exclude", pointer}, r, io.Discard)
}

// ReadBack brings the directory here to what there is there: only what changed is
// sent.
func (m Mirror) ReadBack(ctx context.Context) error {
	known, err := transfer.Scan(ctx, m.Here, transfer.ScanOptions{Excludes: []string{pointer}})
	if err != nil {
		return err
	}
	ask, asked := io.Pipe()
	defer func() { _ = ask.Close() }() // the writer is not left waiting
	go func() {
		_, err := known.WriteTo(asked)
		asked.CloseWithError(err)
	}()
	r, w := io.Pipe()
	packed := make(chan error, 1)
	go func() {
		err := m.Run(ctx, "read the environment", []string{"pack", "--root", m.There, "--exclude", pointer, "--known"}, ask, w)
		packed <- err
		w.CloseWithError(err)
	}()
	_, err = transfer.Unpack(ctx, m.Here, r, transfer.UnpackOptions{Delete: true, Excludes: []string{pointer}})
	_ = r.CloseWithError(err)
	if perr := <-packed; perr != nil && (err == nil || wire.CodeOf(err) == wire.Unavailable) {
		err = perr // it says why the stream ended
	}
	return err
}

// File carries out one file call there, by a program of its own: the way for when no
// runtime serves the files. It is what [workspace.Remote] wants.
func (m Mirror) File(ctx context.Context, req *wire.AppFS) (*wire.AppFSReply, error) {
	asked, err := wire.Marshal(req)
	if err != nil {
		return nil, err
	}
	var answer bytes.Buffer
	if err := m.Run(ctx, req.Action, []string{"file", "--root", m.There, "--protect", pointer}, bytes.NewReader(asked), &answer); err != nil {
		return nil, err
	}
	reply := &wire.AppFSReply{}
	return reply, wire.Unmarshal(answer.Bytes(), reply)
}
