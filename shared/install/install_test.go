package install_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/codeboltai/codebolt-providers/shared/install"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

const manifestText = `name: example
unique_id: codebolt-example
version: VERSION
description: An example
author: Somebody
type: provider
entrypoint: dist/index.js
runtime: node
supportedSyncModes: [git]
defaultSyncMode: git
aliases: [sample]
config: {onStop: keep}
`

// parts are a provider whose program is a shell script.
func parts(t *testing.T, version, script string) install.Parts {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(program, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	text := &fstest.MapFile{Data: []byte(strings.ReplaceAll(manifestText, "VERSION", version))}
	return install.Parts{
		Manifests: fstest.MapFS{"codeboltprovider.yaml": text, "providers.yaml": text},
		Program:   "example-provider",
		Programs:  []install.Program{{install.Here(), install.Here().Executable("example-provider"), program}},
		Documents: map[string][]byte{"README.md": []byte("# Example " + version + "\n")},
	}
}

func put(t *testing.T, folder install.Folder, p install.Parts, o install.Options) install.Change {
	t.Helper()
	change, err := folder.Install(t.Context(), p.Assemble, o)
	if err != nil {
		t.Fatal(err)
	}
	return change
}

func look(t *testing.T, dir string) *install.Installed {
	t.Helper()
	found, err := install.Look(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// entries are the names in a folder and in the one it is in.
func entries(t *testing.T, dir string) string {
	t.Helper()
	var all []string
	for _, d := range []string{filepath.Dir(dir), dir} {
		list, err := os.ReadDir(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			all = append(all, e.Name())
		}
	}
	return strings.Join(all, " ")
}

func TestAProviderIsInstalledReplacedAndRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "project", "providers")
	folder := install.In(dir)
	first := put(t, folder, parts(t, "1.0.0", "exit 0"), install.Options{Source: "a test"})
	if first.What != install.DidInstall || first.Version != "1.0.0" || first.Dir != folder.Dir("example") {
		t.Errorf("the first installation did %+v", first)
	}
	found := look(t, first.Dir)
	if !found.Intact() || found.Version != "1.0.0" || found.UniqueID != "codebolt-example" || found.Source != "a test" || found.Time.IsZero() ||
		len(found.Platforms) != 1 || found.Platforms[0] != install.Here() {
		t.Errorf("what was installed is %+v", found)
	}
	if same := put(t, folder, parts(t, "1.0.0", "exit 0"), install.Options{}); same.What != install.DidNothing || same.Was != "1.0.0" {
		t.Errorf("the same again did %+v", same)
	}
	if next := put(t, folder, parts(t, "1.1.0", "exit 1"), install.Options{}); next.What != install.DidReplace || next.Was != "1.0.0" || next.Kept != "" {
		t.Errorf("another version did %+v", next)
	}
	if found := look(t, first.Dir); !found.Intact() || found.Version != "1.1.0" {
		t.Errorf("what was replaced is %+v", found)
	}
	if is := entries(t, dir); is != "providers example" {
		t.Errorf("besides the provider there is something left: %s", is)
	}
	if kept, err := folder.Uninstall(t.Context(), "example", false); err != nil || kept != "" {
		t.Errorf("uninstall: %v, kept %q", err, kept)
	}
	if _, err := folder.Uninstall(t.Context(), "example", false); wire.CodeOf(err) != wire.NotFound {
		t.Errorf("uninstall once more: %v", err)
	}
	if is := entries(t, dir); is != "providers" {
		t.Errorf("something is left: %s", is)
	}
}

func TestEveryDifferenceIsNoticed(t *testing.T) {
	for name, c := range map[string]struct {
		change func(dir string) error
		want   string
	}{
		"a byte of a program": {func(dir string) error {
			at := filepath.Join(dir, "bin", string(install.Here()), "example-provider")
			text, err := os.ReadFile(at)
			if err != nil {
				return err
			}
			text[len(text)-2] ^= 1
			return os.WriteFile(at, text, 0o755)
		}, "bin/" + string(install.Here()) + "/example-provider is changed"},
		"a missing file": {func(dir string) error { return os.Remove(filepath.Join(dir, "README.md")) }, "README.md is missing"},
		"an edited manifest": {func(dir string) error {
			f, err := os.OpenFile(filepath.Join(dir, "providers.yaml"), os.O_APPEND|os.O_WRONLY, 0)
			if err == nil {
				_, err = f.WriteString("# mine\n")
				err = errors.Join(err, f.Close())
			}
			return err
		}, "providers.yaml is changed"},
		"one more file": {func(dir string) error { return os.WriteFile(filepath.Join(dir, "bin", "more"), nil, 0o600) }, "bin/more is unexpected"},
		"a link in place of a file": {func(dir string) error {
			at := filepath.Join(dir, "README.md")
			return errors.Join(os.Rename(at, filepath.Join(dir, "..", "moved")), os.Symlink("../moved", at))
		}, "README.md is changed"},
		"no list":           {func(dir string) error { return os.Remove(filepath.Join(dir, "SHA256SUMS")) }, "SHA256SUMS is missing"},
		"a list of nothing": {func(dir string) error { return os.WriteFile(filepath.Join(dir, "SHA256SUMS"), nil, 0o600) }, "SHA256SUMS is changed"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := install.In(filepath.Join(t.TempDir(), "providers"))
			dir := put(t, folder, parts(t, "1.0.0", "exit 0"), install.Options{}).Dir
			if err := c.change(dir); err != nil {
				t.Fatal(err)
			}
			found := look(t, dir)
			if len(found.Problems) != 1 || found.Problems[0].String() != c.want {
				t.Errorf("the problems are %v, want %q", found.Problems, c.want)
			}
		})
	}
}

