package engine

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"regexp"
	"strings"
	"syscall"

	"github.com/containerd/errdefs"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// rule is what a sentence of the daemon amounts to.
type rule struct {
	all    []string // in lower case, every one of them
	code   wire.Code
	final  bool // trying again does not help, whatever the kind
	advice string
}

// The daemon's API knows few kinds; what happened is in its sentences. The first
// rule that fits counts.
var rules = []rule{
	{[]string{"no space left on device"}, wire.Unavailable, true, "the daemon's disk is full: see docker system df and free some with docker system prune"},
	{[]string{"disk quota exceeded"}, wire.Unavailable, true, "the daemon's disk quota is used up: see docker system df and free some with docker system prune"},
	{[]string{"exec format error"}, wire.Unsupported, true, "the program is for another architecture: choose an image for the daemon's, or install emulation (binfmt)"},
	{[]string{"no matching manifest"}, wire.Unsupported, true, "the image is not made for this platform: choose another image or platform"},
	{[]string{"does not match the specified platform"}, wire.Unsupported, true, "the local image is for another platform: pull the right one (pullPolicy: always)"},
	{[]string{"docker-init", "executable file not found"}, wire.Unsupported, true, "the daemon has no init program: install docker-init (tini) beside it"},
	{[]string{"task", "already exists"}, wire.Exists, false, "a crash of the daemon left the container half started: try again, or make another container"},
	{[]string{"network", "is ambiguous"}, wire.Unavailable, false, "two were made of that name at once: try again, or remove one of them"},
	{[]string{"is already in use by container"}, wire.Exists, true, "remove that container or choose another name"},
	{[]string{"port is already allocated"}, wire.Conflict, true, "choose another host port, or 0 for a free one"},
	{[]string{"address already in use"}, wire.Conflict, true, "choose another host port, or 0 for a free one"},
	{[]string{"executable file not found"}, wire.Invalid, true, "the image has no such program: correct the command or choose another image"},
	{[]string{"[fatal tini", "no such file or directory"}, wire.Invalid, true, "the image has no such program: correct the command or choose another image"},
	{[]string{"[fatal tini", "permission denied"}, wire.Invalid, true, "the program is not executable: correct the command or its mode"},
	{[]string{`exec: "`, "no such file or directory"}, wire.Invalid, true, "the image has no such program: correct the command or choose another image"},
	{[]string{`exec: "`, "permission denied"}, wire.Invalid, true, "the program is not executable: correct the command or its mode"},
	{[]string{"chdir to cwd", "no such file or directory"}, wire.Invalid, true, "the working directory does not exist in the container"},
	{[]string{"unable to find user"}, wire.Invalid, true, "the image has no such user: use a number or another user"},
	{[]string{"unable to find group"}, wire.Invalid, true, "the image has no such group: use a number or another group"},
	{[]string{"read-only file system"}, wire.Permission, true, "the container's root is read-only there: use a volume or a tmpfs for it"},
	{[]string{"marked read-only"}, wire.Permission, true, "the container's root is read-only there: use a volume or a tmpfs for it"},
	{[]string{"bind source path does not exist"}, wire.NotFound, true, "the path must exist on the daemon's machine"},
	{[]string{"oom-killed"}, wire.Invalid, true, "the memory limit is too low: raise it"},
	{[]string{"out of memory"}, wire.Unavailable, true, "the memory is used up: raise the limit or free some"},
	{[]string{"address pool"}, wire.Unavailable, true, "there is no address range left: remove unused networks (docker network prune) or widen default-address-pools"},
	{[]string{"volume is in use"}, wire.Conflict, true, "remove the containers that use it first"},
	{[]string{"has active endpoints"}, wire.Conflict, true, "remove the containers that use it first"},
	{[]string{"is paused"}, wire.Conflict, true, "unpause it first"},
	{[]string{"in a stopped container"}, wire.NotRunning, true, "start it first"},
	{[]string{"is not running"}, wire.NotRunning, true, "start it first"},
	{[]string{"is restarting"}, wire.Unavailable, false, "wait until it runs"},
	{[]string{"requires api version"}, wire.Unsupported, true, "upgrade the daemon"},
	{[]string{"does not support reading"}, wire.Unsupported, true, "use the daemon's log driver json-file or local"},
	{[]string{"an http request to an https server"}, wire.Invalid, true, "the daemon wants TLS: set DOCKER_CERT_PATH and DOCKER_TLS_VERIFY=1"},
	{[]string{"are you trying to connect to a tls-enabled daemon"}, wire.Invalid, true, "the daemon wants TLS: set DOCKER_CERT_PATH and DOCKER_TLS_VERIFY=1"},
	{[]string{"remote error: tls"}, wire.Permission, true, "the daemon does not accept this certificate: use cert.pem and key.pem of its CA"},
}

// said is a cause with a text of its own.
type said struct {
	text  string
	cause error
}

func (s *said) Error() string { return s.text }
func (s *said) Unwrap() error { return s.cause }

