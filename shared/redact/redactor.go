package redact

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Mask stands where a secret stood. It is legal in a URL, in JSON and in an
// HTTP header, and redacting it again changes nothing.
const Mask = "REDACTED"

// minSecret is the shortest value, in bytes, that is taken for a secret by its
// value. Hiding every "a" or "true" would leave no text to read.
const minSecret = 6

// Redactor hides secrets. The zero value is ready for use and knows the shapes
// of secrets only; a nil Redactor behaves like it, except that nothing can be
// added. All methods are safe for concurrent use. Do not copy a Redactor.
type Redactor struct {
	mu       sync.RWMutex
	forms    map[string]bool // every spelling of every secret
	replacer *strings.Replacer
}

// Add makes the Redactor hide secret from now on, also where it is escaped for
// a URL or for JSON, or encoded in base64 alone or within a longer text such as
// basic credentials. A secret of several lines is also hidden line by line.
// Values shorter than 6 bytes are ignored: hiding them would hide ordinary
// words. Adding a secret again does nothing.
func (r *Redactor) Add(secret string) {
	if r == nil || len(strings.TrimSpace(secret)) < minSecret {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.forms[secret] {
		return
	}
	if r.forms == nil {
		r.forms = map[string]bool{}
	}
	for _, form := range spellings(secret) {
		r.forms[form] = true
	}
	r.replacer = nil
}

// AddSecrets adds every string in the configuration that stands, at whatever
// depth, under a name that [SecretName] takes for a secret's.
func (r *Redactor) AddSecrets(config map[string]any) { r.addSecrets(config, false) }

func (r *Redactor) addSecrets(value any, secret bool) {
	switch v := value.(type) {
	case string:
		if secret {
			r.Add(v)
		}
	case map[string]any:
		for name, member := range v {
			r.addSecrets(member, secret || SecretName(name))
		}
	case map[string]string:
		for name, member := range v {
			r.addSecrets(member, secret || SecretName(name))
		}
	case []any:
		for _, member := range v {
			r.addSecrets(member, secret)
		}
	case []string:
		for _, member := range v {
			r.addSecrets(member, secret)
		}
	}
}

// String returns the text with every known secret and everything that has the
// shape of one replaced by [Mask]: passwords in URLs, Authorization headers,
// tokens with a well-known prefix, and the values that stand after a secret's
// name in a query, an assignment or JSON.
func (r *Redactor) String(text string) string {
	return hideShapes(r.hideKnown(text))
}

// hideKnown replaces the values that were added.
func (r *Redactor) hideKnown(text string) string {
	if r == nil {
		return text
	}
	r.mu.RLock()
	replacer, none := r.replacer, len(r.forms) == 0
	r.mu.RUnlock()
	switch {
	case none:
		return text
	case replacer == nil:
		replacer = r.prepare()
	}
	return replacer.Replace(text)
}

// prepare builds the replacer for the secrets known by now.
func (r *Redactor) prepare() *strings.Replacer {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.replacer == nil {
		forms := make([]string, 0, len(r.forms))
		for form := range r.forms {
			forms = append(forms, form)
		}
		// A replacer prefers the pair that comes first: when one secret begins
		// with another, the longer one must win, or its rest stays readable.
		slices.SortFunc(forms, func(a, b string) int {
			return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b))
		})
		pairs := make([]string, 0, 2*len(forms))
		for _, form := range forms {
			pairs = append(pairs, form, Mask)
		}
		r.replacer = strings.NewReplacer(pairs...)
	}
	return r.replacer
}

// Error returns an error that reads as err does after [Redactor.String]. It
// wraps err, so that errors.Is, errors.As and the kind of the error stay as
// they are; whoever unwraps it and prints the inside prints the secret. It is
// err itself when there is nothing to hide, and nil for nil.
func (r *Redactor) Error(err error) error {
	if err == nil {
		return nil
	}
	before := err.Error()
	after := r.String(before)
	if after == before {
		return err
	}
	return &redactedError{text: after, cause: err}
}

type redactedError struct {
	text  string
	cause error
}

func (e *redactedError) Error() string { return e.text }

func (e *redactedError) Unwrap() error { return e.cause }

// GoString keeps %#v from printing the cause.
func (e *redactedError) GoString() string { return "&errors.errorString{" + e.text + "}" }

// Environ returns the variables, in the form of os.Environ, with the values of
// secret names and all known secrets hidden. The argument is not changed.
func (r *Redactor) Environ(environ []string) []string {
	out := make([]string, len(environ))
	for i, pair := range environ {
		name, value, ok := strings.Cut(pair, "=")
		switch {
		case !ok:
			out[i] = r.String(pair)
		case value != "" && SecretName(name):
			out[i] = name + "=" + Mask
		default:
			out[i] = name + "=" + r.String(value)
		}
	}
	return out
}

// URL returns the address for a person to read: the password, the values of
// query parameters with a secret's name, and all known secrets are hidden. It
// is "" for nil.
func (r *Redactor) URL(u *url.URL) string {
	if u == nil {
		return ""
	}
	shown := *u
	if u.User != nil {
		name := u.User.Username()
		if _, has := u.User.Password(); has {
			shown.User = url.UserPassword(name, Mask)
		}
	}
	if u.RawQuery != "" {
		parts := strings.Split(u.RawQuery, "&")
		for i, part := range parts {
			name, value, _ := strings.Cut(part, "=")
			plain, err := url.QueryUnescape(name)
			if err != nil {
				plain = name
			}
			if value != "" && SecretName(plain) {
				parts[i] = name + "=" + Mask
			}
		}
		shown.RawQuery = strings.Join(parts, "&")
	}
	return r.String(shown.String())
}
