package transfer

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/codeboltai/codebolt-providers/shared/content"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// ReceiveOptions say how [Receive] treats what it receives, and what it has already.
type ReceiveOptions struct {
	// Store keeps the chunks that arrive, and has those of earlier times. nil: none.
	Store *content.Store
	// Seeds are directories in which files of the same path and size are looked at
	// for chunks. They are only read.
	Seeds []string
	// Excludes are names directly in the directory that are never touched. Case
	// does not count. A sender that names one is Invalid.
	Excludes []string
	Limits   Limits
}

// Receive brings the existing directory root to what [Send] says, which it reads from
// r, and answers to w. It deletes nothing, and keeps the promises of [Unpack] without
// Delete, the untrusted sender included. It needs a fixed amount of memory, some
// hundred bytes for each item and for each chunk.
//
// A chunk that is not what was promised is not taken. When the stream ends too early,
// which is an error of kind Unavailable, complete files stay in the directory, and
// chunks in the store: a second Receive needs only the others. When the disk is full,
// what came into the store goes, and what else is in it too, before the transfer fails.
// A store and seeds that cannot be used are told in Result.Troubles.
//
// Only one Receive at a time may work on a directory, and any number with a store. It
// ends with ctx, except while r or w blocks.
func Receive(ctx context.Context, root string, r io.Reader, w io.Writer, o ReceiveOptions) (Result, error) {
	const op = "receive"
	dir, exclude, err := openTo(root, o.Excludes, &o.Limits)
	if err != nil {
		return Result{}, fail(op, root, err)
	}
	defer dir.Close()
	source := &source{r: r}
	stream, err := zstd.NewReader(bufio.NewReaderSize(source, chunk), decoderOptions()...)
	if err != nil {
		return Result{}, fail(op, root, err)
	}
	defer stream.Close()
	v := &receiver{
		ctx: ctx, o: o, excludes: exclude, source: source, in: bufio.NewReaderSize(stream, 64<<10), out: bufio.NewWriter(w),
		table: newTable(), roots: []*os.Root{nil, dir}, place: place{stack: []*frame{{dir: dir}}}, buf: make([]byte, chunkSize),
		storing: o.Store != nil,
	}
	defer v.close()
	if err := v.place.stack[0].loosen(); err != nil {
		return Result{}, fail(op, root, err)
	}
	err = v.receive()
	if err == nil {
		v.place.leave(1)
		s := &settler{ctx: ctx, o: UnpackOptions{}, excludes: exclude, ahead: v.list(), pending: v.place.pending, result: &v.result}
		err = s.folder(dir, "", 0)
	}
	return v.result, fail(op, root, err)
}

// origin is where a chunk may be.
type origin struct {
	root  int32 // of roots; 0: nowhere
	chunk int32
	entry int32
}

// What is known of a chunk in the store.
const (
	unknown = iota
	stored
	absent
)

type receiver struct {
	ctx      context.Context // of the one call of Receive
	o        ReceiveOptions
	excludes excludes
	source   *source
	in       *bufio.Reader // what the stream holds
	out      *bufio.Writer
	table    *table
	roots    []*os.Root // nil, the directory, and the seeds
	place    place
	storing  bool // chunks that arrive go to the store
	cleared  int  // how much room has been made
	result   Result
	buf      []byte
	spare    []byte // for what is only compared

	filled  bool     // the directory was not empty
	inStore []byte   // by chunk: what is known of it in the store
	origins []origin // by chunk
	kept    map[int]bool
	awaited []bool // by chunk, in this round

	read     *os.File // of an origin
	readFrom origin
	said     time.Time
	done     struct{ files, bytes int64 }
}

func (v *receiver) close() {
	v.place.close()
	v.forget()
	for _, seed := range v.roots[2:] {
		seed.Close()
	}
}

func (v *receiver) forget() {
	if v.read != nil {
		v.read.Close()
		v.read = nil
	}
}

// broken says what an error in reading the stream means.
func (v *receiver) broken(err error) error {
	if ours := (*wire.Error)(nil); errors.As(err, &ours) {
		return err
	}
	switch cause := v.source.err; {
	case cause != nil && !errors.Is(cause, io.EOF):
		code := wire.CodeOf(cause)
		if code == wire.Internal {
			code = wire.Unavailable
		}
		return wire.Errorf(code, "receive: the stream broke: %w", cause)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return wire.Errorf(wire.Unavailable, "receive: the stream ended before it was complete; nothing was deleted, transfer again")
	}
	return wire.Errorf(wire.Invalid, "receive: the stream is malformed: %w", err)
}

