//go:build !linux && !darwin

package install

import "errors"

// exchange swaps two folders in one step, which this system cannot.
func exchange(string, string) error { return errors.ErrUnsupported }
