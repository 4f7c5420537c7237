package gateway

import (
	"slices"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// keptEnded is how many requests that have ended are remembered.
const keptEnded = 1024

// ended remembers requests that nobody waits for any more, so that an answer to one of
// them is known for what it is and is not taken for a message of another kind: a runtime
// gives what it does not know to any of its agents. The zero value is empty.
type ended struct {
	by    map[wire.ID]string // type of the answer; "" for none
	order []wire.ID          // oldest first
}

// note remembers a request, answered with a message of type by; "" for none.
func (e *ended) note(id wire.ID, by string) {
	if e.by == nil {
		e.by = map[wire.ID]string{}
	}
	if _, known := e.by[id]; !known {
		if len(e.order) == keptEnded {
			delete(e.by, e.order[0])
			e.order = e.order[1:]
		}
		e.order = append(e.order, id)
	}
	e.by[id] = by
}

// forget forgets a request whose id is in use again.
func (e *ended) forget(id wire.ID) {
	if _, known := e.by[id]; !known {
		return
	}
	delete(e.by, id)
	i := slices.Index(e.order, id)
	e.order = slices.Delete(e.order, i, i+1)
}

// repeats reports whether a message answers what has ended. After an answer, a further
// message of another type is none: some requests have more than one.
func (e *ended) repeats(head wire.Header) bool {
	by, known := e.by[head.RequestID]
	return known && (by == "" || by == head.Type)
}
