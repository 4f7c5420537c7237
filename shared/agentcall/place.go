package agentcall

import (
	"path/filepath"
	"runtime"
	"strings"
)

// place is where a path of a request leads.
type place struct {
	inside bool // the workspace, also after links; then the names are set
	// name and real are relative to the workspace, with slashes; "." is its root. real
	// has the links followed.
	name, real string
}

// placeOf is where a path leads that is relative to the workspace or absolute. The
// item itself need not be there.
func placeOf(root, p string) place {
	actual := root
	if links, err := filepath.EvalSymlinks(root); err == nil {
		actual = links
	}
	p = filepath.FromSlash(p)
	name := filepath.Clean(p)
	if filepath.IsAbs(p) {
		name = ""
		for _, base := range []string{root, actual} {
			if rel, err := filepath.Rel(base, p); err == nil && filepath.IsLocal(rel) {
				name = rel
				break
			}
		}
		if name == "" { // by another spelling, perhaps
			rel, err := filepath.Rel(actual, follow(filepath.Clean(p)))
			if err != nil || !filepath.IsLocal(rel) {
				return place{}
			}
			name = rel
		}
	}
	if !filepath.IsLocal(name) {
		return place{}
	}
	followed, err := filepath.Rel(actual, follow(filepath.Join(actual, name)))
	if err != nil || !filepath.IsLocal(followed) {
		return place{}
	}
	return place{true, filepath.ToSlash(name), filepath.ToSlash(followed)}
}

// follow follows the links in a path as far as there is something.
func follow(p string) string {
	rest := ""
	for at := p; ; {
		if links, err := filepath.EvalSymlinks(at); err == nil {
			return filepath.Join(links, rest)
		}
		up := filepath.Dir(at)
		if up == at {
			return p
		}
		rest = filepath.Join(filepath.Base(at), rest)
		at = up
	}
}

// fold has names compare equal that are one file's where case does not count.
func fold(name string) string {
	if runtime.GOOS == "darwin" || runtime.GOOS == "windows" {
		return strings.ToLower(name)
	}
	return name
}
