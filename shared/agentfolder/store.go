package agentfolder

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/archive"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

const (
	// newPrefix begins the name of a folder in which an archive is being unpacked;
	// random letters follow.
	newPrefix = ".agentfolder-new-"
	// abandonedAfter is when such a folder is of a process that was killed.
	abandonedAfter = 24 * time.Hour
	// markName is the file in an unpacked folder that has the SHA-256 of its archive.
	markName = ".codebolt-archive"
	// macFolder holds attributes of files in archives that a Mac made.
	macFolder = "__MACOSX"
	// maxLocalArchive is how large an archive on this machine may be, in bytes.
	maxLocalArchive = 1 << 30
)

// localZip unpacks an archive that is on this machine.
func (f *finder) localZip(ctx context.Context, raw wire.Raw) (Folder, error) {
	d, err := parse(raw, "path")
	if err != nil {
		return Folder{}, err
	}
	name, err := f.allowed(d.Path)
	if err != nil {
		return Folder{}, err
	}
	// To open something else, as a pipe, could wait for ever.
	if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
		return Folder{}, wire.Errorf(wire.Invalid, "%s is not a file", d.Path)
	}
	packed, err := os.Open(name)
	if err != nil {
		return Folder{}, wire.Errorf(wire.CodeOf(err), "%w", err)
	}
	defer packed.Close()
	sum := sha256.New()
	if err := readLocal(ctx, sum, packed); err != nil {
		return Folder{}, err
	}
	digits := hex.EncodeToString(sum.Sum(nil))
	if d.SHA256 != "" && d.SHA256 != digits {
		return Folder{}, otherSum(digits, d.SHA256)
	}
	return f.unpacked(ctx, digits, func(ctx context.Context, to io.Writer) error {
		if _, err := packed.Seek(0, io.SeekStart); err != nil {
			return wire.Errorf(wire.CodeOf(err), "%w", err)
		}
		return readLocal(ctx, to, packed)
	})
}

func readLocal(ctx context.Context, to io.Writer, from io.Reader) error {
	_, err := archive.Copy(ctx, to, from, maxLocalArchive)
	if errors.Is(err, archive.ErrMore) {
		return wire.Errorf(wire.TooLarge, "the archive has more than %d bytes", int64(maxLocalArchive))
	}
	if err != nil {
		return wire.Errorf(wire.CodeOf(err), "read the archive: %w", err)
	}
	return nil
}

func otherSum(is, want string) error {
	return wire.Errorf(wire.Conflict, "the archive is not the one that was meant: its sha256 is %s, and not %s", is, want)
}

// unpacked is the agent in an archive that write gives. With a sum, the archive
// must have it, and is not asked for when it is unpacked already.
func (f *finder) unpacked(ctx context.Context, sum string, write func(context.Context, io.Writer) error) (Folder, error) {
	path, store, err := f.store()
	if err != nil {
		return Folder{}, err
	}
	defer store.Close()
	sweep(store)
	if sum != "" {
		if folder, found, err := f.present(path, sum); found || err != nil {
			return folder, err
		}
	}
	work := newPrefix + rand.Text()
	if err := store.Mkdir(work, 0o700); err != nil {
		return Folder{}, wire.Errorf(wire.CodeOf(err), "make room to unpack: %w", err)
	}
	defer func() { _ = store.RemoveAll(work) }() // else it is removed as abandoned
	packed, err := store.OpenFile(filepath.Join(work, "archive"), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return Folder{}, wire.Errorf(wire.CodeOf(err), "make room to unpack: %w", err)
	}
	defer packed.Close() // before work goes
	hash := sha256.New()
	if err := write(ctx, io.MultiWriter(packed, hash)); err != nil {
		return Folder{}, err
	}
	digits := hex.EncodeToString(hash.Sum(nil))
	if sum != "" && sum != digits {
		return Folder{}, otherSum(digits, sum)
	}
	if folder, found, err := f.present(path, digits); found || err != nil {
		return folder, err
	}
	tree := filepath.Join(work, "tree")
	if err := f.unpack(ctx, store, tree, packed, digits); err != nil {
		return Folder{}, err
	}
	if _, err := f.inside(filepath.Join(path, tree)); err != nil {
		return Folder{}, err
	}
	renamed := store.Rename(tree, f.nameOf(digits))
	folder, found, err := f.present(path, digits) // another call may have been earlier
	if err == nil && !found {
		return Folder{}, wire.Errorf(wire.CodeOf(renamed), "keep what was unpacked: %w", renamed)
	}
	return folder, err
}

