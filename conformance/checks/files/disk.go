package files

import (
	"strings"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

func disk() []suite.Check {
	return []suite.Check{
		{
			ID: "FS-036", Level: suite.Must, Needs: onDisk(readFile, writeFile, copyFile),
			Title: "A write that finds the disk full is refused, and the old content stays",
			Why:   "A full disk must cost the edit, which the editor still has, and not the file.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				mountSmall(t, e.Path("small"))
				do(e, write("small/keep.txt", "kept"), write("large.txt", strings.Repeat("x", 2*smallDisk)))
				for range 3 {
					e.Refused(write("small/keep.txt", strings.Repeat("y", 2*smallDisk)))
					e.Refused(write("small/new.txt", strings.Repeat("y", 2*smallDisk)))
					e.Refused(duplicate(copyFile, "large.txt", "small/copy.txt"))
				}
				lies(t, e.Path("small", "keep.txt"), "kept")
				onDiskOnly(t, e.Path("small"), "keep.txt")
				do(e, write("small/keep.txt", "there is room again"))
				holds(t, e, "small/keep.txt", "there is room again")
			},
		},
	}
}

// smallDisk is how many bytes the file system of [mountSmall] has.
const smallDisk = 256 << 10