// receive goes through the stream.
func (v *receiver) receive() error {
	if err := v.begin(); err != nil {
		return err
	}
	for round, entries := 1, v.table.all(); ; round++ {
		numbers, at := v.table.round(entries)
		if err := v.look(entries); err != nil {
			return err
		}
		need := newBits(len(numbers))
		for j, n := range numbers {
			if !v.have(n, length(v.table.entries[at[j].entry].Size, at[j].chunk)) {
				need.set(j)
				v.awaited[n] = true
			}
		}
		if err := v.say(append(binary.AppendUvarint([]byte{answerNeed}, uint64(len(numbers))), need...)); err != nil {
			return err
		}
		again, err := v.build(entries)
		if err != nil {
			return err
		}
		if err := v.say(appendAgain(nil, again)); err != nil {
			return err
		}
		switch {
		case len(again) == 0:
			return nil
		case round == maxRounds:
			return wire.Errorf(wire.Conflict, "receive: %s does not arrive as it is; end what changes it all the time", show(v.table.entries[again[0]].Path))
		}
		if entries, err = v.renew(again); err != nil {
			return err
		}
	}
}

// begin reads the table, and sees what may be of use.
func (v *receiver) begin() error {
	d := &decoder{in: v.in, sum: sha256.New()}
	err := d.entries(sendMagic, v.o.Limits.Entries, func(e Entry) error {
		if err := context.Cause(v.ctx); err != nil {
			return err
		}
		if v.excludes.match(e.Path) {
			return wire.Errorf(wire.Invalid, "receive: the stream has %s, which is excluded here; exclude it on the other side too", show(e.Path))
		}
		if err := checkLocal(e.Path); err != nil {
			return err
		}
		chunks, err := v.table.readSums(d, e, v.o.Limits.Bytes)
		if err == nil {
			v.table.add(e, chunks)
		}
		return err
	})
	if err != nil {
		return v.broken(err)
	}
	names, err := namesIn(v.roots[1])
	if err != nil {
		return fail("list", "", err)
	}
	for _, name := range names {
		v.filled = v.filled || !v.excludes.match(name)
	}
	v.kept = map[int]bool{}
	for _, seed := range v.o.Seeds {
		dir, err := os.OpenRoot(seed)
		if err != nil {
			tell(&v.result.Troubles, fail("seed", seed, err).Error())
			continue
		}
		v.roots = append(v.roots, dir)
	}
	v.grow()
	return nil
}

// grow makes room for what is known of each chunk.
func (v *receiver) grow() {
	more := len(v.table.sums) - len(v.inStore)
	v.inStore, v.origins, v.awaited = append(v.inStore, make([]byte, more)...), append(v.origins, make([]origin, more)...), append(v.awaited, make([]bool, more)...)
}

func (v *receiver) say(text []byte) error {
	_, err := v.out.Write(text)
	if err == nil {
		err = v.out.Flush()
	}
	if err != nil {
		return wire.Errorf(wire.Unavailable, "receive: the sender listens no more: %w", err)
	}
	return nil
}

// progressed tells now and then how far it got.
func (v *receiver) progressed() error {
	const pause = 300 * time.Millisecond
	now := time.Now()
	if now.Sub(v.said) < pause {
		return nil
	}
	v.said = now
	return v.say(binary.AppendUvarint(binary.AppendUvarint([]byte{answerProgress}, uint64(v.done.files)), uint64(v.done.bytes)))
}

// look looks for chunks where files of the same path are.
func (v *receiver) look(entries []int) error {
	if !v.filled && len(v.roots) == 2 {
		return nil
	}
	for _, i := range entries {
		e := v.table.entries[i]
		if e.Type != File || v.table.gone[i] {
			continue
		}
		if v.filled {
			whole, err := v.compare(1, i)
			if err != nil {
				return err
			}
			if whole {
				v.kept[i] = true
				continue
			}
		}
		for root := 2; root < len(v.roots) && !v.haveAll(i); root++ {
			if _, err := v.compare(root, i); err != nil {
				return err
			}
		}
	}
	return nil
}

func (v *receiver) haveAll(i int) bool {
	for k, n := range v.table.chunks[i] {
		if !v.have(n, length(v.table.entries[i].Size, k)) {
			return false
		}
	}
	return true
}

