package manifest

import (
	"errors"
	"io/fs"
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
	problems := append(first.problems(ProviderFile), second.problems(ProvidersFile)...)
	problems = append(problems, disagreements(first, second)...)
	if len(problems) > 0 {
		return nil, wire.Errorf(wire.Invalid, "manifest %s: %s", dir, strings.Join(problems, "; "))
	}
	for _, name := range append([]string{second.Name}, second.Aliases...) {
		if !first.AnswersTo(name) {
			first.Aliases = append(first.Aliases, name)
		}
	}
	first.Extra = Merge(second.Extra, first.Extra)
	return first, nil
}

func read(fsys fs.FS, name string) (*Manifest, error) {
	text, err := fs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, wire.Errorf(wire.NotFound, "manifest: %s is missing; a provider has %s and %s: %w", name, ProviderFile, ProvidersFile, err)
	}
	if err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "manifest: %w", err)
	}
	var members map[string]any
	if err := yaml.Unmarshal(text, &members); err != nil {
		return nil, wire.Errorf(wire.Invalid, "manifest: %s is not valid YAML: %w", name, err)
	}
	m := &Manifest{}
	if _, err := decode(name, members, m); err != nil {
		return nil, err
	}
	if m.Config == nil {
		m.Config = map[string]any{}
	}
	return m, nil
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

// problems are sentences about what is wrong in one file.
func (m *Manifest) problems(file string) []string {
	var found []string
	wrong := func(is bool, sentence string) {
		if is {
			found = append(found, file+": "+sentence)
		}
	}
	for _, required := range []struct{ key, value string }{
		{"name", m.Name},
		{"unique_id", m.UniqueID},
		{"version", m.Version},
		{"description", m.Description},
		{"author", m.Author},
		{"entrypoint", m.Entrypoint},
		{"runtime", m.Runtime},
	} {
		wrong(strings.TrimSpace(required.value) == "", required.key+" is missing")
	}
	wrong(m.UniqueID != "" && !uniqueID.MatchString(m.UniqueID),
		"unique_id "+quote(m.UniqueID)+" must begin with a letter and go on with letters, digits, - and _")
	wrong(m.Version != "" && !semantic.MatchString(m.Version),
		"version "+quote(m.Version)+" is no semantic version; write one such as 1.0.0")
	wrong(m.Type != "provider", "type is "+quote(m.Type)+"; write provider")
	wrong(m.Entrypoint != "" && !fs.ValidPath(m.Entrypoint),
		"entrypoint "+quote(m.Entrypoint)+" must be a relative path within the provider, such as dist/index.js")
	wrong(m.NativeEntrypoint != "" && !fs.ValidPath(m.NativeEntrypoint),
		"nativeEntrypoint "+quote(m.NativeEntrypoint)+" must be a relative path within the provider, such as bin/{platform}/program")
	wrong(m.ProviderType != "" && !slices.Contains(providerTypes, m.ProviderType),
		"providerType is "+quote(m.ProviderType)+"; write one of "+strings.Join(providerTypes, ", "))
	for _, platform := range m.RuntimePlatforms {
		wrong(!platformName.MatchString(platform), "runtimePlatforms has "+quote(platform)+"; write a platform such as linux-amd64")
	}
	wrong(len(m.SupportedSyncModes) == 0, "supportedSyncModes is empty; write at least one of "+strings.Join(syncModes, ", "))
	for _, mode := range m.SupportedSyncModes {
		wrong(!slices.Contains(syncModes, mode), "supportedSyncModes has "+quote(mode)+"; write "+strings.Join(syncModes, ", "))
	}
	wrong(!slices.Contains(m.SupportedSyncModes, m.DefaultSyncMode),
		"defaultSyncMode is "+quote(m.DefaultSyncMode)+", which supportedSyncModes does not have")
	for i, alias := range m.Aliases {
		wrong(strings.TrimSpace(alias) == "", "aliases has an empty name")
		wrong(slices.Contains(m.Aliases[:i], alias), "aliases has "+quote(alias)+" twice")
	}
	return found
}

// disagreements are sentences about what the two files say differently.
func disagreements(first, second *Manifest) []string {
	var found []string
	differ := func(key string) {
		found = append(found, key+" differs between "+ProviderFile+" and "+ProvidersFile)
	}
	if first.UniqueID != second.UniqueID {
		differ("unique_id")
	}
	if first.Version != second.Version {
		differ("version")
	}
	if !reflect.DeepEqual(first.Config, second.Config) {
		differ("config")
	}
	return found
}
