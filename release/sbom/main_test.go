package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/CycloneDX/cyclonedx-go"

	"github.com/codeboltai/codebolt-providers/shared/archive"
)

// packed packs this test's own program and a text.
func packed(t *testing.T, name string, program []byte) string {
	t.Helper()
	at := filepath.Join(t.TempDir(), name)
	to, err := os.Create(at)
	if err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{"README.md": {Data: []byte("# Example\n"), Mode: 0o644}}
	if program != nil {
		files["bin/program"] = &fstest.MapFile{Data: program, Mode: 0o755}
	}
	if err := archive.Pack(t.Context(), files, to, archive.PackOptions{Format: archive.FormatOf(name), Under: "example"}); err != nil {
		t.Fatal(err)
	}
	if err := to.Close(); err != nil {
		t.Fatal(err)
	}
	return at
}

func own(t *testing.T) []byte {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func sha(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func TestADocumentTellsOfEveryProgramAndModule(t *testing.T) {
	program := own(t)
	for _, name := range []string{"example_1.2.3_linux_amd64.tar.gz", "example_1.2.3_windows_amd64.zip"} {
		t.Run(name, func(t *testing.T) {
			from, document := packed(t, name, program), filepath.Join(t.TempDir(), "document.json")
			if err := run(t.Context(), "1.2.3", []string{from, document}); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(document)
			if err != nil {
				t.Fatal(err)
			}
			var bom cyclonedx.BOM
			if err := cyclonedx.NewBOMDecoder(bytes.NewReader(text), cyclonedx.BOMFileFormatJSON).Decode(&bom); err != nil {
				t.Fatal(err)
			}
			whole, err := os.ReadFile(from)
			if err != nil {
				t.Fatal(err)
			}
			if c := bom.Metadata.Component; c.Name != name || c.Version != "1.2.3" || (*c.Hashes)[0].Value != sha(whole) {
				t.Errorf("of the archive it says %+v", c)
			}
			if bom.SpecVersion != format {
				t.Errorf("it is CycloneDX %s", bom.SpecVersion)
			}
			if bom.SerialNumber != "" || bom.Metadata.Timestamp != "" {
				t.Errorf("it differs each time: %q, %q", bom.SerialNumber, bom.Metadata.Timestamp)
			}
			found := map[string]cyclonedx.Component{}
			for _, c := range *bom.Components {
				found[c.BOMRef] = c
			}
			if c := found["file:example/bin/program"]; c.Hashes == nil || (*c.Hashes)[0].Value != sha(program) {
				t.Errorf("of the program it says %+v", c)
			}
			needed := []string{
				"pkg:golang/std@" + strings.TrimPrefix(runtime.Version(), "go"),
				"pkg:golang/github.com/CycloneDX/cyclonedx-go@v0.12.0",
				"pkg:golang/github.com/codeboltai/codebolt-providers/shared@v1.2.3",
				"pkg:golang/github.com/codeboltai/codebolt-providers/release@v1.2.3",
			}
			var uses []string
			for _, d := range *bom.Dependencies {
				if d.Ref == "file:example/bin/program" {
					uses = *d.Dependencies
				}
			}
			for _, ref := range needed {
				if found[ref].PackageURL != ref || !slices.Contains(uses, ref) {
					t.Errorf("it does not tell of %s: there is %v", ref, uses)
				}
			}
			if c := found[needed[1]]; c.Hashes == nil {
				t.Errorf("there is no checksum of %+v", c)
			}
			again := filepath.Join(t.TempDir(), "again.json")
			if err := run(t.Context(), "1.2.3", []string{from, again}); err != nil {
				t.Fatal(err)
			}
			if second, err := os.ReadFile(again); err != nil || !bytes.Equal(text, second) {
				t.Errorf("the second document is another: %v", err)
			}
		})
	}
}

func TestAnArchiveWithoutAProgramIsAnError(t *testing.T) {
	document := filepath.Join(t.TempDir(), "document.json")
	err := run(t.Context(), "1.2.3", []string{packed(t, "example.tar.gz", nil), document})
	if err == nil || !strings.Contains(err.Error(), "no Go program") {
		t.Error(err)
	}
	if _, err := os.Stat(document); err == nil {
		t.Error("there is a document all the same")
	}
	if run(t.Context(), "", []string{"a", "b"}) == nil || run(t.Context(), "1.2.3", []string{"a"}) == nil {
		t.Error("arguments that are missing are not missed")
	}
}
