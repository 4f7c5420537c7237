package sshconn

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// host is everything decided about one hop.
type host struct {
	alias string // as it was asked for
	name  string // to be dialled
	user  string
	port  int

	network        string
	identities     []string // those that somebody named, in order
	defaults       bool     // nobody named any: the usual names count
	identitiesOnly bool
	certificates   []string
	agent          string // a socket, or ""
	home           string

	knownAs          string // host:port in known_hosts
	userKnownHosts   []string
	globalKnownHosts []string
	hashKnownHosts   bool
	hostKeyOrder     string // HostKeyAlgorithms
	revoked          string
	strict           string

	jumps        []string
	proxyCommand bool

	connectTimeout time.Duration
	keepAlive      time.Duration
	methods        []string // of authentication, in order
	passwordTries  int
	batch          bool
}

// String is user@host:port.
func (h *host) String() string {
	return h.user + "@" + h.address()
}

func (h *host) address() string { return net.JoinHostPort(h.name, strconv.Itoa(h.port)) }

// resolve finds out about one hop what the options and the configuration say.
func resolve(t Target, o *Options) (*host, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	c, err := readConfiguration(t, o)
	if err != nil {
		return nil, err
	}
	h := &host{alias: t.Host, home: c.home}
	if err := h.fill(t, c, o); err != nil {
		if _, classified := errors.AsType[*wire.Error](err); classified {
			return nil, err
		}
		return nil, wire.Errorf(wire.Invalid, "ssh: the configuration of %s: %w", t.Host, err)
	}
	return h, nil
}

