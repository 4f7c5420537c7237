package manifests_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/manifests"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/redact"
)

func settingsOf(t *testing.T, folder string) []manifest.Setting {
	t.Helper()
	text, err := fs.ReadFile(manifests.Files(folder), manifest.ProvidersFile)
	if err != nil {
		t.Fatal(err)
	}
	settings, err := manifest.Settings(text)
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

func TestEachSettingIsDescribedAndSecretsAreMarked(t *testing.T) {
	t.Parallel()
	for _, e := range manifests.All() {
		settings := settingsOf(t, e.Folder)
		if len(settings) < 20 {
			t.Errorf("%s has only %d settings", e.Folder, len(settings))
		}
		for _, s := range settings {
			if s.Description == "" {
				t.Errorf("%s: nothing says what %s is for", e.Folder, s.Key)
			}
			name := s.Key[strings.LastIndex(s.Key, ".")+1:]
			// The path of a file with a secret in it is none itself, nor is what is done
			// about keys.
			if redact.SecretName(name) && !strings.HasSuffix(name, "File") && name != "strictHostKey" && !s.Secret {
				t.Errorf("%s: %s is not marked as a secret", e.Folder, s.Key)
			}
			if text, is := s.Default.(string); is && s.Secret && text != "" {
				t.Errorf("%s: the secret %s has a default", e.Folder, s.Key)
			}
		}
	}
}

func TestTheSchemasAreThoseOfTheManifests(t *testing.T) {
	t.Parallel()
	for _, e := range manifests.All() {
		want, err := manifest.Schema(e.Manifest.Name, settingsOf(t, e.Folder))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(e.Folder, manifest.SchemaFile))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s/%s is not what the manifest says (%v); make docs writes it", e.Folder, manifest.SchemaFile, err)
		}
	}
}
