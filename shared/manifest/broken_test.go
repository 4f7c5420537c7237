package manifest_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestWhatIsWrongIsSaidWithItsPlaceAndWhatToWrite(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ old, new, want string }{
		{"name: sample\n", "", "1:1: name is missing; write one such as name: my-provider"},
		{"name: sample\n", "name: [a]\n", "2:7: name is a list; write a text, in quotes where need be"},
		{"unique_id: codebolt-sample\n", "", "1:1: unique_id is missing; write one such as unique_id: acme-my-provider"},
		{"unique_id: codebolt-sample", "unique_id: 1sample", "3:12: unique_id \"1sample\" must begin with a letter and go on with letters, digits, - and _; write one such as acme-my-provider"},
		{"unique_id: codebolt-sample", "unique_id: a b", "3:12: unique_id \"a b\" must begin with a letter and go on with letters, digits, - and _; write one such as acme-my-provider"},
		{"version: 1.2.3\n", "", "1:1: version is missing; write one such as version: 1.0.0"},
		{"version: 1.2.3", "version: 1.2", "4:10: version is a number; write a text, in quotes where need be"},
		{"version: 1.2.3", "version: v1.2.3", "4:10: version \"v1.2.3\" is no semantic version; write one such as 1.0.0"},
		{"version: 1.2.3", "version: 01.2.3", "4:10: version \"01.2.3\" is no semantic version; write one such as 1.0.0"},
		{"description: A sample\n", "", "1:1: description is missing; write one such as description: Gives each environment a …"},
		{"description: A sample", "description: {a: b}", "5:14: description is a group of keys; write a text, in quotes where need be"},
		{"author: Somebody", "author: ' '", "6:9: author is missing; write one such as author: Acme"},
		{"type: provider", "type: agent", "8:7: type is \"agent\"; write provider"},
		{"type: provider\n", "", "1:1: type is \"\"; write provider"},
		{"entrypoint: dist/index.js", "entrypoint: ../index.js", "9:13: entrypoint \"../index.js\" must be a relative path within the provider; write one such as dist/index.js"},
		{"entrypoint: dist/index.js", "entrypoint: /index.js", "9:13: entrypoint \"/index.js\" must be a relative path within the provider; write one such as dist/index.js"},
		{"entrypoint: dist/index.js", "entrypoint: 5", "9:13: entrypoint is a number; write a text, in quotes where need be"},
		{"runtime: node\n", "", "1:1: runtime is missing; write one such as runtime: node"},
		{"runtime: node\n", "runtime: node\nnativeEntrypoint: /usr/bin/x\n", "11:19: nativeEntrypoint \"/usr/bin/x\" must be a relative path within the provider; write one such as bin/{platform}/program"},
		{"runtime: node\n", "runtime: node\nproviderType: cloud\n", "11:15: providerType is \"cloud\"; write one of docker, e2b, local, remote, custom"},
		{"runtime: node\n", "runtime: node\nruntimePlatforms: [linux-amd64, linux]\n", "11:33: runtimePlatforms has \"linux\"; write a platform such as linux-amd64"},
		{"runtime: node\n", "runtime: node\nruntimePlatforms:\n  - linux-amd64\n  - Linux/amd64\n", "13:5: runtimePlatforms has \"Linux/amd64\"; write a platform such as linux-amd64"},
		{"supportedSyncModes: [git]", "supportedSyncModes: []", "11:21: supportedSyncModes is empty; write at least one of git, workspace_sync, none; sample/codeboltprovider.yaml:12:18: defaultSyncMode is \"git\", which supportedSyncModes does not have; write one that it has"},
		{"supportedSyncModes: [git]", "supportedSyncModes: git", "11:21: supportedSyncModes is a text; write a list"},
		{"supportedSyncModes: [git]", "supportedSyncModes: [git, magic]", "11:27: supportedSyncModes has \"magic\"; write git, workspace_sync, none"},
		{"defaultSyncMode: git", "defaultSyncMode: none", "12:18: defaultSyncMode is \"none\", which supportedSyncModes does not have; write one that it has"},
		{"  syncModes: [git]\n", "  syncModes: git\n", "14:14: capabilities.syncModes is a text; write a list"},
		{"aliases: [old-sample]", "aliases: [a, a]", "17:14: aliases has \"a\" twice; take one out"},
		{"aliases: [old-sample]", "aliases: ['']", "17:11: aliases has an empty name; take it out"},
		{"tags: [custom-agent]", "tags: custom-agent", "7:7: tags is a text; write a list"},
		{"tags: [custom-agent]", "tags: [[a]]", "7:8: tags[0] is a list; write a text, in quotes where need be"},
		{"config:\n", "config: 5\nrest:\n", "19:9: config is a number; write keys and values"},
		{"config:\n", "config: [1]\nrest:\n", "19:9: config is a list; write keys and values"},
		{"capabilities:\n", "capabilities: none\nrest:\n", "13:15: capabilities is a text; write keys and values"},
		{"runtime: node", "runtime: node\nruntime: bun", "11:1: not valid YAML: mapping key \"runtime\" already defined at [10:1]"},
		{"runtime: node", "runtime: [", "10:10: not valid YAML: sequence end token ']' not found"},
		{"runtime: node", "runtime: 'node", "10:10: not valid YAML: could not find end character of single-quoted text"},
		{"runtime: node", "\truntime: node", "10:1: not valid YAML: found character '\t' that cannot start any token"},
		{provider, "- a list\n", "1:1: it has no keys and values; write lines such as name: my-provider"},
		{"# a comment", "just words", "1:1: not valid YAML: unexpected key name"},
	} {
		broken := strings.Replace(provider, c.old, c.new, 1)
		if broken == provider {
			t.Fatalf("%q is not in the sample", c.old)
		}
		_, err := manifest.Load(files(broken, provider), "sample")
		if !errors.Is(err, wire.Invalid) {
			t.Errorf("%q: kind %q: %v", c.new, wire.CodeOf(err), err)
			continue
		}
		first, _, _ := strings.Cut(err.Error(), "; sample/providers.yaml:") // which differs then
		if want := "manifest: sample/codeboltprovider.yaml:" + c.want; first != want {
			t.Errorf("%q:\n got %s\nwant %s", c.new, first, want)
		}
	}
}

func TestAMistypedKeyIsWarnedOf(t *testing.T) {
	t.Parallel()
	second := strings.NewReplacer("license: MIT\n", "license: MIT\naliasses: [x]\n", "  gitTransport: github_pr\n", "  mergeStrategy: [patch]\n").Replace(provider)
	m, err := manifest.Load(files(provider, second), "sample")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"sample/providers.yaml:19:1: nobody reads aliasses; did you mean aliases?",
		"sample/providers.yaml:16:3: nobody reads capabilities.mergeStrategy; did you mean mergeStrategies?",
	}
	if diff := cmp.Diff(want, m.Warnings); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
