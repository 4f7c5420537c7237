package manifest_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

const provider = `# a comment
name: sample
unique_id: codebolt-sample
version: 1.2.3
description: A sample
author: Somebody
tags: [custom-agent]
type: provider
entrypoint: dist/index.js
runtime: node
supportedSyncModes: [git]
defaultSyncMode: git
capabilities:
  syncModes: [git]
  mergeStrategies: [patch]
  gitTransport: github_pr
aliases: [old-sample]
license: MIT
config:
  port: 0
  host: 127.0.0.1
  list: []
  timeouts:
    cleanup: 15000
`

func files(first, second string) fstest.MapFS {
	return fstest.MapFS{
		"sample/codeboltprovider.yaml": {Data: []byte(first)},
		"sample/providers.yaml":        {Data: []byte(second)},
	}
}

func TestBothFilesMakeOneManifest(t *testing.T) {
	t.Parallel()
	second := strings.NewReplacer("name: sample", "name: sample-production", "license: MIT", "license: none\nhomepage: example.com").Replace(provider)
	got, err := manifest.Load(files(provider, second), "sample")
	if err != nil {
		t.Fatal(err)
	}
	want := &manifest.Manifest{
		Name: "sample", UniqueID: "codebolt-sample", Version: "1.2.3", Description: "A sample", Author: "Somebody",
		Tags: []string{"custom-agent"}, Type: "provider", Entrypoint: "dist/index.js", Runtime: "node",
		SupportedSyncModes: []string{"git"}, DefaultSyncMode: "git",
		Capabilities: manifest.Capabilities{
			SyncModes: []string{"git"}, MergeStrategies: []string{"patch"}, Extra: map[string]any{"gitTransport": "github_pr"},
		},
		Aliases: []string{"old-sample", "sample-production"},
		Config: map[string]any{
			"port": uint64(0), "host": "127.0.0.1", "list": []any{}, "timeouts": map[string]any{"cleanup": uint64(15000)},
		},
		Extra: map[string]any{"license": "MIT", "homepage": "example.com"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, answers := range map[string]bool{
		"sample": true, "codebolt-sample": true, "old-sample": true, "sample-production": true,
		"": false, "Sample": false, "other": false,
	} {
		if got.AnswersTo(name) != answers {
			t.Errorf("answers to %q: %v", name, !answers)
		}
	}
}

func TestAMissingConfigurationIsEmpty(t *testing.T) {
	t.Parallel()
	text, _, _ := strings.Cut(provider, "config:")
	m, err := manifest.Load(files(text, text), "sample")
	if err != nil {
		t.Fatal(err)
	}
	if m.Config == nil || len(m.Config) != 0 {
		t.Errorf("got %#v", m.Config)
	}
}

func TestBothFilesMustAgree(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ old, new, want string }{
		{"unique_id: codebolt-sample", "unique_id: other", "unique_id differs"},
		{"version: 1.2.3", "version: 1.2.4-rc.1+build", "version differs"},
		{"cleanup: 15000", "cleanup: 15001", "config differs"},
	} {
		_, err := manifest.Load(files(provider, strings.Replace(provider, c.old, c.new, 1)), "sample")
		if !errors.Is(err, wire.Invalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %q", c.new, err, c.want)
		}
	}
}

func TestAMissingFileIsNamed(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"codeboltprovider.yaml", "providers.yaml"} {
		fsys := files(provider, provider)
		delete(fsys, "sample/"+name)
		_, err := manifest.Load(fsys, "sample")
		if !errors.Is(err, wire.NotFound) || !strings.Contains(err.Error(), "sample/"+name) {
			t.Errorf("got %v", err)
		}
	}
}
