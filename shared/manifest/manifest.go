package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// The two files of a provider. The server's installer reads the first, the
// server itself the second; each must be complete.
const (
	ProviderFile  = "codeboltprovider.yaml"
	ProvidersFile = "providers.yaml"
)

// SchemaFile is beside them, where there is one: the JSON Schema of the configuration.
const SchemaFile = "settings.schema.json"

// Manifest is what a provider says about itself.
type Manifest struct {
	Name        string   `config:"name"`
	UniqueID    string   `config:"unique_id"`
	Version     string   `config:"version"` // semantic version
	Description string   `config:"description"`
	Author      string   `config:"author"`
	Tags        []string `config:"tags"`
	Type        string   `config:"type"`       // always "provider"
	Entrypoint  string   `config:"entrypoint"` // slash-separated, relative to the provider's directory
	Runtime     string   `config:"runtime"`

	// NativeEntrypoint is the provider's program for servers that start it without
	// Node, slash-separated and relative; {platform} in it stands for a system and a
	// processor as GOOS and GOARCH, such as linux-amd64, and on Windows .exe is added.
	// "" when there is none.
	NativeEntrypoint string `config:"nativeEntrypoint"`
	// ProviderType is what a server's list of installed providers calls its kind:
	// docker, e2b, local, remote or custom; "" is the last.
	ProviderType string `config:"providerType"`
	// RuntimePlatforms are the platforms that environments elsewhere may have, and
	// for which codebolt-runtime is installed with the provider.
	RuntimePlatforms []string `config:"runtimePlatforms"`

	SupportedSyncModes []string     `config:"supportedSyncModes"`
	DefaultSyncMode    string       `config:"defaultSyncMode"` // one of SupportedSyncModes
	Capabilities       Capabilities `config:"capabilities"`

	// Aliases are further names and ids that the provider answers to, such as
	// those of the provider it replaces.
	Aliases []string `config:"aliases"`

	// Config holds the defaults of the configuration, its lowest layer. It is
	// never nil.
	Config map[string]any `config:"config"`

	// Extra holds the keys that are none of the above, of both files; where both
	// have a key, codeboltprovider.yaml counts.
	Extra map[string]any `config:",remain"`

	// Warnings are sentences about keys that nobody reads and that look like a known
	// one that is mistyped, each with its file, line and column.
	Warnings []string
}

// document is one file as it was read.
type document struct {
	*Manifest
	at positions
}

// Capabilities is what a provider offers to bring work back.
type Capabilities struct {
	SyncModes       []string       `config:"syncModes"`
	MergeStrategies []string       `config:"mergeStrategies"`
	Extra           map[string]any `config:",remain"`
}

// AnswersTo reports whether the provider is meant by this name: its name, its
// unique id or an alias, exactly as written.
func (m *Manifest) AnswersTo(name string) bool {
	return name != "" && (name == m.Name || name == m.UniqueID || slices.Contains(m.Aliases, name))
}

// Program is the name of the provider's program, without .exe, which is the end of
// NativeEntrypoint; "" when there is none.
func (m *Manifest) Program() string {
	if m.NativeEntrypoint == "" {
		return ""
	}
	return path.Base(m.NativeEntrypoint)
}

// Load reads and checks the manifest in a directory of fsys. The name of
// providers.yaml may differ and then becomes an alias. It fails with NotFound
// when a file is missing and with Invalid, naming everything that is wrong, when
// a file is.
func Load(fsys fs.FS, dir string) (*Manifest, error) {
	first, err := read(fsys, path.Join(dir, ProviderFile))
	if err != nil {
		return nil, err
	}
	second, err := read(fsys, path.Join(dir, ProvidersFile))
	if err != nil {
		return nil, err
	}
	problems := append(first.problems(path.Join(dir, ProviderFile)), second.problems(path.Join(dir, ProvidersFile))...)
	problems = append(problems, disagreements(path.Join(dir, ProvidersFile), first, second)...)
	if len(problems) > 0 {
		return nil, wire.Errorf(wire.Invalid, "manifest: %s", strings.Join(problems, "; "))
	}
	first.Warnings = append(first.warnings(path.Join(dir, ProviderFile)), second.warnings(path.Join(dir, ProvidersFile))...)
	for _, name := range append([]string{second.Name}, second.Aliases...) {
		if !first.AnswersTo(name) {
			first.Aliases = append(first.Aliases, name)
		}
	}
	first.Extra = Merge(second.Extra, first.Extra)
	return first.Manifest, nil
}

func read(fsys fs.FS, name string) (*document, error) {
	text, err := fs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, wire.Errorf(wire.NotFound, "manifest: %s is missing; a provider has %s and %s: %w", name, ProviderFile, ProvidersFile, err)
	}
	if err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "manifest: %w", err)
	}
	at, err := locate(text)
	if err != nil {
		return nil, invalidYAML(name, err)
	}
	var members map[string]any
	if err := yaml.Unmarshal(text, &members); err != nil {
		if _, is := errors.AsType[*yaml.UnexpectedNodeTypeError](err); is {
			return nil, wire.Errorf(wire.Invalid, "manifest: %s:1:1: it has no keys and values; write lines such as name: my-provider", name)
		}
		return nil, invalidYAML(name, err)
	}
	m := &Manifest{}
	if _, wrong, err := decode(members, m); err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "manifest: %w", err)
	} else if len(wrong) > 0 {
		var found []string
		for _, one := range wrong {
			found = append(found, fmt.Sprintf("%s:%s: %s", name, at.of(one.key), one.sentence()))
		}
		return nil, wire.Errorf(wire.Invalid, "manifest: %s", strings.Join(found, "; "))
	}
	if m.Config == nil {
		m.Config = map[string]any{}
	}
	return &document{m, at}, nil
}

