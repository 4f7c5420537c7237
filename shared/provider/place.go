package provider

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// HostPath says where an environment's directory goes on this machine.
type HostPath struct {
	Project   string // the project's directory, absolute
	Requested string // a path the caller asked for; it decides alone
	Base      string // a configured folder for all environments of the project
	Folder    string // the folder below the state directory that serves when Base is ""
	Name      string // the environment's safe name
}

// Resolve gives the absolute path, and whether it lies inside the project. "~"
// is the home directory; what is relative is relative to the project. A path
// that is the project, or contains it, is refused: it could not be isolated from
// it, and removing the environment would remove the project. So is one that is
// in the .git of a repository, directly or through a link: git alone decides
// what is there.
func (p HostPath) Resolve() (path string, inside bool, err error) {
	switch {
	case p.Requested != "":
		path, err = expand(p.Requested, p.Project)
	case p.Base != "":
		path, err = expand(p.Base, p.Project)
		path = filepath.Join(path, p.Name)
	default:
		var state string
		state, err = resource.StateDir()
		path = filepath.Join(state, p.Folder, filepath.Base(p.Project)+"-"+environmentKey(p.Project)[:8], p.Name)
	}
	if err != nil {
		return "", false, err
	}
	if within(p.Project, path) {
		return "", false, wire.Errorf(wire.Invalid, "an environment cannot be at %s: that is the project or contains it; choose another environmentPath", path)
	}
	if (p.Requested != "" || p.Base != "") && inGitDir(path) {
		return "", false, wire.Errorf(wire.Invalid, "an environment cannot be at %s: that is inside the .git of a repository; choose another environmentPath", path)
	}
	return path, within(path, p.Project), nil
}

// Placed completes a Placement with what follows from where an environment is.
func (p HostPath) Placed(path string, place wire.Placement) wire.Placement {
	place.ResolvedPath, place.EnvironmentPath = path, path
	place.ParentPath, place.RequestedPath = p.Project, p.Requested
	place.PathSource = wire.PathProposed
	if p.Requested != "" {
		place.PathSource = wire.PathRequested
	}
	return place
}

// within reports whether path is dir or lies below it.
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// inGitDir reports whether a path, as it stands or where its links lead, has an
// element .git. The last elements need not exist.
func inGitDir(path string) bool {
	plain := path
	for existing := path; existing != filepath.Dir(existing); existing = filepath.Dir(existing) {
		if resolved, err := filepath.EvalSymlinks(existing); err == nil {
			plain = resolved
			break
		}
	}
	return slices.ContainsFunc(strings.Split(path+string(filepath.Separator)+plain, string(filepath.Separator)), func(element string) bool {
		return strings.EqualFold(element, ".git")
	})
}

func expand(path, project string) (string, error) {
	if path == "~" || strings.HasPrefix(path, "~/") {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", wire.Errorf(wire.Unavailable, "the home directory is unknown: %w", err)
		}
		path = filepath.Join(home, path[1:])
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(project, path)
	}
	return filepath.Clean(path), nil
}
