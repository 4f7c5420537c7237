package workspace

import "os"

const openRead = os.O_RDONLY