var (
	uniqueID = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9_-]*$`)
	// semantic is the expression that semver.org recommends, without captures.
	semantic = regexp.MustCompile(`^(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)` +
		`(?:-(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?` +
		`(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?$`)
	platformName  = regexp.MustCompile(`^[a-z0-9]+-[a-z0-9]+$`)
	providerTypes = []string{"docker", "e2b", "local", "remote", "custom"}
	syncModes     = []string{"git", "workspace_sync", "none"}
)

// ValidPlatform tells whether a name has the form of a platform's: a system and a
// processor by the names of GOOS and GOARCH, as in linux-amd64.
func ValidPlatform(name string) bool { return platformName.MatchString(name) }

// problems are sentences about what is wrong in one file, each with its place.
func (m *document) problems(file string) []string {
	var found []string
	wrong := func(is bool, key, sentence string) {
		if is {
			found = append(found, file+":"+m.at.of(key)+": "+sentence)
		}
	}
	for _, required := range []struct{ key, value, example string }{
		{"name", m.Name, "my-provider"},
		{"unique_id", m.UniqueID, "acme-my-provider"},
		{"version", m.Version, "1.0.0"},
		{"description", m.Description, "Gives each environment a …"},
		{"author", m.Author, "Acme"},
		{"entrypoint", m.Entrypoint, "dist/index.js"},
		{"runtime", m.Runtime, "node"},
	} {
		wrong(strings.TrimSpace(required.value) == "", required.key, required.key+" is missing; write one such as "+required.key+": "+required.example)
	}
	wrong(m.UniqueID != "" && !uniqueID.MatchString(m.UniqueID), "unique_id",
		"unique_id "+quote(m.UniqueID)+" must begin with a letter and go on with letters, digits, - and _; write one such as acme-my-provider")
	wrong(m.Version != "" && !semantic.MatchString(m.Version), "version",
		"version "+quote(m.Version)+" is no semantic version; write one such as 1.0.0")
	wrong(m.Type != "provider", "type", "type is "+quote(m.Type)+"; write provider")
	wrong(m.Entrypoint != "" && !fs.ValidPath(m.Entrypoint), "entrypoint",
		"entrypoint "+quote(m.Entrypoint)+" must be a relative path within the provider; write one such as dist/index.js")
	wrong(m.NativeEntrypoint != "" && !fs.ValidPath(m.NativeEntrypoint), "nativeEntrypoint",
		"nativeEntrypoint "+quote(m.NativeEntrypoint)+" must be a relative path within the provider; write one such as bin/{platform}/program")
	wrong(m.ProviderType != "" && !slices.Contains(providerTypes, m.ProviderType), "providerType",
		"providerType is "+quote(m.ProviderType)+"; write one of "+strings.Join(providerTypes, ", "))
	for i, platform := range m.RuntimePlatforms {
		wrong(!ValidPlatform(platform), item("runtimePlatforms", i), "runtimePlatforms has "+quote(platform)+"; write a platform such as linux-amd64")
	}
	wrong(len(m.SupportedSyncModes) == 0, "supportedSyncModes", "supportedSyncModes is empty; write at least one of "+strings.Join(syncModes, ", "))
	for i, mode := range m.SupportedSyncModes {
		wrong(!slices.Contains(syncModes, mode), item("supportedSyncModes", i), "supportedSyncModes has "+quote(mode)+"; write "+strings.Join(syncModes, ", "))
	}
	wrong(!slices.Contains(m.SupportedSyncModes, m.DefaultSyncMode), "defaultSyncMode",
		"defaultSyncMode is "+quote(m.DefaultSyncMode)+", which supportedSyncModes does not have; write one that it has")
	for i, alias := range m.Aliases {
		wrong(strings.TrimSpace(alias) == "", item("aliases", i), "aliases has an empty name; take it out")
		wrong(slices.Contains(m.Aliases[:i], alias), item("aliases", i), "aliases has "+quote(alias)+" twice; take one out")
	}
	return found
}

func item(list string, i int) string { return fmt.Sprintf("%s[%d]", list, i) }

// disagreements are sentences about what the two files say differently, each with its
// place in the second.
func disagreements(file string, first, second *document) []string {
	var found []string
	differ := func(is bool, key string) {
		if is {
			found = append(found, file+":"+second.at.of(key)+": "+key+" differs from the one in "+ProviderFile+"; write the same in both")
		}
	}
	differ(first.UniqueID != second.UniqueID, "unique_id")
	differ(first.Version != second.Version, "version")
	differ(!reflect.DeepEqual(first.Config, second.Config), "config")
	return found
}

// warnings are sentences about mistyped keys.
func (m *document) warnings(file string) []string {
	var found []string
	warn := func(key, name string, known []string) {
		if near, ok := Nearest(name, known); ok {
			found = append(found, fmt.Sprintf("%s:%s: nobody reads %s; did you mean %s?", file, m.at.of(keyOf(key)), key, near))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(m.Extra)) {
		warn(key, key, knownKeys(reflect.TypeFor[Manifest]()))
	}
	for _, key := range slices.Sorted(maps.Keys(m.Capabilities.Extra)) {
		warn("capabilities."+key, key, knownKeys(reflect.TypeFor[Capabilities]()))
	}
	return found
}

// knownKeys are the keys that fill a struct.
func knownKeys(of reflect.Type) (keys []string) {
	for i := range of.NumField() {
		if key := of.Field(i).Tag.Get("config"); key != "" && !strings.HasPrefix(key, ",") {
			keys = append(keys, key)
		}
	}
	return keys
}
