package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// config is what matters here of Docker's config.json.
type config struct {
	dir            string
	CurrentContext string               `json:"currentContext"`
	Auths          map[string]authEntry `json:"auths"`
	CredsStore     string               `json:"credsStore"`
	CredHelpers    map[string]string    `json:"credHelpers"`
}

// readConfig reads config.json from dir, or from where the docker program has it.
// A file that is not there is an empty one.
func readConfig(dir string, getenv func(string) string) (*config, error) {
	if dir == "" {
		dir = getenv("DOCKER_CONFIG")
	}
	if dir == "" {
		home := getenv("HOME")
		if home == "" {
			home, _ = os.UserHomeDir() // without one there is no configuration
		}
		if home == "" {
			return &config{}, nil
		}
		dir = filepath.Join(home, ".docker")
	}
	c := &config{dir: dir}
	path := filepath.Join(dir, "config.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "docker: read the configuration: %w", err)
	}
	if err := json.Unmarshal(data, c); err != nil {
		// The cause could quote a secret.
		return nil, wire.Errorf(wire.Invalid, "docker: %s is no JSON that can be understood; mend it or set DOCKER_CONFIG", path)
	}
	return c, nil
}

// context reads the place of a docker context.
func (c *config) context(name string) (*place, error) {
	sum := sha256.Sum256([]byte(name))
	id := hex.EncodeToString(sum[:])
	path := filepath.Join(c.dir, "contexts", "meta", id, "meta.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, wire.Errorf(wire.NotFound, "docker: there is no context %q; see docker context ls", name)
	}
	if err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "docker: read the context %q: %w", name, err)
	}
	var meta struct {
		Endpoints map[string]struct {
			Host          string
			SkipTLSVerify bool
		}
	}
	if err := json.Unmarshal(data, &meta); err != nil {
		return nil, wire.Errorf(wire.Invalid, "docker: the context %q cannot be understood: %w", name, err)
	}
	end, ok := meta.Endpoints["docker"]
	if !ok {
		return nil, wire.Errorf(wire.Invalid, "docker: the context %q has no docker endpoint; use another", name)
	}
	if end.Host == "" {
		end.Host = defaultHost()
	}
	p, err := parse(end.Host)
	if err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "docker: context %q: %w", name, err)
	}
	certs := filepath.Join(c.dir, "contexts", "tls", id, "docker")
	_, err = os.Stat(certs)
	return p, p.secure(certs, err == nil || end.SkipTLSVerify, !end.SkipTLSVerify)
}
