package install

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Installed is a provider's folder as it is found.
type Installed struct {
	Name      string     `json:"name"` // of the folder
	UniqueID  string     `json:"uniqueId,omitzero"`
	Version   string     `json:"version,omitzero"`
	Dir       string     `json:"dir"`
	Platforms []Platform `json:"platforms,omitzero"`
	// Source is where it came from, and Time when; zero for what this package did not
	// install.
	Source string    `json:"source,omitzero"`
	Time   time.Time `json:"installed,omitzero"`
	// Problems is what was changed since.
	Problems []Problem `json:"problems,omitzero"`
	// Foreign says why this is none of ours; "" when it is.
	Foreign string `json:"foreign,omitzero"`
	// Manifest is nil when there is none that is right, and ManifestError says why.
	Manifest      *manifest.Manifest `json:"-"`
	ManifestError error              `json:"-"`

	sums string
}

// note is what noteFile holds.
type note struct {
	Source    string    `json:"source"`
	Installed time.Time `json:"installed"`
}

// Intact reports whether the folder is as it was installed.
func (i *Installed) Intact() bool { return i.Foreign == "" && len(i.Problems) == 0 }

func (i *Installed) complaint() string {
	if i.Foreign != "" {
		return i.Foreign
	}
	return list(i.Problems)
}

// Look looks at a provider's folder. It fails with NotFound when there is nothing at
// that path; whatever else is there is described.
func Look(ctx context.Context, dir string) (*Installed, error) {
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "%w", err)
	}
	found := &Installed{Name: filepath.Base(dir), Dir: dir}
	if !info.IsDir() {
		found.Foreign = "it is not a folder"
		return found, nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "%w", err)
	}
	defer root.Close()
	if found.Manifest, found.ManifestError = manifest.Load(root.FS(), "."); found.Manifest != nil {
		found.UniqueID, found.Version = found.Manifest.UniqueID, found.Manifest.Version
	}
	text, err := root.ReadFile(noteFile)
	var n note
	if errors.Is(err, fs.ErrNotExist) || err == nil && json.Unmarshal(text, &n) != nil {
		found.Foreign = "it was not installed with codebolt-providers"
		return found, nil
	}
	if err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "%w", err)
	}
	found.Source, found.Time = n.Source, n.Installed
	found.Platforms = Platforms(root.FS())
	if text, err = root.ReadFile(sumsFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, wire.Errorf(wire.CodeOf(err), "%w", err)
	}
	found.sums = string(text)
	switch found.Problems, err = Check(ctx, root.FS()); wire.CodeOf(err) {
	case "":
	case wire.NotFound:
		found.Problems = []Problem{{sumsFile, Missing}}
	case wire.Invalid:
		found.Problems = []Problem{{sumsFile, Changed}}
	default:
		return nil, err
	}
	return found, nil
}

// List looks at everything in the folder that could be a provider, sorted by name. A
// folder that is not there is empty.
func (f Folder) List(ctx context.Context) ([]*Installed, error) {
	entries, err := os.ReadDir(f.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "list the installed providers: %w", err)
	}
	var all []*Installed
	for _, entry := range entries {
		if !entry.IsDir() || !folderName.MatchString(entry.Name()) {
			continue
		}
		one, err := Look(ctx, f.Dir(entry.Name()))
		if wire.CodeOf(err) == wire.NotFound {
			continue // it was removed since
		}
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}
