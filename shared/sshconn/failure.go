package sshconn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"unicode"

	"golang.org/x/crypto/ssh"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// ended returns the error for a context that has ended, or nil.
func (h *hop) ended(ctx context.Context, doing string) error {
	if ctx.Err() == nil {
		return nil
	}
	cause := context.Cause(ctx)
	if errors.Is(cause, errSlow) {
		return wire.Errorf(wire.Timeout, "%s took longer than %s", doing, h.host.connectTimeout)
	}
	return wire.Errorf(wire.CodeOf(ctx.Err()), "%s was given up: %w", doing, cause)
}

// dialFailed explains why no connection to the first host came about.
func (h *hop) dialFailed(ctx context.Context, err error) error {
	if over := h.ended(ctx, "connecting"); over != nil {
		return over
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		if dns.IsNotFound {
			return wire.Errorf(wire.Unavailable, "there is no host named %s: %w", h.host.name, err)
		}
		return wire.Errorf(wire.Unavailable, "the name %s cannot be looked up: %w", h.host.name, err)
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return wire.Errorf(wire.Unavailable, "the connection was refused; is sshd running there? %w", err)
	}
	if slow, ok := errors.AsType[net.Error](err); ok && slow.Timeout() {
		return wire.Errorf(wire.Timeout, "the host does not answer: %w", err)
	}
	return wire.Errorf(wire.Unavailable, "connecting failed: %w", err)
}

// forwardFailed explains why the jump host before this hop did not connect.
func (h *hop) forwardFailed(ctx context.Context, jump *hop, err error) error {
	if over := h.ended(ctx, "connecting through the jump host"); over != nil {
		return over
	}
	if refusal, ok := errors.AsType[*ssh.OpenChannelError](err); ok {
		if refusal.Reason == ssh.Prohibited {
			return wire.Errorf(wire.Permission, "the jump host %s forbids forwarding to it (AllowTcpForwarding, PermitOpen of its sshd): %s",
				jump.host.alias, clean(refusal.Message))
		}
		return wire.Errorf(wire.Unavailable, "the jump host %s cannot connect to it: %s", jump.host.alias, clean(refusal.Message))
	}
	return wire.Errorf(wire.Unavailable, "connecting through the jump host %s failed: %w", jump.host.alias, err)
}

// handshakeFailed explains why the host did not become a hop.
func (h *hop) handshakeFailed(ctx context.Context, err error) error {
	if h.refused != nil {
		return h.refused
	}
	doing := "the handshake"
	if greeting := h.conn.greeting(); greeting != "" {
		doing = fmt.Sprintf("the handshake with what answers there (it does not speak SSH but says %q)", greeting)
	}
	if h.key != nil {
		doing = "logging in"
	}
	if over := h.ended(ctx, doing); over != nil {
		return over
	}
	if mismatch, ok := errors.AsType[*ssh.AlgorithmNegotiationError](err); ok {
		return wire.Errorf(wire.Unsupported, "the host and this program have no algorithm in common: %s", clean(mismatch.Error()))
	}
	text := clean(err.Error())
	if h.asked.Load() && h.conn.end() != nil {
		text += " (it may not have waited for an answer: see LoginGraceTime of its sshd)"
	}
	switch {
	case h.conn.greeting() != "":
		return wire.Errorf(wire.Unavailable, "what answers there does not speak SSH but says %q: %s", h.conn.greeting(), text)
	case h.key == nil:
		return wire.Errorf(wire.Unavailable, "the connection ended before the host proved its key: %s", text)
	case strings.Contains(text, "Too many authentication failures"):
		return wire.Errorf(wire.Permission, "the host takes no more tries (MaxAuthTries); name the right key as IdentityFile and set \"IdentitiesOnly yes\": %s", h.login.story())
	case h.conn.end() != nil && !errors.Is(err, errNothingLeft):
		return wire.Errorf(wire.Unavailable, "the host ended the connection during authentication: %s; %s", text, h.login.story())
	case errors.Is(err, errNothingLeft):
		return wire.Errorf(wire.Permission, "the host does not let %s in: %s", h.host.user, h.login.story())
	}
	return wire.Errorf(wire.Permission, "the host does not let %s in: %s; %s", h.host.user, text, h.login.story())
}

// located puts before an error to which hop it happened.
func located(err error, hops []*host, at int) error {
	target := hops[len(hops)-1]
	if at == len(hops)-1 {
		return rewrap(err, fmt.Sprintf("ssh: %s: ", describe(hops)))
	}
	return rewrap(err, fmt.Sprintf("ssh: jump host %s on the way to %s: ", describe(hops[:at+1]), target))
}

// rewrap puts text before an error and leaves its kind and whether it is
// permanent.
func rewrap(err error, text string) error {
	again := wire.Errorf(wire.CodeOf(err), "%s%w", text, err)
	if !wire.Retryable(err) {
		return wire.Permanent(again)
	}
	return again
}

// describe is "user@host:port via jump1, jump2".
func describe(hops []*host) string {
	text := hops[len(hops)-1].String()
	for i, h := range hops[:len(hops)-1] {
		text += []string{" via ", ", "}[min(i, 1)] + h.alias
	}
	return text
}

// openFailed explains why the host did not open a channel to a socket or an
// address.
func (c *Client) openFailed(ctx context.Context, network, what string, err error) error {
	if ctx.Err() != nil {
		return wire.Errorf(wire.CodeOf(ctx.Err()), "ssh: %s: opening %s was given up: %w", c.Describe(), what, context.Cause(ctx))
	}
	if over := c.Err(); over != nil {
		return over
	}
	refusal, ok := errors.AsType[*ssh.OpenChannelError](err)
	switch {
	case !ok && errors.Is(err, io.EOF):
		return wire.Errorf(wire.Unavailable, "ssh: %s: the connection ended while %s was being opened", c.Describe(), what)
	case !ok:
		return wire.Errorf(wire.Unavailable, "ssh: %s: opening %s: %w", c.Describe(), what, err)
	case refusal.Reason == ssh.Prohibited:
		return wire.Errorf(wire.Permission, "ssh: %s: the host forbids forwarding to %s (AllowStreamLocalForwarding, AllowTcpForwarding, PermitOpen, DisableForwarding of its sshd): %s",
			c.Describe(), what, clean(refusal.Message))
	case refusal.Reason == ssh.UnknownChannelType:
		return wire.Errorf(wire.Unsupported, "ssh: %s: the host's SSH server cannot forward to %s", c.Describe(), what)
	case network == "unix":
		return wire.Errorf(wire.Unavailable, "ssh: %s: the host did not connect to %s (%s), and does not say why: the socket is not there, nobody listens on it, "+
			"%s may not use it, or AllowStreamLocalForwarding of its sshd forbids it", c.Describe(), what, clean(refusal.Message), c.last().host.user)
	}
	return wire.Errorf(wire.Unavailable, "ssh: %s: the host could not connect to %s: %s", c.Describe(), what, clean(refusal.Message))
}

// clean makes text that a peer had a part in fit to be shown.
func clean(text string) string {
	text = strings.TrimSpace(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text))
	if runes := []rune(text); len(runes) > 500 {
		text = string(runes[:500]) + "…"
	}
	return text
}
