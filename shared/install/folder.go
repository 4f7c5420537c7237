package install

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Folder is a folder of installed providers, each in a folder with its name. Its
// methods may be called concurrently, also by several processes: those that change
// something wait for each other.
type Folder struct{ dir string }

// In is the folder at a path, which need not be there yet.
func In(dir string) Folder { return Folder{dir} }

// Dir is the folder of one provider.
func (f Folder) Dir(name string) string { return filepath.Join(f.dir, name) }

const (
	// workDir is beside the folder: servers look for providers in the folder itself.
	workDir  = ".codebolt-providers-work"
	lockName = ".codebolt-providers-lock"
	// newPrefix begins the name of a provider's folder that is being made or that has
	// just been replaced; random letters follow.
	newPrefix = "new-"
	// asideMark is in the name of a folder that was put aside where folders cannot be
	// exchanged; the provider's name comes before it.
	asideMark = ".aside-"
	// keptDir has what somebody had changed before it was replaced.
	keptDir = "replaced"
	// patience is how long another installation is waited for.
	patience = time.Minute
)

// folderName is what a provider's folder may be called. It is a name on every system.
var folderName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)

// Options say how to install. The zero value installs.
type Options struct {
	// Source is noted down: where the folder came from. It has no secrets.
	Source string
	// Name is the name that the provider must have; "" takes any.
	Name string
	// Force replaces what was not installed by this package or was changed since. It
	// is kept then, see [Change.Kept].
	Force bool
}

// Change is what an installation did.
type Change struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Was     string `json:"was,omitzero"` // the version before, if there was one
	Dir     string `json:"dir"`
	What    string `json:"what"` // installed, replaced or unchanged
	// Kept is where that is which was replaced, when it had been changed.
	Kept string `json:"kept,omitzero"`
}

// The values of Change.What.
const (
	DidInstall = "installed"
	DidReplace = "replaced"
	DidNothing = "unchanged"
)

// Install puts a provider into the folder. fill makes its content in an empty folder,
// which is then checked and takes its place in one step: when the process is killed, the
// provider that was there before is, or the new one. Where a system cannot exchange two
// folders, as Windows, there is none for a moment, and the next call puts the old one
// back; one that had been changed is then among what is kept.
//
// It fails with Invalid when what fill made is no provider, with Conflict when the folder
// has something of that name that this package did not install, or that was changed
// since (see [Options.Force]), or when another installation takes too long, and with
// what fill fails with. Whatever fails changes nothing.
func (f Folder) Install(ctx context.Context, fill func(context.Context, *os.Root) error, o Options) (change Change, err error) {
	err = f.locked(ctx, func(work string) error {
		change, err = f.install(ctx, work, fill, o)
		return err
	})
	return change, err
}

func (f Folder) install(ctx context.Context, work string, fill func(context.Context, *os.Root) error, o Options) (Change, error) {
	fresh := filepath.Join(work, newPrefix+rand.Text())
	if err := os.Mkdir(fresh, 0o755); err != nil {
		return Change{}, wire.Errorf(wire.CodeOf(err), "install: %w", err)
	}
	defer func() { _ = removeAll(work, filepath.Base(fresh)) }() // else the next one sweeps it
	m, sums, err := f.prepare(ctx, fresh, fill, o)
	if err != nil {
		return Change{}, err
	}
	dir := f.Dir(m.Name)
	change := Change{Name: m.Name, Version: m.Version, Dir: dir, What: DidInstall}
	old, err := Look(ctx, dir)
	switch {
	case wire.CodeOf(err) == wire.NotFound:
		if err := os.Rename(fresh, dir); err != nil {
			return Change{}, wire.Errorf(wire.CodeOf(err), "install %s: %w", m.Name, err)
		}
		return change, resource.SyncDir(f.dir)
	case err != nil:
		return Change{}, err
	}
	change.Was = old.Version
	if old.Intact() && old.sums == sums {
		change.What = DidNothing
		return change, nil
	}
	change.What = DidReplace
	if !old.Intact() {
		if !o.Force {
			return Change{}, wire.Errorf(wire.Conflict, "%s is left as it is: %s; install with --force to replace it, and what is there now is kept", dir, old.complaint())
		}
		if change.Kept, err = keptAt(work, m.Name); err != nil {
			return Change{}, err
		}
	}
	if err := replace(fresh, dir, change.Kept, filepath.Join(work, m.Name+asideMark+rand.Text())); err != nil {
		return Change{}, wire.Errorf(wire.CodeOf(err), "install %s: %w", m.Name, err)
	}
	return change, resource.SyncDir(f.dir)
}

