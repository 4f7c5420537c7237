package install

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Configured is a folder with what is set of the providers installed in one place: one
// file a provider, which holds the configuration above its manifest's and below an
// environment's. It is for its owner alone, because there are secrets among settings, and
// so it is not in the providers' folders, which others may read and copy. It is safe for
// concurrent use, also by several processes.
type Configured struct{ dir string }

// ConfiguredIn is the folder in a state directory for what is installed in base, an
// absolute path: a project, or the home of a user.
func ConfiguredIn(state, base string) Configured {
	sum := sha256.Sum256([]byte(base))
	return Configured{filepath.Join(state, "configured", filepath.Base(base)+"-"+hex.EncodeToString(sum[:8]))}
}

// Path is the file of a provider, whether there is one or not. It fails with Invalid when
// the id is no name of a file.
func (c Configured) Path(uniqueID string) (string, error) {
	if uniqueID == "" || strings.HasPrefix(uniqueID, ".") || filepath.Base(uniqueID) != uniqueID || strings.ContainsAny(uniqueID, `/\:`) {
		return "", wire.Errorf(wire.Invalid, "configure: %q cannot be a provider's id", uniqueID)
	}
	return filepath.Join(c.dir, uniqueID+".json"), nil
}

// Read is what is set of a provider; nil when nothing is. It fails with Permission when
// others can read the file, and with Invalid when that holds something else.
func (c Configured) Read(uniqueID string) (map[string]any, error) {
	path, err := c.Path(uniqueID)
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = private(path)
	}
	if err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "read settings: %w", err)
	}
	var config map[string]any
	if json.Unmarshal(text, &config) != nil { // the text may hold secrets
		return nil, wire.Errorf(wire.Invalid, "read settings: %s does not hold a JSON object", path)
	}
	return config, nil
}

// Change lets change set and take away what is set of a provider, and writes it in one
// step; nobody else changes it meanwhile. Nothing is written when change fails. It fails
// with Permission when the file cannot be made such that others cannot read it.
func (c Configured) Change(ctx context.Context, uniqueID string, change func(config map[string]any) error) (err error) {
	path, err := c.Path(uniqueID)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return wire.Errorf(wire.CodeOf(err), "write settings: %w", err)
	}
	// It may have been there. What cannot be changed is found by the look at it.
	_ = os.Chmod(c.dir, 0o700) //nolint:gosec // a folder that is not entered is of no use
	if err := private(c.dir); err != nil {
		return wire.Errorf(wire.CodeOf(err), "write settings: %w", err)
	}
	lock, err := resource.Acquire(ctx, path+".lock")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Release()) }()
	config, err := c.Read(uniqueID)
	if err != nil {
		return err
	}
	if config == nil {
		config = map[string]any{}
	}
	if err := change(config); err != nil {
		return err
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(config); err != nil {
		return wire.Errorf(wire.Invalid, "write settings: %w", err)
	}
	if err := resource.WriteFile(path, text.Bytes(), 0o600); err != nil {
		return wire.Errorf(wire.CodeOf(err), "write settings: %w", err)
	}
	if err := private(path); err != nil { // a file system that knows no modes
		return errors.Join(wire.Errorf(wire.CodeOf(err), "write settings: %w", err), os.Remove(path))
	}
	return nil
}

// private fails with Permission when others can read what is at a path. On Windows a
// user's state directory is for that user alone, and modes say nothing.
func private(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if runtime.GOOS != "windows" && (info.Mode()&fs.ModeSymlink != 0 || info.Mode().Perm()&0o077 != 0) {
		return wire.Errorf(wire.Permission, "%s is not for its owner alone, as secrets are to be; chmod go-rwx it, or set %s to a folder where that can be done", path, resource.EnvStateDir)
	}
	return nil
}
