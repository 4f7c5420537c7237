package wire

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// Code is the kind of an error. Programs act on the code, people read the
// sentence. It crosses the wire as the member "code" beside "error".
//
// A Code is itself an error, so that errors.Is(err, wire.NotFound) asks
// whether err is of that kind.
type Code string

// The kinds of error that every layer maps to.
const (
	NotFound         Code = "not_found"         // what was named does not exist
	Exists           Code = "exists"            // what was to be made is there already
	OutsideWorkspace Code = "outside_workspace" // the path leaves the workspace
	NotRunning       Code = "not_running"       // the environment is not open
	Unsupported      Code = "unsupported"       // this provider cannot do that
	Conflict         Code = "conflict"          // the present state forbids it; nothing was changed
	Invalid          Code = "invalid"           // the request itself is wrong
	Permission       Code = "permission"        // not allowed
	Unavailable      Code = "unavailable"       // something needed cannot be reached just now
	TooLarge         Code = "too_large"         // over a limit
	Timeout          Code = "timeout"           // a deadline passed; what happened may be unknown
	Internal         Code = "internal"          // a defect of ours, or an error nobody classified
)

// Error makes a Code usable as a target of errors.Is.
func (c Code) Error() string { return string(c) }

// Error is an error with a kind. Make one with [Errorf].
type Error struct {
	code      Code
	retryable bool
	text      string
	cause     error
}

// Errorf formats an error of the given kind; %w wraps as in fmt.Errorf.
// By default only Unavailable and Timeout are retryable.
func Errorf(code Code, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &Error{
		code:      code,
		retryable: code == Unavailable || code == Timeout,
		text:      err.Error(),
		cause:     errors.Unwrap(err),
	}
}

// Permanent marks err as not worth retrying whatever its kind, keeping its
// kind and sentence. Permanent(nil) is nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &Error{code: CodeOf(err), text: err.Error(), cause: err}
}

// Error returns the sentence.
func (e *Error) Error() string { return e.text }

// Unwrap returns what was wrapped with %w, if anything.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is this error's Code.
func (e *Error) Is(target error) bool {
	code, ok := target.(Code)
	return ok && code == e.code
}

// CodeOf returns the kind of err: "" for nil, the code of the outermost
// [Error] in its chain, and otherwise what the operating system's or the
// context's error amounts to. What nobody classified is Internal.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var (
		e    *Error
		code Code
	)
	switch {
	case errors.As(err, &e):
		return e.code
	case errors.As(err, &code):
		return code
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return Timeout
	case errors.Is(err, context.Canceled):
		return Unavailable
	case errors.Is(err, fs.ErrNotExist):
		return NotFound
	case errors.Is(err, syscall.ENOTEMPTY):
		return Conflict // before ErrExist, which ENOTEMPTY also matches
	case errors.Is(err, fs.ErrExist):
		return Exists
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return Permission
	case errors.Is(err, errors.ErrUnsupported):
		return Unsupported
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return Unavailable
	case errors.Is(err, syscall.EFBIG):
		return TooLarge
	case errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ENAMETOOLONG),
		errors.Is(err, syscall.ELOOP), errors.Is(err, fs.ErrInvalid), errors.Is(err, syscall.EINVAL):
		return Invalid
	}
	return Internal
}

// Retryable reports whether trying the same again later may succeed.
func Retryable(err error) bool {
	var e *Error
	if errors.As(err, &e) {
		return e.retryable
	}
	switch CodeOf(err) {
	case Unavailable, Timeout:
		return true
	default:
		return false
	}
}

// Problem is how an error crosses the wire: the sentence that the protocol
// documents, and two additive members for programs.
type Problem struct {
	Error     string `json:"error,omitzero"`
	Code      Code   `json:"code,omitzero"`
	Retryable bool   `json:"retryable,omitzero"`
}

// ProblemOf describes err for the wire; the zero Problem for nil.
func ProblemOf(err error) Problem {
	if err == nil {
		return Problem{}
	}
	text := err.Error()
	if text == "" {
		text = "unknown error"
	}
	return Problem{Error: text, Code: CodeOf(err), Retryable: Retryable(err)}
}

// Err turns a received Problem back into an error of its kind; nil when it
// holds no error. A peer that sends no code gives an Internal error.
func (p Problem) Err() error {
	if p.Error == "" {
		return nil
	}
	code := p.Code
	if code == "" {
		code = Internal
	}
	return &Error{code: code, retryable: p.Retryable, text: p.Error}
}