var urlSecret = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^/\s'"@]*@`)

// tidy takes what is no news out of the daemon's sentence, and secrets.
func tidy(text string) string {
	text = strings.TrimPrefix(strings.TrimSpace(text), "Error response from daemon: ")
	text = urlSecret.ReplaceAllString(text, "$1")
	if r := []rune(text); len(r) > 600 {
		text = string(r[:600]) + "…"
	}
	return text
}

// fail gives err its kind, and a sentence that says what was done and what to do.
// Errors that have a kind stay as they are.
func (e *Engine) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := err.(*wire.Error); ok { //nolint:errorlint // one further down is within a library's sentence
		return err
	}
	if dial, ok := errors.AsType[*dialError](err); ok {
		return e.unreachable(dial.cause)
	}
	if inner, ok := errors.AsType[*wire.Error](err); ok {
		return &said{"docker: " + op + ": " + inner.Error(), inner}
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return wire.Errorf(wire.Timeout, "docker: %s: the daemon at %s did not answer in time: %w", op, e.place, err)
	case errors.Is(err, context.Canceled):
		return wire.Errorf(wire.Unavailable, "docker: %s: %w", op, context.Canceled)
	}
	cause := &said{tidy(err.Error()), err}
	if r := ruleFor(cause.text); r != nil {
		return verdict(r.code, r.final, "docker: %s: %w; %s", op, cause, r.advice)
	}
	code := wire.Internal
	switch {
	case errdefs.IsNotFound(err):
		code = wire.NotFound
	case errdefs.IsConflict(err):
		code = wire.Conflict
	case errdefs.IsInvalidArgument(err):
		code = wire.Invalid
	case errdefs.IsUnauthorized(err), errdefs.IsPermissionDenied(err):
		code = wire.Permission
	case errdefs.IsNotImplemented(err):
		code = wire.Unsupported
	case errdefs.IsUnavailable(err):
		code = wire.Unavailable
	case broken(err):
		return wire.Errorf(wire.Unavailable, "docker: %s: the connection to the daemon at %s broke: %w; see whether it still runs", op, e.place, cause)
	}
	return wire.Errorf(code, "docker: %s: %w", op, cause)
}

func verdict(code wire.Code, final bool, format string, args ...any) error {
	err := wire.Errorf(code, format, args...)
	if final {
		err = wire.Permanent(err)
	}
	return err
}

func ruleFor(text string) *rule {
	text = strings.ToLower(text)
	for i := range rules {
		fits := true
		for _, part := range rules[i].all {
			fits = fits && strings.Contains(text, part)
		}
		if fits {
			return &rules[i]
		}
	}
	return nil
}

// unreachable explains why no connection could be opened.
func (e *Engine) unreachable(cause error) error {
	_, unverified := errors.AsType[*tls.CertificateVerificationError](cause)
	_, plain := errors.AsType[tls.RecordHeaderError](cause)
	_, unknown := errors.AsType[x509.UnknownAuthorityError](cause)
	_, kind := errors.AsType[*wire.Error](cause)
	switch {
	case kind: // of the way over SSH
		return wire.Errorf(wire.CodeOf(cause), "docker: reach %s: %w", e.place, cause)
	case unverified, unknown:
		return wire.Errorf(wire.Permission, "docker: the certificate of the daemon at %s is not to be trusted: %w; put its CA into ca.pem", e.place, cause)
	case plain:
		return wire.Errorf(wire.Invalid, "docker: the daemon at %s does not speak TLS: %w; unset DOCKER_TLS_VERIFY, or mend the address", e.place, cause)
	case strings.Contains(cause.Error(), "remote error: tls"):
		return wire.Errorf(wire.Permission, "docker: the daemon at %s does not accept this certificate: %w; use cert.pem and key.pem of its CA", e.place, cause)
	case errors.Is(cause, fs.ErrPermission):
		return wire.Errorf(wire.Permission, "docker: this user may not use the daemon at %s: %w; add the user to the group docker and log in again, or run Docker rootless", e.place, cause)
	}
	return wire.Errorf(wire.Unavailable, "docker: no Docker daemon answers at %s: start it, or set dockerHost or DOCKER_HOST: %w", e.place, cause)
}

// unsent reports whether the daemon was not reached at all, in a way that may be
// better in a moment.
func unsent(err error) bool {
	dial, ok := errors.AsType[*dialError](err)
	if !ok || errors.Is(dial.cause, fs.ErrPermission) {
		return false
	}
	_, unverified := errors.AsType[*tls.CertificateVerificationError](dial.cause)
	_, plain := errors.AsType[tls.RecordHeaderError](dial.cause)
	return !unverified && !plain && !strings.Contains(dial.cause.Error(), "remote error: tls")
}

// broken reports whether the connection to the daemon failed or ended too early.
func broken(err error) bool {
	if _, ok := errors.AsType[*dialError](err); ok {
		return unsent(err)
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) ||
		connectionFailed(err) && ruleFor(err.Error()) == nil
}
