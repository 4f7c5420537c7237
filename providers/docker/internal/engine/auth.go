package engine

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// hubKey is how Docker's configuration names the registry docker.io.
const hubKey = "https://index.docker.io/v1/"

const (
	// helperLimit bounds one run of a credential helper.
	helperLimit = 10 * time.Second
	// helperMax is how much of a helper's answer is read.
	helperMax = 64 << 10
)

// authEntry is a registry's entry in config.json.
type authEntry struct {
	Auth          string `json:"auth"`
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

// login is a way into a registry. It is never printed.
type login struct {
	Username      string `json:"username,omitempty"`
	Password      string `json:"password,omitempty"`
	ServerAddress string `json:"serveraddress,omitempty"`
	IdentityToken string `json:"identitytoken,omitempty"`
	RegistryToken string `json:"registrytoken,omitempty"`
}

// header is the value of X-Registry-Auth.
func (l *login) header() string {
	data, err := json.Marshal(l)
	if err != nil {
		return "" // strings always can be
	}
	return base64.URLEncoding.EncodeToString(data)
}

// String and GoString keep the login out of whatever prints it.
func (l *login) String() string   { return "login" }
func (l *login) GoString() string { return "login" }

// login finds the login of a registry as the docker program does: by the
// registry's credential helper, the one for all, or in the file. nil is none. An
// error says why a helper was of no use and holds no secret.
func (c *config) login(ctx context.Context, registry string, getenv func(string) string) (*login, error) {
	key := registry
	if registry == "docker.io" || registry == "index.docker.io" {
		key = hubKey
	}
	helper := c.CredsStore
	if own, ok := c.CredHelpers[registry]; ok {
		helper = own
	} else if own, ok := c.CredHelpers[key]; ok {
		helper = own
	}
	var failed error
	if helper != "" {
		found, err := askHelper(ctx, helper, key, getenv)
		if found != nil {
			return found, nil
		}
		failed = err
	}
	return c.stored(key), failed
}

// stored is the login that is in the file itself.
func (c *config) stored(key string) *login {
	entry, ok := c.Auths[key]
	if !ok {
		for name, e := range c.Auths {
			if hostOf(name) == hostOf(key) {
				entry, ok = e, true
			}
		}
	}
	l := &login{
		Username: entry.Username, Password: entry.Password, ServerAddress: key,
		IdentityToken: entry.IdentityToken, RegistryToken: entry.RegistryToken,
	}
	if data, err := base64.StdEncoding.DecodeString(entry.Auth); err == nil && len(data) > 0 {
		l.Username, l.Password, _ = strings.Cut(string(data), ":")
		l.Password = strings.Trim(l.Password, "\x00")
	}
	if !ok || l.Password == "" && l.IdentityToken == "" && l.RegistryToken == "" {
		return nil
	}
	return l
}

// hostOf is the host of an entry's name, which may be a URL.
func hostOf(name string) string {
	name = strings.TrimPrefix(strings.TrimPrefix(name, "https://"), "http://")
	host, _, _ := strings.Cut(name, "/")
	return host
}

// askHelper runs docker-credential-NAME get. nil without an error: it knows none.
func askHelper(ctx context.Context, name, key string, getenv func(string) string) (*login, error) {
	program := "docker-credential-" + name
	if strings.ContainsAny(name, `/\`) {
		return nil, fmt.Errorf("%q is no name of a credential helper", name)
	}
	path := ""
	for _, dir := range filepath.SplitList(getenv("PATH")) {
		if found, err := exec.LookPath(filepath.Join(dir, program)); err == nil && filepath.IsAbs(found) {
			path = found
			break
		}
	}
	if path == "" {
		return nil, fmt.Errorf("%s is not installed", program)
	}
	ctx, cancel := context.WithTimeout(ctx, helperLimit)
	defer cancel()
	var out capped
	cmd := exec.CommandContext(ctx, path, "get")
	cmd.Env = append(os.Environ(), "PATH="+getenv("PATH"))
	cmd.Stdin, cmd.Stdout = strings.NewReader(key), &out
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s did not answer within %v", program, helperLimit)
	case err != nil && bytes.Contains(out.Bytes(), []byte("credentials not found")):
		return nil, nil //nolint:nilnil // it knows none
	case err != nil:
		return nil, fmt.Errorf("%s failed: %w", program, err)
	}
	var answer struct{ Username, Secret string }
	if json.Unmarshal(out.Bytes(), &answer) != nil || answer.Secret == "" {
		return nil, fmt.Errorf("the answer of %s cannot be understood", program) // and not be shown
	}
	if answer.Username == "<token>" {
		return &login{IdentityToken: answer.Secret, ServerAddress: key}, nil
	}
	return &login{Username: answer.Username, Password: answer.Secret, ServerAddress: key}, nil
}

// capped keeps the beginning of what is written to it.
type capped struct{ bytes.Buffer }

func (c *capped) Write(p []byte) (int, error) {
	if room := helperMax - c.Len(); room > 0 {
		c.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}
