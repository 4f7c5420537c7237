package main

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// answerLimit is how long no answer may take.
const answerLimit = 3 * time.Minute

// begun is a start that was answered.
type begun struct {
	took   float64            // to the answer, in ms
	phases map[string]float64 // how long each took, in ms, as the provider reports
	path   string             // of the worktree
}

// start asks for an environment.
func (p *peer) start(project, name string, config map[string]any) (*begun, error) {
	if err := p.conn.SetReadDeadline(time.Now().Add(answerLimit)); err != nil {
		return nil, err
	}
	from := time.Now()
	if err := p.conn.WriteJSON(startMessage(project, name, config)); err != nil {
		return nil, err
	}
	for b := (&begun{phases: map[string]float64{}}); ; {
		var frame struct {
			Type, Action, Error string
			Data                struct {
				Phase, State string
				DurationMs   float64
			}
			Message struct{ WorkspacePath string }
		}
		_, text, err := p.conn.ReadMessage()
		if err == nil {
			err = json.Unmarshal(text, &frame)
		}
		if err != nil {
			return nil, fmt.Errorf("start %s: %w", name, err)
		}
		answered := frame.Type == "providerStartResponse" || frame.Action == "providerStartResponse"
		switch {
		case frame.Type == "notification" && frame.Data.State == "done":
			b.phases[frame.Data.Phase] = frame.Data.DurationMs
		case answered && frame.Error != "":
			return nil, fmt.Errorf("start %s: %s", name, frame.Error)
		case answered:
			b.took, b.path = millis(from), frame.Message.WorkspacePath
			return b, nil
		}
	}
}

// away removes an environment, whatever is in it, and ends its provider.
func away(p *peer) error {
	err := ask(p, map[string]any{"type": "providerStop", "requestId": "stop", "onStop": "snapshotAndRemove"}, "providerStopResponse")
	p.end()
	return err
}

// ask makes a request that must be answered in time.
func ask(p *peer, request map[string]any, name string) error {
	if err := p.conn.SetReadDeadline(time.Now().Add(answerLimit)); err != nil {
		return err
	}
	_, err := p.call(request, name)
	return err
}

// tend reads what the provider of an environment sends that has nothing to do, and
// so answers its pings; else it would think that the server is gone. It ends with
// the connection, at the latest when stop is called.
func tend(p *peer) (stop func()) {
	enough, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-time.After(10 * time.Second):
			case <-enough:
				return
			}
			if ask(p, map[string]any{"type": "providerGetTreeChildren", "path": "root", "requestId": "t"}, "providerGetTreeChildrenResponse") != nil {
				return // whoever uses it next sees why
			}
		}
	}()
	return sync.OnceFunc(func() { close(enough); <-ended })
}
