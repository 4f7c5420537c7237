package main

import (
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/codeboltai/codebolt-providers/providers/docker/internal/engine"
	"github.com/codeboltai/codebolt-providers/shared/manifest"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// loopback is where ports are published unless another address is named: what an
// agent serves is for this machine.
const loopback = "127.0.0.1"

// ports reads port mappings: a list of texts as for docker run -p, or an object
// from host port to container port.
func ports(value any) ([]engine.Port, error) {
	var texts []string
	switch v := value.(type) {
	case nil:
	case string:
		for _, one := range strings.Split(v, ",") {
			if one = strings.TrimSpace(one); one != "" {
				texts = append(texts, one)
			}
		}
	case []any:
		for i, item := range v {
			written, ok := manifest.Text(item)
			if !ok {
				return nil, wire.Errorf(wire.Invalid, "configuration: ports[%d] is no text; write HOST:CONTAINER", i)
			}
			texts = append(texts, written)
		}
	case map[string]any:
		for _, host := range slices.Sorted(maps.Keys(v)) {
			container, ok := manifest.Text(v[host])
			if !ok {
				return nil, wire.Errorf(wire.Invalid, "configuration: ports.%s is no port", host)
			}
			texts = append(texts, host+":"+container)
		}
	default:
		return nil, wire.Errorf(wire.Invalid, `configuration: ports is neither a list of HOST:CONTAINER nor an object {"host": "container"}`)
	}
	var all []engine.Port
	for _, text := range texts {
		p, ok := port(text)
		if !ok {
			return nil, wire.Errorf(wire.Invalid, "configuration: ports has %q, which is not [ADDRESS:][HOST:]CONTAINER[/udp]", text)
		}
		all = append(all, p)
	}
	return all, nil
}

// port reads [ADDRESS:][HOST:]CONTAINER[/PROTOCOL].
func port(text string) (p engine.Port, ok bool) {
	rest, protocol, named := strings.Cut(text, "/")
	p = engine.Port{HostIP: loopback, Protocol: "tcp"}
	if named {
		if p.Protocol = protocol; protocol != "tcp" && protocol != "udp" && protocol != "sctp" {
			return p, false
		}
	}
	host, container := "", rest
	if i := strings.LastIndexByte(rest, ':'); i >= 0 {
		host, container = rest[:i], rest[i+1:]
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		p.HostIP, host = strings.Trim(host[:i], "[]"), host[i+1:]
		if net.ParseIP(p.HostIP) == nil {
			return p, false
		}
	}
	var err error
	if p.ContainerPort, err = strconv.Atoi(container); err != nil || p.ContainerPort < 1 || p.ContainerPort > 65535 {
		return p, false
	}
	if host != "" {
		p.HostPort, err = strconv.Atoi(host)
	}
	return p, err == nil && p.HostPort >= 0 && p.HostPort <= 65535
}
