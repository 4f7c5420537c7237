package gitrepo

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

const (
	defaultMaxFile  = 1 << 20
	defaultMaxTotal = 20 << 20
	defaultContext  = 3
	// patchMax bounds what [Repo.Patch] returns.
	patchMax = 64 << 20

	emptyBlobSHA1   = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"
	emptyBlobSHA256 = "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813"
)

// DiffSpec limits a diff. The list of files and the counts are complete
// whatever the limits.
type DiffSpec struct {
	MaxFile  int // bytes of one file's Diff; default 1 MiB
	MaxTotal int // bytes of RawDiff; default 20 MiB
	MaxFiles int // files that have a Diff; default no limit
	Context  int // lines around a change; default 3
}

// Diff tells everything that changed in the worktree since its base, committed,
// staged, unstaged or untracked; not ignored files, and not what is inside
// repositories within it. The worktree's index stays as it is.
//
// A file over MaxFile has a Diff that ends early, and is marked; RawDiff still
// has all of it. A file that would take RawDiff over MaxTotal is left out of
// it, and then the result is marked. Text in no Unicode encoding is shown as a
// binary patch, as the result has to be valid UTF-8. It fails with kind
// NotFound when the worktree or its base is gone.
func (r *Repo) Diff(ctx context.Context, wt Worktree, spec DiffSpec) (*wire.DiffResult, error) {
	res, err := r.diff(ctx, &wt, spec)
	return res, describe("diff", &wt, err)
}

// Patch is everything that Diff tells of as one patch with binary content in
// it, for git apply; "" when nothing changed. It fails with kind TooLarge when
// it would be over 64 MiB.
func (r *Repo) Patch(ctx context.Context, wt Worktree) (string, error) {
	res, err := r.diff(ctx, &wt, DiffSpec{MaxFile: patchMax, MaxTotal: patchMax})
	if err != nil {
		return "", describe("patch", &wt, err)
	}
	if res.Truncated {
		return "", wire.Errorf(wire.TooLarge, "patch %s: it is over %d MiB; ignore or remove the large files in it", wt.Path, patchMax>>20)
	}
	return res.RawDiff, nil
}

func (r *Repo) diff(ctx context.Context, wt *Worktree, spec DiffSpec) (*wire.DiffResult, error) {
	if spec.MaxFile <= 0 {
		spec.MaxFile = defaultMaxFile
	}
	if spec.MaxTotal <= 0 {
		spec.MaxTotal = defaultMaxTotal
	}
	if spec.Context <= 0 {
		spec.Context = defaultContext
	}
	if !isOID(wt.BaseOID) {
		return nil, wire.Errorf(wire.Invalid, "base %q is not the full id of a commit", wt.BaseOID)
	}
	co, err := r.checkout(wt)
	if err != nil {
		return nil, err
	}
	index, dir, err := co.tempIndex()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	ch, err := co.scan(ctx, false, false)
	if err != nil {
		return nil, err
	}
	huge, err := co.announce(ctx, index, ch, len(wt.BaseOID), int64(spec.MaxTotal))
	if err != nil {
		return nil, err
	}

	args := diffArgs(spec.Context, wt.BaseOID)
	p := newDiffParser(spec)
	if err := co.parseDiff(ctx, index, p, args); err != nil {
		if says(err, "bad object", "unknown revision", "bad revision") {
			return nil, wire.Errorf(wire.NotFound, "the base commit is gone from the repository: %w", err)
		}
		return nil, err
	}
	if err := co.recode(ctx, index, dir, p, args); err != nil {
		return nil, err
	}
	for _, path := range huge {
		p.files = append(p.files, diffEntry{DiffFile: wire.DiffFile{Path: path, Status: wire.Added, Truncated: true, Binary: true}})
		p.cut = true
	}
	return p.result(wt.BaseOID), nil
}