// compare notes which chunks of a file are where one of the same path and size is, and
// reports whether all are.
func (v *receiver) compare(root, i int) (whole bool, err error) {
	e := v.table.entries[i]
	f, info, err := openFile(v.roots[root], filepath.FromSlash(e.Path))
	if err != nil {
		return false, nil // then there is nothing to be found
	}
	defer f.Close()
	if info.Size() != e.Size {
		return false, nil
	}
	if v.spare == nil {
		v.spare = make([]byte, chunkSize)
	}
	whole = true
	for k, n := range v.table.chunks[i] {
		if err := context.Cause(v.ctx); err != nil {
			return false, err
		}
		buf := v.spare[:length(e.Size, k)]
		if _, err := io.ReadFull(f, buf); err != nil {
			return false, nil // it changes, or cannot be read
		}
		if sha256.Sum256(buf) != v.table.sums[n] {
			whole = false
			continue
		}
		if v.origins[n].root == 0 {
			v.origins[n] = origin{root: int32(root), chunk: int32(k), entry: int32(i)}
		}
	}
	return whole, nil
}

// have reports whether a chunk seems to be somewhere.
func (v *receiver) have(n uint32, size int) bool {
	if v.origins[n].root != 0 || v.inStore[n] == stored {
		return true
	}
	if v.inStore[n] == unknown {
		v.inStore[n] = absent
		if v.o.Store != nil && v.o.Store.Has(v.table.sums[n], size) {
			v.inStore[n] = stored
		}
	}
	return v.inStore[n] == stored
}

// fetch reads a chunk from where it is, and reports whether it is one.
func (v *receiver) fetch(n uint32, buf []byte) bool {
	if v.inStore[n] == stored {
		if v.o.Store.Get(v.table.sums[n], buf) == nil {
			return true
		}
		v.inStore[n] = absent
	}
	at := v.origins[n]
	if at.root == 0 {
		return false
	}
	v.origins[n] = origin{} // unless it is right
	if v.read == nil || v.readFrom.root != at.root || v.readFrom.entry != at.entry {
		v.forget()
		f, _, err := openFile(v.roots[at.root], filepath.FromSlash(v.table.entries[at.entry].Path))
		if err != nil {
			return false
		}
		v.read, v.readFrom = f, at
	}
	if _, err := v.read.ReadAt(buf, int64(at.chunk)*chunkSize); err != nil && !errors.Is(err, io.EOF) {
		return false
	}
	if sha256.Sum256(buf) != v.table.sums[n] {
		return false
	}
	v.origins[n] = at
	return true
}

// build puts entries where they belong, with the chunks that arrive, and returns the
// files that could not be.
func (v *receiver) build(entries []int) (again []int, err error) {
	for _, i := range entries {
		if err := context.Cause(v.ctx); err != nil {
			return nil, err
		}
		if v.table.gone[i] {
			continue
		}
		e := v.table.entries[i]
		parent, base := split(e.Path)
		err := v.withRoom(func() error { return v.place.reach(parent) })
		if err == nil {
			switch e.Type {
			case Dir:
				err = v.withRoom(func() error { return v.place.enter(base) })
			case Link:
				err = v.withRoom(func() error { return v.place.link(base, filepath.FromSlash(e.Target)) })
				v.result.Files++
			case File:
				err = v.file(i, base)
			}
		}
		if errors.Is(err, errLost) {
			again = append(again, i)
			err = nil
		}
		if err == nil {
			err = v.progressed()
		}
		if err != nil {
			return nil, fail("receive", e.Path, err)
		}
	}
	return again, nil
}

// errLost says that a chunk of a file is not there.
var errLost = errors.New("a part is missing")

// file puts a file together.
func (v *receiver) file(i int, base string) error {
	e := v.table.entries[i]
	if v.kept[i] {
		v.counted(e)
		return v.keep(base, e)
	}
	var (
		chunks = v.table.chunks[i]
		within = map[uint32]int{} // chunks that are in the file already
		began  bool
		lost   bool
	)
	fill := func(f *os.File) error {
		began = true
		for k, n := range chunks {
			if err := context.Cause(v.ctx); err != nil {
				return err
			}
			buf := v.buf[:length(e.Size, k)]
			before, again := within[n]
			switch {
			case v.awaited[n]:
				v.awaited[n] = false
				ok, err := v.arrive(n, buf)
				if err != nil {
					return err
				}
				lost = lost || !ok
			case lost: // it is needed no more
			case again:
				_, err := f.ReadAt(buf, int64(before)*chunkSize)
				lost = err != nil || sha256.Sum256(buf) != v.table.sums[n]
			default:
				lost = !v.fetch(n, buf)
			}
			if lost {
				continue
			}
			if err := v.withRoom(func() error { _, err := f.WriteAt(buf, int64(k)*chunkSize); return err }); err != nil {
				return err
			}
			within[n] = k
			v.done.bytes += int64(len(buf))
			if err := v.progressed(); err != nil {
				return err
			}
		}
		if lost {
			return errLost
		}
		return nil
	}
	counted := v.done.bytes
	err := v.place.file(base, e.Mode, time.Unix(0, e.Time), fill)
	for err != nil && !began && v.makeRoom(err) {
		err = v.place.file(base, e.Mode, time.Unix(0, e.Time), fill)
	}
	v.done.bytes = counted
	if err == nil {
		err = v.withRoom(v.place.commit)
	}
	if err != nil {
		return err
	}
	v.counted(e)
	if v.readFrom.root == 1 && v.readFrom.entry == int32(i) {
		v.forget() // it is another file now
	}
	for n, k := range within {
		if v.origins[n].root == 0 {
			v.origins[n] = origin{root: 1, chunk: int32(k), entry: int32(i)}
		}
	}
	return nil
}

