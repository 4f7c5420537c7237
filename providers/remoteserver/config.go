package main

import (
	"cmp"
	"log/slog"
	"os"
	"path"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/sshconn"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// config is what this provider can be told besides the base's settings and those
// of the worktree.
type config struct {
	Host string `config:"host"` // an alias of ssh_config, or [user@]host[:port]
	Port int    `config:"port"` // 0 is that of host, or of ssh_config
	User string `config:"user"` // "" likewise

	// Dir is where environments go on the host, and ProgramDir where codebolt-runtime
	// does: absolute, or relative to the user's home there.
	Dir        string `config:"dir"`
	ProgramDir string `config:"programDir"`

	// StoreLimit is how many bytes of files the host keeps for the next environments;
	// nil is the default, and 0 none. Seed are folders of the host where files may be.
	StoreLimit *int64   `config:"storeLimit"`
	Seed       []string `config:"seed"`

	IdentityFiles  []string      `config:"identityFiles"`
	KnownHosts     []string      `config:"knownHosts"`
	StrictHostKey  string        `config:"strictHostKey"`  // ask, accept-new or yes; "" as in ssh_config
	Password       string        `config:"password"`       // secret
	Passphrase     string        `config:"passphrase"`     // secret; of the identity files
	PasswordFile   string        `config:"passwordFile"`   // in its first line is the password
	PassphraseFile string        `config:"passphraseFile"` // likewise
	ConnectTimeout time.Duration `config:"connectTimeout"`
	KeepAlive      time.Duration `config:"keepAlive"`

	Env         any           `config:"env"`        // secret: an object, or texts NAME=VALUE
	PostCreate  []string      `config:"postCreate"` // argv, in the new folder
	PreStop     []string      `config:"preStop"`    // argv, before the runtime stops
	HookTimeout time.Duration `config:"hookTimeout"`

	// Setup is a key of worktrees that are used on this machine.
	Setup []string `config:"setup"`

	target  sshconn.Target
	environ map[string]string
}

const (
	defaultDir        = ".codebolt/environments"
	defaultProgramDir = ".codebolt/runtime"
	defaultStoreLimit = 2 << 30
	// defaultHookTimeout bounds postCreate; preStop also has the time that a stop has.
	defaultHookTimeout = 10 * time.Minute
)

// check completes the configuration and refuses what is wrong.
func (c *config) check(getenv func(string) string) (err error) {
	if c.Host = cmp.Or(strings.TrimSpace(c.Host), getenv("CODEBOLT_REMOTE_HOST")); c.Host == "" {
		return wire.Errorf(wire.Invalid, "configuration: host is missing; name the machine that environments are on, as for ssh: an alias, or user@host")
	}
	if c.target, err = sshconn.ParseTarget(c.Host); err != nil {
		return wire.Errorf(wire.Invalid, "configuration: host: %w", err)
	}
	if c.User != "" {
		c.target.User = c.User
	}
	if c.Port < 0 || c.Port > 65535 {
		return wire.Errorf(wire.Invalid, "configuration: port is %d; write a number up to 65535, or leave it out", c.Port)
	}
	c.target.Port = cmp.Or(c.Port, c.target.Port)
	if !slices.Contains([]string{"", sshconn.StrictAsk, sshconn.StrictAcceptNew, sshconn.StrictYes}, c.StrictHostKey) {
		return wire.Errorf(wire.Invalid, "configuration: strictHostKey is none of %s, %s and %s", sshconn.StrictAsk, sshconn.StrictAcceptNew, sshconn.StrictYes)
	}
	c.Dir, c.ProgramDir, c.HookTimeout = cmp.Or(c.Dir, defaultDir), cmp.Or(c.ProgramDir, defaultProgramDir), cmp.Or(c.HookTimeout, defaultHookTimeout)
	for key, dir := range map[string]string{"dir": c.Dir, "programDir": c.ProgramDir} {
		if err := checkDir(key, dir); err != nil {
			return err
		}
	}
	for _, dir := range c.Seed {
		if err := checkDir("seed", dir); err != nil {
			return err
		}
		if dir == "" {
			return wire.Errorf(wire.Invalid, "configuration: seed has a text that is empty; name folders of the host")
		}
	}
	if c.storeLimit() < 0 {
		return wire.Errorf(wire.Invalid, "configuration: storeLimit is %d; write a number of bytes, or 0 for no store", c.storeLimit())
	}
	if len(c.Setup) > 0 {
		return wire.Errorf(wire.Invalid, "configuration: setup would run on this machine and not on the host; use postCreate")
	}
	if c.HookTimeout < 0 || c.ConnectTimeout < 0 || c.KeepAlive < 0 {
		return wire.Errorf(wire.Invalid, "configuration: hookTimeout, connectTimeout and keepAlive cannot be negative; 0 is the default")
	}
	if err := c.checkSecrets(); err != nil {
		return err
	}
	c.environ, err = manifest.Variables(c.Env)
	return err
}

// storeLimit is how many bytes the store on the host may have.
func (c *config) storeLimit() int64 {
	if c.StoreLimit == nil {
		return defaultStoreLimit
	}
	return *c.StoreLimit
}

// checkDir refuses a folder of the host for which there is no home to be known.
func checkDir(key, dir string) error {
	if _, err := sshconn.Quote(dir); err != nil {
		return wire.Errorf(wire.Invalid, "configuration: %s: %w", key, err)
	}
	if strings.ContainsFunc(dir, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return wire.Errorf(wire.Invalid, "configuration: %s holds what cannot be printed; choose another folder", key)
	}
	if strings.HasPrefix(dir, "~") && dir != "~" && !strings.HasPrefix(dir, "~/") {
		return wire.Errorf(wire.Invalid, "configuration: %s is in the home of another user; write its absolute path", key)
	}
	return nil
}

// placed is a configured folder, once the user's home is known.
func placed(key, dir, home string) (string, error) {
	if dir == "~" || strings.HasPrefix(dir, "~/") {
		dir = "." + dir[1:]
	}
	at := path.Clean(dir)
	if !path.IsAbs(dir) {
		at = path.Join(home, dir)
	}
	if within(home, at) {
		return "", wire.Errorf(wire.Invalid, "configuration: %s is %s, which is the home of the host's user or holds it; choose a folder that is for this alone", key, at)
	}
	return at, nil
}

// within tells that a path is dir or lies below it.
func within(p, dir string) bool {
	return p == dir || dir == "/" || strings.HasPrefix(p, dir+"/")
}

func configOf(req *provider.OpenRequest, getenv func(string) string) (*config, error) {
	cfg := &config{}
	if err := req.Decode(cfg); err != nil {
		return nil, err
	}
	return cfg, cfg.check(getenv)
}

// options are how to connect.
func (c *config) options(log *slog.Logger) sshconn.Options {
	o := sshconn.Options{
		IdentityFiles: c.IdentityFiles, StrictHostKey: c.StrictHostKey,
		ConnectTimeout: c.ConnectTimeout, KeepAlive: c.KeepAlive, Log: log,
	}
	if len(c.KnownHosts) > 0 { // else those of ssh_config
		o.KnownHosts = c.KnownHosts
	}
	o.Ask = c.asking(sshconn.Askpass(os.Getenv))
	return o
}
