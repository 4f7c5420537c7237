package lifecycle

import (
	"os"
	"path/filepath"

	"github.com/codeboltai/codebolt-providers/conformance/checks/internal/traces"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// prospective asks where the environment would be.
func prospective(e *suite.Env) suite.Message {
	return e.Ask(e.StartMessage().With(suite.Message{"type": "providerProspectivePath"}))
}

func places() []suite.Check {
	planning := []suite.Capability{"providerProspectivePath", suite.Local}
	return []suite.Check{
		{
			ID: "LC-052", Level: suite.Must, Needs: planning,
			Title: "providerProspectivePath names the very workspace that the start then uses",
			Why:   "The user agreed to that path.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				e.Launch()
				answer := prospective(e)
				if problem := suite.Problem(answer); problem != "" {
					t.Fatalf("providerProspectivePath failed: %s", problem)
				}
				t.Equal("the answer's action", answer["action"], "providerProspectivePathResponse")
				t.Equal("status", answer["status"], true)
				t.Equal("message", answer["message"], answer["data"])
				plan := answer.Object("data")
				result := e.Start()
				for _, member := range []string{"path", "projectPath", "resolvedPath", "environmentPath"} {
					t.Equal(member+" of the plan", plan[member], result["workspacePath"])
				}
				for _, member := range []string{"pathSource", "source"} {
					t.Equal(member+" of the plan", plan[member], "provider_proposed")
				}
			},
		},
		{
			ID: "LC-053", Level: suite.Must, Needs: planning,
			Title: "providerProspectivePath changes nothing",
			Why:   "It is asked while the user types a name: one directory for each letter.",
			Run: func(t *suite.T) {
				e := t.Env(suite.Spec{})
				e.Launch()
				homes := append(traces.Homes(t), e.Project)
				before, repository := traces.Look(homes...), traces.Repository(t, e.Project)
				for _, more := range []suite.Message{{}, {"environmentName": "another"}, {"environmentPath": filepath.Join(t.Dir("elsewhere"), "workspace")}} {
					e.Ask(e.StartMessage().With(suite.Message{"type": "providerProspectivePath"}).With(more))
				}
				if made := traces.Look(homes...).Since(before); len(made) > 0 {
					t.Errorf("asking for a path made %v", made)
				}
				if entries, err := os.ReadDir(t.Dir("elsewhere")); err != nil || len(entries) > 0 {
					t.Errorf("asking for a path made it: %v %v", entries, err)
				}
				traces.Same(t, "after asking for a path", traces.Repository(t, e.Project), repository)
			},
		},
		{
			ID: "LC-054", Level: suite.Must, Needs: []suite.Capability{suite.Local},
			Title: "A path the user chose is where the environment is, and is reported as such",
			Why:   "An environment elsewhere than asked for is not found, or fills the wrong disk.",
			Run: func(t *suite.T) {
				chosen := filepath.Join(t.Dir("chosen"), "workspace")
				e := t.Env(suite.Spec{Start: map[string]any{"environmentPath": chosen}})
				e.Launch()
				if t.Can("providerProspectivePath") {
					plan := e.Ask(e.StartMessage().With(suite.Message{"type": "providerProspectivePath", "environmentPath": chosen})).Object("data")
					t.Equal("path of the plan", plan["path"], chosen)
					t.Equal("pathSource of the plan", plan["pathSource"], "user_override")
				}
				result := e.Start()
				t.Equal("workspacePath", result["workspacePath"], chosen)
				t.Equal("pathSource", result["pathSource"], "user_override")
				if _, err := os.Stat(filepath.Join(chosen, "README.md")); err != nil {
					t.Errorf("the project is not at the path that was chosen: %v", err)
				}
				works(t, e, "at the path that was chosen")
			},
		},
	}
}
