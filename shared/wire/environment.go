package wire

import (
	"cmp"
	"crypto/rand"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Environment variables that a server sets for a provider process, and the
// operator's own.
const (
	EnvServerHost        = "CODEBOLT_SERVER_URL" // a bare host, host:port, or a URL
	EnvServerPort        = "SOCKET_PORT"
	EnvAgentID           = "agentId"
	EnvParentID          = "parentId"
	EnvParentInstance    = "parentAgentInstanceId"
	EnvAgentTask         = "agentTask"
	EnvThreadToken       = "threadToken"
	EnvDev               = "Is_Dev"
	EnvIsProvider        = "IS_PROVIDER"
	EnvIsRemoteProvider  = "IS_REMOTE_PROVIDER"
	EnvProviderID        = "providerId"
	EnvProviderIDUpper   = "PROVIDER_ID"
	EnvEnvironmentID     = "environmentId"
	EnvEnvironmentConfig = "ENVIRONMENT_CONFIG"
	// EnvQuery lists further variables, comma-separated, that the operator wants
	// in the URL's query.
	EnvQuery = "CODEBOLT_PROVIDER_QUERY_ENV"
)

// queryNames are the variables that go into the URL's query beside the ones
// with rules of their own. The Node SDK sends the whole environment, API keys
// included; these are the names a server can need to know a provider by.
var queryNames = []string{
	EnvAgentID, EnvParentID, EnvParentInstance, EnvAgentTask, EnvThreadToken,
	EnvIsProvider, EnvIsRemoteProvider, EnvProviderID, EnvEnvironmentID, "environmentName",
	"storedTaskId", "threadId", "connectionId", EnvProviderIDUpper, "ENVIRONMENT_NAME",
	"PROJECT_PATH", "projectPath", "projectName",
}

// quietNames are variables whose absence from the query needs no mention: the
// Node SDK does not send them either.
var quietNames = []string{
	EnvServerHost, EnvServerPort, EnvDev, EnvQuery, "PATH", "NODE_ENV", "HOME", "USER", "SHELL",
	"IS_PLUGIN", "pluginId", "pluginToken", "PLUGIN_DIR", "instanceId",
}

var secretName = regexp.MustCompile(`(?i)KEY|TOKEN|SECRET|PASSW|CREDENTIAL|AUTH`)

// Endpoint is where a provider finds its server.
type Endpoint struct {
	// URL is complete with its query, which holds threadToken: redact it before
	// it is printed.
	URL *url.URL
	// Withheld names, without values and sorted, the variables that the Node SDK
	// would have sent and we do not.
	Withheld []string
	// Refused names variables the operator listed in EnvQuery that look like
	// secrets and are not sent for that reason.
	Refused []string
}

// ServerEndpoint makes the URL that a provider process dials from its
// environment, given as os.Environ gives it. It fails with kind Invalid when
// the environment names no server, which is how a person's shell looks.
func ServerEndpoint(environ []string) (Endpoint, error) {
	env := make(map[string]string, len(environ))
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok && name != "" {
			env[name] = value
		}
	}
	base, err := serverURL(env[EnvServerHost], env[EnvServerPort])
	if err != nil {
		return Endpoint{}, err
	}
	end := Endpoint{URL: base}
	query := url.Values{"id": {connectionID(time.Now())}}
	for _, name := range queryNames {
		if v := env[name]; v != "" {
			query.Set(name, v)
		}
	}
	if env[EnvDev] != "" {
		query.Set("dev", "true")
	}
	for name := range strings.SplitSeq(env[EnvQuery], ",") {
		name = strings.TrimSpace(name)
		switch {
		case name == "" || env[name] == "" || query.Has(name):
		case secretName.MatchString(name) || name == EnvEnvironmentConfig:
			end.Refused = append(end.Refused, name)
		default:
			query.Set(name, env[name])
		}
	}
	for name, value := range env {
		if value != "" && !query.Has(name) && !slices.Contains(quietNames, name) &&
			!strings.HasPrefix(name, "npm_") && !strings.HasPrefix(name, "_") {
			end.Withheld = append(end.Withheld, name)
		}
	}
	slices.Sort(end.Withheld)
	base.Path = "/codebolt"
	base.RawQuery = query.Encode()
	return end, nil
}

func serverURL(host, port string) (*url.URL, error) {
	if host == "" && port == "" {
		return nil, Errorf(Invalid, "neither %s nor %s is set", EnvServerPort, EnvServerHost)
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
		host = "[" + host + "]" // else its last group would be the port
	}
	u := &url.URL{Scheme: "ws", Host: cmp.Or(host, "localhost")}
	if strings.Contains(host, "://") {
		parsed, err := url.Parse(host)
		if err != nil || parsed.Hostname() == "" {
			return nil, Errorf(Invalid, "%s is not a URL with a host", EnvServerHost)
		}
		switch parsed.Scheme {
		case "ws", "http":
		case "wss", "https":
			u.Scheme = "wss"
		default:
			return nil, Errorf(Invalid, "%s: unknown scheme %q", EnvServerHost, parsed.Scheme)
		}
		u.Host = parsed.Host
	}
	if u.Port() == "" && port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return nil, Errorf(Invalid, "%s=%q is not a port number", EnvServerPort, port)
		}
		u.Host += ":" + port
	}
	if u.Port() == "" && u.Scheme == "ws" && !strings.Contains(host, "://") {
		return nil, Errorf(Invalid, "%s is not set and %s=%q has no port", EnvServerPort, EnvServerHost, host)
	}
	return u, nil
}

// connectionID makes an id in the Node SDK's form, ws_{time}_{random}.
func connectionID(now time.Time) string {
	return "ws_" + strconv.FormatInt(now.UnixMilli(), 36) + "_" + strings.ToLower(rand.Text()[:11])
}

func firstNonBlank(values ...string) string {
	for _, v := range values {
		if strings.TrimSpace(v) != "" {
			return v
		}
	}
	return ""
}
