package transfer

import "github.com/codeboltai/codebolt-providers/shared/wire"

// Result says what [Pack] or [Unpack] did. Of each kind of path at most a
// thousand are told. In JSON, bytes of a path that are not UTF-8 are replaced.
type Result struct {
	Files    int64    `json:"files"`             // files and links sent or received
	Bytes    int64    `json:"bytes"`             // content of these files
	Deleted  int64    `json:"deleted,omitzero"`  // items that the sender does not have and that are gone now
	Skipped  []string `json:"skipped,omitzero"`  // FIFOs, sockets and devices, which the sender kept to itself
	Unsteady []string `json:"unsteady,omitzero"` // what changed under the sender's hands, so that its content may be half old
	// Differs are paths that are not on the receiver's side as the sender has
	// them, because something else changed them meanwhile, or because they
	// belong to another user. To transfer again settles the former.
	Differs []string `json:"differs,omitzero"`
	// Troubles are what made [Receive] need more than it had to.
	Troubles []string `json:"troubles,omitzero"`
}

// Report is how a program tells of a transfer: what it did, or the error.
type Report struct {
	Result
	wire.Problem
}

const maxTold = 1000

func tell(paths *[]string, path string) {
	if len(*paths) < maxTold {
		*paths = append(*paths, path)
	}
}
