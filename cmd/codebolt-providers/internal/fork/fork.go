// Package fork makes a module of its own from one of this repository's providers: its
// source, its manifest, its conformance test, under another name.
//
//	err := fork.Make(fork.Options{Name: "my-provider", Source: source, …}, "my-provider")
//
// It does not know where the source comes from, and runs nothing.
package fork

import (
	"bytes"
	"embed"
	"errors"
	"go/format"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"

	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Base is the path that the modules of this repository have in common.
const Base = "github.com/codeboltai/codebolt-providers"

// libraries are the modules that a provider of its own builds on, the programs of cmd
// among them. manifests and providers/… are what cmd needs for those.
var libraries = []string{"cmd", "conformance", "manifests", "shared"}

// Options say what to make.
type Options struct {
	// Name becomes the provider's name, its unique id, its program's name and the
	// first part of its resource ids; see [CheckName].
	Name string
	// Module is the path of the new module.
	Module string
	// Author and Description go into the manifest; without a description, that of the
	// original stays.
	Author, Description string
	// Original is the name of the provider's folder here, such as local.
	Original string
	// Source has the original's Go files at its root.
	Source fs.FS
	// Manifests has its two manifest files at its root.
	Manifests fs.FS
	// Licence is the text of the licence under which the original is.
	Licence []byte
	// Version is the version of this repository's modules that the new one requires,
	// with the v.
	Version string
	// Checkout is a folder with this repository, which then takes the place of that
	// version; "" is for those that are published.
	Checkout string
}

// nameForm is what can be a name in all the places where it goes.
var nameForm = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// moduleForm is roughly what Go takes; the rest it says itself.
var moduleForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._~-]*(/[A-Za-z0-9_][A-Za-z0-9._~-]*)*$`)

// CheckName fails with Invalid when a provider cannot have that name.
func CheckName(name string) error {
	if !nameForm.MatchString(name) || len(name) > 40 {
		return wire.Errorf(wire.Invalid, "a provider cannot be called %q; write small letters, digits and hyphens, such as my-provider", name)
	}
	return nil
}

// Make writes the module into a folder, which must be empty or not there. It fails with
// Conflict when something is there, and with Invalid for a wrong name. After any error
// the folder may have a part of the module.
func Make(o Options, dir string) error {
	if err := CheckName(o.Name); err != nil {
		return err
	}
	if !moduleForm.MatchString(o.Module) {
		return wire.Errorf(wire.Invalid, "%q cannot be the path of a module; write one such as example.com/acme/my-provider", o.Module)
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return wire.Errorf(wire.CodeOf(err), "new: %w", err)
	}
	if len(entries) > 0 {
		return wire.Errorf(wire.Conflict, "%s is not empty; name a folder that is not there", dir)
	}
	files, err := render(o)
	if err != nil {
		return err
	}
	for name, text := range files {
		at := filepath.Join(dir, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(at), 0o755)
		if err == nil {
			err = os.WriteFile(at, text, 0o644)
		}
		if err != nil {
			return wire.Errorf(wire.CodeOf(err), "new: %w", err)
		}
	}
	return nil
}

// render is every file of the module by its path.
func render(o Options) (map[string][]byte, error) {
	original, err := manifest.Load(o.Manifests, ".")
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{"LICENSE": o.Licence}
	if err := sources(o, original, files); err != nil {
		return nil, err
	}
	if err := manifestFiles(o, files); err != nil {
		return nil, err
	}
	return files, generated(o, original, files)
}

// sources are the original's Go files, but for the tests that are about nothing else
// than the original.
func sources(o Options, original *manifest.Manifest, files map[string][]byte) error {
	return fs.WalkDir(o.Source, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return wire.Errorf(wire.CodeOf(err), "new: %w", err)
		}
		top, test := path.Dir(name) == ".", strings.HasSuffix(name, "_test.go")
		if entry.IsDir() || path.Ext(name) != ".go" || top && test && name != "conformance_test.go" && name != "stage_test.go" {
			return nil
		}
		text, err := fs.ReadFile(o.Source, name)
		if err != nil {
			return wire.Errorf(wire.CodeOf(err), "new: %w", err)
		}
		if files[name], err = renamed(o, original, name, text); err != nil {
			return err
		}
		return nil
	})
}

var (
	manifestsImport = regexp.MustCompile(`(?m)^\t"` + regexp.QuoteMeta(Base) + `/manifests"\n`)
	kindLine        = regexp.MustCompile(`(?m)^const kind = "[a-z]+"$`)
)

// renamed is a Go file of the original in the new module.
func renamed(o Options, original *manifest.Manifest, name string, text []byte) ([]byte, error) {
	s := manifestsImport.ReplaceAllString(string(text), "")
	s = kindLine.ReplaceAllString(s, `const kind = "`+o.Name+`"`)
	s = strings.NewReplacer(
		Base+"/providers/"+o.Original, o.Module,
		`manifests.Files("`+o.Original+`")`, "manifestFiles",
		original.Program(), o.Name,
		`"`+original.UniqueID+`"`, `"`+o.Name+`"`,
		`"../../`, `"`+Base+"/",
	).Replace(s)
	formatted, err := format.Source([]byte(s))
	if err != nil || strings.Contains(s, "manifests.") {
		return nil, wire.Errorf(wire.Internal, "new: %s of the provider %s is not written so that it can be taken over (%v)", name, o.Original, err)
	}
	return formatted, nil
}

var (
	aliases   = regexp.MustCompile(`(?m)^aliases:.*\n(?:[ \t]+- .*\n)*`)
	aliasNote = regexp.MustCompile(`(?m)^# Further names this provider answers to.*$`)
	pageName  = regexp.MustCompile(`\bdocs/([a-z-]+\.md)\b`)
)

