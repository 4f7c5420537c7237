package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unicode"

	"github.com/codeboltai/codebolt-providers/shared/sshconn"
)

// Providers that connect by SSH ask the person at the terminal through us: they run
// the program of SSH_ASKPASS, which is this one by another name, and it passes the
// question on to the process that has the terminal. So nobody reads from the terminal
// but the process that was started there, whatever group of processes a provider is in.
const (
	askpassName = "codebolt-askpass" // beside its socket, in a folder for this user alone
	askpassTalk = "socket"
	askerFolder = "codebolt-ask-" // how such folders begin
	maxQuestion = 64 << 10        // bytes
)

// question is what an asking program passes on, and reply what it gets.
type question struct {
	Text string `json:"text"`
	Echo bool   `json:"echo"`
}

type reply struct {
	Answer  string `json:"answer"`
	Problem string `json:"problem,omitzero"` // there is no answer
}

// askpass is this program where it is run to ask one question, by that name.
func askpass(argv []string, getenv func(string) string, stdout, stderr io.Writer) int {
	answer, err := passOn(argv, getenv)
	if err == nil {
		_, err = fmt.Fprintln(stdout, answer)
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

func passOn(argv []string, getenv func(string) string) (string, error) {
	if len(argv) != 2 {
		return "", errors.New("the question is to be the only argument")
	}
	conn, err := (&net.Dialer{}).DialContext(context.Background(), "unix", filepath.Join(filepath.Dir(argv[0]), askpassTalk))
	if err != nil {
		return "", fmt.Errorf("the program at the terminal is gone: %w", err)
	}
	defer conn.Close()
	q := question{Text: argv[1], Echo: getenv(sshconn.EnvAskpassEcho) == "1" || getenv(sshconn.EnvAskpassPrompt) == "confirm"}
	if err := json.NewEncoder(conn).Encode(q); err != nil {
		return "", err
	}
	var r reply
	if err := json.NewDecoder(conn).Decode(&r); err != nil {
		return "", fmt.Errorf("the program at the terminal does not answer: %w", err)
	}
	if r.Problem != "" {
		return "", errors.New(r.Problem)
	}
	return r.Answer, nil
}

// asker puts the questions of the programs that we start to the person at the terminal,
// one after the other.
type asker struct {
	dir      string
	listener net.Listener
	tty      *terminal
	turn     chan struct{}
	asking   atomic.Bool // a question stands
	life     context.Context
	end      context.CancelFunc
	work     sync.WaitGroup
}

// asks returns the variables by which a provider asks at this terminal; none when it
// asks nothing, when there is no terminal, or when the user has said who asks.
func (a *app) asks(provider string) []string {
	m, err := a.find(provider)
	if err != nil || os.Getenv(sshconn.EnvAskpassRequire) != "" {
		return nil
	}
	if _, known := m.Config["passphrase"]; !known {
		return nil
	}
	a.askerOnce.Do(func() {
		tty, err := openTerminal()
		if err != nil {
			return // a script, or a system on which this is not supported
		}
		if a.asker, err = newAsker(tty); err != nil {
			fmt.Fprintln(a.stderr, "codebolt-providers: nobody can be asked for passwords:", err)
			tty.close()
		}
	})
	if a.asker == nil {
		return nil
	}
	return []string{sshconn.EnvAskpass + "=" + filepath.Join(a.asker.dir, askpassName), sshconn.EnvAskpassRequire + "=force"}
}

func newAsker(tty *terminal) (_ *asker, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &asker{tty: tty, turn: make(chan struct{}, 1)}
	sweepAskers(os.TempDir(), time.Now().Add(-time.Minute))
	if s.dir, err = os.MkdirTemp("", askerFolder); err != nil {
		return nil, err
	}
	if err = os.Symlink(self, filepath.Join(s.dir, askpassName)); err == nil {
		s.listener, err = (&net.ListenConfig{}).Listen(context.Background(), "unix", filepath.Join(s.dir, askpassTalk))
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	s.life, s.end = context.WithCancel(context.Background())
	s.work.Go(func() {
		for {
			conn, err := s.listener.Accept()
			if err != nil {
				return // it was closed
			}
			s.work.Go(func() { s.serve(conn) })
		}
	})
	return s, nil
}

// sweepAskers removes the folders that killed processes of this user have left: those
// made before a moment at whose sockets nobody listens.
func sweepAskers(dir string, before time.Time) {
	found, _ := filepath.Glob(filepath.Join(dir, askerFolder+"*")) // the pattern is right
	for _, old := range found {
		info, err := os.Lstat(old)
		if err != nil || !info.IsDir() || info.ModTime().After(before) {
			continue
		}
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "unix", filepath.Join(old, askpassTalk))
		if err == nil {
			_ = conn.Close()
		} else if errors.Is(err, syscall.ECONNREFUSED) {
			_ = os.RemoveAll(old) // another user's stays
		}
	}
}

// serve puts one question. It is taken back when who asks hangs up.
func (s *asker) serve(conn net.Conn) {
	ctx, cancel := context.WithCancel(s.life)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	var q question
	from := json.NewDecoder(io.LimitReader(conn, maxQuestion))
	if from.Decode(&q) != nil {
		return
	}
	go func() {
		_, _ = conn.Read(make([]byte, 1)) // nothing more is said, so that this is the end
		cancel()
	}()
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return
	}
	s.asking.Store(true)
	answer, err := s.tty.ask(ctx, shown(q.Text), q.Echo)
	s.asking.Store(false)
	r := reply{Answer: answer}
	if err != nil {
		r = reply{Problem: err.Error()}
	}
	_ = json.NewEncoder(conn).Encode(r) // who asked may be gone
}

// stands reports whether a person is being asked something.
func (s *asker) stands() bool { return s != nil && s.asking.Load() }

// close takes the questions back and leaves the terminal as it was. It is idempotent.
func (s *asker) close() {
	if s == nil {
		return
	}
	s.end()
	_ = s.listener.Close()
	s.work.Wait()
	s.tty.close()
	_ = os.RemoveAll(s.dir) // in it is nothing but a link
}

// shown is a question without what could move the cursor or change colours.
func shown(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}
