package gitrepo

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// diffEntry is a changed file and where its patch is in the raw diff.
type diffEntry struct {
	wire.DiffFile
	pieces   int // patches that git writes for it: two when its type changed
	from, to int
	kept     bool
}

// diffParser reads git diff --raw -p -z: first an entry for each file, in which
// paths are exact, then the patches in the same order.
type diffParser struct {
	spec  DiffSpec
	files []diffEntry
	raw   []byte
	cut   bool
}

func newDiffParser(spec DiffSpec) *diffParser { return &diffParser{spec: spec} }

var errDiffForm = errors.New("git diff: its output is not of the expected form")

func (p *diffParser) parse(from io.Reader) error {
	in := bufio.NewReaderSize(from, 128<<10)
	more, err := p.entries(in)
	if err != nil || !more {
		return err
	}
	return p.patches(in)
}

// entries reads the first part and reports whether a second follows.
func (p *diffParser) entries(in *bufio.Reader) (more bool, err error) {
	field := func() (string, error) {
		text, err := in.ReadString(0)
		if err != nil {
			return "", fmt.Errorf("%w: it ends early", errDiffForm)
		}
		return text[:len(text)-1], nil
	}
	for {
		switch c, err := in.ReadByte(); {
		case errors.Is(err, io.EOF):
			return false, nil
		case err != nil:
			return false, err
		case c == 0:
			return true, nil
		case c != ':':
			return false, errDiffForm
		}
		meta, err := field()
		if err != nil {
			return false, err
		}
		part := strings.Fields(meta) // old mode, new mode, old id, new id, status
		if len(part) != 5 {
			return false, errDiffForm
		}
		e := diffEntry{pieces: 1}
		if e.Path, err = field(); err != nil {
			return false, err
		}
		switch part[4][0] {
		case 'A':
			e.Status = wire.Added
		case 'D':
			e.Status = wire.Deleted
		case 'R', 'C':
			e.Status, e.OldPath = wire.Renamed, e.Path
			if part[4][0] == 'C' {
				e.Status, e.OldPath = wire.Added, ""
			}
			if e.Path, err = field(); err != nil {
				return false, err
			}
		case 'T':
			e.Status, e.pieces = wire.Modified, 2
		case 'M':
			e.Status = wire.Modified
		default:
			return false, fmt.Errorf("%w: status %s of %s", errDiffForm, part[4], e.Path)
		}
		if part[0] != part[1] {
			e.OldMode, e.NewMode = mode(part[0]), mode(part[1])
		}
		p.files = append(p.files, e)
	}
}

// mode is a git mode, "" for that of a file that is not there.
func mode(text string) string {
	if strings.Trim(text, "0") == "" {
		return ""
	}
	return text
}

var (
	patchStart = []byte("diff --git ")
	hunkStart  = []byte("@@ ")
	binaryMark = []byte("GIT binary patch")
)

// patches reads the second part. No line within a patch looks like the first of
// the next one: content has a sign in front, and binary content has no spaces.
func (p *diffParser) patches(in *bufio.Reader) error {
	at, left := -1, 0 // the file, and how many more patches it has
	var f *diffEntry
	inHunk, lineStart := false, true
	for {
		line, err := in.ReadSlice('\n')
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
			return err
		}
		if lineStart && bytes.HasPrefix(line, patchStart) {
			inHunk = false
			if left == 0 {
				p.finish(f)
				if at++; at >= len(p.files) {
					return fmt.Errorf("%w: more patches than files", errDiffForm)
				}
				f = &p.files[at]
				left = f.pieces
				f.from, f.kept = len(p.raw), p.spec.MaxFiles <= 0 || at < p.spec.MaxFiles
			}
			left--
		}
		if f == nil {
			if len(line) > 0 {
				return errDiffForm
			}
			break
		}
		if lineStart && len(line) > 0 {
			switch {
			case bytes.HasPrefix(line, hunkStart):
				inHunk = true
			case inHunk && line[0] == '+':
				f.Changes.Additions++
			case inHunk && line[0] == '-':
				f.Changes.Deletions++
			case !inHunk && bytes.HasPrefix(line, binaryMark):
				f.Binary = true
			}
		}
		if f.kept {
			p.raw = append(p.raw, line...)
			if len(p.raw) > p.spec.MaxTotal {
				f.kept = false
				p.raw = p.raw[:f.from]
			}
		}
		lineStart = err == nil
		if errors.Is(err, io.EOF) {
			break
		}
	}
	p.finish(f)
	if at != len(p.files)-1 || left != 0 {
		return fmt.Errorf("%w: %d patches for %d files", errDiffForm, at+1, len(p.files))
	}
	return nil
}

func (p *diffParser) finish(f *diffEntry) {
	if f == nil {
		return
	}
	f.to = len(p.raw)
	f.Changes.Changes = f.Changes.Additions + f.Changes.Deletions
	if !f.kept {
		f.Truncated, p.cut = true, true
	}
}

// result makes the answer. The files' Diffs are parts of RawDiff and need no
// memory of their own.
func (p *diffParser) result(base string) *wire.DiffResult {
	res := &wire.DiffResult{Files: make([]wire.DiffFile, 0, len(p.files)), RawDiff: string(p.raw), Base: base, Truncated: p.cut}
	for i := range p.files {
		f := &p.files[i]
		if f.kept {
			f.Diff = res.RawDiff[f.from:f.to]
			if len(f.Diff) > p.spec.MaxFile {
				f.Diff = f.Diff[:strings.LastIndexByte(f.Diff[:p.spec.MaxFile], '\n')+1]
				f.Truncated = true
			}
		}
		f.Path, f.OldPath = strings.ToValidUTF8(f.Path, "\uFFFD"), strings.ToValidUTF8(f.OldPath, "\uFFFD")
		res.Files = append(res.Files, f.DiffFile)
		res.Summary.TotalAdditions += f.Changes.Additions
		res.Summary.TotalDeletions += f.Changes.Deletions
	}
	slices.SortStableFunc(res.Files, func(a, b wire.DiffFile) int { return strings.Compare(a.Path, b.Path) })
	res.Summary.TotalFiles = len(res.Files)
	res.Summary.TotalChanges = res.Summary.TotalAdditions + res.Summary.TotalDeletions
	return res
}
