package gitrepo

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// TestBranchesOfOthersMayGoWhileCommitsAreLookedFor holds that environments of one
// repository can be removed at the same time.
func TestBranchesOfOthersMayGoWhileCommitsAreLookedFor(t *testing.T) {
	dir := t.TempDir()
	git(t, dir, "init", "-q", "-b", "main")
	git(t, dir, "commit", "-q", "--allow-empty", "-m", "first")
	base := git(t, dir, "rev-parse", "HEAD")
	git(t, dir, "commit", "-q", "--allow-empty", "-m", "second")
	tip := git(t, dir, "rev-parse", "HEAD")
	repo, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var makes, removes strings.Builder
	for i := range 40 {
		fmt.Fprintf(&makes, "create refs/heads/other/%d %s\n", i, base)
		fmt.Fprintf(&removes, "delete refs/heads/other/%d\n", i)
	}
	over, churned := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			for _, lines := range []string{makes.String(), removes.String()} {
				cmd := exec.Command("git", "update-ref", "--stdin")
				cmd.Dir, cmd.Stdin = dir, strings.NewReader(lines)
				if out, err := cmd.CombinedOutput(); err != nil {
					churned <- fmt.Errorf("%w: %s", err, out)
					return
				}
			}
			select {
			case <-over:
				churned <- nil
				return
			default:
			}
		}
	}()
	for range 1000 {
		reachable, err := repo.reachable(t.Context(), tip, "refs/heads/main")
		if err != nil || reachable {
			t.Errorf("a commit that only main has is reachable without it: %v (%v)", reachable, err)
			break
		}
	}
	close(over)
	if err := <-churned; err != nil {
		t.Error(err)
	}
}
