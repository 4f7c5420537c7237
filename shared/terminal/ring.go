package terminal

// ring keeps the last bytes of what is written to it. Bytes are counted from the first
// that ever was.
type ring struct {
	keep int
	data []byte // grows up to keep; the byte at offset o is data[o%keep]
	end  int64
}

func (r *ring) write(p []byte) {
	if over := len(p) - r.keep; over > 0 {
		r.skip(over)
		p = p[over:]
	}
	for len(p) > 0 {
		at := int(r.end % int64(r.keep))
		var n int
		if at == len(r.data) { // it grows still
			n = min(len(p), r.keep-at)
			r.data = append(r.data, p[:n]...)
		} else {
			n = copy(r.data[at:], p)
		}
		r.end += int64(n)
		p = p[n:]
	}
}

// skip counts bytes that are not kept: others follow that take all the room.
func (r *ring) skip(n int) {
	if len(r.data) < r.keep {
		r.data = append(r.data, make([]byte, r.keep-len(r.data))...)
	}
	r.end += int64(n)
}

// first is the offset of the oldest byte there is.
func (r *ring) first() int64 { return max(0, r.end-int64(r.keep)) }

// read copies what is kept from an offset on, which is one of those that are.
func (r *ring) read(p []byte, from int64) (n int) {
	for n < len(p) && from < r.end {
		at := int(from % int64(r.keep))
		until := min(at+int(r.end-from), len(r.data))
		copied := copy(p[n:], r.data[at:until])
		n += copied
		from += int64(copied)
	}
	return n
}
