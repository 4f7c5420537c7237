package runtime

import "os"

// readsAndAppends is false: a file that others write to is not cut here.
func readsAndAppends(*os.File) bool { return false }