// keptAt is a free path for what a provider's folder was, in a folder that is there.
func keptAt(work, name string) (string, error) {
	dir := filepath.Join(work, keptDir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", wire.Errorf(wire.CodeOf(err), "keep what %s was: %w", name, err)
	}
	return filepath.Join(dir, name+"-"+time.Now().UTC().Format("20060102-150405")+"-"+rand.Text()[:4]), nil
}

// prepare makes and checks the new folder, and has it written to the disk.
func (f Folder) prepare(ctx context.Context, fresh string, fill func(context.Context, *os.Root) error, o Options) (*manifest.Manifest, string, error) {
	root, err := os.OpenRoot(fresh)
	if err != nil {
		return nil, "", wire.Errorf(wire.CodeOf(err), "install: %w", err)
	}
	defer root.Close()
	if err := fill(ctx, root); err != nil {
		return nil, "", err
	}
	m, err := manifest.Load(root.FS(), ".")
	if err != nil {
		return nil, "", err
	}
	if !folderName.MatchString(m.Name) {
		return nil, "", wire.Errorf(wire.Invalid, "the provider's name %q cannot be a folder's; it has letters, digits, dots, - and _", m.Name)
	}
	if o.Name != "" && !m.AnswersTo(o.Name) {
		return nil, "", wire.Errorf(wire.Invalid, "%s is the provider %s, and not %s", o.Source, m.Name, o.Name)
	}
	problems, err := Check(ctx, root.FS())
	if err != nil {
		return nil, "", err
	}
	if len(problems) > 0 {
		return nil, "", wire.Errorf(wire.Invalid, "%s is damaged: %s", o.Source, list(problems))
	}
	if info, err := root.Stat(filepath.FromSlash(m.Entrypoint)); err != nil || !info.Mode().IsRegular() {
		return nil, "", wire.Errorf(wire.Invalid, "%s has no file %s, which its manifest names as the entry point", o.Source, m.Entrypoint)
	}
	sums, err := root.ReadFile(sumsFile)
	if err != nil {
		return nil, "", wire.Errorf(wire.CodeOf(err), "install: %w", err)
	}
	text, err := json.MarshalIndent(note{Source: o.Source, Installed: time.Now().UTC().Truncate(time.Second)}, "", "  ")
	if err == nil {
		err = root.WriteFile(noteFile, append(text, '\n'), 0o644)
	}
	if err == nil {
		err = syncAll(root)
	}
	if err != nil {
		return nil, "", wire.Errorf(wire.CodeOf(err), "install: %w", err)
	}
	return m, string(sums), nil
}

// Uninstall removes a provider that this package installed. It fails with NotFound
// when there is none, and with Conflict when it was not installed by this package or was
// changed since, unless force is set; what was changed is kept then, and kept tells
// where.
func (f Folder) Uninstall(ctx context.Context, name string, force bool) (kept string, err error) {
	if !folderName.MatchString(name) {
		return "", wire.Errorf(wire.Invalid, "%q is no provider's name", name)
	}
	err = f.locked(ctx, func(work string) error {
		there, err := Look(ctx, f.Dir(name))
		if err != nil {
			return err
		}
		to := filepath.Join(work, newPrefix+rand.Text())
		if !there.Intact() {
			if !force {
				return wire.Errorf(wire.Conflict, "%s is left as it is: %s; uninstall it with --force, and what is there is kept", f.Dir(name), there.complaint())
			}
			if kept, err = keptAt(work, name); err != nil {
				return err
			}
			to = kept
		}
		if err := os.Rename(f.Dir(name), to); err != nil {
			return wire.Errorf(wire.CodeOf(err), "uninstall %s: %w", name, err)
		}
		err = resource.SyncDir(f.dir)
		if kept == "" {
			err = errors.Join(err, removeAll(work, filepath.Base(to)))
		}
		return err
	})
	return kept, err
}

