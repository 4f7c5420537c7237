package archive

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestWhatIsPackedIsUnpackedAgainAndIsTheSameBytesEachTime(t *testing.T) {
	for _, format := range []Format{TarGz, Zip} {
		t.Run(string(format), func(t *testing.T) {
			if FormatOf("a.b"+string(format)) != format {
				t.Errorf("a name that ends in it is of format %q", FormatOf("a.b"+string(format)))
			}
			pack := func(modified time.Time) []byte {
				var to bytes.Buffer
				err := Pack(t.Context(), fstest.MapFS{
					"bin/program": {Data: []byte("#!program"), Mode: 0o750, ModTime: modified},
					"a.txt":       {Data: []byte("text"), Mode: 0o600, ModTime: modified},
				}, &to, PackOptions{Format: format, Under: "top"})
				if err != nil {
					t.Fatal(err)
				}
				return to.Bytes()
			}
			packed := pack(time.Now())
			if !bytes.Equal(packed, pack(time.Now().Add(-time.Hour))) {
				t.Error("files of another time give other bytes")
			}
			if got := modified(t, format, packed); !got.Equal(time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)) {
				t.Errorf("a file has the time %v", got)
			}
			dir, err := unpackInto(t, packed, UnpackOptions{})
			if err != nil {
				t.Fatal(err)
			}
			for name, want := range map[string]struct {
				text string
				mode os.FileMode
			}{"top/bin/program": {"#!program", 0o755}, "top/a.txt": {"text", 0o644}} {
				text, err := os.ReadFile(filepath.Join(dir, name))
				info, serr := os.Stat(filepath.Join(dir, name))
				if err != nil || serr != nil || string(text) != want.text || info.Mode() != want.mode {
					t.Errorf("%s: %q, %v (%v, %v)", name, text, info.Mode(), err, serr)
				}
			}
		})
	}
}

// modified is the time that an archive gives its first file.
func modified(t *testing.T, format Format, packed []byte) time.Time {
	t.Helper()
	if format == Zip {
		list, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
		if err != nil {
			t.Fatal(err)
		}
		return list.File[0].Modified
	}
	plain, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	head, err := tar.NewReader(plain).Next()
	if err != nil {
		t.Fatal(err)
	}
	return head.ModTime
}

func TestALinkIsNotPacked(t *testing.T) {
	folder := fstest.MapFS{"link": {Data: []byte("/etc/passwd"), Mode: os.ModeSymlink | 0o777}}
	err := Pack(t.Context(), folder, &bytes.Buffer{}, PackOptions{Format: Zip})
	if wire.CodeOf(err) != wire.Invalid {
		t.Errorf("a link was packed: %v", err)
	}
	if err := Pack(t.Context(), folder, &bytes.Buffer{}, PackOptions{}); wire.CodeOf(err) != wire.Invalid {
		t.Errorf("packed in no format: %v", err)
	}
}
