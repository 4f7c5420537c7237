package manifests

import (
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

const (
	first  = "codeboltprovider.yaml" // what an installer reads
	second = "providers.yaml"        // what a server reads
)

// needs is what every check of files needs.
var needs = []suite.Capability{suite.Manifest}

var (
	identifier = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_-]*$`)
	version    = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)([-+][0-9A-Za-z.+-]+)?$`)
	secretName = regexp.MustCompile(`(?i)key$|token$|secret|passw|credential`)
	secret     = regexp.MustCompile(`\b(ghp_|gho_|github_pat_|sk-|dtn_|e2b_|AKIA|eyJ)[A-Za-z0-9_-]{12,}`)
)

// taken are the ids and names under which other providers are installed.
var taken = []string{
	"git-worktree", "git-worktree-production", "git-work-tree-provider", "gitWorkTreeProvider", "local-threadpool-worktree-provider",
	"dockerremoteprovider", "docker-remoteprovider", "dockerprovider", "remoteserverprovider", "e2b", "e2b-remote",
	"daytona-remote-provider", "agentfs-provider", "narrative-snapshot-provider",
}

// parse reads a manifest file as YAML. One that is none ends the check.
func parse(t *suite.T, name string) suite.Message {
	text, err := fs.ReadFile(t.Target().Files, name)
	if err != nil {
		t.Fatalf("%s cannot be read: %v", name, err)
	}
	var members map[string]any
	if err := yaml.Unmarshal(text, &members); err != nil {
		t.Fatalf("%s is no YAML of keys and values: %v", name, err)
	}
	if len(members) == 0 {
		t.Fatalf("%s is empty", name)
	}
	return members
}

// leaves are the keys of a configuration that hold no further keys, such as
// timeouts.cleanup, with their defaults.
func leaves(config map[string]any) map[string]any {
	all := map[string]any{}
	for key, value := range config {
		if group, ok := value.(map[string]any); ok {
			for inner, value := range leaves(group) {
				all[key+"."+inner] = value
			}
			continue
		}
		all[key] = value
	}
	return all
}

func keys() []suite.Check {
	return []suite.Check{
		{
			ID: "MF-001", Level: suite.Must, Needs: needs,
			Title: "Both manifest files are there and hold keys and values",
			Why:   "The installer reads the one and the server the other; without either the provider cannot be chosen.",
			Run: func(t *suite.T) {
				parse(t, first)
				parse(t, second)
			},
		},
		{
			ID: "MF-002", Level: suite.Must, Needs: needs,
			Title: "Both files have every key that installers and servers read, each of its type",
			Why:   "A publisher refuses a manifest that lacks one, and a list of providers shows it with holes.",
			Run: func(t *suite.T) {
				for _, file := range []string{first, second} {
					m := parse(t, file)
					for _, key := range []string{"name", "unique_id", "version", "description", "author", "type", "entrypoint", "runtime"} {
						if strings.TrimSpace(m.Text(key)) == "" {
							t.Errorf("%s: %s is missing or no text: %v", file, key, m[key])
						}
					}
					if id := m.Text("unique_id"); !identifier.MatchString(id) {
						t.Errorf("%s: unique_id %q does not match %s", file, id, identifier)
					}
					if v := m.Text("version"); !version.MatchString(v) {
						t.Errorf("%s: version %q is not of the form x.y.z", file, v)
					}
					t.Equal(file+": type", m["type"], "provider")
					if entry := m.Text("entrypoint"); !fs.ValidPath(entry) {
						t.Errorf("%s: entrypoint %q is no relative path within the provider", file, entry)
					}
					texts(t, file, "tags", m["tags"])
					for _, key := range []string{"capabilities", "config"} {
						if m.Object(key) == nil {
							t.Errorf("%s: %s is missing or holds no keys: %v", file, key, m[key])
						}
					}
				}
			},
		},
		{
			ID: "MF-003", Level: suite.Must, Needs: needs,
			Title: "Both files name the modes of synchronisation and a default among them",
			Why:   "A server offers these modes when an environment is made; an unknown one can be chosen and never works.",
			Run: func(t *suite.T) {
				known := []string{"git", "workspace_sync", "none"}
				for _, file := range []string{first, second} {
					m := parse(t, file)
					modes := texts(t, file, "supportedSyncModes", m["supportedSyncModes"])
					for _, mode := range modes {
						if !slices.Contains(known, mode) {
							t.Errorf("%s: supportedSyncModes has %q, which is none of %v", file, mode, known)
						}
					}
					if mode := m.Text("defaultSyncMode"); !slices.Contains(modes, mode) {
						t.Errorf("%s: defaultSyncMode is %q, which supportedSyncModes does not have", file, mode)
					}
				}
			},
		},
		{
			ID: "MF-004", Level: suite.Must, Needs: needs,
			Title: "The two files agree in all but the name",
			Why:   "What was installed from one file is configured from the other.",
			Run: func(t *suite.T) {
				a, b := parse(t, first), parse(t, second)
				both := maps.Clone(a)
				maps.Copy(both, b)
				for _, key := range slices.Sorted(maps.Keys(both)) {
					if key != "name" {
						t.Equal(fmt.Sprintf("%s of %s beside %s", key, second, first), b[key], a[key])
					}
				}
			},
		},
		{
			ID: "MF-005", Level: suite.Must, Needs: needs,
			Title: "The unique id is no other provider's",
			Why:   "Installed beside the other one, each would be started in place of the other.",
			Run: func(t *suite.T) {
				for _, file := range []string{first, second} {
					id := parse(t, file).Text("unique_id")
					if id == "" || slices.ContainsFunc(taken, func(other string) bool { return strings.EqualFold(id, other) }) {
						t.Errorf("%s: the unique_id %q is taken", file, id)
					}
				}
			},
		},
		{
			ID: "MF-006", Level: suite.Must, Needs: needs,
			Title: "No default is a secret",
			Why:   "What is in a manifest is published.",
			Run: func(t *suite.T) {
				for _, file := range []string{first, second} {
					for key, value := range leaves(parse(t, file).Object("config")) {
						if text, ok := value.(string); ok && text != "" && secretName.MatchString(key) {
							t.Errorf("%s: %s looks like a secret and has a default", file, key)
						}
					}
					text, err := fs.ReadFile(t.Target().Files, file)
					t.Try(err)
					if at := secret.FindIndex(text); at != nil {
						t.Errorf("%s: the text at byte %d looks like a secret", file, at[0])
					}
				}
			},
		},
	}
}

// texts is a value that must be a list of texts, not empty.
func texts(t *suite.T, file, key string, value any) []string {
	list, _ := value.([]any)
	all := make([]string, 0, len(list))
	for _, item := range list {
		text, ok := item.(string)
		if !ok || strings.TrimSpace(text) == "" {
			t.Errorf("%s: %s holds what is no text: %v", file, key, item)
			continue
		}
		all = append(all, text)
	}
	if len(all) == 0 {
		t.Errorf("%s: %s is missing, empty or no list: %v", file, key, value)
	}
	return all
}
