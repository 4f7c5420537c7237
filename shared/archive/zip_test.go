package archive

import (
	"archive/zip"
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestAnArchiveThatBecomesTooMuchIsTooLarge(t *testing.T) {
	many := func(names ...string) []byte {
		var out bytes.Buffer
		w := zip.NewWriter(&out)
		for _, name := range names {
			f, err := w.Create(name)
			if err == nil && !strings.HasSuffix(name, "/") {
				_, err = f.Write(make([]byte, 1000))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	lying := many("a")
	for _, magic := range []string{"PK\x01\x02", "PK\x07\x08"} { // where its size stands
		at := bytes.Index(lying, []byte(magic))
		if magic == "PK\x01\x02" {
			at += 24
		} else {
			at += 12
		}
		copy(lying[at:], []byte{1, 0, 0, 0})
	}
	var long []string
	for i := range 300 {
		long = append(long, fmt.Sprint(i)+strings.Repeat("x", 60_000))
	}
	for name, c := range map[string]struct {
		archive []byte
		bytes   int64
		items   int
		code    wire.Code
	}{
		"as much as may be":      {many("a", "b/c"), 2000, 3, ""},
		"a byte too many":        {many("a", "b/c"), 1999, 3, wire.TooLarge},
		"an item too many":       {many("a", "b", "c"), 9000, 2, wire.TooLarge},
		"a folder too many":      {many("a", "b/c"), 9000, 2, wire.TooLarge},
		"many folders for one":   {many("a/b/c/d/e/f/"), 9000, 5, wire.TooLarge},
		"it lies about its size": {lying, 500, 3, wire.Invalid},
		"a list without end":     {many(long...), 1 << 30, 1000, wire.TooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			into, err := os.OpenRoot(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer into.Close()
			err = Unpack(t.Context(), bytes.NewReader(c.archive), int64(len(c.archive)), into, UnpackOptions{MaxBytes: c.bytes, MaxItems: c.items})
			if wire.CodeOf(err) != c.code {
				t.Errorf("kind %q, want %q: %v", wire.CodeOf(err), c.code, err)
			}
		})
	}
}
