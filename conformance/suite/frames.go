package suite

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/conformance/server"
)

// Limits of a frame log: what a check may still look at.
const (
	keptFrames = 20_000
	keptBytes  = 64 << 20
)

// Frame is one frame that crossed between server and provider.
type Frame struct {
	Number      int // counts the frames of the check from 1
	Time        time.Time
	Environment string // its id
	Connection  int    // counts that environment's connections from 1
	In          bool   // from the provider
	Data        []byte
}

// Message is the frame decoded; nil when it is no JSON object.
func (f *Frame) Message() Message {
	m, err := decode(f.Data)
	if err != nil {
		return nil
	}
	return m
}

// frameLog keeps the frames of one check.
type frameLog struct {
	mu     sync.Mutex
	frames []Frame
	first  int // number of frames[0]
	bytes  int
	more   chan struct{} // closed at the next frame
}

func newFrameLog() *frameLog { return &frameLog{first: 1, more: make(chan struct{})} }

func (l *frameLog) add(f server.Frame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	data := append([]byte(nil), f.Data...)
	l.frames = append(l.frames, Frame{
		Number: l.first + len(l.frames), Time: f.Time, Environment: f.EnvironmentID,
		Connection: f.Connection, In: f.Direction == server.In, Data: data,
	})
	l.bytes += len(data)
	drop := 0
	for drop < len(l.frames)-1 && (len(l.frames)-drop > keptFrames || l.bytes > keptBytes) {
		l.bytes -= len(l.frames[drop].Data)
		drop++
	}
	l.frames = slices.Delete(l.frames, 0, drop)
	l.first += drop
	close(l.more)
	l.more = make(chan struct{})
}

// since returns the frames from a number on, and what is closed at the next.
func (l *frameLog) since(number int) ([]Frame, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	from := min(max(number-l.first, 0), len(l.frames))
	return slices.Clone(l.frames[from:]), l.more
}

// next is the number that the next frame will have.
func (l *frameLog) next() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.first + len(l.frames)
}

// await returns the first frame from a number on that matches.
func (l *frameLog) await(ctx context.Context, number int, match func(*Frame) bool) (Frame, error) {
	for {
		frames, more := l.since(number)
		for i := range frames {
			if match(&frames[i]) {
				return frames[i], nil
			}
			number = frames[i].Number + 1
		}
		select {
		case <-more:
		case <-ctx.Done():
			return Frame{}, context.Cause(ctx)
		}
	}
}
