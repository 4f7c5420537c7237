package runtime

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// listensFor reports whether what listens at an address is a process of a runtime's
// instance, which its environment tells: another may have taken the port since it was
// found free. What cannot be found out counts as its own.
func listensFor(address, instance string) bool {
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		return true
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return true
	}
	inodes := listening(port)
	if len(inodes) == 0 {
		return true
	}
	links, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return true // the pattern is a right one
	}
	mark := []byte("\x00" + wire.EnvRuntimeInstance + "=" + instance + "\x00")
	found := false
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil || !inodes[target] {
			continue
		}
		environ, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(link)), "environ"))
		if err != nil {
			continue // it has ended, or is another user's
		}
		found = true
		if bytes.Contains(append([]byte{0}, environ...), mark) {
			return true
		}
	}
	return !found
}

// listening are the sockets that listen at a port, as descriptors name them.
func listening(port int) map[string]bool {
	found := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			// The local address, the state (0A listens) and the inode.
			fields := strings.Fields(line)
			if len(fields) > 9 && fields[3] == "0A" && strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", port)) {
				found["socket:["+fields[9]+"]"] = true
			}
		}
	}
	return found
}
