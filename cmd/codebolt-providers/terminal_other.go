//go:build !linux && !darwin

package main

import (
	"context"
	"errors"
)

// terminal is not supported here: what a provider asks for must come from its settings,
// from an agent, or from a program of SSH_ASKPASS.
type terminal struct{}

func openTerminal() (*terminal, error) { return nil, errors.ErrUnsupported }

func (*terminal) close() {}

func (*terminal) ask(context.Context, string, bool) (string, error) {
	return "", errors.ErrUnsupported
}
