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
	"strconv"
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

// Has is what the other machine may have of the files already.
type Has struct {
	// Store is a folder there for the parts of files that arrive, so that they need not
	// be sent again; Limit is how many bytes it may have, 0 for no store.
	Store string
	Limit int64
	// Seeds are folders there in which files of the same path may be. They are only
	// read.
	Seeds []string
}

// Supply brings what is here to there, where nothing is deleted, as Fill does; but only
// the parts of files that are nowhere there are sent. It does no harm twice, and goes on
// where an earlier one was interrupted. It returns how much was sent, also of one that
// failed.
func (m Mirror) Supply(ctx context.Context, tell Teller, has Has) (transfer.Sent, error) {
	args := []string{"receive", "--root", m.There, "--exclude", pointer}
	if has.Store != "" && has.Limit > 0 {
		args = append(args, "--store", has.Store, "--limit", strconv.FormatInt(has.Limit, 10))
	}
	for _, seed := range has.Seeds {
		args = append(args, "--seed", seed)
	}
	in, w := io.Pipe()
	answers, out := io.Pipe()
	type outcome struct {
		sent transfer.Sent
		err  error
	}
	over := make(chan outcome, 1)
	go func() {
		sent, err := transfer.Send(ctx, m.Here, w, answers, transfer.SendOptions{
			Excludes: []string{pointer}, Progress: func(p transfer.Progress) { tell.Note("files", progress(p)) },
		})
		w.CloseWithError(err)
		_, _ = io.Copy(io.Discard, answers) // whoever runs it there looks at its end
		over <- outcome{sent, err}
	}()
	var said last
	err := m.Run(ctx, "fill the environment", args, in, io.MultiWriter(out, &said))
	_ = out.Close()
	_ = in.Close() // the sender is not left waiting
	of := <-over
	for _, name := range of.sent.Skipped {
		tell.Warn(name + " was not copied: it is no file, folder or link")
	}
	// Why the receiver ended is told by it, and why the sender did by the sender.
	if of.err != nil && (err == nil || wire.CodeOf(of.err) != wire.Unavailable) {
		err = of.err
	}
	if err != nil {
		return of.sent, err
	}
	for _, trouble := range said.report().Troubles {
		tell.Warn("more than necessary was sent: " + trouble)
	}
	tell.Note("files", fmt.Sprintf("%d files, %s; %s were there already, %s were sent", of.sent.Files, size(of.sent.Bytes), size(of.sent.There()), size(of.sent.Stream)))
	return of.sent, nil
}

func progress(p transfer.Progress) string {
	if p.Reading {
		return fmt.Sprintf("%d files, %d MiB are looked at", p.AllFiles, p.AllBytes>>20)
	}
	return fmt.Sprintf("%d of %d files, %d of %d MiB; %d MiB were there already", p.Files, p.AllFiles, p.Bytes>>20, p.AllBytes>>20, p.There>>20)
}

// size is a number of bytes for a sentence.
func size(n int64) string {
	switch {
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 10<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}

// last keeps the last of what is written, in which a report is.
type last struct{ buf []byte }

func (l *last) Write(p []byte) (int, error) {
	const kept = 64 << 10
	l.buf = append(l.buf, p[max(0, len(p)-kept):]...)
	l.buf = append(l.buf[:0], l.buf[max(0, len(l.buf)-kept):]...)
	return len(p), nil
}

func (l *last) report() (r transfer.Report) {
	text := bytes.TrimSpace(l.buf)
	if err := wire.Unmarshal(text[bytes.LastIndexByte(text, '\n')+1:], &r); err != nil {
		return transfer.Report{} // it is only told what went well enough
	}
	return r
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