func TestWhatWasChangedIsReplacedOnlyWhenToldAndKeptThen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "providers")
	folder := install.In(dir)
	at := put(t, folder, parts(t, "1.0.0", "exit 0"), install.Options{}).Dir
	edited := filepath.Join(at, "providers.yaml")
	if err := os.WriteFile(edited, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(dir, "other")
	if err := os.MkdirAll(foreign, 0o755); err != nil {
		t.Fatal(err)
	}
	newer := parts(t, "2.0.0", "exit 0")
	if _, err := folder.Install(t.Context(), newer.Assemble, install.Options{}); wire.CodeOf(err) != wire.Conflict || !strings.Contains(err.Error(), "providers.yaml is changed") {
		t.Errorf("without being told: %v", err)
	}
	if text, err := os.ReadFile(edited); err != nil || string(text) != "mine" {
		t.Errorf("the edited file is %q (%v)", text, err)
	}
	change := put(t, folder, newer, install.Options{Force: true})
	if found := look(t, at); !found.Intact() || found.Version != "2.0.0" {
		t.Errorf("when told: %+v", found)
	}
	if text, err := os.ReadFile(filepath.Join(change.Kept, "providers.yaml")); err != nil || string(text) != "mine" {
		t.Errorf("what is kept in %q is %q (%v)", change.Kept, text, err)
	}
	if _, err := folder.Uninstall(t.Context(), "other", false); wire.CodeOf(err) != wire.Conflict {
		t.Errorf("uninstall what is another's: %v", err)
	}
	kept, err := folder.Uninstall(t.Context(), "other", true)
	if info, serr := os.Stat(kept); err != nil || serr != nil || !info.IsDir() {
		t.Errorf("uninstall what is another's when told: %v, kept at %q: %v", err, kept, serr)
	}
	if _, err := os.Stat(filepath.Join(change.Kept, "providers.yaml")); err != nil {
		t.Errorf("what was kept before is gone: %v", err)
	}
}

func TestAnInstallationThatFailsChangesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "providers")
	folder := install.In(dir)
	at := put(t, folder, parts(t, "1.0.0", "exit 0"), install.Options{}).Dir
	good := parts(t, "2.0.0", "exit 0")
	noProgram := parts(t, "2.0.0", "exit 0")
	noProgram.Programs[0].Path += "-missing"
	assembleAnd := func(then func(*os.Root) error) func(context.Context, *os.Root) error {
		return func(ctx context.Context, into *os.Root) error {
			return errors.Join(good.Assemble(ctx, into), then(into))
		}
	}
	for name, c := range map[string]struct {
		fill func(context.Context, *os.Root) error
		name string
		code wire.Code
	}{
		"a missing program":    {noProgram.Assemble, "", wire.NotFound},
		"nothing":              {func(context.Context, *os.Root) error { return nil }, "", wire.NotFound},
		"an error at the end":  {assembleAnd(func(*os.Root) error { return wire.Errorf(wire.Unavailable, "gone") }), "", wire.Unavailable},
		"a damaged file":       {assembleAnd(func(into *os.Root) error { return into.WriteFile("README.md", nil, 0o644) }), "", wire.Invalid},
		"no launcher":          {assembleAnd(func(into *os.Root) error { return into.Remove("dist/index.js") }), "", wire.Invalid},
		"no list of the files": {assembleAnd(func(into *os.Root) error { return into.Remove("SHA256SUMS") }), "", wire.NotFound},
		"another provider":     {good.Assemble, "something-else", wire.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := folder.Install(t.Context(), c.fill, install.Options{Name: c.name, Source: "the test"}); wire.CodeOf(err) != c.code {
				t.Errorf("kind %q, want %q: %v", wire.CodeOf(err), c.code, err)
			}
			if found := look(t, at); !found.Intact() || found.Version != "1.0.0" {
				t.Errorf("afterwards there is %+v", found)
			}
			if is := entries(t, dir); is != "providers example" {
				t.Errorf("something is left: %s", is)
			}
		})
	}
	if change := put(t, folder, good, install.Options{Name: "sample"}); change.What != install.DidReplace {
		t.Errorf("by an alias: %+v", change)
	}
}

func TestInstallationsAtOnceWaitForEachOther(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "providers")
	var wg sync.WaitGroup
	for i := range 8 {
		p := parts(t, []string{"1.0.0", "2.0.0"}[i%2], "exit 0")
		wg.Go(func() {
			for range 5 {
				if _, err := install.In(dir).Install(t.Context(), p.Assemble, install.Options{}); err != nil {
					t.Error(err)
				}
				if found, err := install.Look(t.Context(), install.In(dir).Dir("example")); err != nil || found.Foreign != "" {
					t.Errorf("while others install there is %+v (%v)", found, err)
				}
			}
		})
	}
	wg.Wait()
	if found := look(t, install.In(dir).Dir("example")); !found.Intact() {
		t.Errorf("in the end there is %+v", found)
	}
	if is := entries(t, dir); is != "providers example" {
		t.Errorf("something is left: %s", is)
	}
}

func TestWhatAKilledInstallationLeftIsTidiedUp(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "providers")
	folder := install.In(dir)
	put(t, folder, parts(t, "1.0.0", "exit 0"), install.Options{})
	work := filepath.Join(dir, "..", ".codebolt-providers-work")
	// Killed while it made the new folder; and, where folders cannot be exchanged,
	// after the old one was put aside.
	for _, left := range []string{"new-X/bin", "new-Y"} {
		if err := os.MkdirAll(filepath.Join(work, left), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(folder.Dir("example"), filepath.Join(work, "example.aside-Z")); err != nil {
		t.Fatal(err)
	}
	if _, err := folder.Uninstall(t.Context(), "not-there", false); wire.CodeOf(err) != wire.NotFound {
		t.Errorf("uninstall what is not there: %v", err)
	}
	if found := look(t, folder.Dir("example")); !found.Intact() || found.Version != "1.0.0" {
		t.Errorf("afterwards there is %+v", found)
	}
	if is := entries(t, dir); is != "providers example" {
		t.Errorf("something is left: %s", is)
	}
}

func TestAListHasWhatIsAProviderAndWhatMayBeOne(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "providers")
	folder := install.In(dir)
	if all, err := folder.List(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("a folder that is not there lists %v (%v)", all, err)
	}
	put(t, folder, parts(t, "1.0.0", "exit 0"), install.Options{})
	for _, other := range []string{"another", ".hidden"} {
		if err := os.Mkdir(filepath.Join(dir, other), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	all, err := folder.List(t.Context())
	if err != nil || len(all) != 2 || all[0].Name != "another" || all[0].Foreign == "" || all[1].Name != "example" || !all[1].Intact() {
		t.Errorf("the list is %+v (%v)", all, err)
	}
}

func TestAListThatLeadsOutsideIsRefused(t *testing.T) {
	sum := strings.Repeat("0", 64)
	for _, text := range []string{sum + "  ../x\n", sum + "  /x\n", sum + " x\n", sum[1:] + "  x\n", "hello\n"} {
		if _, err := install.Check(t.Context(), fstest.MapFS{"SHA256SUMS": {Data: []byte(text)}}); wire.CodeOf(err) != wire.Invalid {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := install.Check(t.Context(), fstest.MapFS{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no list: %v", err)
	}
}
