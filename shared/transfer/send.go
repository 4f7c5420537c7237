package transfer

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// SendOptions say what [Send] sends.
type SendOptions struct {
	// Excludes are names directly in the directory that are left out with all
	// below them. Case does not count.
	Excludes []string
	// Progress, when not nil, is told how far it got, at least every second. The
	// calls come one after the other.
	Progress func(Progress)
}

// Progress is how far a [Send] got.
type Progress struct {
	// Reading tells that the directory is still being looked through: AllFiles and
	// AllBytes grow, and nothing is known of the others.
	Reading  bool
	AllFiles int64 // files of the directory
	AllBytes int64 // content of these files
	Files    int64 // files that are in their place
	Bytes    int64 // content of these files
	There    int64 // content that the receiver had
}

// Sent says what [Send] did.
type Sent struct {
	Files int64 // files of the directory
	Bytes int64 // content of these files
	// Moved is how much of their content was sent, before it was compressed, and
	// Stream how many bytes the whole stream had.
	Moved, Stream int64
	Skipped       []string // FIFOs, sockets and devices, which were not sent
}

// There is how much of the content the receiver had.
func (s Sent) There() int64 { return max(s.Bytes-s.Moved, 0) }

// Send brings what is in the directory root to [Receive], whose answers it reads from
// r. Files are cut into chunks of half a MiB, and only those that the receiver does not
// have are sent. It needs a fixed amount of memory, some hundred bytes for each item of
// the directory and for each chunk, and reads r to its end.
//
// What vanishes before it is read does not exist. A file that changes while it is sent
// is looked at anew; one that always does is a Conflict. What cannot be read is an error
// of kind Permission. An error of w or r is Unavailable, and so is a receiver that ends
// early: why it does is told where it runs. An answer that none of ours would give is
// Invalid; whatever it says, nothing but the files of the directory is sent. Send ends
// with ctx, except while w or r blocks.
func Send(ctx context.Context, root string, w io.Writer, r io.Reader, o SendOptions) (Sent, error) {
	const op = "send"
	exclude, err := newExcludes(o.Excludes)
	if err != nil {
		return Sent{}, err
	}
	dir, err := os.OpenRoot(root)
	if err != nil {
		return Sent{}, fail(op, root, err)
	}
	defer dir.Close()
	counted := &counter{w: sink{w, op}}
	out, err := zstd.NewWriter(counted, encoderOptions()...)
	if err != nil {
		return Sent{}, fail(op, root, err)
	}
	s := &sender{ctx: ctx, dir: dir, out: out, table: newTable(), buf: make([]byte, chunkSize), answers: make(chan answer, 1), over: make(chan struct{})}
	defer close(s.over)
	if o.Progress != nil {
		defer s.tellEvery(time.Second, o.Progress)()
	}
	go s.listen(r) // from the start: a receiver that ends early is not held at its last words
	err = s.look(exclude)
	if err == nil {
		err = s.rounds()
	}
	if s.read != nil {
		s.read.Close()
	}
	_ = out.Close() // whoever has everything need not hear that it ends
	s.sent.Stream = counted.n
	return s.sent, fail(op, root, err)
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

type sender struct {
	ctx   context.Context // of the one call of Send
	dir   *os.Root
	out   *zstd.Encoder
	table *table
	sent  Sent
	buf   []byte

	read     *os.File // of the entry reading
	reading  int
	answers  chan answer
	over     chan struct{} // closed when nobody waits for answers any more
	mu       sync.Mutex
	progress Progress
}

// tellEvery tells how far it got, until the returned function is called.
func (s *sender) tellEvery(pause time.Duration, tell func(Progress)) (stop func()) {
	var telling sync.WaitGroup
	ended := make(chan struct{})
	telling.Go(func() {
		ticker := time.NewTicker(pause)
		defer ticker.Stop()
		for {
			select {
			case <-ended:
				return
			case <-ticker.C:
				s.mu.Lock()
				now := s.progress
				s.mu.Unlock()
				tell(now)
			}
		}
	})
	return func() { close(ended); telling.Wait() }
}

func (s *sender) note(f func(*Progress)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.progress)
}

