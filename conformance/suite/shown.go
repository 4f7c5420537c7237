package suite

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/codeboltai/codebolt-providers/shared/redact"
)

// Keep says which frames of its checks a run keeps for reports.
type Keep string

// What may be kept. Checks that failed, and errors of the suite, are kept alike
// in KeepFew and KeepFailed: every frame, unless there are very many.
const (
	// KeepFew also keeps the last few frames of every other check, shortened.
	KeepFew Keep = "few"
	// KeepFailed keeps nothing of other checks.
	KeepFailed Keep = "failed"
	// KeepAll keeps every frame of every check.
	KeepAll Keep = "all"
)

// Limits of what is kept.
const (
	fewFrames = 4   // of a check that passed
	fewBytes  = 400 // of each
	fewSteps  = 10  // of its story
	stepBytes = 160 // of each

	failedFrames = 200     // of a check that failed
	failedBytes  = 8 << 10 // of each

	allBytes = 64 << 10 // of a frame in KeepAll
)

// What a report shows around a failure when it cannot show everything.
const (
	aroundBefore = 12
	aroundAfter  = 3
)

// Around is the part of the frames that is near a failure, for a report with
// little room; the last ones when no failure was noted.
func (r *Result) Around() []ShownFrame {
	if len(r.Failures) == 0 {
		return r.Frames[max(0, len(r.Frames)-aroundBefore-aroundAfter):]
	}
	var near []ShownFrame
	for i := range r.Frames {
		if beside(r.Frames[i].Number, r.Failures) {
			near = append(near, r.Frames[i])
		}
	}
	return near
}

func beside(frame int, failures []Failure) bool {
	return slices.ContainsFunc(failures, func(failure Failure) bool {
		return frame > failure.Frame-aroundBefore && frame <= failure.Frame+aroundAfter
	})
}

// keep puts into a result, which has its outcome, what is kept of the check's
// conversation and story, which is screened already: a secret that is cut is not
// known any more.
func (t *T) keep(result *Result, frames []Frame, screen *screen) {
	crossed := 0
	if len(frames) > 0 {
		crossed = frames[len(frames)-1].Number
	}
	wrong := result.Outcome == Failed || result.Outcome == Errored
	limit := failedBytes
	switch keep := t.run.options.Keep; {
	case keep == KeepAll:
		limit = allBytes
	case wrong:
		frames = choose(frames, failedFrames, func(f *Frame) bool { return beside(f.Number, result.Failures) })
	case keep == KeepFailed:
		frames = nil
	default:
		limit = fewBytes
		frames = choose(frames, fewFrames, func(f *Frame) bool { return result.Group == "HB" || !background[typeOf(f.Data)] })
	}
	if !wrong && t.run.options.Keep != KeepAll {
		result.Story = brief(result.Story)
	}
	for i := range frames {
		result.Frames = append(result.Frames, t.shown(&frames[i], screen, limit))
	}
	result.FramesLeftOut = crossed - len(frames)
}

// background are the types of what providers and servers say all the time. Only
// checks of the group HB are about it.
var background = map[string]bool{
	"providerHeartbeat": true, "providerHeartbeatResponse": true,
	"environmentHeartbeat": true, "environmentHeartbeatResponse": true, "notification environmentProgress": true,
}

// choose leaves no more than a number of frames, in their order: the last of those
// that matter, and if there is room the last of the others.
func choose(frames []Frame, limit int, matters func(*Frame) bool) []Frame {
	if len(frames) <= limit {
		return frames
	}
	var chosen []int
	for _, want := range []bool{true, false} {
		for i := len(frames) - 1; i >= 0 && len(chosen) < limit; i-- {
			if matters(&frames[i]) == want {
				chosen = append(chosen, i)
			}
		}
	}
	slices.Sort(chosen)
	kept := make([]Frame, 0, limit)
	for _, i := range chosen {
		kept = append(kept, frames[i])
	}
	return kept
}

// brief is the story of a check that passed: how it began and how it ended.
func brief(story []string) []string {
	kept := slices.Clone(story)
	if len(story) > fewSteps+1 {
		const ends = fewSteps / 2
		gap := fmt.Sprintf("… %d steps left out", len(story)-2*ends)
		kept = slices.Concat(story[:ends], []string{gap}, story[len(story)-ends:])
	}
	for i := range kept {
		kept[i] = clip(kept[i], stepBytes)
	}
	return kept
}

func (t *T) shown(f *Frame, screen *screen, limit int) ShownFrame {
	return ShownFrame{
		Number: f.Number, At: f.Time.Sub(t.begun).Milliseconds(), Connection: f.Connection, In: f.In,
		Type: clip(screen.text(typeOf(f.Data)), 100), Text: clip(screen.json(f.Data), limit), Bytes: len(f.Data),
	}
}

// typeOf is what a frame says it is.
func typeOf(data []byte) string {
	var head struct {
		Type   string `json:"type"`
		Action string `json:"action"`
	}
	if json.Unmarshal(data, &head) != nil {
		return ""
	}
	return strings.TrimSpace(head.Type + " " + head.Action)
}

// clip cuts a text and says how much is left out.
func clip(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return fmt.Sprintf("%s… (%d bytes left out)", text[:limit], len(text)-limit)
}

// screen takes out of a report what is not for everyone: secrets, and where things
// are on this machine. The names of its folders tell of its people, and that of
// the run's temporary folder differs in each run.
type screen struct {
	hide   *redact.Redactor
	places *strings.Replacer
}

func (r *runner) screen() *screen {
	places := place(r.dir, "$RUN")
	// A short path, such as that of a root user, may be a part of any other.
	if cwd, err := os.Getwd(); err == nil && strings.Count(cwd, separator) > 1 {
		places = append(places, place(cwd+separator, "$PWD"+separator)...)
	}
	if home, err := os.UserHomeDir(); err == nil && strings.Count(home, separator) > 1 {
		places = append(places, place(home+separator, "$HOME"+separator)...)
	}
	return &screen{r.redactor(), strings.NewReplacer(places...)}
}

const separator = string(filepath.Separator)

// place has a path replaced where it stands as it is, and where it stands in JSON.
func place(path, name string) []string {
	inJSON := func(text string) string { quoted := raw(text); return quoted[1 : len(quoted)-1] }
	return []string{path, name, inJSON(path), inJSON(name)}
}

func (s *screen) text(text string) string { return s.places.Replace(s.hide.String(text)) }

func (s *screen) json(data []byte) string {
	return s.places.Replace(string(s.hide.JSON(bytes.Clone(data))))
}