// manifestFiles are the two files with the new provider's name and without aliases.
func manifestFiles(o Options, files map[string][]byte) error {
	lines := map[string]string{
		"name": o.Name, "unique_id": o.Name, "version": "0.1.0", "author": strconv.Quote(o.Author),
		"tags": "[custom-agent, codebolt-agent, " + o.Name + "]", "nativeEntrypoint": "bin/{platform}/" + o.Name,
	}
	if o.Description != "" {
		lines["description"] = strconv.Quote(o.Description)
	}
	for _, file := range []string{manifest.ProviderFile, manifest.ProvidersFile} {
		text, err := fs.ReadFile(o.Manifests, file)
		if err != nil {
			return wire.Errorf(wire.CodeOf(err), "new: %w", err)
		}
		for key, value := range lines {
			line := regexp.MustCompile(`(?m)^` + key + `: .*$`)
			text = line.ReplaceAllLiteral(text, []byte(key+": "+value))
		}
		text = aliases.ReplaceAllLiteral(text, []byte("aliases: []\n"))
		text = aliasNote.ReplaceAllLiteral(text, []byte("# Further names this provider answers to."))
		files[file] = pageName.ReplaceAll(text, []byte("https://"+Base+"/blob/main/docs/$1"))
	}
	return nil
}

//go:embed files/*.tmpl
var templates embed.FS

// generated are the files that the original has not.
func generated(o Options, original *manifest.Manifest, files map[string][]byte) error {
	part := func(n int) func(string) string {
		return func(platform string) string { return strings.Split(platform, "-")[n] }
	}
	all, err := template.New("").Funcs(template.FuncMap{"os": part(0), "arch": part(1)}).ParseFS(templates, "files/*.tmpl")
	if err != nil {
		return wire.Errorf(wire.Internal, "new: %w", err)
	}
	data := struct {
		Options
		Base, Description string
		Libraries         []string
		RuntimePlatforms  []string
	}{o, Base, o.Description, slices.Clone(libraries), original.RuntimePlatforms}
	if data.Description == "" {
		data.Description = original.Description
	}
	for file, name := range map[string]string{
		"README.md": "readme.tmpl", "Makefile": "makefile.tmpl", "manifest.go": "manifest.tmpl", ".gitignore": "gitignore.tmpl", "go.mod": "gomod.tmpl",
	} {
		var text bytes.Buffer
		if err := all.ExecuteTemplate(&text, name, data); err != nil {
			return wire.Errorf(wire.Internal, "new: %w", err)
		}
		files[file] = text.Bytes()
	}
	return nil
}
