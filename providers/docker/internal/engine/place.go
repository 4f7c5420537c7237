package engine

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/docker/go-connections/tlsconfig"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// place is where a daemon answers.
type place struct {
	url      *url.URL
	open     opener      // a plain connection
	tls      *tls.Config // nil: none
	warnings []string
}

// String is how the place is shown: without credentials.
func (p *place) String() string { return strings.ReplaceAll(p.url.Redacted(), ":xxxxx@", "@") }

func (p *place) local() bool { return p.url.Scheme == "unix" || p.url.Scheme == "npipe" }

func defaultHost() string {
	if runtime.GOOS == "windows" {
		return "npipe:////./pipe/docker_engine"
	}
	return "unix:///var/run/docker.sock"
}

// find says where the daemon is, in the docker program's order.
func find(o *Options, c *config, getenv func(string) string) (*place, error) {
	host, name := o.Host, o.Context
	if host != "" && name != "" {
		return nil, wire.Errorf(wire.Invalid, "docker: both a host and the context %q are given; give one", name)
	}
	if host == "" && name == "" {
		if host = getenv("DOCKER_HOST"); host == "" {
			if name = getenv("DOCKER_CONTEXT"); name == "" {
				name = c.CurrentContext
			}
		}
	}
	if host == "" && name != "" && name != "default" {
		return c.context(name)
	}
	if host == "" {
		host = defaultHost()
	}
	p, err := parse(host)
	if err != nil {
		return nil, err
	}
	certs := o.CertPath
	if certs == "" {
		certs = getenv("DOCKER_CERT_PATH")
	}
	verify := o.TLSVerify || getenv("DOCKER_TLS_VERIFY") != ""
	if certs == "" && verify {
		certs = c.dir
	}
	return p, p.secure(certs, certs != "", verify)
}

// parse reads a host as DOCKER_HOST has it.
func parse(host string) (*place, error) {
	const say = "use unix:///path/docker.sock, tcp://host:port or ssh://user@host"
	u, err := url.Parse(host)
	if err != nil {
		return nil, wire.Errorf(wire.Invalid, "docker: the daemon's address is no URL; %s", say) // the cause would show its password
	}
	p := &place{url: u}
	switch {
	case u.Scheme == "unix" && u.Host == "" && u.Path != "":
		p.open = dialer("unix", u.Path)
	case u.Scheme == "npipe" && u.Path != "":
		p.open = pipeDialer(strings.ReplaceAll("//"+strings.TrimLeft(u.Path, "/"), "/", `\`))
	case u.Scheme == "tcp" && u.Hostname() != "":
	case u.Scheme == "ssh" && u.Hostname() != "":
	default:
		return nil, wire.Errorf(wire.Invalid, "docker: %q is no address of a daemon; %s", p.String(), say)
	}
	return p, nil
}

// secure finishes a tcp place: its port, its TLS from the folder dir, and what is
// to be said about it. Other places it leaves.
func (p *place) secure(dir string, encrypted, verify bool) error {
	if p.url.Scheme != "tcp" {
		return nil
	}
	port := "2375"
	if encrypted {
		port = "2376"
		var err error
		if p.tls, err = certificates(dir, p.url.Hostname(), verify); err != nil {
			return err
		}
	}
	if p.url.Port() == "" {
		p.url.Host = net.JoinHostPort(p.url.Hostname(), port)
	}
	p.open = dialer("tcp", p.url.Host)
	ip := net.ParseIP(p.url.Hostname())
	switch loopback := p.url.Hostname() == "localhost" || ip.IsLoopback(); {
	case encrypted && !verify:
		p.warnings = append(p.warnings, "the certificate of the Docker daemon at "+p.String()+" is not verified: set DOCKER_TLS_VERIFY=1")
	case !encrypted && !loopback:
		p.warnings = append(p.warnings, "the Docker daemon at "+p.String()+" is reached without encryption or authentication: use TLS or ssh://")
	}
	return nil
}

// certificates reads ca.pem, cert.pem and key.pem as far as they are in dir.
func certificates(dir, server string, verify bool) (*tls.Config, error) {
	file := func(name string) (string, error) {
		path := filepath.Join(dir, name)
		switch _, err := os.Stat(path); {
		case err == nil:
			return path, nil
		case errors.Is(err, fs.ErrNotExist):
			return "", nil
		default:
			return "", err
		}
	}
	ca, err1 := file("ca.pem")
	cert, err2 := file("cert.pem")
	key, err3 := file("key.pem")
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "docker: read the certificates: %w", err)
	}
	c, err := tlsconfig.Client(tlsconfig.Options{CAFile: ca, CertFile: cert, KeyFile: key, InsecureSkipVerify: !verify, ExclusiveRootPools: ca != ""})
	if err != nil {
		return nil, wire.Errorf(wire.Invalid, "docker: the certificates in %s cannot be used: %w", dir, err)
	}
	c.ServerName = server
	return c, nil
}
