package archive

import (
	"bytes"
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