func (v *receiver) counted(e Entry) {
	v.result.Files++
	v.result.Bytes += e.Size
	v.done.files++
	v.done.bytes += e.Size
}

// keep gives a file whose content is right its mode and time.
func (v *receiver) keep(base string, e Entry) error {
	dir := v.place.top().dir
	info, err := dir.Lstat(base)
	if err != nil || !info.Mode().IsRegular() {
		return nil //nolint:nilerr // the list shows it
	}
	if nanoseconds(info.ModTime()) != e.Time {
		err = dir.Chtimes(base, time.Time{}, time.Unix(0, e.Time))
	}
	if err == nil && info.Mode().Perm() != e.Mode {
		err = dir.Chmod(base, e.Mode)
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// arrive reads the chunk that the stream is at, and keeps it. It reports whether it is
// the one that was promised.
func (v *receiver) arrive(n uint32, buf []byte) (bool, error) {
	state, err := v.in.ReadByte()
	if err != nil {
		return false, v.broken(err)
	}
	if state == chunkGone {
		return false, nil
	}
	if state != chunkHere {
		return false, wire.Errorf(wire.Invalid, "receive: the stream is malformed")
	}
	if _, err := io.ReadFull(v.in, buf); err != nil {
		return false, v.broken(err)
	}
	if sha256.Sum256(buf) != v.table.sums[n] {
		return false, nil
	}
	if !v.storing {
		return true, nil
	}
	if err := v.o.Store.Put(v.table.sums[n], buf); err != nil {
		v.storing = false
		tell(&v.result.Troubles, err.Error())
		v.makeRoom(err)
		return true, nil
	}
	v.inStore[n] = stored
	return true, nil
}

// full tells that a disk has no room.
func full(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }

// makeRoom gives up what is in the store when the disk is full, and reports whether
// that may have helped: first what came into it now, then all.
func (v *receiver) makeRoom(err error) bool {
	if v.o.Store == nil || !full(err) || v.cleared == 2 {
		return false
	}
	v.storing = false
	if v.cleared++; v.cleared == 1 {
		v.o.Store.Drop()
	} else {
		_ = v.o.Store.Clear() // what is left shows in that there is no room
	}
	return true
}

// withRoom does something once more when the disk was full and there is room now.
func (v *receiver) withRoom(f func() error) error {
	for {
		err := f()
		if err == nil || !v.makeRoom(err) {
			return err
		}
	}
}

// renew reads what has become of files that did not arrive.
func (v *receiver) renew(again []int) ([]int, error) {
	d := &decoder{in: v.in, sum: sha256.New()}
	var entries []int
	for _, i := range again {
		delete(v.kept, i)
		kind, err := d.ReadByte()
		if err != nil {
			return nil, v.broken(err)
		}
		if kind == 0 {
			v.table.remove(i)
			continue
		}
		was := v.table.entries[i]
		e, err := d.entry(kind, was.Path)
		if err != nil {
			return nil, v.broken(err)
		}
		if e.Path != was.Path || e.Type != File {
			return nil, wire.Errorf(wire.Invalid, "receive: the stream is malformed at %s", show(was.Path))
		}
		v.table.remove(i)
		chunks, err := v.table.readSums(d, e, v.o.Limits.Bytes)
		if err != nil {
			return nil, v.broken(err)
		}
		delete(v.table.gone, i)
		v.table.change(i, e, chunks)
		entries = append(entries, i)
	}
	v.grow()
	return entries, nil
}

// list are the entries that there are now.
func (v *receiver) list() []Entry {
	if len(v.table.gone) == 0 {
		return v.table.entries
	}
	var list []Entry
	for i, e := range v.table.entries {
		if !v.table.gone[i] {
			list = append(list, e)
		}
	}
	return list
}
