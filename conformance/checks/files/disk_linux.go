package files

import (
	"fmt"
	"os"
	"syscall"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// mountSmall makes a folder with a small file system of its own for the length
// of the check.
func mountSmall(t *suite.T, path string) {
	t.Try(os.Mkdir(path, 0o755))
	if err := syscall.Mount("conformance", path, "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, fmt.Sprintf("size=%d", smallDisk)); err != nil {
		t.Skipf("a small file system cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { t.Try(syscall.Unmount(path, syscall.MNT_DETACH)) })
}
