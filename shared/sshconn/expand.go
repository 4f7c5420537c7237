package sshconn

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// expand replaces %-tokens; a token it does not know is an error.
func expand(text string, tokens map[byte]string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '%' {
			out.WriteByte(text[i])
			continue
		}
		i++
		if i == len(text) {
			return "", fmt.Errorf("%q ends with a lone %%", text)
		}
		value, known := tokens[text[i]]
		if text[i] == '%' {
			value, known = "%", true
		}
		if !known {
			return "", fmt.Errorf("%q has the token %%%c, which is not known here", text, text[i])
		}
		out.WriteString(value)
	}
	return out.String(), nil
}

var environment = regexp.MustCompile(`\$\{[^}]*\}`)

// expandEnvironment replaces ${NAME}; a variable that is not set is an error.
func expandEnvironment(text string) (string, error) {
	var err error
	text = environment.ReplaceAllStringFunc(text, func(found string) string {
		name := found[2 : len(found)-1]
		value, set := os.LookupEnv(name)
		if !set {
			err = fmt.Errorf("the environment variable %s is not set", name)
		}
		return value
	})
	return text, err
}

// expandHome replaces ${NAME} and a leading ~.
func (c *configuration) expandHome(path string) (string, error) {
	path, err := expandEnvironment(path)
	if err != nil {
		return "", err
	}
	if path == "~" {
		return c.home, nil
	}
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		return filepath.Join(c.home, rest), nil
	}
	return path, nil
}

// path expands everything that the name of a file may hold.
func (c *configuration) path(text string, tokens map[byte]string) (string, error) {
	text, err := c.expandHome(text)
	if err != nil {
		return "", err
	}
	return expand(text, tokens)
}
