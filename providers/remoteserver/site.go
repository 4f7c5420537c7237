package main

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/gitrepo"
	"github.com/codeboltai/codebolt-providers/shared/outpost"
	"github.com/codeboltai/codebolt-providers/shared/provider"
	"github.com/codeboltai/codebolt-providers/shared/resource"
	"github.com/codeboltai/codebolt-providers/shared/sshconn"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/worktree"
)

// facts is what the ownership record keeps of an environment's folder on a host.
type facts struct {
	Folder  outpost.Folder `json:"folder"`
	Host    address        `json:"host"`
	Machine machine        `json:"machine,omitzero"` // what it was like then
	// Prepared tells that the files are a snapshot's, in which what postCreate does is
	// done.
	Prepared bool `json:"prepared,omitzero"`
}

// address is where the host is, and what it takes to get there that is no secret.
type address struct {
	Host          string   `json:"host"`
	User          string   `json:"user,omitzero"`
	Port          int      `json:"port,omitzero"`
	IdentityFiles []string `json:"identityFiles,omitzero"`
	KnownHosts    []string `json:"knownHosts,omitzero"`
	StrictHostKey string   `json:"strictHostKey,omitzero"`
	// The files with secrets, and not the secrets.
	PasswordFile   string `json:"passwordFile,omitzero"`
	PassphraseFile string `json:"passphraseFile,omitzero"`
	ProgramDir     string `json:"programDir,omitzero"`
}

func (a address) target() sshconn.Target {
	return sshconn.Target{Host: a.Host, User: a.User, Port: a.Port}
}

// site is an environment's folder on a host. It is the launcher of its runtime.
type site struct {
	cfg  *config
	log  *slog.Logger
	name string // of the folder
	mark outpost.Marker
	busy chan struct{} // held by whoever makes something there

	mu      sync.Mutex
	line    *sshconn.Line
	attempt *attempt
	machine *machine // once it is known
	there   string   // codebolt-runtime on it; "" until it is known
	facts   facts
	report  provider.Reporter // while the environment is being opened

	path     string // of the worktree
	program  string // the setting runtime.path
	sums     sums
	prepared bool // the folder has been there with its files; under busy once it is open
	unmade   bool // the host did not let the folder be made; like prepared
}

// newSite prepares the site of an environment that is about to be opened.
func newSite(req *provider.OpenRequest, cfg *config) *site {
	return &site{
		cfg: cfg, log: req.Log, report: req, name: folderName(req.SafeName(), req.Store.Owner()), busy: make(chan struct{}, 1),
		mark: outpost.Marker{Owner: req.Store.Owner(), Key: req.Key()}, program: req.Settings.Runtime.Path,
	}
}

// folderName is the name of an environment's folder, among those of whoever else has
// environments there.
func folderName(name, owner string) string { return strings.ToLower(name) + "-" + owner[:6] }

// recorded is the site of an environment that is on record, and not open.
func recorded(rec *resource.Record, log *slog.Logger) (*site, error) {
	s := &site{cfg: &config{}, log: log, report: provider.LogReporter(log), busy: make(chan struct{}, 1)}
	raw, err := worktree.Facts(rec)
	if err == nil {
		err = s.take(raw)
	}
	if err != nil {
		return nil, err
	}
	at := s.facts.Host
	s.cfg.target, s.cfg.ProgramDir = at.target(), at.ProgramDir
	s.cfg.IdentityFiles, s.cfg.KnownHosts, s.cfg.StrictHostKey = at.IdentityFiles, at.KnownHosts, at.StrictHostKey
	s.cfg.PasswordFile, s.cfg.PassphraseFile = at.PasswordFile, at.PassphraseFile
	return s, nil
}

// opened tells that the environment is open: nobody waits for reports any more.
func (s *site) opened() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report = provider.LogReporter(s.log)
}

func (s *site) tell() provider.Reporter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.report
}

// beside is the site as what a worktree environment has beside its worktree.
func (s *site) beside() worktree.Beside {
	return worktree.Beside{
		Plan: s.plan,
		Attach: func(_ context.Context, wt gitrepo.Worktree, raw wire.Raw) error {
			s.path, s.prepared = wt.Path, true
			if err := s.take(raw); err != nil {
				return err
			}
			if was := s.facts.Host.target(); was != s.cfg.target {
				return wire.Errorf(wire.Conflict, "remote server: this environment is on %s, and the configuration leads to %s; set host, user and port to where it is", shown(was), shown(s.cfg.target))
			}
			return nil
		},
		Refresh: s.refresh,
		Files:   s.files,
		Close:   s.close,
		Remove: func(ctx context.Context, rec *resource.Record, raw wire.Raw) error {
			if err := s.take(raw); err != nil {
				return err
			}
			return s.remove(ctx, rec)
		},
	}
}

