package residue

import (
	"fmt"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/checks/internal/traces"
	"github.com/codeboltai/codebolt-providers/conformance/suite"
)

// lives is how many environments come and go.
const lives = 20

func cycles() []suite.Check {
	return []suite.Check{{
		ID: "RS-005", Level: suite.Must, Needs: needs(suite.Local), Limit: 3 * time.Minute,
		Title: "Twenty environments that come and go leave no more than one",
		Why:   "What each leaves is little, and after a year the disk is full.",
		Run: func(t *suite.T) {
			project := t.NewProject()
			// The first ones make what all use.
			for range 2 {
				lived(t, t.Env(suite.Spec{Project: project}))
			}
			before := traces.Look(append(traces.Homes(t), project)...)
			for range lives / abreast {
				flock(t, project)
			}
			after := traces.Look(append(traces.Homes(t), project)...)
			left := outsideObjects(after.Since(before))
			if len(left) > 0 {
				t.Errorf("%d environments that came and went left %d files and folders: %v", lives, len(left), left)
			}
			if grown := after.Bytes() - before.Bytes(); grown > lives*bytesPerLife {
				t.Errorf("%d environments that came and went left %d bytes", lives, grown)
			}
		},
	}}
}

const (
	abreast = 5
	// bytesPerLife may be added to logs for each environment that came and went.
	bytesPerLife = 4 << 10
)

// flock lets some environments live at the same time.
func flock(t *suite.T, project string) {
	envs := make([]*suite.Env, abreast)
	ended := make(chan error, abreast)
	for i := range envs {
		envs[i] = t.Env(suite.Spec{Project: project})
		go func() { ended <- life(envs[i]) }()
	}
	for range envs {
		if err := <-ended; err != nil {
			t.Errorf("an environment does not come and go: %v", err)
		}
	}
	for _, e := range envs {
		if e.PID() != 0 {
			e.Exit(suite.ExitLimit)
		}
	}
}

// life is the life of one environment; it may be called from any goroutine.
func life(e *suite.Env) error {
	if _, err := e.TryStart(); err != nil {
		return err
	}
	answer, err := e.TryAsk(suite.Message{"type": "providerStop", "onStop": "removeIfClean"})
	if err != nil {
		return err
	}
	if flag, _ := answer.Object("message")["removed"].(bool); !flag {
		return fmt.Errorf("it was not removed: %v", answer)
	}
	return nil
}
