package resource

import (
	"os"
	"strings"
)

// machineID is what tells this machine from others; "" when nothing does.
func machineID() string {
	for _, path := range []string{"/etc/machine-id", "/var/lib/dbus/machine-id"} {
		if id, err := os.ReadFile(path); err == nil && len(id) > 0 {
			return strings.TrimSpace(string(id))
		}
	}
	return ""
}
