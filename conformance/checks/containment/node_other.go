//go:build !linux

package containment

import "errors"

// exchange would make two names change places in one step.
func exchange(string, string) error { return errors.ErrUnsupported }

func makeFIFO(string) error { return errors.ErrUnsupported }

func makeDevice(string) error { return errors.ErrUnsupported }
