package install_test

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/install"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// packed is an archive of a provider's folder, whose files have a prefix.
func packed(t *testing.T, dir, kind, prefix string) *os.File {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "archive"+kind))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = out.Close() })
	var add func(name string, text []byte, mode fs.FileMode) error
	var done func() error
	if kind == ".zip" {
		w := zip.NewWriter(out)
		done = w.Close
		add = func(name string, text []byte, mode fs.FileMode) error {
			head := &zip.FileHeader{Name: name, Method: zip.Deflate}
			head.SetMode(mode)
			f, err := w.CreateHeader(head)
			if err == nil {
				_, err = f.Write(text)
			}
			return err
		}
	} else {
		zw := gzip.NewWriter(out)
		w := tar.NewWriter(zw)
		done = func() error { return errors.Join(w.Close(), zw.Close()) }
		add = func(name string, text []byte, mode fs.FileMode) error {
			err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Size: int64(len(text)), Mode: int64(mode.Perm())})
			if err == nil {
				_, err = w.Write(text)
			}
			return err
		}
	}
	err = fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || name == "install.json" {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		info, ierr := entry.Info()
		if err = errors.Join(err, ierr); err != nil {
			return err
		}
		return add(prefix+name, text, info.Mode())
	})
	if err = errors.Join(err, done()); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAFolderOrAnArchiveOfAProviderIsInstalled(t *testing.T) {
	dir := put(t, install.In(filepath.Join(t.TempDir(), "providers")), parts(t, "1.0.0", "exit 0"), install.Options{}).Dir
	for name, fill := range map[string]func(context.Context, *os.Root) error{
		"a folder":                     install.FromDir(dir),
		"a tar":                        install.FromArchive(packed(t, dir, ".tar.gz", "")),
		"a zip":                        install.FromArchive(packed(t, dir, ".zip", "")),
		"a tar of a folder":            install.FromArchive(packed(t, dir, ".tar.gz", "example-1.0.0/")),
		"a zip of a folder called bin": install.FromArchive(packed(t, dir, ".zip", "bin/")),
	} {
		t.Run(name, func(t *testing.T) {
			folder := install.In(filepath.Join(t.TempDir(), "providers"))
			change, err := folder.Install(t.Context(), fill, install.Options{Name: "example", Source: name})
			if err != nil {
				t.Fatal(err)
			}
			found := look(t, change.Dir)
			if !found.Intact() || found.Source != name || len(found.Platforms) != 1 {
				t.Errorf("there is %+v", found)
			}
			program := filepath.Join(change.Dir, "bin", string(install.Here()), "example-provider")
			if info, err := os.Stat(program); err != nil || info.Mode()&0o111 == 0 {
				t.Errorf("the program is no program: %v", err)
			}
		})
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := install.In(t.TempDir()).Install(t.Context(), install.FromDir(dir), install.Options{}); wire.CodeOf(err) != wire.Invalid {
		t.Errorf("a folder with a link in it: %v", err)
	}
}

func TestTheServersListKeepsWhatOthersWrote(t *testing.T) {
	m := &manifest.Manifest{Name: "example", UniqueID: "codebolt-example", Version: "1.0.0", Description: "d", Author: "a", Tags: []string{"t"}}
	for name, c := range map[string]struct{ before, registered, after string }{
		"no file": {
			"",
			`[{"id":"codebolt-example","version":"1.0.0","type":"custom"}]`,
			`[]`,
		},
		"a list": {
			`[{"id":"other","apiKey":"k","big":12345678901234567890}]`,
			`[{"id":"other","apiKey":"k","big":12345678901234567890},{"id":"codebolt-example","version":"1.0.0","type":"custom"}]`,
			`[{"id":"other","apiKey":"k","big":12345678901234567890}]`,
		},
		"an object with a list": {
			`{"version":2,"providers":[{"id":"other"}]}`,
			`{"version":2,"providers":[{"id":"other"},{"id":"codebolt-example","version":"1.0.0","type":"custom"}]}`,
			`{"version":2,"providers":[{"id":"other"}]}`,
		},
		"an older record of ours": {
			`[{"id":"codebolt-example","installedBy":"codebolt-providers","version":"0.9.0","config":{"a":1},"isDefault":true,"createdAt":"x"}]`,
			`[{"id":"codebolt-example","version":"1.0.0","type":"custom","config":{"a":1},"isDefault":true,"createdAt":"x"}]`,
			`[]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			folder := install.In(filepath.Join(t.TempDir(), "providers"))
			path := filepath.Join(folder.Dir(""), "..", install.RegistryFile)
			if c.before != "" {
				if err := os.WriteFile(path, []byte(c.before), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 {
				if err := folder.Register(t.Context(), m); err != nil {
					t.Fatal(err)
				}
				holds(t, path, c.registered)
			}
			if info, err := os.Stat(path); c.before != "" && (err != nil || info.Mode().Perm() != 0o600) {
				t.Errorf("its mode is %v (%v)", info.Mode(), err)
			}
			if err := folder.Unregister(t.Context(), m.UniqueID); err != nil {
				t.Fatal(err)
			}
			holds(t, path, c.after)
		})
	}
}

// holds compares a list with what is wanted, but for members that only ours has.
func holds(t *testing.T, path, want string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	plain := func(text []byte) string {
		var all any
		dec := json.NewDecoder(strings.NewReader(string(text)))
		dec.UseNumber()
		if err := dec.Decode(&all); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		records, ok := all.([]any)
		if outer, is := all.(map[string]any); is {
			records, ok = outer["providers"].([]any)
		}
		if !ok {
			t.Fatalf("no list in %s", text)
		}
		for _, r := range records {
			record, ok := r.(map[string]any)
			if !ok || record["id"] != "codebolt-example" {
				continue
			}
			for _, ours := range []string{"name", "displayName", "description", "author", "tags", "updatedAt", "installedBy"} {
				delete(record, ours)
			}
			if record["createdAt"] != "x" {
				delete(record, "createdAt")
			}
		}
		out, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	if is, want := plain(text), plain([]byte(want)); is != want {
		t.Errorf("the list is\n%s, want\n%s", is, want)
	}
}

func TestAListThatIsNoneOrARecordOfAnotherIsLeftAlone(t *testing.T) {
	m := &manifest.Manifest{Name: "example", UniqueID: "codebolt-example"}
	for text, code := range map[string]wire.Code{
		`{"a":1}`: wire.Invalid, `"x"`: wire.Invalid, `[1]`: wire.Invalid, `not JSON`: wire.Invalid, `{"providers":{"a":1}}`: wire.Invalid,
		`[{"id":"codebolt-example","apiKey":"k"}]`: wire.Conflict,
	} {
		folder := install.In(filepath.Join(t.TempDir(), "providers"))
		path := filepath.Join(folder.Dir(""), "..", install.RegistryFile)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := folder.Register(t.Context(), m); wire.CodeOf(err) != code {
			t.Errorf("%s: kind %q, want %q: %v", text, wire.CodeOf(err), code, err)
		}
		if is, err := os.ReadFile(path); err != nil || string(is) != text {
			t.Errorf("%s became %s (%v)", text, is, err)
		}
	}
}
