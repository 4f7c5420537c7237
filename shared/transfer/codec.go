package transfer

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"io"
	"io/fs"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// The encoding is a line that names it, the entries, a zero byte, their number
// and the SHA-256 of all before it. A path is told by how much of its beginning
// it shares with the one before.
const indexMagic = "codebolt index 1\n"

// Bounds of an index from elsewhere.
const (
	maxEntries = 1 << 20
	maxText    = 128 << 20 // bytes of all paths and targets
	summedFile = 's'       // a File that is followed by its sum
)

// WriteTo writes the index for [ReadIndex]. It implements [io.WriterTo].
func (x *Index) WriteTo(w io.Writer) (int64, error) {
	sum := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(w, sum), 64<<10)
	n := int64(len(indexMagic))
	_, _ = out.WriteString(indexMagic) // Flush tells of errors
	var (
		buf  []byte
		last string
	)
	for _, e := range x.entries {
		buf = appendEntry(buf[:0], e, last)
		last = e.Path
		n += int64(len(buf))
		_, _ = out.Write(buf)
	}
	buf = binary.AppendUvarint(append(buf[:0], 0), uint64(len(x.entries)))
	n += int64(len(buf))
	_, _ = out.Write(buf)
	if err := out.Flush(); err != nil {
		return 0, err
	}
	m, err := w.Write(sum.Sum(nil))
	return n + int64(m), err
}

func appendEntry(buf []byte, e Entry, last string) []byte {
	kind := byte(e.Type)
	if e.Sum != nil {
		kind = summedFile
	}
	shared := 0
	for shared < len(last) && shared < len(e.Path) && last[shared] == e.Path[shared] {
		shared++
	}
	buf = binary.AppendUvarint(append(buf, kind), uint64(shared))
	buf = binary.AppendUvarint(buf, uint64(len(e.Path)-shared))
	buf = append(buf, e.Path[shared:]...)
	if e.Type == Link {
		buf = binary.AppendUvarint(buf, uint64(len(e.Target)))
		return append(buf, e.Target...)
	}
	buf = binary.AppendUvarint(buf, uint64(e.Mode))
	buf = binary.BigEndian.AppendUint64(buf, uint64(e.Time))
	if e.Type == File {
		buf = binary.AppendUvarint(buf, uint64(e.Size))
	}
	if e.Sum != nil {
		buf = append(buf, e.Sum[:]...)
	}
	return buf
}

// ReadIndex reads what [Index.WriteTo] wrote. Whatever r holds, memory stays
// bounded: more than a million entries, or more than 128 MiB of paths, are
// TooLarge. An index that ends too early is Unavailable; anything else that is
// wrong with it is Invalid. Unless r is an [io.ByteReader], it may be read
// beyond the end of the index.
func ReadIndex(r io.Reader) (*Index, error) {
	in, ok := r.(byteReader)
	if !ok {
		in = bufio.NewReaderSize(r, 64<<10)
	}
	return readIndex(in, maxEntries)
}

type byteReader interface {
	io.Reader
	io.ByteReader
}

func readIndex(in byteReader, limit int64) (*Index, error) {
	d := &decoder{in: in, sum: sha256.New()}
	x, err := d.index(limit)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, wire.Errorf(wire.Unavailable, "read index: it ends too early; ask for it again")
	case err != nil:
		return nil, fail("read index", "", err)
	}
	return x, nil
}

var errMalformed = wire.Errorf(wire.Invalid, "read index: it is malformed")

// decoder reads an index and sums up what it reads.
type decoder struct {
	in  byteReader
	raw []byte // read since the last call of add
	sum hash.Hash
}

func (d *decoder) ReadByte() (byte, error) {
	b, err := d.in.ReadByte()
	if err == nil {
		d.raw = append(d.raw, b)
	}
	return b, err
}

func (d *decoder) bytes(n uint64) ([]byte, error) {
	at := len(d.raw)
	d.raw = append(d.raw, make([]byte, n)...)
	_, err := io.ReadFull(d.in, d.raw[at:])
	return d.raw[at:], err
}

// number reads one of at most most.
func (d *decoder) number(most uint64) (uint64, error) {
	var n uint64
	for shift := 0; shift < 63; shift += 7 {
		b, err := d.ReadByte()
		if err != nil {
			return 0, err
		}
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			if n > most {
				return 0, errMalformed
			}
			return n, nil
		}
	}
	return 0, errMalformed
}

