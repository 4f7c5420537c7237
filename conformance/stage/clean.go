//go:build unix

package stage

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/nodesdk"
	"github.com/codeboltai/codebolt-providers/conformance/programtest"
)

// Main is [programtest.Main] for tests with a stage, and [nodesdk.Main]: git has no
// settings but an author's name.
func Main(m programtest.Tests, dir *string, programs map[string]string) int {
	for name, value := range map[string]string{
		"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@localhost",
		"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@localhost",
	} {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	return programtest.Main(sdkTests{m}, dir, programs)
}

// sdkTests are tests that may use agents with the SDK.
type sdkTests struct{ programtest.Tests }

func (m sdkTests) Run() int { return nodesdk.Main(m.Tests) }

// Clean checks that nothing is left that nothing owns: worktrees and branches
// only of the environments that are on record, no lock, no temporary file, and
// no process unless agents are at work.
func (s *Stage) Clean(environments int) {
	s.T.Helper()
	records, err := filepath.Glob(filepath.Join(s.State, "envs", "*.json"))
	if err != nil || len(records) != environments {
		s.T.Errorf("%d records, want %d: %v", len(records), environments, records)
	}
	if trees := strings.Count(Git(s.T, s.Project, "worktree", "list", "--porcelain"), "worktree "); trees != environments+1 {
		s.T.Errorf("%d worktrees beside the project, want %d", trees-1, environments)
	}
	if branches := Git(s.T, s.Project, "for-each-ref", "--format=%(refname)", "refs/heads/codebolt/"); len(strings.Fields(branches)) != environments {
		s.T.Errorf("branches, want %d: %s", environments, branches)
	}
	for _, root := range []string{filepath.Join(s.Project, ".git"), s.State} {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			name := filepath.Base(path)
			if strings.HasSuffix(name, ".lock") || strings.HasSuffix(name, ".lease") || strings.Contains(name, "codebolt-tmp") || strings.HasPrefix(name, "codebolt-index-") || strings.Contains(name, "trash") {
				s.T.Errorf("left behind: %s", path)
			}
			return err
		})
		if err != nil {
			s.T.Error(err)
		}
	}
	// Ending takes a moment.
	var left map[int]string
	for range 300 {
		if left = s.Processes(); len(left) == 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if len(left) > 0 {
		s.T.Errorf("processes left: %v", left)
	}
}
