//go:build !linux

package resource

import (
	"io/fs"
	"time"
)

// changed is the best this system tells of when an entry got its name.
func changed(info fs.FileInfo) time.Time { return info.ModTime() }