// look goes through the directory and sends the table.
func (s *sender) look(exclude excludes) error {
	s.note(func(p *Progress) { p.Reading = true })
	sum := sha256.New()
	w := io.MultiWriter(s.out, sum)
	if _, err := io.WriteString(w, sendMagic); err != nil {
		return err
	}
	var (
		text []byte
		last string
	)
	walk := &walker{excludes: exclude, special: func(path string) { tell(&s.sent.Skipped, path) }}
	walk.visit = func(dir *os.Root, base string, e Entry) error {
		var chunks []uint32
		if e.Type == File {
			var err error
			e, chunks, err = s.hash(dir, base, e)
			if moved(err) {
				return nil
			}
			if err != nil {
				return err
			}
			s.sent.Files++
		}
		if len(s.table.entries) == maxEntries {
			return wire.Errorf(wire.TooLarge, "transfer: the directory has more than %d entries; exclude some directories", maxEntries)
		}
		s.table.add(e, chunks)
		s.note(func(p *Progress) { p.AllFiles, p.AllBytes = s.sent.Files, s.table.bytes })
		text = s.table.appendSums(appendEntry(text[:0], e, last), chunks)
		last = e.Path
		_, err := w.Write(text)
		return err
	}
	if err := walk.folder(s.ctx, s.dir, "", 0); err != nil {
		return err
	}
	if _, err := w.Write(binary.AppendUvarint([]byte{0}, uint64(len(s.table.entries)))); err != nil {
		return err
	}
	s.sent.Bytes = s.table.bytes
	s.note(func(p *Progress) { p.Reading = false })
	if _, err := s.out.Write(sum.Sum(nil)); err != nil {
		return err
	}
	return s.out.Flush()
}

// hash reads a file for the sums of its chunks. The entry becomes what was read.
func (s *sender) hash(dir *os.Root, base string, e Entry) (Entry, []uint32, error) {
	f, info, err := openFile(dir, base)
	if err != nil {
		return e, nil, err
	}
	defer f.Close()
	for again := false; ; again = true {
		e.Size, e.Time, e.Mode = info.Size(), nanoseconds(info.ModTime()), info.Mode().Perm()
		if err := s.table.room(e, -1); err != nil {
			return e, nil, err
		}
		chunks := make([]uint32, 0, chunksOf(e.Size))
		var size int64
		for len(chunks) < cap(chunks) {
			if err := context.Cause(s.ctx); err != nil {
				return e, nil, err
			}
			n, err := io.ReadFull(f, s.buf[:length(e.Size, len(chunks))])
			if n > 0 {
				chunks = append(chunks, s.table.number(sha256.Sum256(s.buf[:n])))
				size += int64(n)
			}
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				break
			}
			if err != nil {
				return e, nil, err
			}
		}
		if info, err = f.Stat(); err != nil {
			return e, nil, err
		}
		// What changes once more does so too when its chunks are sent.
		if steady := size == e.Size && info.Size() == e.Size && nanoseconds(info.ModTime()) == e.Time; steady || again {
			e.Size = size
			return e, chunks, nil
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return e, nil, err
		}
	}
}

// answer is what the receiver says.
type answer struct {
	need  bits
	count int   // of what need is about
	again []int // when need is nil
	err   error
}

// listen reads the receiver's answers to their end.
func (s *sender) listen(r io.Reader) {
	in := bufio.NewReader(r)
	for {
		a, ok := s.heard(in)
		if a.err == nil && !ok {
			continue
		}
		select {
		case s.answers <- a:
		case <-s.over:
		}
		if a.err != nil {
			_, _ = io.Copy(io.Discard, r) // what it says at its end is for others
			return
		}
	}
}

// heard reads one answer; ok is false for one that nobody waits for.
func (s *sender) heard(in *bufio.Reader) (a answer, ok bool) {
	gone := func(err error) (answer, bool) {
		code := wire.CodeOf(err)
		if code == wire.Internal || errors.Is(err, io.EOF) {
			code = wire.Unavailable
		}
		return answer{err: wire.Errorf(code, "send: the receiver has ended: %w", err)}, false
	}
	odd := func() (answer, bool) {
		return answer{err: wire.Errorf(wire.Invalid, "send: the receiver gives an answer that makes no sense; it may be of another version")}, false
	}
	kind, err := in.ReadByte()
	if err != nil {
		return gone(err)
	}
	d := &decoder{in: in}
	number := func(most uint64) (n int64) {
		if err == nil {
			var got uint64
			got, err = d.number(most)
			n = int64(got)
		}
		return n
	}
	switch kind {
	case answerReport:
		return gone(io.EOF)
	case answerProgress:
		files, size := number(math.MaxInt64), number(math.MaxInt64)
		if err == nil {
			s.note(func(p *Progress) { p.Files, p.Bytes = files, size })
			return answer{}, false
		}
	case answerNeed:
		a.count = int(number(maxChunks))
		if err == nil {
			a.need = newBits(a.count)
			_, err = io.ReadFull(in, a.need)
		}
	case answerAgain:
		last := -1
		for left := number(maxEntries); left > 0 && err == nil; left-- {
			i := int(number(maxEntries)) + max(last, 0)
			if i <= last || i > maxEntries {
				return odd()
			}
			a.again, last = append(a.again, i), i
		}
	default:
		return odd()
	}
	switch {
	case errors.Is(err, errMalformed):
		return odd()
	case err != nil:
		return gone(err)
	}
	return a, true
}

