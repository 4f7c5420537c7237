package manifests_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/codeboltai/codebolt-providers/manifests"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/redact"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestEveryManifestIsValidAndNoNameIsTakenTwice(t *testing.T) {
	t.Parallel()
	owner := map[string]string{}
	var folders []string
	for _, e := range manifests.All() {
		folders = append(folders, e.Folder)
		names := append([]string{e.Folder, e.Manifest.Name, e.Manifest.UniqueID}, e.Manifest.Aliases...)
		for _, name := range names {
			if other, taken := owner[name]; taken && other != e.Folder {
				t.Errorf("%q means both %s and %s", name, other, e.Folder)
			}
			owner[name] = e.Folder
		}
	}
	if diff := cmp.Diff([]string{"docker", "gitworktree", "local", "remoteserver"}, folders); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAProviderIsFoundByAnyOfItsNames(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"gitworktree": "gitworktree", "git-worktree": "gitworktree", "codebolt-git-worktree": "gitworktree",
		"git-work-tree-provider": "gitworktree", "git-worktree-production": "gitworktree",
		"local-threadpool-worktree-provider": "gitworktree", "local": "local", "codebolt-local": "local",
		"docker": "docker", "docker-remoteprovider": "docker", "dockerremoteprovider": "docker",
		"remote-server": "remoteserver", "remoteserver": "remoteserver", "remoteserverprovider": "remoteserver", "codebolt-remote-server": "remoteserver",
	} {
		m, folder, err := manifests.Load(name)
		if err != nil || folder != want || m == nil {
			t.Errorf("%q: got %q, %v", name, folder, err)
		}
	}
}

func TestAnUnknownProviderGetsASuggestion(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"git-worktre": "did you mean git-worktree?",
		"":            "among codebolt-docker, codebolt-git-worktree, codebolt-local, codebolt-remote-server",
		"e2b":         "among codebolt-docker, codebolt-git-worktree, codebolt-local, codebolt-remote-server",
	} {
		_, _, err := manifests.Load(name)
		if !errors.Is(err, wire.NotFound) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", name, err, want)
		}
	}
}

func TestAFolderIsAManifest(t *testing.T) {
	t.Parallel()
	m, err := manifest.Load(manifests.Files("local"), ".")
	if err != nil || m.UniqueID != "codebolt-local" {
		t.Errorf("got %+v, %v", m, err)
	}
	defer func() {
		if recover() == nil {
			t.Error("an unknown folder did not panic")
		}
	}()
	manifests.Files("unknown")
}

func TestAManifestHasEveryKeyThatItsProviderReadsAndNoOther(t *testing.T) {
	t.Parallel()
	base := keysOf(t, "../shared/provider/settings.go", "Settings")
	worktree := keysOf(t, "../shared/worktree/config.go", "Config")
	for folder, reads := range map[string][]string{
		"gitworktree":  worktree,
		"local":        keysOf(t, "../providers/local/local.go", "config"),
		"docker":       append(keysOf(t, "../providers/docker/config.go", "config"), worktree...),
		"remoteserver": append(keysOf(t, "../providers/remoteserver/config.go", "config"), worktree...),
	} {
		m, _, err := manifests.Load(folder)
		if err != nil {
			t.Fatal(err)
		}
		want := slices.Sorted(slices.Values(slices.Concat(reads, base)))
		if folder == "docker" || folder == "remoteserver" { // keys that mean nothing elsewhere, and setup, which is refused there
			want = slices.DeleteFunc(slices.Compact(want), func(key string) bool {
				return slices.Contains([]string{"setup", "setupTimeout", "agentServerHost", "agentServerPort"}, key)
			})
		}
		if folder == "local" { // whose environments have no snapshots
			want = slices.DeleteFunc(want, func(key string) bool { return key == "snapshot" })
		}
		if diff := cmp.Diff(want, leaves("", m.Config)); diff != "" {
			t.Errorf("%s (-read +in the manifest):\n%s", folder, diff)
		}
	}
}

func TestNoManifestHoldsASecret(t *testing.T) {
	t.Parallel()
	for _, e := range manifests.All() {
		for key, value := range e.Manifest.Config {
			if redact.SecretName(key) && value != "" {
				t.Errorf("%s: %s has a value", e.Folder, key)
			}
		}
	}
}

// leaves are the keys of a configuration, nested ones as "outer.inner", sorted.
func leaves(prefix string, config map[string]any) []string {
	var keys []string
	for key, value := range config {
		if inner, ok := value.(map[string]any); ok && len(inner) > 0 {
			keys = append(keys, leaves(prefix+key+".", inner)...)
			continue
		}
		keys = append(keys, prefix+key)
	}
	slices.Sort(keys)
	return keys
}

// keysOf reads the config tags of a struct from its source: the struct itself
// is in a program or in a package that this module does not import.
func keysOf(t *testing.T, file, name string) []string {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), filepath.FromSlash(file), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	structs := map[string]*ast.StructType{}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok {
			if s, ok := spec.Type.(*ast.StructType); ok {
				structs[spec.Name.Name] = s
			}
		}
		return true
	})
	if structs[name] == nil {
		t.Fatalf("%s has no struct %s", file, name)
	}
	var walk func(prefix string, s *ast.StructType) []string
	walk = func(prefix string, s *ast.StructType) []string {
		var keys []string
		for _, field := range s.Fields.List {
			if field.Tag == nil {
				continue
			}
			tag, err := strconv.Unquote(field.Tag.Value)
			if err != nil {
				t.Fatal(err)
			}
			key := reflect.StructTag(tag).Get("config")
			if ident, ok := field.Type.(*ast.Ident); ok && structs[ident.Name] != nil {
				keys = append(keys, walk(prefix+key+".", structs[ident.Name])...)
				continue
			}
			keys = append(keys, prefix+key)
		}
		return keys
	}
	return walk("", structs[name])
}
