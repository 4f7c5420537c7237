package residue

import "github.com/codeboltai/codebolt-providers/conformance/suite"

// bait are the variables with the secrets; the record of an address has no values
// of such names.
var bait = []string{"CONFORMANCE_API_KEY", "AWS_SECRET_ACCESS_KEY", "E2B_API_KEY", "CONFORMANCE_PASSWORD"}

func atEnd() []suite.Check {
	return []suite.Check{
		{
			ID: "RS-008", Level: suite.Must, When: suite.AtEnd,
			Title: "After the whole run nothing is left of environments that were removed: no process, temporary file or socket",
			Why:   "Each of the checks before was a day of somebody's work with environments; so much would be left of it.",
			Run: func(t *suite.T) {
				left, looked := t.Residue()
				t.Logf("looked at what %d checks left", looked)
				for _, r := range left {
					t.Errorf("%s left a %s: %s", r.Check, r.Kind, r.What)
				}
				if looked == 0 {
					t.Skipf("no check before removed all its environments")
				}
			},
		},
		{
			ID: "RS-009", Level: suite.Must, When: suite.AtEnd,
			Title: "In the whole run no secret of the provider's environment was seen: in no frame, address, command line or output",
			Why:   "Logs and frames are kept, and read by people who must not have the keys.",
			Run: func(t *suite.T) {
				e := t.Open(suite.Spec{})
				for _, c := range e.Connections() {
					for _, name := range bait {
						if c.Query.Has(name) {
							t.Errorf("seen: %s in the address that the provider dials", name)
						}
					}
				}
				for _, p := range t.Processes() {
					t.Look("a command line", []byte(p.Command))
				}
				for _, leak := range t.Leaks() {
					t.Errorf("seen: %s", leak)
				}
			},
		},
	}
}
