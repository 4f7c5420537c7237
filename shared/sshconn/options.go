package sshconn

import (
	"context"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// The policies for host keys; see [Options].
const (
	StrictAsk       = "ask"        // an unknown host is asked about; without Ask it is refused
	StrictAcceptNew = "accept-new" // an unknown host is trusted and remembered
	StrictYes       = "yes"        // an unknown host is refused
)

const (
	defaultConnectTimeout = 15 * time.Second
	defaultKeepAlive      = 20 * time.Second
)

// Options say how to connect. The zero value follows the user's configuration
// and asks nobody.
type Options struct {
	// ConfigFiles are read in order, and the first value found counts. Nil means
	// ~/.ssh/config and /etc/ssh/ssh_config; an empty list none. Missing files
	// are skipped.
	ConfigFiles []string
	// KnownHosts takes the place of UserKnownHostsFile. New hosts are added to
	// the first.
	KnownHosts []string
	// IdentityFiles are tried before those of the configuration.
	IdentityFiles []string
	// AgentSocket is the agent's socket, or "none". Empty means IdentityAgent of
	// the configuration, then SSH_AUTH_SOCK.
	AgentSocket string
	// StrictHostKey is what is done about unknown hosts: StrictAsk,
	// StrictAcceptNew or StrictYes. Empty means StrictHostKeyChecking of the
	// configuration, where "no" is taken for accept-new with a warning, and else
	// StrictAsk. A host whose key changed is refused in every case.
	StrictHostKey string
	// Ask puts questions to a person or a store of secrets, such as [Askpass] does.
	// Nil is for when nobody is there: what would need an answer fails and says so.
	// After an error nothing more is asked about passwords on that hop.
	Ask func(ctx context.Context, question Prompt) (string, error)
	// ConnectTimeout bounds how long each hop may take from the first packet to
	// the end of authentication, without the time that Ask and the agent take.
	// 0 means that of the configuration, then 15 seconds.
	ConnectTimeout time.Duration
	// KeepAlive is the time between signs of life asked of each hop. A hop that
	// is silent for twice as long after it was asked is dead. 0 means
	// ServerAliveInterval of the configuration, then 20 seconds.
	KeepAlive time.Duration
	// Log gets warnings and what was decided; nil discards.
	Log *slog.Logger
}

// PromptKind is what a question is about.
type PromptKind string

// The kinds of question.
const (
	AskPassword   PromptKind = "password"
	AskPassphrase PromptKind = "passphrase" // of a private key
	AskAnswer     PromptKind = "answer"     // keyboard-interactive: the server's own question
	AskHostKey    PromptKind = "host-key"   // "yes" or the fingerprint accepts, everything else refuses
)

// Prompt is one question to a person. What the server had a part in is free of
// control characters.
type Prompt struct {
	Kind PromptKind
	Host string // user@host:port it is asked for
	Text string // the question, to be shown
	Key  string // for AskPassphrase the file, for AskHostKey the fingerprint
	Echo bool   // the answer may be visible while it is typed
	Jump bool   // it is for a jump host on the way, and not for the target
	// Again tells that the last answer to this question was wrong. It is not known of
	// a question that was asked for a connection before this one.
	Again bool
}

// Target is where to connect to. Host may be an alias of the configuration; an
// empty User and a Port of 0 come from there.
type Target struct {
	Host string
	User string
	Port int
}

// ParseURL reads ssh://[user@]host[:port]. The path is left to the caller. What
// it refuses is of kind Invalid: other schemes, passwords, which do not belong
// into URLs, and names that begin with "-" or hold spaces or control characters.
func ParseURL(u *url.URL) (Target, error) {
	if u.Scheme != "ssh" {
		return Target{}, wire.Errorf(wire.Invalid, "ssh: the scheme is %q; write ssh://[user@]host[:port]", u.Scheme)
	}
	if _, has := u.User.Password(); has {
		return Target{}, wire.Errorf(wire.Invalid, "ssh: the URL of %s holds a password; take it out, it is asked for when it is needed", u.Host)
	}
	if u.Opaque != "" || u.RawQuery != "" || u.Fragment != "" {
		return Target{}, wire.Errorf(wire.Invalid, "ssh: the URL of %q has more than a user, a host, a port and a path", u.Host)
	}
	t := Target{Host: u.Hostname(), User: u.User.Username()}
	if port := u.Port(); port != "" {
		n, err := strconv.Atoi(port)
		if err != nil {
			return Target{}, wire.Errorf(wire.Invalid, "ssh: port %q of %s is not a number", port, t.Host)
		}
		if t.Port = n; n == 0 {
			t.Port = -1
		}
	}
	if err := t.check(); err != nil {
		return Target{}, err
	}
	return t, nil
}

// check refuses what no host or user is called, above all what a program could
// take for an option.
func (t Target) check() error {
	if t.Host == "" {
		return wire.Errorf(wire.Invalid, "ssh: no host is named; write ssh://[user@]host[:port]")
	}
	for _, part := range []struct{ what, text string }{{"host", t.Host}, {"user", t.User}} {
		if strings.HasPrefix(part.text, "-") {
			return wire.Errorf(wire.Invalid, "ssh: the %s %q begins with a dash", part.what, part.text)
		}
		if strings.ContainsFunc(part.text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }) {
			return wire.Errorf(wire.Invalid, "ssh: the %s %q holds spaces or control characters", part.what, part.text)
		}
	}
	if strings.ContainsAny(t.Host, `/\@,'"`+"`$;&|<>(){}*?!") {
		return wire.Errorf(wire.Invalid, "ssh: %q is no name of a host", t.Host)
	}
	if t.Port < 0 || t.Port > 65535 {
		return wire.Errorf(wire.Invalid, "ssh: the port of %s is not between 1 and 65535", t.Host)
	}
	return nil
}

// ParseTarget reads [user@]host[:port], as it is written for the ssh program, or an
// ssh URL without a path. What it refuses is of kind Invalid.
func ParseTarget(text string) (Target, error) {
	if !strings.HasPrefix(text, "ssh://") {
		user, rest := "", text
		if at := strings.LastIndex(text, "@"); at >= 0 {
			user, rest = text[:at], text[at+1:]
		}
		if strings.Count(rest, ":") > 1 && !strings.HasPrefix(rest, "[") {
			rest = "[" + rest + "]" // an IPv6 address without a port
		}
		// A colon in the user would read as a password of the URL.
		text = "ssh://" + rest
		if user != "" {
			text = "ssh://" + url.User(user).String() + "@" + rest
		}
	}
	u, err := url.Parse(text)
	if err != nil || u.Path != "" {
		return Target{}, wire.Errorf(wire.Invalid, "ssh: %q is not [user@]host[:port]", clean(text))
	}
	return ParseURL(u)
}

func (o *Options) log() *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log
}