func readConfiguration(t Target, o *Options) (*configuration, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, wire.Errorf(wire.NotFound, "ssh: the home directory, where the configuration lies, is not known: %w", err)
	}
	c := &configuration{
		original: t.Host, user: t.User, home: home, log: o.log(),
		localUser: os.Getenv("USER"), values: map[string][]string{},
	}
	if me, err := user.Current(); err == nil {
		c.localUser = me.Username[strings.LastIndex(me.Username, `\`)+1:] // Windows puts the domain before
	}
	files := o.ConfigFiles
	if files == nil {
		files = []string{filepath.Join(home, ".ssh", "config"), "/etc/ssh/ssh_config"}
	}
	return c, c.read(files)
}

func (h *host) fill(t Target, c *configuration, o *Options) error {
	name, err := expand(c.first("hostname"), map[byte]string{'h': t.Host})
	if err != nil {
		return err
	}
	h.name = strings.ToLower(or(name, t.Host))
	h.user = or(t.User, c.first("user"), c.localUser)
	if h.port = t.Port; h.port == 0 {
		if h.port, err = c.number("port", 22, 65535); err != nil {
			return err
		}
	}
	// What a configuration says must be as sound as what was asked for.
	if err := (Target{Host: h.name, User: h.user, Port: h.port}).check(); err != nil {
		return err
	}
	h.network = map[string]string{"inet": "tcp4", "inet6": "tcp6"}[strings.ToLower(c.first("addressfamily"))]
	h.network = or(h.network, "tcp")
	h.proxyCommand = !slices.Contains([]string{"", "none"}, strings.ToLower(c.first("proxycommand")))

	machine, _ := os.Hostname()
	tokens := map[byte]string{
		'h': h.name, 'n': h.alias, 'p': strconv.Itoa(h.port), 'r': h.user, 'u': c.localUser, 'd': c.home,
		'i': strconv.Itoa(os.Getuid()), 'l': machine, 'k': or(c.first("hostkeyalias"), h.name),
	}
	tokens['L'], _, _ = strings.Cut(machine, ".")
	if jump := c.first("proxyjump"); !slices.Contains([]string{"", "none"}, strings.ToLower(jump)) {
		if jump, err = expand(jump, tokens); err != nil {
			return err
		}
		h.jumps = strings.Split(jump, ",")
	}
	if err := h.fillIdentity(c, o, tokens); err != nil {
		return err
	}
	if err := h.fillTrust(c, o, tokens); err != nil {
		return err
	}
	return h.fillTimes(c, o)
}

// fillIdentity decides as whom to log in, and how.
func (h *host) fillIdentity(c *configuration, o *Options, tokens map[byte]string) (err error) {
	identities := slices.Concat(o.IdentityFiles, c.values["identityfile"])
	h.defaults = len(identities) == 0
	for _, text := range identities {
		if strings.EqualFold(text, "none") {
			continue
		}
		path, err := c.path(text, tokens)
		if err != nil {
			return err
		}
		if !slices.Contains(h.identities, path) {
			h.identities = append(h.identities, path)
		}
	}
	for _, text := range c.values["certificatefile"] {
		path, err := c.path(text, tokens)
		if err != nil {
			return err
		}
		h.certificates = append(h.certificates, path)
	}
	usual := os.Getenv("SSH_AUTH_SOCK")
	if usual == "" && runtime.GOOS == "windows" {
		usual = `\\.\pipe\openssh-ssh-agent`
	}
	switch agent := or(o.AgentSocket, c.first("identityagent"), "SSH_AUTH_SOCK"); {
	case strings.EqualFold(agent, "none"):
	case agent == "SSH_AUTH_SOCK":
		h.agent = usual
	case agent[0] == '$' && !strings.HasPrefix(agent, "${"):
		h.agent = os.Getenv(agent[1:])
	default:
		if h.agent, err = c.path(agent, tokens); err != nil {
			return err
		}
	}
	enabled := map[string]bool{}
	for keyword, method := range map[string]string{
		"pubkeyauthentication": "publickey", "passwordauthentication": "password", "kbdinteractiveauthentication": "keyboard-interactive",
	} {
		value := c.first(keyword)
		if keyword == "kbdinteractiveauthentication" {
			value = or(value, c.first("challengeresponseauthentication"))
		}
		enabled[method] = !strings.EqualFold(value, "no")
	}
	for method := range strings.SplitSeq(or(c.first("preferredauthentications"), "publickey,keyboard-interactive,password"), ",") {
		if enabled[method] {
			h.methods = append(h.methods, method)
		}
	}
	if h.passwordTries, err = c.number("numberofpasswordprompts", 3, 1000); err != nil {
		return err
	}
	h.identitiesOnly, h.batch = c.yes("identitiesonly"), c.yes("batchmode")
	return nil
}

// fillTrust decides how the host proves that it is the right one.
func (h *host) fillTrust(c *configuration, o *Options, tokens map[byte]string) (err error) {
	h.knownAs = h.address()
	if alias := c.first("hostkeyalias"); alias != "" {
		h.knownAs = net.JoinHostPort(alias, "22") // an alias stands in known_hosts without a port
	}
	users := o.KnownHosts
	if users == nil {
		if users = c.values["userknownhostsfile"]; users == nil {
			users = []string{"~/.ssh/known_hosts", "~/.ssh/known_hosts2"}
		}
	}
	global := c.values["globalknownhostsfile"]
	if global == nil {
		global = []string{"/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"}
	}
	for _, list := range []struct {
		from []string
		to   *[]string
	}{{users, &h.userKnownHosts}, {global, &h.globalKnownHosts}} {
		for _, text := range list.from {
			if strings.EqualFold(text, "none") {
				continue
			}
			path, err := c.path(text, tokens)
			if err != nil {
				return err
			}
			*list.to = append(*list.to, path)
		}
	}
	if revoked := c.first("revokedhostkeys"); revoked != "" && !strings.EqualFold(revoked, "none") {
		if h.revoked, err = c.path(revoked, tokens); err != nil {
			return err
		}
	}
	h.hashKnownHosts, h.hostKeyOrder = c.yes("hashknownhosts"), c.first("hostkeyalgorithms")
	h.strict, err = policy(o.StrictHostKey, c.first("stricthostkeychecking"), h, o.log())
	return err
}

func policy(option, configured string, h *host, log *slog.Logger) (string, error) {
	switch option {
	case StrictAsk, StrictAcceptNew, StrictYes:
		return option, nil
	case "":
	default:
		return "", fmt.Errorf("the policy for host keys is %q; it can be ask, accept-new or yes", option)
	}
	switch strings.ToLower(configured) {
	case "", "ask":
		return StrictAsk, nil
	case "accept-new":
		return StrictAcceptNew, nil
	case "yes", "true":
		return StrictYes, nil
	case "no", "off", "false":
		log.Warn("ssh: StrictHostKeyChecking no is taken for accept-new: a host key that changed is refused all the same", "host", h.alias)
		return StrictAcceptNew, nil
	}
	return "", fmt.Errorf("StrictHostKeyChecking is %q; it can be ask, accept-new, yes or no", configured)
}
