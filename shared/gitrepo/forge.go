package gitrepo

import (
	"net/url"
	"strings"
)

// Remote is a repository at a hosting service.
type Remote struct {
	Host  string // without port
	Owner string // with slashes for groups within groups
	Name  string // without .git
}

// ParseRemote reads the address of a remote, https://, ssh:// or
// user@host:path. It reports false for one that is not at a hosting service,
// such as a path.
func ParseRemote(address string) (Remote, bool) {
	var host, path string
	if strings.Contains(address, "://") {
		u, err := url.Parse(address)
		if err != nil {
			return Remote{}, false
		}
		switch u.Scheme {
		case "https", "http", "ssh", "git", "git+ssh", "ssh+git":
			host, path = u.Hostname(), u.Path
		}
	} else if at, rest, ok := strings.Cut(address, ":"); ok && !strings.ContainsAny(at, `/\`) && len(at) > 1 {
		host, path = at[strings.LastIndexByte(at, '@')+1:], rest
	}
	path = strings.TrimSuffix(strings.Trim(path, "/"), ".git")
	i := strings.LastIndexByte(path, '/')
	if host == "" || i <= 0 || i == len(path)-1 {
		return Remote{}, false
	}
	return Remote{Host: strings.ToLower(host), Owner: path[:i], Name: path[i+1:]}, true
}

// stripped is an address without user name and password.
func stripped(address string) string {
	if u, err := url.Parse(address); err == nil && u.Host != "" && u.User != nil {
		// An ssh user is no secret, and the address is of no use without.
		if u.User = nil; strings.Contains(u.Scheme, "ssh") {
			u.User = url.User("git")
		}
		return u.String()
	}
	return redact(address)
}

// CompareURL is the page on which a person opens a pull request from branch to
// base, at GitHub, GitLab or Bitbucket; "" for a remote at none of them.
func CompareURL(remoteURL, base, branch string) string {
	r, ok := ParseRemote(remoteURL)
	if !ok || branch == "" {
		return ""
	}
	page := "https://" + r.Host + "/" + escapePath(r.Owner) + "/" + url.PathEscape(r.Name)
	switch {
	case strings.Contains(r.Host, "github"):
		span := escapePath(branch)
		if base != "" {
			span = escapePath(base) + "..." + span
		}
		return page + "/compare/" + span + "?expand=1"
	case strings.Contains(r.Host, "gitlab"):
		q := url.Values{"merge_request[source_branch]": {branch}}
		if base != "" {
			q.Set("merge_request[target_branch]", base)
		}
		return page + "/-/merge_requests/new?" + q.Encode()
	case strings.Contains(r.Host, "bitbucket"):
		q := url.Values{"source": {branch}}
		if base != "" {
			q.Set("dest", base)
		}
		return page + "/pull-requests/new?" + q.Encode()
	}
	return ""
}

func escapePath(path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return strings.Join(parts, "/")
}
