package resource

import "golang.org/x/sys/unix"

// machineID is what tells this machine from others; "" when nothing does.
func machineID() string {
	id, _ := unix.Sysctl("kern.uuid") // without it the directory alone counts
	return id
}
