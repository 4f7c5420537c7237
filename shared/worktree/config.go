package worktree

import (
	"os"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// Config is what an environment of this kind can be told besides the base's
// settings.
type Config struct {
	// WorktreeBaseDir is where the worktrees go; "" is the state directory.
	// A relative path is relative to the project and is excluded from its git
	// status.
	WorktreeBaseDir string `config:"worktreeBaseDir"`
	// CleanupEnvironmentPath false keeps the directory whatever onStop says.
	CleanupEnvironmentPath bool `config:"cleanupEnvironmentPath"`

	BaseRef        string `config:"baseRef"`        // what the branch begins at; "" is the project's HEAD
	ExistingBranch string `config:"existingBranch"` // check this branch out instead of making one
	BranchPrefix   string `config:"branchPrefix"`   // default "codebolt/"

	CarryUncommitted bool          `config:"carryUncommitted"` // begin with the project's uncommitted changes
	CopyFiles        []string      `config:"copyFiles"`        // patterns of ignored files to bring along, such as .env
	Setup            []string      `config:"setup"`            // argv run in the new worktree
	SetupTimeout     time.Duration `config:"setupTimeout"`     // default 10 min

	SparsePaths []string `config:"sparsePaths"` // directories to check out; empty is everything
	Submodules  string   `config:"submodules"`  // auto, off or recursive
	LFS         string   `config:"lfs"`         // auto, skip or pull

	// DisposableIgnored are patterns of ignored files that a removal may delete,
	// such as node_modules; other ignored files hold the removal.
	DisposableIgnored []string `config:"disposableIgnored"`

	Remote       string `config:"remote"`       // to push to; default origin
	CommitPolicy string `config:"commitPolicy"` // autoCommit or refuse, for uncommitted work in a pull request
	PRTitle      string `config:"prTitle"`
	PRBody       string `config:"prDescription"`
	PRBase       string `config:"prBase"`      // branch the pull request is against; "" is the remote's default
	GitHubToken  string `config:"githubToken"` // secret
	GitHubAPI    string `config:"githubApiUrl"`

	// LegacyEmptyText answers providerMergeAsPatch with a sentence instead of ""
	// when nothing changed, as the Node provider does.
	LegacyEmptyText bool `config:"legacyEmptyText"`
}

func (c *Config) check() error {
	oneOf := func(key, value string, allowed ...string) error {
		for _, a := range allowed {
			if value == a {
				return nil
			}
		}
		return wire.Errorf(wire.Invalid, "configuration: %s is %q; write one of %s", key, value, strings.Join(allowed, ", "))
	}
	for _, err := range []error{
		oneOf("submodules", c.Submodules, "auto", "off", "recursive"),
		oneOf("lfs", c.LFS, "auto", "skip", "pull"),
		oneOf("commitPolicy", c.CommitPolicy, "autoCommit", "refuse"),
	} {
		if err != nil {
			return err
		}
	}
	if c.ExistingBranch != "" && c.BaseRef != "" {
		return wire.Errorf(wire.Invalid, "configuration: existingBranch and baseRef exclude each other; an existing branch has its own base")
	}
	return nil
}

// token is the GitHub token: configured, or from the usual variables.
func (c *Config) token() string {
	if c.GitHubToken != "" {
		return c.GitHubToken
	}
	for _, name := range []string{"CODEBOLT_GITHUB_TOKEN", "GITHUB_TOKEN", "GH_TOKEN"} {
		if v := os.Getenv(name); v != "" {
			return v
		}
	}
	return ""
}
