package resource

import (
	"io/fs"
	"syscall"
	"time"
)

// changed is when an entry got its name: renaming sets the change time and
// leaves the modification time alone.
func changed(info fs.FileInfo) time.Time {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(st.Ctim.Unix())
	}
	return info.ModTime()
}
