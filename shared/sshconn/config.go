package sshconn

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// maxInclude is how deep Include may nest, as in OpenSSH.
const maxInclude = 16

// configuration gathers what ssh_config files say about one host. The first
// value of a keyword counts; the keywords in manyValues gather all.
type configuration struct {
	original  string // the host as it was asked for
	user      string // as it was asked for, or ""
	localUser string
	home      string
	log       *slog.Logger

	values    map[string][]string // by keyword in lower case
	final     bool                // this is the second pass, for "Match final"
	wantFinal bool
}

var manyValues = []string{"identityfile", "certificatefile"}

// read evaluates the files. Missing ones are skipped; one that cannot be read or
// understood fails with kind Invalid, Permission or what the system says.
func (c *configuration) read(files []string) error {
	for _, c.final = range []bool{false, true} {
		if c.final && !c.wantFinal {
			break
		}
		for _, file := range files {
			active := true
			if err := c.file(file, &active, 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// file evaluates one file. What stands in it before the first Host applies when
// active is set; when it is not, nothing in the file does.
func (c *configuration) file(path string, active *bool, depth int) error {
	if depth > maxInclude {
		return wire.Errorf(wire.Invalid, "ssh: %s is included more than %d levels deep; does it include itself?", path, maxInclude)
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return wire.Errorf(wire.CodeOf(err), "ssh: the configuration cannot be read: %w", err)
	}
	possible, number := *active, 0
	for line := range strings.Lines(string(data)) {
		number++
		keyword, rest := cutKeyword(line)
		if keyword == "" {
			continue
		}
		args, err := splitArgs(rest)
		if err == nil && len(args) == 0 {
			err = errors.New("a value is missing")
		}
		if err == nil {
			err = c.line(path, keyword, args, rest, active, possible, depth)
		}
		if _, located := errors.AsType[*wire.Error](err); located {
			return err
		}
		if err != nil {
			return wire.Errorf(wire.Invalid, "ssh: %s line %d: %s: %w", path, number, keyword, err)
		}
	}
	return nil
}

func (c *configuration) line(path, keyword string, args []string, rest string, active *bool, possible bool, depth int) error {
	switch lower := strings.ToLower(keyword); lower {
	case "host":
		*active = possible && matchHost(c.original, args)
	case "match":
		matches, err := c.match(args)
		*active = possible && matches
		return err
	case "include":
		for _, pattern := range args {
			if err := c.include(path, pattern, *active, depth); err != nil {
				return err
			}
		}
	case "proxycommand", "proxyjump":
		// Whichever comes first prevents the other.
		if *active && c.values["proxycommand"] == nil && c.values["proxyjump"] == nil {
			c.values[lower] = []string{strings.TrimSpace(rest)}
			if lower == "proxyjump" {
				c.values[lower] = args[:1]
			}
		}
	default:
		if !*active {
			break
		}
		if slices.Contains(manyValues, lower) {
			if !slices.Contains(c.values[lower], args[0]) {
				c.values[lower] = append(c.values[lower], args[0])
			}
		} else if c.values[lower] == nil {
			c.values[lower] = args
		}
	}
	return nil
}

// include evaluates the files that a pattern names, in alphabetical order.
func (c *configuration) include(from, pattern string, active bool, depth int) error {
	pattern, err := c.expandHome(pattern)
	if err != nil {
		return err
	}
	if !filepath.IsAbs(pattern) {
		base := filepath.Join(c.home, ".ssh")
		if strings.HasPrefix(filepath.ToSlash(from), "/etc/ssh/") {
			base = "/etc/ssh"
		}
		pattern = filepath.Join(base, pattern)
	}
	files, err := filepath.Glob(pattern)
	if err != nil {
		return err
	}
	for _, file := range files {
		within := active
		if err := c.file(file, &within, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// first returns the first value of a keyword given in lower case, or "".
func (c *configuration) first(keyword string) string {
	if values := c.values[keyword]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// cutKeyword splits a line after its keyword; "" for one without.
func cutKeyword(line string) (keyword, rest string) {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return "", ""
	}
	end := strings.IndexAny(line, " \t=")
	if end < 0 {
		return line, ""
	}
	rest = strings.TrimLeft(line[end:], " \t")
	rest, _ = strings.CutPrefix(rest, "=")
	return line[:end], strings.TrimSpace(rest)
}

// splitArgs splits as OpenSSH does: at spaces, but not within quotes, up to a
// comment.
func splitArgs(text string) ([]string, error) {
	var args []string
	for {
		text = strings.TrimLeft(text, " \t")
		if text == "" || text[0] == '#' {
			return args, nil
		}
		var (
			arg   strings.Builder
			quote byte
			i     int
		)
		for i = 0; i < len(text); i++ {
			b := text[i]
			switch {
			case b == '\\' && i+1 < len(text) && (strings.IndexByte(`"'\`, text[i+1]) >= 0 || quote == 0 && text[i+1] == ' '):
				i++
				arg.WriteByte(text[i])
			case quote == 0 && (b == '"' || b == '\''):
				quote = b
			case quote != 0 && b == quote:
				quote = 0
			case quote == 0 && (b == ' ' || b == '\t'):
				goto done
			default:
				arg.WriteByte(b)
			}
		}
	done:
		if quote != 0 {
			return nil, errors.New("a quote is not closed")
		}
		args, text = append(args, arg.String()), text[i:]
	}
}
