//go:build !linux

package runtime

// listensFor cannot be found out here, so that it is taken for true.
func listensFor(string, string) bool { return true }
