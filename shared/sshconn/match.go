package sshconn

import (
	"errors"
	"fmt"
	"strings"
)

// matchHost tells whether a Host line applies: some pattern matches and no
// negated one does.
func matchHost(host string, patterns []string) bool {
	matched := false
	for _, pattern := range patterns {
		pattern, negated := strings.CutPrefix(pattern, "!")
		if !matchPattern(host, pattern) {
			continue
		}
		if negated {
			return false
		}
		matched = true
	}
	return matched
}

// match evaluates the criteria of a Match line; all of them must hold. What
// cannot be known here does not match, negated or not.
func (c *configuration) match(args []string) (bool, error) {
	result := true
	for i := 0; i < len(args); i++ {
		name, negated := strings.CutPrefix(args[i], "!")
		name, value, joined := strings.Cut(name, "=")
		name = strings.ToLower(name)
		var holds bool
		switch name {
		case "all":
			holds = true
		case "canonical":
			holds = c.final
		case "final":
			c.wantFinal = true
			holds = c.final
		default:
			if !joined {
				if i++; i >= len(args) {
					return false, fmt.Errorf("%s needs a value", name)
				}
				value = args[i]
			}
			patterns, lower := strings.Split(value, ","), strings.Split(strings.ToLower(value), ",")
			switch name {
			case "host":
				host, err := expand(c.first("hostname"), map[byte]string{'h': c.original})
				if err != nil {
					return false, err
				}
				holds = matchHost(strings.ToLower(or(host, c.original)), lower)
			case "originalhost":
				holds = matchHost(strings.ToLower(c.original), lower)
			case "user":
				holds = matchHost(or(c.user, c.first("user"), c.localUser), patterns)
			case "localuser":
				holds = matchHost(c.localUser, patterns)
			case "exec", "localnetwork", "tagged", "version", "sessiontype", "command":
				c.log.Warn("ssh: a Match that cannot be decided here is passed over", "criterion", name, "host", c.original)
				result = false
				continue
			default:
				return false, fmt.Errorf("the criterion %q is not known", name)
			}
		}
		if holds == negated {
			result = false
		}
	}
	if len(args) == 0 {
		return false, errors.New("a criterion is missing")
	}
	return result, nil
}

// matchPattern matches * and ? as OpenSSH does, where * also stands for nothing.
func matchPattern(text, pattern string) bool {
	for {
		switch {
		case pattern == "":
			return text == ""
		case pattern[0] == '*':
			pattern = strings.TrimLeft(pattern, "*")
			if pattern == "" {
				return true
			}
			for i := range len(text) {
				if matchPattern(text[i:], pattern) {
					return true
				}
			}
			return false
		case text == "" || pattern[0] != '?' && pattern[0] != text[0]:
			return false
		}
		text, pattern = text[1:], pattern[1:]
	}
}

// or returns the first text that is not empty.
func or(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}