// shown is a target for a sentence.
func shown(t sshconn.Target) string {
	text := t.Host
	if t.User != "" {
		text = t.User + "@" + text
	}
	if t.Port != 0 {
		text += " port " + strconv.Itoa(t.Port)
	}
	return text
}

// take takes the facts from a record.
func (s *site) take(raw wire.Raw) error {
	var f facts
	err := wire.Unmarshal(raw, &f)
	if err == nil && (f.Folder.Dir == "" || f.Folder.Name == "" || f.Host.Host == "") {
		err = errors.New("names are missing")
	}
	if err != nil {
		return wire.Errorf(wire.Internal, "the environment's record does not tell of its folder on a host: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.facts = f
	return nil
}

// plan decides where the folder will be, and sees that there is a host for it before
// anything is made.
func (s *site) plan(ctx context.Context, wt gitrepo.Worktree, from wire.Raw) (any, error) {
	s.path = wt.Path
	var m *machine
	err := s.tell().Phase(ctx, "host", func(ctx context.Context) (err error) {
		if m, err = s.arrive(ctx); err == nil {
			// Of use to all environments, and to take back what is made of this one.
			_, err = s.programOn(ctx)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	dir, err := placed("dir", s.cfg.Dir, m.Home)
	if err != nil {
		return nil, err
	}
	s.mark.Birth = rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.facts = facts{
		Folder: outpost.Folder{Dir: dir, Name: s.name, Ours: s.cfg.Dir == defaultDir, Marker: s.mark},
		Host: address{
			Host: s.cfg.target.Host, User: s.cfg.target.User, Port: s.cfg.target.Port, ProgramDir: s.cfg.ProgramDir,
			IdentityFiles: s.cfg.IdentityFiles, KnownHosts: s.cfg.KnownHosts, StrictHostKey: s.cfg.StrictHostKey,
			PasswordFile: s.cfg.PasswordFile, PassphraseFile: s.cfg.PassphraseFile,
		},
		Machine: *m, Prepared: len(from) > 0,
	}
	return s.facts, nil
}

// lock takes the turn to make something on the host.
func (s *site) lock(ctx context.Context) error {
	select {
	case s.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *site) unlock() { <-s.busy }

// A host that was there is waited for when it is away, for so long, and tried again
// after so long.
const (
	patience   = 8 * time.Second
	againAfter = 200 * time.Millisecond
)

// client is the connection to the host.
func (s *site) client(ctx context.Context) (*sshconn.Client, error) {
	s.mu.Lock()
	if s.line == nil {
		s.line = sshconn.NewLine(s.cfg.target, s.cfg.options(s.log))
	}
	line, known := s.line, s.machine != nil
	s.mu.Unlock()
	if err := s.attempted(ctx); err != nil {
		return nil, err
	}
	for until := time.Now().Add(patience); ; {
		client, err := line.Client(ctx)
		if err == nil || !known || wire.CodeOf(err) != wire.Unavailable || time.Now().After(until) {
			return client, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(againAfter):
		}
	}
}

// attempt is a connection that is being made for whoever needs it first.
type attempt struct {
	done chan struct{}
	err  error // before done is closed
}

// connect begins to connect to the host, for whoever needs it first, who hears of what
// fails. It returns at once.
func (s *site) connect(ctx context.Context) {
	line, a := sshconn.NewLine(s.cfg.target, s.cfg.options(s.log)), &attempt{done: make(chan struct{})}
	s.mu.Lock()
	s.line, s.attempt = line, a
	s.mu.Unlock()
	go func() { // ends with ctx, and when the line is closed
		defer close(a.done)
		_, a.err = line.Client(ctx)
	}()
	go func() {
		for _, arch := range likely {
			_, _ = s.sums.of(s.program, arch) // whoever needs it hears of that, too
		}
	}()
}

// attempted waits for the connection that connect began, and is its error: once.
func (s *site) attempted(ctx context.Context) error {
	s.mu.Lock()
	a := s.attempt
	s.attempt = nil
	s.mu.Unlock()
	if a == nil {
		return nil
	}
	select {
	case <-a.done:
		return a.err
	case <-ctx.Done():
		return nil // who asks for the connection says so
	}
}

// close ends the connection to the host. It is idempotent.
func (s *site) close() error {
	s.mu.Lock()
	line := s.line
	s.line = nil
	s.mu.Unlock()
	if line == nil {
		return nil
	}
	return line.Close()
}
