package glob_test

import (
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/glob"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

func TestPatternsMatchAsTheyAreWritten(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, name string
		match         bool
	}{
		{"*.go", "main.go", true},
		{"*.go", "a/b/main.go", true},
		{"*.go", "a.go/readme", false},
		{"a/*.go", "a/x.go", true},
		{"a/*.go", "b/a/x.go", false},
		{"a/**", "a/b/c", true},
		{"a/**", "ab/c", false},
		{"**/x", "x", true},
		{"{a,b}.txt", "c/b.txt", true},
		{"[ab].txt", "c.txt", false},
		{" *.go ", "main.go", true},
		{"", "main.go", false},
	} {
		set, err := glob.Parse(c.pattern)
		if err != nil || set.Match(c.name) != c.match {
			t.Errorf("%q of %q: %v, want %v (%v)", c.pattern, c.name, !c.match, c.match, err)
		}
	}
	if set, err := glob.Parse("a/*"); err != nil || !set.Match("x/a/b", "a/b") || set.Match("x/a/b", "c") {
		t.Errorf("other names: %v", err)
	}
}

func TestWhatIsNoPatternIsRefused(t *testing.T) {
	t.Parallel()
	for _, p := range [][]string{{"[a"}, {"{a"}, {`a\`}, {strings.Repeat("a", 2000)}, {strings.Repeat("{a,b}", 10)}, make([]string, 101)} {
		if _, err := glob.Parse(p...); wire.CodeOf(err) != wire.Invalid {
			t.Errorf("%.20q: %v", p, err)
		}
	}
}
