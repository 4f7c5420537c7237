//go:build !linux && !darwin && !windows

package resource

// machineID is what tells this machine from others; "" when nothing does.
func machineID() string { return "" }
