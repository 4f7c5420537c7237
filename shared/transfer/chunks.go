package transfer

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/klauspost/compress/zstd"

	"github.com/codeboltai/codebolt-providers/shared/content"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// What goes to the receiver is one zstd stream:
//
//   - the table: a line that names it, and the entries as of an index, each file
//     followed by the sums of its chunks
//   - the chunks that are asked for, in the order of the table: byte one and the chunk,
//     or byte zero when it is not what it was
//   - for each file that is asked for again, a byte: zero when there is none any more,
//     or that of its entry, which follows with its sums; then the chunks again
//
// What comes back is not compressed, and each part begins with one of these bytes.
const (
	sendMagic = "codebolt chunks 1\n"

	answerProgress = 'p' // files and bytes that are in their place: two numbers
	answerNeed     = 'n' // how many chunks are meant, and a bit for each that is needed
	answerAgain    = 'a' // how many files are to be told anew, and how far each is from the one before
	answerReport   = '\n'

	chunkGone = 0
	chunkHere = 1
)

const (
	// chunkSize is the size of every chunk of a file but the last. A change moves at
	// least so much, and what was on its way when a line broke.
	chunkSize = 512 << 10
	// maxChunks bounds those of all files.
	maxChunks = 4 << 20
	// maxRounds is how often a file is told, when it changes while it is sent.
	maxRounds = 5
)

// table is what both sides know: the entries, and the chunks of files by number, in
// the order in which their sums were first told.
type table struct {
	entries []Entry
	chunks  [][]uint32 // of each entry
	gone    map[int]bool
	sums    []content.Sum
	numbers map[content.Sum]uint32
	bytes   int64
	refs    int
}

func newTable() *table {
	return &table{gone: map[int]bool{}, numbers: map[content.Sum]uint32{}}
}

// chunksOf is into how many chunks a file of a size is cut.
func chunksOf(size int64) int64 { return size/chunkSize + min(size%chunkSize, 1) }

// length is how long a chunk of a file is.
func length(size int64, chunk int) int {
	return int(min(size-int64(chunk)*chunkSize, chunkSize))
}

func (t *table) number(sum content.Sum) uint32 {
	n, ok := t.numbers[sum]
	if !ok {
		n = uint32(len(t.sums)) // less than maxChunks in each round
		t.numbers[sum] = n
		t.sums = append(t.sums, sum)
	}
	return n
}

// room refuses a file that is too much.
func (t *table) room(e Entry, most int64) error {
	if most >= 0 && e.Size > most-t.bytes {
		return wire.Errorf(wire.TooLarge, "transfer: the files have more than %d bytes; %s would exceed that", most, show(e.Path))
	}
	if e.Size/chunkSize > maxChunks || int64(t.refs)+chunksOf(e.Size) > maxChunks {
		return wire.Errorf(wire.TooLarge, "transfer: the files have more than %d chunks; exclude some", maxChunks)
	}
	return nil
}

func (t *table) add(e Entry, chunks []uint32) {
	t.entries, t.chunks = append(t.entries, e), append(t.chunks, chunks)
	t.bytes += e.Size
	t.refs += len(chunks)
}

// change gives a file another content.
func (t *table) change(i int, e Entry, chunks []uint32) {
	t.bytes += e.Size - t.entries[i].Size
	t.refs += len(chunks) - len(t.chunks[i])
	t.entries[i], t.chunks[i] = e, chunks
}

// remove takes a file out that is no more.
func (t *table) remove(i int) {
	e := t.entries[i]
	e.Size = 0
	t.change(i, e, nil)
	t.gone[i] = true
}

// all are the numbers of all entries.
func (t *table) all() []int {
	all := make([]int, len(t.entries))
	for i := range all {
		all[i] = i
	}
	return all
}

// spot is a chunk of a file.
type spot struct{ entry, chunk int }

// round lists the chunks of some entries in their order, each once, and where it is
// first.
func (t *table) round(entries []int) (numbers []uint32, at []spot) {
	seen := make([]bool, len(t.sums))
	for _, i := range entries {
		for k, n := range t.chunks[i] {
			if !seen[n] {
				seen[n] = true
				numbers, at = append(numbers, n), append(at, spot{i, k})
			}
		}
	}
	return numbers, at
}

// appendSums appends the sums of a file's chunks.
func (t *table) appendSums(buf []byte, chunks []uint32) []byte {
	for _, n := range chunks {
		buf = append(buf, t.sums[n][:]...)
	}
	return buf
}

// readSums reads the sums of a file's chunks.
func (t *table) readSums(d *decoder, e Entry, most int64) ([]uint32, error) {
	if e.Type != File {
		return nil, nil
	}
	if e.Sum != nil {
		return nil, errMalformed
	}
	if err := t.room(e, most); err != nil {
		return nil, err
	}
	var chunks []uint32
	for range chunksOf(e.Size) {
		sum, err := d.bytes(sha256.Size)
		if err != nil {
			return nil, err
		}
		chunks = append(chunks, t.number(content.Sum(sum)))
		d.add()
	}
	return chunks, nil
}

// bits are what is needed of a round.
type bits []byte

func newBits(n int) bits { return make(bits, (n+7)/8) }

func (b bits) set(i int)      { b[i/8] |= 1 << (i % 8) }
func (b bits) has(i int) bool { return b[i/8]&(1<<(i%8)) != 0 }

// appendAgain appends the numbers of entries, which are in order.
func appendAgain(buf []byte, again []int) []byte {
	buf = binary.AppendUvarint(append(buf, answerAgain), uint64(len(again)))
	last := 0
	for _, i := range again {
		buf = binary.AppendUvarint(buf, uint64(i-last))
		last = i
	}
	return buf
}

// The chunks have sums of their own. The window is what it takes to compress sources.
func encoderOptions() []zstd.EOption {
	return []zstd.EOption{
		zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1 << 20),
		zstd.WithEncoderCRC(false), zstd.WithLowerEncoderMem(true),
	}
}

// Nobody else's stream needs more memory.
func decoderOptions() []zstd.DOption {
	return []zstd.DOption{zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(1 << 20), zstd.WithDecoderLowmem(true)}
}
