package agenthost

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/watch"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
)

const (
	// maxWatches is how many watches one provider may have.
	maxWatches = 16
	maxWatchID = 128 // bytes
	// The bounds of WatchStart.DebounceMS.
	leastDebounce, defaultDebounce, mostDebounce = 10, 100, 5000
)

// watches are those of one client. They end with it.
type watches struct {
	mu     sync.Mutex
	closed bool
	all    map[string]*watched
}

type watched struct {
	row wire.WatchRow
	w   *watch.Watch // nil while it begins
}

// close ends all watches.
func (s *watches) close() {
	s.mu.Lock()
	all := s.all
	s.all, s.closed = nil, true
	s.mu.Unlock()
	for _, one := range all {
		if one.w != nil {
			_ = one.w.Close() // what it held is gone either way
		}
	}
}

// watching carries a request about watches out. To look at a large tree takes a while,
// so that it has a goroutine of its own.
func (c *client) watching(head wire.Header, frame []byte) {
	c.h.wg.Go(func() {
		reply := wire.WatchReply{Header: wire.Header{Type: head.Type + "Response", RequestID: head.RequestID}}
		err := c.watch(head.Type, frame, &reply)
		reply.Success, reply.Problem = err == nil, wire.ProblemOf(err)
		c.respond(head.Type, reply)
	})
}

func (c *client) watch(typ string, frame []byte, reply *wire.WatchReply) error {
	switch typ {
	case wire.TypeWatchStart:
		m := &wire.WatchStart{}
		if err := wire.Unmarshal(frame, m); err != nil {
			return err
		}
		id, err := c.startWatch(m)
		reply.WatchID = id
		return err
	case wire.TypeWatchStop:
		m := &wire.WatchStop{}
		if err := wire.Unmarshal(frame, m); err != nil {
			return err
		}
		reply.WatchID = m.WatchID
		return c.stopWatch(m.WatchID)
	default:
		c.watches.mu.Lock()
		defer c.watches.mu.Unlock()
		for _, one := range c.watches.all {
			if one.w != nil {
				reply.Watches = append(reply.Watches, one.row)
			}
		}
		slices.SortFunc(reply.Watches, func(a, b wire.WatchRow) int { return cmp.Compare(a.WatchID, b.WatchID) })
		return nil
	}
}

func (c *client) startWatch(m *wire.WatchStart) (id string, err error) {
	id = cmp.Or(m.WatchID, "watch-"+string(wire.NewID()))
	if len(id) > maxWatchID {
		return "", wire.Errorf(wire.Invalid, "watch.start: watchId has more than %d bytes", maxWatchID)
	}
	row := wire.WatchRow{WatchID: id, Recursive: m.Recursive == nil || *m.Recursive, Ignore: m.Ignore, DebounceMS: cmp.Or(m.DebounceMS, defaultDebounce)}
	if row.DebounceMS < leastDebounce || row.DebounceMS > mostDebounce {
		return "", wire.Errorf(wire.Invalid, "watch.start: debounceMs is %d; write %d to %d", row.DebounceMS, leastDebounce, mostDebounce)
	}
	if row.Path, err = workspace.Name(c.h.files, "watch.start", cmp.Or(m.Path, ".")); err != nil {
		return "", err
	}
	one := &watched{row: row}
	if err := c.watches.reserve(id, one); err != nil {
		return "", err
	}
	w, err := watch.Start(watch.Options{
		Dir: c.h.files.Root(), Path: row.Path, Flat: !row.Recursive, Ignore: row.Ignore, Hidden: c.h.opt.Protected,
		Debounce: time.Duration(row.DebounceMS) * time.Millisecond,
		Changed:  func(b watch.Batch) { c.changed(id, b) },
	})
	c.watches.mu.Lock()
	late := c.watches.closed || c.watches.all[id] != one
	switch {
	case late:
	case err != nil:
		delete(c.watches.all, id)
	default:
		one.w = w
	}
	c.watches.mu.Unlock()
	if late && err == nil {
		err = errors.Join(wire.Errorf(wire.Unavailable, "watch.start: it was ended before it began"), w.Close())
	}
	return id, err
}

// reserve takes a place for a watch that begins.
func (s *watches) reserve(id string, one *watched) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return wire.Errorf(wire.Unavailable, "watch.start: the connection has ended")
	case s.all[id] != nil:
		return wire.Errorf(wire.Exists, "watch.start: there is a watch %q already", strings.ToValidUTF8(id, "?"))
	case len(s.all) >= maxWatches:
		return wire.Errorf(wire.Unavailable, "watch.start: there are %d watches already; stop one first", maxWatches)
	}
	if s.all == nil {
		s.all = map[string]*watched{}
	}
	s.all[id] = one
	return nil
}

func (c *client) stopWatch(id string) error {
	c.watches.mu.Lock()
	one := c.watches.all[id]
	delete(c.watches.all, id)
	c.watches.mu.Unlock()
	if one == nil {
		return wire.Errorf(wire.NotFound, "watch.stop: there is no watch %q", strings.ToValidUTF8(id, "?"))
	}
	if one.w == nil {
		return nil // it has not begun, and ends then
	}
	return one.w.Close()
}

// changed tells of a batch. While the provider is away it waits, and the watch collects.
func (c *client) changed(id string, b watch.Batch) {
	m := wire.WatchChanged{Type: wire.TypeWatchChanged, WatchID: id, Changes: []wire.FileChange{}, Overflow: b.Overflow, Timestamp: wire.Now()}
	for _, change := range b.Changes {
		m.Changes = append(m.Changes, wire.FileChange{Path: strings.ToValidUTF8(change.Path, "\uFFFD"), Kind: string(change.Kind), IsFolder: change.Folder})
	}
	c.tell(m)
}
