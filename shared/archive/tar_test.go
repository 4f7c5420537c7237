package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// targz packs items; those without a type are files with their name's length in
// letters.
func targz(t *testing.T, items ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	zw := gzip.NewWriter(&out)
	w := tar.NewWriter(zw)
	for _, item := range items {
		text := ""
		if item.Typeflag == 0 {
			item.Typeflag = tar.TypeReg
			text = strings.Repeat("x", len(item.Name))
			item.Size = int64(len(text))
		}
		err := w.WriteHeader(&item)
		if err == nil {
			_, err = w.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func unpackInto(t *testing.T, packed []byte, o UnpackOptions) (dir string, err error) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "into")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	into, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer into.Close()
	return dir, Unpack(t.Context(), bytes.NewReader(packed), int64(len(packed)), into, o)
}

func TestATarBecomesItsFilesAndFolders(t *testing.T) {
	dir, err := unpackInto(t, targz(t,
		tar.Header{Name: "bin/", Typeflag: tar.TypeDir, Mode: 0o700},
		tar.Header{Name: "bin/program", Mode: 0o755},
		tar.Header{Name: "not/listed/before", Mode: 0o600},
	), UnpackOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"bin/program": 0o755, "not/listed/before": 0o644} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || string(text) != strings.Repeat("x", len(name)) {
			t.Errorf("%s holds %q (%v)", name, text, err)
		}
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || os.PathSeparator == '/' && info.Mode().Perm() != mode {
			t.Errorf("%s has mode %v (%v), want %v", name, info.Mode(), err, mode)
		}
	}
}

func TestATarCannotLeaveItsFolderOrMakeAnythingButFiles(t *testing.T) {
	whole := targz(t, tar.Header{Name: "a"}, tar.Header{Name: "b"})
	for name, c := range map[string]struct {
		packed []byte
		code   wire.Code
	}{
		"above":                {targz(t, tar.Header{Name: "../outside"}), wire.Invalid},
		"above, from within":   {targz(t, tar.Header{Name: "a/../../outside"}), wire.Invalid},
		"absolute":             {targz(t, tar.Header{Name: "/outside"}), wire.Invalid},
		"a backslash":          {targz(t, tar.Header{Name: `..\outside`}), wire.Invalid},
		"a symbolic link":      {targz(t, tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: ".."}, tar.Header{Name: "l/outside"}), wire.Invalid},
		"a hard link":          {targz(t, tar.Header{Name: "l", Typeflag: tar.TypeLink, Linkname: "../outside"}), wire.Invalid},
		"a device":             {targz(t, tar.Header{Name: "d", Typeflag: tar.TypeChar}), wire.Invalid},
		"a pipe":               {targz(t, tar.Header{Name: "d", Typeflag: tar.TypeFifo}), wire.Invalid},
		"twice":                {targz(t, tar.Header{Name: "a"}, tar.Header{Name: "a"}), wire.Invalid},
		"a file and a folder":  {targz(t, tar.Header{Name: "a"}, tar.Header{Name: "a/b"}), wire.Invalid},
		"a reserved name":      {targz(t, tar.Header{Name: "mine"}), wire.Invalid},
		"cut short":            {whole[:len(whole)-12], wire.Invalid},
		"neither of the kinds": {[]byte("hello"), wire.Invalid},
		"empty":                {nil, wire.Invalid},
		"too many":             {targz(t, tar.Header{Name: "a"}, tar.Header{Name: "b"}, tar.Header{Name: "c"}, tar.Header{Name: "d"}), wire.TooLarge},
		"too large":            {targz(t, tar.Header{Name: strings.Repeat("n", 90)}, tar.Header{Name: strings.Repeat("m", 90)}), wire.TooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := unpackInto(t, c.packed, UnpackOptions{MaxBytes: 100, MaxItems: 3, Reserved: []string{"mine"}})
			if wire.CodeOf(err) != c.code {
				t.Errorf("kind %q, want %q: %v", wire.CodeOf(err), c.code, err)
			}
			if entries, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(entries) != 1 {
				t.Errorf("beside the folder there is %v (%v)", entries, err)
			}
		})
	}
}