// locked calls do while no other installation is at work in the folder, which it makes,
// with the folder for what is being made. What an earlier one left half done is done or
// taken back before.
func (f Folder) locked(ctx context.Context, do func(work string) error) (err error) {
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return wire.Errorf(wire.CodeOf(err), "the folder of providers: %w", err)
	}
	at, err := filepath.EvalSymlinks(f.dir)
	if err != nil {
		return wire.Errorf(wire.CodeOf(err), "the folder of providers: %w", err)
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	lock, err := resource.Acquire(waiting, filepath.Join(filepath.Dir(at), lockName))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	work := filepath.Join(filepath.Dir(at), workDir)
	if err := os.MkdirAll(work, 0o755); err != nil {
		return wire.Errorf(wire.CodeOf(err), "the folder of providers: %w", err)
	}
	defer func() {
		for _, empty := range []string{filepath.Join(work, keptDir), work} {
			_ = os.Remove(empty) // refused unless it is empty
		}
	}()
	if err := f.recover(work); err != nil {
		return err
	}
	return do(work)
}

// recover finishes what a killed installation began.
func (f Folder) recover(work string) error {
	entries, err := os.ReadDir(work)
	if err != nil {
		return wire.Errorf(wire.CodeOf(err), "the folder of providers: %w", err)
	}
	var errs []error
	for _, entry := range entries {
		name, _, aside := strings.Cut(entry.Name(), asideMark)
		if aside {
			// It is the old one; the new one took its place, or did not.
			if _, err := os.Lstat(f.Dir(name)); errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, os.Rename(filepath.Join(work, entry.Name()), f.Dir(name)))
				continue
			}
		}
		if aside || strings.HasPrefix(entry.Name(), newPrefix) {
			errs = append(errs, removeAll(work, entry.Name()))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return wire.Errorf(wire.CodeOf(err), "tidy up after an installation that was interrupted: %w", err)
	}
	return nil
}

// replace puts a new folder where an old one is, and the old one at kept or, when that
// is "", where the new one was. Where two folders cannot be exchanged in one step, the
// old one goes first; aside is where recover finds it.
func replace(fresh, dir, kept, aside string) error {
	// The old one is never under a name that is swept unless it may be.
	if kept != "" {
		if err := os.Rename(fresh, kept); err != nil {
			return err
		}
		fresh, aside = kept, kept+".old"
	}
	err := exchange(fresh, dir)
	if !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	if err := os.Rename(dir, aside); err != nil {
		return err
	}
	if err := os.Rename(fresh, dir); err != nil {
		return errors.Join(err, os.Rename(aside, dir))
	}
	return os.Rename(aside, fresh)
}

func removeAll(dir, name string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	return resource.RemoveAll(root, name)
}

// syncAll has everything below a folder written to the disk.
func syncAll(root *os.Root) error {
	return fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return resource.SyncDir(filepath.Join(root.Name(), filepath.FromSlash(name)))
		}
		// Windows lets only those who may write sync.
		file, err := root.OpenFile(filepath.FromSlash(name), os.O_RDWR, 0)
		if err != nil {
			return err
		}
		return errors.Join(file.Sync(), file.Close())
	})
}

func list(problems []Problem) string {
	var all []string
	for i, p := range problems {
		if i == 5 {
			all = append(all, "and more")
			break
		}
		all = append(all, p.String())
	}
	return strings.Join(all, ", ")
}
