package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// residueDefects are those of group RS.
func residueDefects() []defect {
	return []defect{
		{
			Name: "leaves-a-process", Check: "RS-001", Also: []string{"LC-041", "RS-006", "RS-007"},
			Doc:   "forgets a process when it removes an environment",
			Reply: removed(func(*wrapper) { leaveProcess() }),
		},
		{
			Name: "leaves-a-setting", Check: "RS-002", Also: []string{"LC-049"},
			Doc:   "leaves a setting in the repository",
			Reply: removed(func(w *wrapper) { change(w.began().text("projectPath"), "config", "codebolt.worktrees", "true") }),
		},
		{
			Name: "leaves-a-branch", Check: "RS-002", Also: []string{"LC-049", "RS-003", "RS-005", "RS-007"},
			Doc: "leaves a branch for each environment",
			Reply: removed(func(w *wrapper) {
				change(w.began().text("projectPath"), "branch", "environments/"+w.began().text("environmentName"))
			}),
		},
		{
			Name: "leaves-a-record", Check: "RS-003",
			Doc:   "keeps a list of all the environments that ever were",
			Reply: removed(func(w *wrapper) { put(home("state", "environments.json"), w.began().text("environmentId")) }),
		},
		{
			Name: "leaves-a-lock", Check: "RS-004",
			Doc:   "leaves the file that it locks",
			Reply: removed(func(*wrapper) { put(home("state", "environments.lock"), "") }),
		},
		{
			Name: "leaves-a-file-for-each", Check: "RS-005", Also: []string{"RS-007"},
			Doc:   "leaves a file for each environment that was removed",
			Reply: removed(func(*wrapper) { put(home("state", "trash", fmt.Sprint(os.Getpid())), "") }),
		},
		{
			Name: "logs-without-end", Check: "RS-005",
			Doc: "writes so much into its log that the disk is full some day",
			Reply: removed(func(*wrapper) {
				path := home("state", "provider.log")
				before, _ := os.ReadFile(path) // there is none at first
				put(path, string(before)+strings.Repeat("removed\n", 4<<10))
			}),
		},
		{
			Name: "leaves-a-folder-of-each-failure", Check: "RS-006",
			Doc:   "leaves a folder for each start that failed",
			Reply: refused(func(*wrapper, message, message) { folder(home("state", "failed", fmt.Sprint(os.Getpid()))) }),
		},
		{
			Name: "leaves-what-it-found-again-by", Check: "RS-007",
			Doc: "leaves a note of each environment that it has found again",
			Reply: started(func(_ *wrapper, request message) {
				if request.text("resourceId") != "" {
					put(home("state", "found"), "")
				}
			}),
		},
		{
			Name: "leaves-a-temporary-file", Check: "RS-008", Also: []string{"RS-004"},
			Doc:   "leaves a temporary file when it removes an environment",
			Reply: removed(func(*wrapper) { put(filepath.Join(os.Getenv("TMPDIR"), "index"), "") }),
		},
		{
			Name: "logs-a-secret", Check: "RS-009", Also: []string{"PR-009"},
			Doc: "writes a key from its environment into its log",
			Reply: started(func(*wrapper, message) {
				fmt.Fprintln(os.Stderr, "started with", os.Getenv("CONFORMANCE_API_KEY"))
			}),
		},
	}
}