func (d *decoder) add() {
	d.sum.Write(d.raw)
	d.raw = d.raw[:0]
}

func (d *decoder) index(limit int64) (*Index, error) {
	x := &Index{}
	err := d.entries(indexMagic, limit, func(e Entry) error {
		x.entries = append(x.entries, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return x, nil
}

// entries reads the line that names the encoding, and the entries to their end. What
// follows an entry is read by take.
func (d *decoder) entries(name string, limit int64, take func(Entry) error) error {
	magic, err := d.bytes(uint64(len(name)))
	if err != nil {
		return err
	}
	if string(magic) != name {
		return errMalformed
	}
	d.add()
	var (
		last string
		dirs ancestors
		text int
	)
	for n := 0; ; n++ {
		kind, err := d.ReadByte()
		if err != nil {
			return err
		}
		if kind == 0 {
			return d.end(n)
		}
		e, err := d.entry(kind, last)
		if err != nil {
			return err
		}
		if err := checkPath(e.Path); err != nil {
			return err
		}
		if last != "" && comparePaths(last, e.Path) >= 0 || !dirs.admit(e) {
			return errMalformed
		}
		text += len(e.Path) + len(e.Target)
		if int64(n) >= limit || text > maxText {
			return wire.Errorf(wire.TooLarge, "read index: it has more than %d entries or %d MiB of names; exclude some directories", limit, maxText>>20)
		}
		if err := take(e); err != nil {
			return err
		}
		last = e.Path
		d.add()
	}
}

func (d *decoder) end(entries int) error {
	n, err := d.number(1 << 62)
	if err != nil {
		return err
	}
	d.add()
	want := d.sum.Sum(nil)
	sum, err := d.bytes(uint64(len(want)))
	if err == nil && (n != uint64(entries) || !bytes.Equal(sum, want)) {
		err = errMalformed
	}
	return err
}

func (d *decoder) entry(kind byte, last string) (e Entry, err error) {
	switch e.Type = Type(kind); {
	case kind == summedFile:
		e.Type = File
	case e.Type != File && e.Type != Dir && e.Type != Link:
		return e, errMalformed
	}
	shared, err := d.number(uint64(len(last)))
	if err != nil {
		return e, err
	}
	suffix, err := d.text()
	if err != nil {
		return e, err
	}
	if len(suffix)+int(shared) > maxPath {
		return e, errMalformed
	}
	e.Path = last[:shared] + string(suffix)
	if e.Type == Link {
		target, err := d.text()
		if err != nil {
			return e, err
		}
		e.Target = string(target)
		return e, checkTarget(e.Path, e.Target)
	}
	mode, err := d.number(uint64(fs.ModePerm))
	if err != nil {
		return e, err
	}
	e.Mode = fs.FileMode(mode)
	stamp, err := d.bytes(8)
	if err != nil {
		return e, err
	}
	e.Time = int64(binary.BigEndian.Uint64(stamp))
	if e.Type == File {
		size, err := d.number(1<<63 - 1)
		if err != nil {
			return e, err
		}
		e.Size = int64(size)
	}
	if kind == summedFile {
		sum, err := d.bytes(sha256.Size)
		if err != nil {
			return e, err
		}
		e.Sum = (*[32]byte)(bytes.Clone(sum))
	}
	return e, nil
}

// text reads a path or a part of one.
func (d *decoder) text() ([]byte, error) {
	n, err := d.number(maxPath)
	if err != nil {
		return nil, err
	}
	return d.bytes(n)
}

// ancestors are the directories that the present place of a walk is in.
type ancestors []string

// admit reports whether the directory of the next entry was there.
func (a *ancestors) admit(e Entry) bool {
	parent := ""
	if i := strings.LastIndexByte(e.Path, '/'); i >= 0 {
		parent = e.Path[:i]
	}
	dirs := *a
	for len(dirs) > 0 && dirs[len(dirs)-1] != parent {
		dirs = dirs[:len(dirs)-1]
	}
	if parent != "" && len(dirs) == 0 {
		return false
	}
	if e.Type == Dir {
		dirs = append(dirs, e.Path)
	}
	*a = dirs
	return true
}
