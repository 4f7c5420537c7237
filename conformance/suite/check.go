package suite

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Level says how binding a check is.
type Level string

// The levels, as RFC 2119 has them.
const (
	Must   Level = "MUST"
	Should Level = "SHOULD"
)

// When says what may run beside a check.
type When int

// The times at which checks run.
const (
	// Beside: with others at the same time. The default.
	Beside When = iota
	// Alone: with nothing else, because it loads the machine or measures it.
	Alone
	// AtEnd: after all others, because it judges what they left.
	AtEnd
	// Waiting: with others, and on top of as many as run at the same time, because it
	// does little but wait.
	Waiting
)

// Check is one sentence of the contract and the function that tries it.
type Check struct {
	// ID is stable for ever: the group's two letters, a hyphen and three digits.
	ID string
	// Title is a sentence that is true of a provider that passes.
	Title string
	// Why says who is harmed by a provider that fails, and how.
	Why   string
	Level Level
	// Needs are the capabilities without which the check says nothing.
	Needs []Capability
	// NodeSDK, when not "", says why a provider on the Node SDK cannot pass; the
	// profile [NodeCompat] skips the check with that reason.
	NodeSDK string
	When    When
	// Limit is how long the check may take, when that is more than
	// [Options.Timeout]. Those with the longest limits begin first.
	Limit time.Duration
	// Run tries it. It returns when the check is done, or leaves by one of T's
	// methods that end a check.
	Run func(t *T)
}

// Group is the two letters before the hyphen of a check's id.
func (c *Check) Group() string {
	group, _, _ := strings.Cut(c.ID, "-")
	return group
}

// Groups are the groups in their order, with what each is about.
var Groups = []struct{ ID, Title string }{
	{"PR", "process and handshake"},
	{"LC", "lifecycle"},
	{"FS", "file requests"},
	{"SC", "containment"},
	{"DF", "diff, patch, pull request"},
	{"HB", "heartbeats and health"},
	{"NT", "links under fault"},
	{"AG", "agents"},
	{"MF", "manifests"},
	{"RS", "residue"},
}

// Sort orders checks by group and id.
func Sort(checks []Check) {
	rank := map[string]int{}
	for i, g := range Groups {
		rank[g.ID] = i
	}
	slices.SortStableFunc(checks, func(a, b Check) int {
		return cmp.Or(cmp.Compare(rank[a.Group()], rank[b.Group()]), cmp.Compare(a.ID, b.ID))
	})
}

// Selects reports whether a pattern names the check: by its id, or by its group.
func (c *Check) Selects(pattern string) bool {
	return strings.EqualFold(pattern, c.ID) || strings.EqualFold(pattern, c.Group())
}
