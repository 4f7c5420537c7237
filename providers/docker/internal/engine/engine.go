package engine

import (
	"context"
	"net"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// The oldest API this package speaks: Docker 19.03's.
const minAPI = "1.40"

// connectLimit bounds Connect, whatever its context says.
const connectLimit = 30 * time.Second

// Options say which daemon to use. The zero value is what the docker program
// would use.
type Options struct {
	// Host is unix:///path, npipe:////./pipe/name, tcp://host:port or
	// ssh://user@host[:port][/socket]. "" is the one of Context; without that
	// DOCKER_HOST, the context DOCKER_CONTEXT, the current context of config.json,
	// and last the platform's default socket.
	Host string
	// Context is the name of a docker context. It excludes Host.
	Context string
	// CertPath is a folder with ca.pem, cert.pem and key.pem for a tcp:// host;
	// "" is DOCKER_CERT_PATH. A context brings its own.
	CertPath string
	// TLSVerify demands TLS of a tcp:// host, and a certificate that ca.pem, or the
	// system, vouches for. It is also set by DOCKER_TLS_VERIFY.
	TLSVerify bool
	// ConfigDir is where config.json and the contexts are; "" is DOCKER_CONFIG,
	// then ~/.docker.
	ConfigDir string
	// SSH opens the way to an ssh:// host: connections to a unix socket there. When
	// it is nil such hosts are refused with kind Unsupported.
	SSH func(ctx context.Context, host *url.URL) (dial func(ctx context.Context, socket string) (net.Conn, error), closeAll func() error, err error)
	// Getenv looks up environment variables; nil is os.Getenv.
	Getenv func(string) string
}

// Info describes a daemon as it was when Connect met it.
type Info struct {
	Host          string // where it answers, without credentials
	Local         bool   // reached by a socket of this machine, whose files it shares
	APIVersion    string // as negotiated
	ServerVersion string
	OS, Arch      string // of its containers, in Go's names: linux, amd64
	Rootless      bool   // runs without root
	UserNS        bool   // maps the containers' users to others
	// Sockets tells that a socket in a mounted folder leads out of its containers: they
	// run on the daemon's own kernel, and its default runtime is an ordinary one.
	Sockets bool
	// Which limits it can set; it ignores or refuses the others.
	MemoryLimit, PidsLimit, CPULimit bool
	Warnings                         []string

	logDriver string
}

// Engine is a connection to a Docker daemon. Its methods are safe for concurrent
// use. What only looks, and what has the same effect twice, is tried again for a
// few seconds when the daemon's connection breaks, since a daemon may restart.
//
// Errors have these kinds beside those that methods name: Unavailable when the
// daemon does not answer, Timeout and Unavailable when ctx ends first, Permission
// when the daemon may not be used, and Invalid for names that are none.
type Engine struct {
	api      *api
	info     Info
	place    *place
	config   *config
	getenv   func(string) string
	closeSSH func() error
	pauses   []time.Duration // between tries
}

// Connect finds the daemon, asks for its version and abilities and agrees on an
// API version. It does not try again. It fails with kind Invalid when the options
// or Docker's own configuration are wrong, NotFound when there is no such context,
// Unavailable when no daemon answers, Permission when it is not for this user or
// certificate, Timeout after 30 s, and Unsupported when the daemon speaks no API
// as new as 1.40 (Docker 19.03).
func Connect(ctx context.Context, o Options) (*Engine, error) {
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	e := &Engine{getenv: o.Getenv, closeSSH: func() error { return nil }}
	if e.getenv == nil {
		e.getenv = os.Getenv
	}
	for pause := 100 * time.Millisecond; pause < 2*time.Second; pause *= 2 {
		e.pauses = append(e.pauses, pause)
	}
	var err error
	if e.config, err = readConfig(o.ConfigDir, e.getenv); err != nil {
		return nil, err
	}
	if e.place, err = find(&o, e.config, e.getenv); err != nil {
		return nil, err
	}
	if e.place.url.Scheme == "ssh" {
		if err := e.openSSH(ctx, &o); err != nil {
			return nil, err
		}
	}
	address := ""
	if e.place.url.Scheme == "tcp" {
		address = e.place.url.Host + e.place.url.Path
	}
	if e.api, err = newAPI(address, e.place.dial); err == nil {
		err = e.meet(ctx)
	}
	if err != nil {
		_ = e.Close() // the error that ended it says more
		return nil, e.fail("connect", err)
	}
	return e, nil
}

func (e *Engine) openSSH(ctx context.Context, o *Options) error {
	if o.SSH == nil {
		return wire.Errorf(wire.Unsupported, "docker: %s: ssh hosts are not supported here; use a unix or tcp host", e.place)
	}
	dial, closeAll, err := o.SSH(ctx, e.place.url)
	if err != nil {
		return wire.Errorf(wire.CodeOf(err), "docker: reach %s: %w", e.place, err)
	}
	if closeAll != nil {
		e.closeSSH = closeAll
	}
	socket := e.place.url.Path
	if socket == "" || socket == "/" {
		socket = "/var/run/docker.sock"
	}
	e.place.open = func(ctx context.Context) (net.Conn, error) {
		conn, err := dial(ctx, socket)
		if err != nil {
			return nil, err
		}
		return withDeadlines(conn), nil
	}
	return nil
}

// meet agrees on a version and asks what the daemon can do.
func (e *Engine) meet(ctx context.Context) error {
	version, err := e.api.ping(ctx)
	switch {
	case err != nil:
		return err
	case version == "":
		return wire.Errorf(wire.Unsupported, "docker: what answers at %s is no Docker daemon: it names no API version", e.place)
	case older(version, minAPI):
		return wire.Errorf(wire.Unsupported, "docker: the daemon at %s speaks API %s; %s (Docker 19.03) or newer is needed: upgrade it", e.place, version, minAPI)
	}
	if e.info, err = e.api.info(ctx); err != nil {
		return err
	}
	e.info.Host, e.info.Local = e.place.String(), e.place.local()
	e.info.Warnings = append(e.info.Warnings, e.place.warnings...)
	if e.info.OS != "" && e.info.OS != "linux" {
		return wire.Errorf(wire.Unsupported, "docker: the daemon at %s runs %s containers; switch it to linux containers", e.place, e.info.OS)
	}
	return nil
}

// Close ends the connections. Streams that are open are closed by their owners.
func (e *Engine) Close() error {
	if e.api != nil {
		_ = e.api.close() // it only drops idle connections
	}
	return e.closeSSH()
}

// Info describes the daemon as it was when Connect met it.
func (e *Engine) Info() Info { return e.info }

// older compares API versions such as 1.41; what cannot be read is old.
func older(version, than string) bool {
	number := func(v string) int {
		major, minor, _ := strings.Cut(v, ".")
		a, err1 := strconv.Atoi(major)
		b, err2 := strconv.Atoi(minor)
		if err1 != nil || err2 != nil {
			return -1
		}
		return a*10000 + b
	}
	return number(version) < number(than)
}

var nameForm = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

// named refuses names that would change the meaning of a request.
func named(kind, name string) error {
	if !nameForm.MatchString(name) {
		return wire.Errorf(wire.Invalid, "docker: %q is no name or id of a %s: use letters, digits, '_', '.' and '-'", name, kind)
	}
	return nil
}
