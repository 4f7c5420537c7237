package manifests_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/codeboltai/codebolt-providers/manifests"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
)

// compiled is a schema that is a file of this module.
func compiled(t *testing.T, path string) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// instance is a YAML text as a schema sees it.
func instance(t *testing.T, text string) any {
	t.Helper()
	var members any
	if err := yaml.Unmarshal([]byte(text), &members); err != nil {
		t.Fatal(err)
	}
	plain, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(plain)))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestEveryManifestIsAsTheSchemaHasIt(t *testing.T) {
	t.Parallel()
	schema := compiled(t, "manifest.schema.json")
	for _, e := range manifests.All() {
		for _, file := range []string{manifest.ProviderFile, manifest.ProvidersFile} {
			text, err := fs.ReadFile(manifests.Files(e.Folder), file)
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(instance(t, string(text))); err != nil {
				t.Errorf("%s/%s: %v", e.Folder, file, err)
			}
		}
		// And its defaults are a configuration.
		config, err := json.Marshal(e.Manifest.Config)
		if err != nil {
			t.Fatal(err)
		}
		if err := compiled(t, filepath.Join(e.Folder, manifest.SchemaFile)).Validate(instance(t, string(config))); err != nil {
			t.Errorf("%s: the defaults: %v", e.Folder, err)
		}
	}
}

// TestTheSchemaRefusesWhatIsRefused holds the schema and what reads manifests against
// each other.
func TestTheSchemaRefusesWhatIsRefused(t *testing.T) {
	t.Parallel()
	schema := compiled(t, "manifest.schema.json")
	good, err := fs.ReadFile(manifests.Files("gitworktree"), manifest.ProviderFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]string{
		{"name: git-worktree\n", ""},
		{"name: git-worktree\n", "name: ' '\n"},
		{"unique_id: codebolt-git-worktree", "unique_id: 1x"},
		{"version: 1.0.0", "version: 1.0"},
		{"version: 1.0.0", "version: v1.0.0"},
		{"author: Codebolt\n", ""},
		{"type: provider\n", "type: agent\n"},
		{"providerType: local", "providerType: cloud"},
		{"entrypoint: dist/index.js", "entrypoint: ../index.js"},
		{"entrypoint: dist/index.js", "entrypoint: /index.js"},
		{"nativeEntrypoint: bin/", "nativeEntrypoint: /bin/"},
		{"supportedSyncModes: [git]", "supportedSyncModes: []"},
		{"supportedSyncModes: [git]", "supportedSyncModes: [magic]"},
		{"defaultSyncMode: git", "defaultSyncMode: magic"},
		{"tags: [", "tags: x\nrest: ["},
		{"config:\n", "config: 5\nrest:\n"},
		{"  - git-worktree\n", "  - ''\n"},
		{"  - git-worktree\n", "  - git-worktree-production\n"},
	} {
		broken := strings.Replace(string(good), c[0], c[1], 1)
		if broken == string(good) {
			t.Fatalf("%q is not in the manifest", c[0])
		}
		if schema.Validate(instance(t, broken)) == nil {
			t.Errorf("the schema takes %q in place of %q", c[1], c[0])
		}
		if _, err := manifest.Load(folder(broken), "."); err == nil {
			t.Errorf("it is read with %q in place of %q", c[1], c[0])
		}
	}
}

// folder has both files of a provider with one text.
func folder(text string) fs.FS {
	file := &fstest.MapFile{Data: []byte(text)}
	return fstest.MapFS{manifest.ProviderFile: file, manifest.ProvidersFile: file}
}