func (s *sender) next() (answer, error) {
	select {
	case a := <-s.answers:
		return a, a.err
	case <-s.ctx.Done():
		return answer{}, context.Cause(s.ctx)
	}
}

// rounds answers the receiver until it has everything.
func (s *sender) rounds() error {
	malformed := wire.Errorf(wire.Invalid, "send: the receiver asks for what there is not; it may be of another version")
	for round, entries := 1, s.table.all(); ; round++ {
		numbers, at := s.table.round(entries)
		a, err := s.next()
		if err != nil {
			return err
		}
		if a.need == nil || a.count != len(numbers) {
			return malformed
		}
		if err := s.give(numbers, at, a.need); err != nil {
			return err
		}
		if a, err = s.next(); err != nil {
			return err
		}
		switch {
		case a.need != nil:
			return malformed
		case len(a.again) == 0:
			return nil
		}
		for _, i := range a.again {
			if i >= len(s.table.entries) || s.table.entries[i].Type != File || s.table.gone[i] {
				return malformed
			}
		}
		if round == maxRounds {
			return wire.Errorf(wire.Conflict, "send: %s does not arrive as it is; end what changes it all the time", show(s.table.entries[a.again[0]].Path))
		}
		for _, i := range a.again {
			if err := s.anew(i); err != nil {
				return err
			}
		}
		if err := s.out.Flush(); err != nil {
			return err
		}
		entries = a.again
	}
}

// give sends the chunks that are needed.
func (s *sender) give(numbers []uint32, at []spot, need bits) error {
	var missing int64
	for j := range numbers {
		if need.has(j) {
			missing += int64(length(s.table.entries[at[j].entry].Size, at[j].chunk))
		}
	}
	s.note(func(p *Progress) { p.There = max(p.AllBytes-missing-s.sent.Moved, 0) })
	for j := range numbers {
		if !need.has(j) {
			continue
		}
		if err := context.Cause(s.ctx); err != nil {
			return err
		}
		if err := s.chunk(at[j]); err != nil {
			return fail("read", s.table.entries[at[j].entry].Path, err)
		}
	}
	return s.out.Flush()
}

// chunk sends a chunk as it is now. Whether it is as it was is seen by its sum, where
// it arrives.
func (s *sender) chunk(at spot) error {
	e := s.table.entries[at.entry]
	if s.read == nil || s.reading != at.entry {
		if s.read != nil {
			s.read.Close()
			s.read = nil
		}
		f, _, err := openFile(s.dir, filepath.FromSlash(e.Path))
		if err != nil && !moved(err) {
			return err
		}
		if err != nil {
			_, err := s.out.Write([]byte{chunkGone})
			return err
		}
		s.read, s.reading = f, at.entry
	}
	buf := s.buf[:length(e.Size, at.chunk)]
	_, err := s.read.ReadAt(buf, int64(at.chunk)*chunkSize)
	switch {
	case errors.Is(err, io.EOF):
		_, err = s.out.Write([]byte{chunkGone})
		return err
	case err != nil:
		return err
	}
	if _, err := s.out.Write([]byte{chunkHere}); err != nil {
		return err
	}
	s.sent.Moved += int64(len(buf))
	_, err = s.out.Write(buf)
	return err
}

// anew tells once more of a file.
func (s *sender) anew(i int) error {
	if s.read != nil {
		s.read.Close()
		s.read = nil
	}
	e := s.table.entries[i]
	dir, base := s.dir, filepath.FromSlash(e.Path)
	info, err := dir.Lstat(base)
	var chunks []uint32
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = errMoved
	default:
		e, chunks, err = s.hash(dir, base, e)
	}
	if moved(err) {
		s.table.remove(i)
		_, err = s.out.Write([]byte{0})
		return err
	}
	if err != nil {
		return fail("read", e.Path, err)
	}
	s.table.change(i, e, chunks)
	_, err = s.out.Write(s.table.appendSums(appendEntry(nil, e, e.Path), chunks))
	return err
}