// unpack makes the folder tree of an archive.
func (f *finder) unpack(ctx context.Context, store *os.Root, tree string, packed *os.File, sum string) error {
	size, err := packed.Seek(0, io.SeekEnd)
	if err == nil {
		err = store.Mkdir(tree, 0o700)
	}
	var into *os.Root
	if err == nil {
		into, err = store.OpenRoot(tree)
	}
	if err != nil {
		return wire.Errorf(wire.CodeOf(err), "make room to unpack: %w", err)
	}
	defer into.Close()
	if err := archive.Unzip(ctx, packed, size, into, archive.UnpackOptions{Reserved: []string{markName}}); err != nil {
		return err
	}
	if err := into.WriteFile(markName, []byte(sum+"\n"), 0o600); err != nil {
		return wire.Errorf(wire.CodeOf(err), "keep what was unpacked: %w", err)
	}
	return nil
}

// store opens Options.Store and tells its path without symbolic links.
func (f *finder) store() (string, *os.Root, error) {
	if f.o.Store == "" {
		return "", nil, wire.Errorf(wire.Unsupported, "there is no folder to unpack archives into")
	}
	err := os.MkdirAll(f.o.Store, 0o700)
	var path string
	if err == nil {
		path, err = filepath.Abs(f.o.Store)
	}
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	var store *os.Root
	if err == nil {
		store, err = os.OpenRoot(path)
	}
	if err != nil {
		return "", nil, wire.Errorf(wire.CodeOf(err), "open the folder for archives: %w", err)
	}
	return path, store, nil
}

// sweep removes what processes that were killed have left half unpacked.
func sweep(store *os.Root) {
	entries, err := fs.ReadDir(store.FS(), ".")
	if err != nil {
		return // the next one may manage
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), newPrefix) || len(e.Name()) != len(newPrefix)+len(rand.Text()) {
			continue
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > abandonedAfter {
			_ = store.RemoveAll(e.Name()) // the next one tries again
		}
	}
}

// nameOf is the folder in the store for an archive. Sixteen digits tell archives
// apart that nobody made to be mistaken for each other; the mark tells the others.
func (f *finder) nameOf(sum string) string { return f.id + "-" + sum[:16] }

// present is the agent of an archive that has been unpacked.
func (f *finder) present(store, sum string) (folder Folder, found bool, err error) {
	dir := filepath.Join(store, f.nameOf(sum))
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return Folder{}, false, nil
	}
	if err != nil {
		return Folder{}, false, wire.Errorf(wire.CodeOf(err), "%w", err)
	}
	var mark []byte
	if info.IsDir() {
		mark, err = os.ReadFile(filepath.Join(dir, markName))
	}
	if !info.IsDir() || err != nil || strings.TrimSpace(string(mark)) != sum {
		return Folder{}, false, wire.Errorf(wire.Conflict, "%s is there, but is not what this archive was unpacked to; move it away", dir)
	}
	folder, err = f.inside(dir)
	return folder, err == nil, err
}

// inside is the agent in an unpacked folder, or in its only folder.
func (f *finder) inside(dir string) (Folder, error) {
	folder, err := f.in(dir, "the archive")
	if wire.CodeOf(err) != wire.NotFound {
		return folder, err
	}
	entries, readErr := os.ReadDir(dir)
	if readErr != nil {
		return Folder{}, wire.Errorf(wire.CodeOf(readErr), "%w", readErr)
	}
	var only []os.DirEntry
	for _, e := range entries {
		if e.Name() != markName && e.Name() != macFolder {
			only = append(only, e)
		}
	}
	if len(only) != 1 || !only[0].IsDir() {
		return Folder{}, err
	}
	return f.in(filepath.Join(dir, only[0].Name()), "the folder "+only[0].Name()+" of the archive")
}
