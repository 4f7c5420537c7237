package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// spellings are the forms in which a secret turns up in a text.
func spellings(secret string) []string {
	forms := []string{secret}
	add := func(form string) {
		if len(form) >= minSecret {
			forms = append(forms, form)
		}
	}
	for _, escaped := range []string{url.QueryEscape(secret), url.PathEscape(secret), url.UserPassword("", secret).String()[1:]} {
		add(escaped)
		add(lowerEscapes(escaped))
	}
	for _, html := range []bool{true, false} {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(html)
		if enc.Encode(secret) == nil {
			add(strings.Trim(b.String(), "\n")[1 : b.Len()-2])
		}
	}
	quoted := strconv.Quote(secret)
	add(quoted[1 : len(quoted)-1])
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		add(enc.EncodeToString([]byte(secret)))
		add(enc.WithPadding(base64.NoPadding).EncodeToString([]byte(secret)))
		// Within a longer text the secret begins at any of three places of a
		// base64 group. What lies wholly inside the secret is always the same.
		for before := range 3 {
			text := enc.EncodeToString(append(make([]byte, before), secret...))
			add(text[(before*8+5)/6 : (before+len(secret))*8/6])
		}
	}
	if strings.Contains(secret, "\n") {
		for line := range strings.Lines(secret) {
			if line = strings.TrimSpace(line); len(line) >= 16 && !strings.HasPrefix(line, "-----") {
				add(line)
			}
		}
	}
	return forms
}

var escape = regexp.MustCompile(`%[0-9A-F]{2}`)

// lowerEscapes spells percent escapes as %2f where Go writes %2F.
func lowerEscapes(text string) string { return escape.ReplaceAllStringFunc(text, strings.ToLower) }

// A shape is a way to recognize a secret without knowing it. The expression's
// groups are what stands before the secret, the name (or scheme) that gives it
// away, and the secret.
type shape struct {
	// hints are texts one of which stands in anything the expression matches,
	// so that a long text without secrets is passed over quickly.
	hints  []string
	match  *regexp.Regexp
	secret func(name, value string) bool
}

func byName(name, _ string) bool {
	if plain, err := url.QueryUnescape(name); err == nil {
		name = plain
	}
	return SecretName(name)
}

func always(string, string) bool { return true }

// tokenLike keeps words out: no "bearer authentication", no "sk-learn-something".
func tokenLike(_, value string) bool { return strings.ContainsAny(value, "0123456789") }

var shapes = []shape{
	// scheme://user:password@host
	{
		[]string{"://"},
		regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://[^\s/?#@:"'<>\\]*:)()([^\s/?#"'<>\\]+)@`),
		always,
	},
	// Authorization: Bearer …, also as a JSON member
	{
		[]string{"uthorization", "UTHORIZATION"},
		regexp.MustCompile(`((?i:authorization)\\?["']?\s*[:=]\s*\[?\\?["']?(?i:(bearer|basic|token|digest|negotiate)\s+))([^\s"',;\\]+)`),
		always,
	},
	{
		[]string{"earer", "EARER"},
		regexp.MustCompile(`((?i:\bbearer)(\s+|%20|\+))([A-Za-z0-9._~+/=-]{8,})`),
		tokenLike,
	},
	// Tokens with a prefix of their own. A newline may be the two characters \n
	// before them, which is no word boundary.
	{
		[]string{"gh", "github_pat_", "glpat-"},
		regexp.MustCompile(`()()(gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,}|glpat-[A-Za-z0-9_-]{16,})`),
		always,
	},
	{
		[]string{"sk-", "e2b_", "dtn_", "xox", "AKIA"},
		regexp.MustCompile(`(\\[nrt]|\b)()((?:sk-|e2b_|dtn_|xox[abeprs]-)[A-Za-z0-9_-]{16,}|AKIA[0-9A-Z]{16})`),
		tokenLike,
	},
	// A JSON web token
	{
		[]string{"eyJ"},
		regexp.MustCompile(`()()(eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)`),
		always,
	},
	// ?token=…&apiKey=…, GITHUB_TOKEN=…, --token=…
	{
		[]string{"="},
		regexp.MustCompile(`((?:[?&;,\s"'({\[]|\\u0026|\\[nrt"]|^)([A-Za-z0-9_.%-]+)=["']?)([^&\s"'#<>,;\\)}\]]+)`),
		byName,
	},
	// "apiKey":"…", as JSON and as JSON within a JSON string
	{
		[]string{`":`, `" :`},
		regexp.MustCompile(`("([A-Za-z0-9_.-]+)"\s*:\s*")((?:[^"\\]|\\.)+)`),
		byName,
	},
	{
		[]string{`\":`, `\" :`},
		regexp.MustCompile(`(\\"([A-Za-z0-9_.-]+)\\"\s*:\s*\\")((?:[^"\\]|\\\\(?:\\.|[^\\]))+)`),
		byName,
	},
}

// hideShapes replaces everything that looks like a secret.
func hideShapes(text string) string {
	for _, s := range shapes {
		if s.mayMatch(text) {
			text = s.hide(text)
		}
	}
	return text
}

func (s *shape) mayMatch(text string) bool {
	for _, hint := range s.hints {
		if strings.Contains(text, hint) {
			return true
		}
	}
	return false
}

func (s *shape) hide(text string) string {
	var out strings.Builder
	last := 0
	for _, m := range s.match.FindAllStringSubmatchIndex(text, -1) {
		name, value := text[m[4]:m[5]], text[m[6]:m[7]]
		if value == Mask || !s.secret(name, value) {
			continue
		}
		out.WriteString(text[last:m[6]])
		out.WriteString(Mask)
		last = m[7]
	}
	if last == 0 {
		return text
	}
	out.WriteString(text[last:])
	return out.String()
}
