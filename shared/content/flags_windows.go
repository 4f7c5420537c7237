package content

import "os"

const (
	openRead  = os.O_RDONLY
	openWrite = os.O_WRONLY | os.O_CREATE | os.O_EXCL
)