// diffArgs asks for a diff that no setting of the user's changes the form of.
func diffArgs(context int, base string) []string {
	return []string{
		"-c", "diff.suppressBlankEmpty=false", "-c", "diff.autoRefreshIndex=true",
		"diff", "--raw", "-p", "-z", "-M", "--binary", "--full-index", "--no-color", "--no-ext-diff", "--no-textconv",
		"--src-prefix=a/", "--dst-prefix=b/", "--no-relative", "--submodule=short", "--ignore-submodules=dirty",
		"--inter-hunk-context=0", fmt.Sprintf("-U%d", context), "-O/dev/null", base, "--",
	}
}

// announce enters untracked files and files in conflict into an index as empty
// ones, so that one git diff sees them like any other change. Files that could
// not be shown anyway are returned instead.
func (c *checkout) announce(ctx context.Context, index string, ch changes, oidLen int, most int64) (huge []string, err error) {
	empty := emptyBlobSHA1
	if oidLen == len(emptyBlobSHA256) {
		empty = emptyBlobSHA256
	}
	var list strings.Builder
	add := func(path string) { fmt.Fprintf(&list, "100644 %s 0\t%s\x00", empty, path) }
	for _, path := range ch.untracked {
		if info, err := os.Lstat(filepath.Join(c.workTree, filepath.FromSlash(path))); err == nil && info.Size() > most {
			huge = append(huge, path)
			continue
		}
		add(path)
	}
	for _, path := range ch.unmerged {
		add(path)
	}
	if list.Len() == 0 {
		return huge, nil
	}
	update := c.call("update-index", "--add", "--replace", "-z", "--index-info")
	update.write, update.stdin = true, strings.NewReader(list.String())
	update.env = append(update.env, "GIT_INDEX_FILE="+index)
	_, err = c.run.run(ctx, update)
	return huge, err
}

// parseDiff runs git diff and parses what it says while it says it.
func (c *checkout) parseDiff(ctx context.Context, index string, p *diffParser, args []string) error {
	pr, pw := io.Pipe()
	parsed := make(chan error, 1)
	go func() {
		err := p.parse(pr)
		pr.CloseWithError(err)
		parsed <- err
	}()
	diff := c.call(args...)
	diff.stdout = pw
	diff.env = append(diff.env, "GIT_INDEX_FILE="+index)
	_, err := c.run.run(ctx, diff)
	pw.CloseWithError(err)
	perr := <-parsed
	if err != nil {
		return err
	}
	return perr
}

// recode asks once more for the files whose patch is not valid UTF-8, as binary
// patches.
func (c *checkout) recode(ctx context.Context, index, dir string, p *diffParser, args []string) error {
	var specs []string
	at := make(map[string]int)
	for i := range p.files {
		f := &p.files[i]
		if !f.kept || utf8.Valid(p.raw[f.from:f.to]) {
			continue
		}
		at[f.Path] = i
		specs = append(specs, f.Path)
		if f.OldPath != "" {
			specs = append(specs, f.OldPath)
		}
	}
	if len(at) == 0 {
		return nil
	}
	attributes := filepath.Join(dir, "attributes")
	if err := os.WriteFile(attributes, []byte("* -diff\n"), 0o600); err != nil {
		return err
	}
	again := newDiffParser(p.spec)
	again.spec.MaxFiles = 0
	// Too many for a command line are not asked for again, but left out.
	if len(specs) <= 500 {
		args = append([]string{"-c", "core.attributesFile=" + attributes, "--literal-pathspecs"}, args...)
		if err := c.parseDiff(ctx, index, again, append(args, specs...)); err != nil {
			return err
		}
	}
	var raw bytes.Buffer
	for i := range p.files {
		f := &p.files[i]
		if !f.kept {
			continue
		}
		piece := p.raw[f.from:f.to]
		if _, bad := at[f.Path]; bad {
			piece = nil
			for j := range again.files {
				if g := &again.files[j]; g.Path == f.Path && g.OldPath == f.OldPath && g.kept && utf8.Valid(again.raw[g.from:g.to]) {
					piece = again.raw[g.from:g.to]
				}
			}
			if piece == nil || raw.Len()+len(piece) > p.spec.MaxTotal {
				f.kept, f.Truncated, p.cut = false, true, true
				continue
			}
			f.Binary = true
		}
		f.from = raw.Len()
		raw.Write(piece)
		f.to = raw.Len()
	}
	p.raw = raw.Bytes()
	return nil
}
