package gitrepo

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// ExcludePath has git ignore a directory inside the opened checkout, in the
// repository's own info/exclude and not in a file of the project. A directory
// elsewhere needs nothing. It is idempotent, and keeps what the file says.
func (r *Repo) ExcludePath(ctx context.Context, dir string) error {
	if r.top == "" || !inside(r.top, dir) {
		return nil
	}
	rel, err := filepath.Rel(resolved(r.top), resolved(dir))
	if err != nil {
		return fmt.Errorf("exclude %s: %w", dir, err)
	}
	name := filepath.ToSlash(rel)
	if strings.Contains(name, "\n") {
		return wire.Errorf(wire.Unsupported, "exclude %q: a line break cannot be in an exclude pattern", dir)
	}
	line := "/" + excludeEscape.Replace(name) + "/"
	err = r.locked(ctx, func() error {
		file := filepath.Join(r.common, "info", "exclude")
		old, err := os.ReadFile(file)
		if err != nil && !gone(err) {
			return err
		}
		for have := range strings.Lines(string(old)) {
			if strings.TrimRight(have, "\r\n") == line {
				return nil
			}
		}
		text := string(old)
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			return err
		}
		return resource.WriteFile(file, []byte(text+line+"\n"), 0o644)
	})
	if err != nil {
		return fmt.Errorf("exclude %s: %w", dir, err)
	}
	return nil
}

var excludeEscape = strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, " ", `\ `)
