package manifests

import (
	"embed"
	"io/fs"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

//go:embed */codeboltprovider.yaml */providers.yaml */settings.schema.json
var embedded embed.FS

// Entry is one provider.
type Entry struct {
	// Folder is the name of the provider's folder, here and below providers; its
	// program is called codebolt-provider-<folder>.
	Folder   string
	Manifest *manifest.Manifest
}

// Files returns the folder with the provider's two files at its root, as
// provider.Definition wants it. It panics when there is no such folder: the name
// is written in a program, not given by a person.
func Files(folder string) fs.FS {
	files, err := fs.Sub(embedded, folder)
	if err == nil {
		_, err = fs.Stat(files, manifest.ProviderFile)
	}
	if err != nil {
		panic("manifests: there is no provider in a folder " + folder + ": " + err.Error())
	}
	return files
}

// All returns every provider, sorted by folder, in fresh copies. It panics when
// a manifest is wrong, which the tests of this package rule out.
func All() []Entry {
	folders, err := embedded.ReadDir(".")
	if err != nil {
		panic("manifests: " + err.Error())
	}
	entries := make([]Entry, 0, len(folders))
	for _, folder := range folders {
		m, err := manifest.Load(embedded, folder.Name())
		if err != nil {
			panic("manifests: " + err.Error())
		}
		entries = append(entries, Entry{folder.Name(), m})
	}
	return entries
}

// Load returns the provider that answers to a name, an id or an alias, or whose
// folder has that name, in a fresh copy. It fails with NotFound, naming the
// providers there are and the one probably meant.
func Load(name string) (m *manifest.Manifest, folder string, err error) {
	entries := All()
	var ids, known []string
	for _, e := range entries {
		if name == e.Folder || e.Manifest.AnswersTo(name) {
			return e.Manifest, e.Folder, nil
		}
		ids = append(ids, e.Manifest.UniqueID)
		known = append(append(known, e.Folder, e.Manifest.Name, e.Manifest.UniqueID), e.Manifest.Aliases...)
	}
	hint := ""
	if near, ok := manifest.Nearest(name, known); ok {
		hint = "; did you mean " + near + "?"
	}
	return nil, "", wire.Errorf(wire.NotFound, "there is no provider %q among %s%s", name, strings.Join(ids, ", "), hint)
}
