package gitrepo

import (
	"context"
	"io"
)

// Program is the git program, for what a caller wants of the checkout in some
// directory, be it a worktree of ours or not. It is safe for concurrent use.
type Program struct{ run *runner }

// Find finds the git program. It fails with kind Unavailable when git is missing or
// older than 2.38.
func Find(ctx context.Context, opts Options) (*Program, error) {
	r, err := newRunner(ctx, opts)
	if err != nil {
		return nil, err
	}
	return &Program{r}, nil
}

// Command is one run of git. Whatever in Args does not come from the caller itself
// the caller has to keep from being taken for an option.
type Command struct {
	Dir   string
	Args  []string
	Stdin io.Reader
	// Environ is the environment, of which those variables of git's are left out that
	// lead to another repository; nil is that of this process.
	Environ []string
	Write   bool // git may take locks that it could do without
	Hooks   bool // the repository's hooks may run
	Limit   int  // of the output that is kept, in bytes; 0 keeps all
}

// Run runs git, never by a shell, and returns the beginning of its standard output,
// and whether that is all of it. It asks for no password and starts no pager, editor
// or background work. Its error is of the kind of what git complains about, as far as
// that is known; [Complaint] has its words.
func (p *Program) Run(ctx context.Context, c Command) (out []byte, whole bool, err error) {
	kept := &head{max: c.Limit}
	_, err = p.run.run(ctx, call{
		dir: c.Dir, base: c.Environ, stdin: c.Stdin, stdout: kept, write: c.Write, hooks: c.Hooks,
		// What lies about as a bare repository has a configuration that anybody wrote.
		args: append([]string{"-c", "safe.bareRepository=explicit"}, c.Args...),
	})
	return kept.buf, !kept.over, err
}

// Complaint is all that git wrote to standard error when it refused, and its exit
// status; 0 when err is no refusal of git.
func Complaint(err error) (status int, stderr string) {
	e := refused(err)
	return e.status, e.stderr
}

// head keeps the first bytes written to it.
type head struct {
	max  int // 0: all
	buf  []byte
	over bool
}

func (h *head) Write(p []byte) (int, error) {
	take := p
	if h.max > 0 && len(take) > h.max-len(h.buf) {
		take, h.over = take[:h.max-len(h.buf)], true
	}
	h.buf = append(h.buf, take...)
	return len(p), nil
}
