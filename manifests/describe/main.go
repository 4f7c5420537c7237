// Command describe writes what is made from the manifests: for each provider the JSON
// Schema of its settings, and the table of them in its README. It is run in the folder
// of the manifests, by make docs.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/codeboltai/codebolt-providers/manifests"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
)

func main() {
	for _, e := range manifests.All() {
		if err := describe(e); err != nil {
			fmt.Fprintf(os.Stderr, "describe %s: %v\n", e.Folder, err)
			os.Exit(1)
		}
	}
}

func describe(e manifests.Entry) error {
	text, err := fs.ReadFile(manifests.Files(e.Folder), manifest.ProvidersFile)
	if err != nil {
		return err
	}
	settings, err := manifest.Settings(text)
	if err != nil {
		return err
	}
	schema, err := manifest.Schema(e.Manifest.Name, settings)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(e.Folder, manifest.SchemaFile), schema, 0o644); err != nil {
		return err
	}
	return replaceTable(filepath.Join("..", "providers", e.Folder, "README.md"), table(settings))
}

// The lines in a README between which the table stands.
const (
	begin = "<!-- settings: made from the manifest by make docs -->\n"
	end   = "<!-- end of the settings -->\n"
)

func replaceTable(path string, with []byte) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(text, []byte(begin))
	_, after, closed := bytes.Cut(rest, []byte(end))
	if !ok || !closed {
		return fmt.Errorf("%s has no place for the table of settings: the line %s", path, begin)
	}
	return os.WriteFile(path, bytes.Join([][]byte{before, []byte(begin), with, []byte(end), after}, nil), 0o644)
}

// table is the settings as Markdown.
func table(settings []manifest.Setting) []byte {
	var out bytes.Buffer
	out.WriteString("| key | type | default | meaning |\n|---|---|---|---|\n")
	for _, s := range settings {
		value, err := json.Marshal(s.Default)
		if err != nil {
			value = nil // what the parser read has a JSON form
		}
		shown := "`" + string(value) + "`"
		if s.Default == "" {
			shown = ""
		}
		meaning := s.Description
		if s.Group != "" && !strings.HasPrefix(s.Group, "Agents") {
			meaning = strings.TrimSpace(meaning + " " + s.Group)
		}
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", s.Key, s.Type, shown, strings.ReplaceAll(meaning, "|", `\|`))
	}
	return out.Bytes()
}
