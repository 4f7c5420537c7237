package review

import (
	"fmt"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

func amounts() []suite.Check {
	return []suite.Check{
		{
			ID: "DF-019", Level: suite.Must, Needs: patching, Limit: 90 * time.Second,
			Title: "Five MiB of changes are told and patched in full",
			Why:   "A buffer of one MiB makes every large change an error, or cuts it off in the middle of a line.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				line := strings.Repeat("x", 63) + "\n"
				for i := range 8 {
					put(t, e, fmt.Sprintf("large/%d.txt", i), strings.Repeat(line, 5<<20/8/64))
				}
				result, files := diffOf(t, e)
				t.Equal("the number of files", len(files), 8)
				t.Equal("the additions", result.Object("summary")["totalAdditions"], 5<<20/64)
				applies(t, e, "rawDiff", result.Text("rawDiff"))
				applies(t, e, "patch", patchOf(t, e))
			},
		},
		{
			ID: "DF-020", Level: suite.Must, Needs: patching, Limit: 90 * time.Second,
			Title: "A thousand changed files are all told of",
			Why:   "What is cut off silently is not reviewed.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				for i := range 1000 {
					put(t, e, fmt.Sprintf("many/%d/%d.txt", i%10, i), fmt.Sprintf("file %d\n", i))
				}
				result, files := diffOf(t, e)
				t.Equal("the number of files", len(files), 1000)
				t.Equal("the summary", result["summary"], map[string]any{"totalFiles": 1000, "totalAdditions": 1000, "totalDeletions": 0, "totalChanges": 1000})
				applies(t, e, "patch", patchOf(t, e))
			},
		},
		{
			ID: "DF-021", Level: suite.Must, Needs: onDisk,
			Title: "Additions and deletions are what git counts",
			Why:   "People judge by them what is worth a look.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				work(t, e)
				result, files := diffOf(t, e)
				got := map[string][2]float64{}
				total := [2]float64{}
				for path, file := range files {
					got[path] = [2]float64{file.added, file.deleted}
					total[0] += file.added
					total[1] += file.deleted
					t.Equal("changes of "+path, file.whole.Object("changes")["changes"], file.added+file.deleted)
				}
				t.Equal("additions and deletions", got, numbers(t, e))
				t.Equal("the summary", result["summary"], map[string]any{"totalFiles": len(files), "totalAdditions": total[0], "totalDeletions": total[1], "totalChanges": total[0] + total[1]})
			},
		},
	}
}
