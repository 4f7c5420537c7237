package main

import (
	"bytes"
	"context"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/codeboltai/codebolt-providers/shared/outpost"
	"github.com/codeboltai/codebolt-providers/shared/runtime"
	"github.com/codeboltai/codebolt-providers/shared/sshconn"
	"github.com/codeboltai/codebolt-providers/shared/transfer"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// machine is what is known of a host.
type machine struct {
	System string `json:"system"` // as Go calls it, like Arch
	Arch   string `json:"arch"`
	Home   string `json:"home"` // of the user there
}

// The scripts are one line each, without what sshconn.Quote refuses.
const (
	// probeScript tells what machine it is, and then which codebolt-runtime it has, of
	// those with the hashes that follow, by processor, in the folder $1: relative to the
	// home.
	probeScript = `uname -s && m=$(uname -m) && echo "$m" && cd && pwd || exit 71; d="$1"; shift; ` +
		`while test $# -gt 1; do if test "$1" = "$m"; then d="$d/$2/codebolt-runtime"; test -x "$d" && exec "$d" sum; exit 0; fi; shift 2; done`
	// uploadScript puts a program of $2 bytes with the hash $3 into the folder $1,
	// whole or not at all. Whoever was killed at that has left a file, which is taken
	// away after a day. Other programs beside it that nobody used for 30 days go too:
	// each notes its use in the time of its file. What holds anything else stays.
	uploadScript = `LC_ALL=C; export LC_ALL; umask 077; mkdir -p "$1" || exit 71; ` +
		`find "$1" -name "new.*" -mtime +0 -exec rm -f {} +; ` +
		`t="$1/new.$$"; trap 'rm -f "$t"; rmdir "$1" 2>/dev/null' EXIT; trap "exit 72" HUP INT TERM; ` +
		`cat >"$t" && chmod 700 "$t" || exit 72; ` +
		`test "$(wc -c <"$t")" -eq "$2" || exit 73; ` +
		`s=$("$t" sum) || exit 74; test "$s" = "$3" || exit 73; ` +
		`mv -f "$t" "$1/codebolt-runtime" || exit 72; ` +
		`for f in "${1%/*}"/*/codebolt-runtime; do d="${f%/*}"; n="${d##*/}"; test "$d" = "$1" && continue; ` +
		`test "${#n}" -eq 64 && test -z "$(printf %s "$n" | tr -d 0-9a-f)" || continue; test -L "$d" && continue; ` +
		`test "$(ls -A "$d")" = codebolt-runtime && test -n "$(find "$f" -type f -mtime +29)" && rm -f "$f" && rmdir "$d"; done 2>/dev/null; exit 0`
	// roomScript tells where the next folder above $1 is and how much room it has.
	roomScript = `LC_ALL=C; export LC_ALL; d="$1"; until test -e "$d"; do d=$(dirname "$d"); done; echo "$d"; test -w "$d" && test -d "$d" || exit 71; df -Pk "$d"`
)

// architectures are those of uname as Go calls them.
var architectures = map[string]string{
	"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64", "i386": "386", "i686": "386",
	"armv6l": "arm", "armv7l": "arm", "armv8l": "arm", "riscv64": "riscv64", "ppc64le": "ppc64le", "s390x": "s390x", "loongarch64": "loong64",
}

// look finds out what machine is at the other end, and the hash of the codebolt-runtime
// in a folder of it that is one of those known here, by architecture; "" when there is
// none.
func look(ctx context.Context, client *sshconn.Client, dir string, known map[string]string) (m *machine, sum string, err error) {
	if dir = path.Clean(dir); dir == "~" || strings.HasPrefix(dir, "~/") {
		dir = path.Clean("." + dir[1:])
	}
	argv := []string{"/bin/sh", "-c", probeScript, "sh", dir}
	for name, arch := range architectures {
		if sum := known[arch]; sum != "" {
			argv = append(argv, name, sum)
		}
	}
	var out, said bytes.Buffer
	status, err := client.Run(ctx, sshconn.Command{Argv: argv, Stdout: &out, Stderr: &said})
	if err != nil {
		return nil, "", err
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	where := client.Describe()
	switch {
	case len(lines) < 2 || lines[0] == "":
		return nil, "", wire.Errorf(wire.Unsupported, "remote server: %s does not say what system it is: %s", where, complaint(said.Bytes()))
	case lines[0] != "Linux":
		return nil, "", wire.Errorf(wire.Unsupported, "remote server: %s is a %s host; environments need one with Linux", where, strings.ToValidUTF8(lines[0], "?"))
	case status == 71 || len(lines) < 3 || !path.IsAbs(lines[2]):
		return nil, "", wire.Errorf(wire.NotFound, "remote server: the user of %s has no home directory there: %s", where, complaint(said.Bytes()))
	}
	arch := architectures[lines[1]]
	if arch == "" {
		return nil, "", wire.Errorf(wire.Unsupported, "remote server: %s has processors called %q, for which there is no codebolt-runtime", where, lines[1])
	}
	if status == 0 && len(lines) == 4 {
		sum = strings.TrimSpace(lines[3])
	}
	return &machine{System: "linux", Arch: arch, Home: path.Clean(lines[2])}, sum, nil
}

// complaint is what a program on the host said, for a sentence.
func complaint(said []byte) string {
	const most = 800
	text := bytes.TrimSpace(said)
	if text = text[max(0, len(text)-most):]; len(text) == 0 {
		return "it says nothing"
	}
	return strings.ToValidUTF8(string(text), "?")
}

// likely are the architectures whose programs are looked for at the first look.
var likely = []string{"amd64", "arm64"}

// arrive is the machine, looked at when the first needs it.
func (s *site) arrive(ctx context.Context) (*machine, error) {
	client, err := s.client(ctx)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	m := s.machine
	s.mu.Unlock()
	if m != nil {
		return m, nil
	}
	known := map[string]string{}
	for _, arch := range likely {
		if sum, err := s.sums.of(s.program, arch); err == nil { // else it is told when it is needed
			known[arch] = sum
		}
	}
	m, sum, err := look(ctx, client, s.cfg.ProgramDir, known)
	if err != nil {
		return nil, err
	}
	at := ""
	if sum != "" && sum == known[m.Arch] {
		if at, err = s.programAt(m, sum); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.machine, s.there = m, at
	return m, nil
}

// programAt is where codebolt-runtime with a hash is on a machine.
func (s *site) programAt(m *machine, sum string) (string, error) {
	dir, err := placed("programDir", s.cfg.ProgramDir, m.Home)
	return path.Join(dir, sum, "codebolt-runtime"), err
}

// sums are the hashes of this machine's programs for others, by architecture. They are
// safe for concurrent use.
type sums struct {
	mu    sync.Mutex
	known map[string]string
}

func (s *sums) of(configured, arch string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sum := s.known[arch]; sum != "" {
		return sum, nil
	}
	p, err := runtime.OpenProgram(configured, "linux", arch)
	if err != nil {
		return "", err
	}
	defer p.Close()
	if s.known == nil {
		s.known = map[string]string{}
	}
	s.known[arch] = p.Sum
	return p.Sum, nil
}

// programOn is codebolt-runtime on the host. It is put there when it is not, and once
// in each of this program's lives it is looked whether it is still the same.
func (s *site) programOn(ctx context.Context) (string, error) {
	m, err := s.arrive(ctx)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	at := s.there
	s.mu.Unlock()
	if at != "" {
		return at, nil
	}
	client, err := s.client(ctx)
	if err != nil {
		return "", err
	}
	p, err := openProgram(s.program, m)
	if err != nil {
		return "", err
	}
	defer p.Close()
	if at, err = s.programAt(m, p.Sum); err != nil {
		return "", err
	}
	there := false
	if !slices.Contains(likely, m.Arch) { // else it has been looked for
		there, err = p.isAt(ctx, client, at)
	}
	if err == nil && !there {
		err = s.tell().Phase(ctx, "upload", func(ctx context.Context) error { return p.upload(ctx, client, path.Dir(at)) })
	}
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.there = at
	return at, nil
}

// program is codebolt-runtime for a machine, as it is here.
type program struct{ *runtime.Program }

func openProgram(configured string, m *machine) (*program, error) {
	p, err := runtime.OpenProgram(configured, m.System, m.Arch)
	if err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "remote server: %w", err)
	}
	return &program{p}, nil
}

// isAt tells that the program on the host is this one, and runs.
func (p *program) isAt(ctx context.Context, client *sshconn.Client, at string) (bool, error) {
	var out bytes.Buffer
	status, err := client.Run(ctx, sshconn.Command{Argv: []string{at, "sum"}, Stdout: &out})
	return status == 0 && strings.TrimSpace(out.String()) == p.Sum, err
}

// upload puts the program into a folder of the host. Two may do so at once.
func (p *program) upload(ctx context.Context, client *sshconn.Client, dir string) error {
	const tries = 3 // what arrived is not always what was sent
	for try := 1; ; try++ {
		if _, err := p.Seek(0, io.SeekStart); err != nil {
			return err
		}
		var said bytes.Buffer
		argv := []string{"/bin/sh", "-c", uploadScript, "sh", dir, strconv.FormatInt(p.Size, 10), p.Sum}
		status, err := client.Run(ctx, sshconn.Command{Argv: argv, Stdin: p.File, Stderr: &said})
		if err != nil {
			return err
		}
		what, where := complaint(said.Bytes()), client.Describe()
		switch {
		case status == 0:
			return nil
		case strings.Contains(what, "No space left"), strings.Contains(what, "quota exceeded"):
			return wire.Errorf(wire.Unavailable, "remote server: the disk of %s is full: %s; make room there, or set programDir to a folder on another disk", where, what)
		case status == 74 && strings.Contains(what, "Permission denied"):
			return wire.Errorf(wire.Permission, "remote server: %s runs no programs from %s (it may be mounted noexec): %s; set programDir to a folder from which programs run", where, path.Dir(dir), what)
		case status == 74:
			return wire.Errorf(wire.Unsupported, "remote server: codebolt-runtime does not run on %s: %s", where, what)
		case strings.Contains(what, "Permission denied"), strings.Contains(what, "Read-only"), strings.Contains(what, "not permitted"):
			return wire.Errorf(wire.Permission, "remote server: the user of %s may not write in %s: %s; set programDir to a folder where it may", where, path.Dir(dir), what)
		case status != 73 || try == tries:
			return wire.Errorf(wire.Unavailable, "remote server: put codebolt-runtime on %s: %s (status %d)", where, what, status)
		}
	}
}

// run runs codebolt-runtime on the host.
func (s *site) run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
	at, err := s.programOn(ctx)
	if err != nil {
		return 0, err
	}
	client, err := s.client(ctx)
	if err != nil {
		return 0, err
	}
	return client.Run(ctx, sshconn.Command{Argv: append([]string{at}, args...), Stdin: stdin, Stdout: stdout, Stderr: stderr})
}

// must runs codebolt-runtime on the host, and makes an error of its failure.
func (s *site) must(ctx context.Context, what string, args []string, stdin io.Reader, stdout io.Writer) error {
	var out, said end
	status, err := s.run(ctx, args, stdin, io.MultiWriter(stdout, &out), &said)
	if err != nil || status == 0 {
		return err
	}
	for _, text := range [][]byte{out.buf, said.buf} { // in one of them is a report
		lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
		var report transfer.Report
		if wire.Unmarshal(lines[len(lines)-1], &report) == nil && report.Err() != nil {
			err := report.Err()
			if strings.Contains(err.Error(), "no space left") {
				return wire.Errorf(wire.CodeOf(err), "remote server: %s: the host's disk is full: %w; make room there, or set dir to a folder on another disk", what, err)
			}
			return wire.Errorf(wire.CodeOf(err), "remote server: %s: %w", what, err)
		}
	}
	return wire.Errorf(wire.Unavailable, "remote server: %s: %s", what, complaint(said.buf))
}

// end keeps the end of what is written.
type end struct{ buf []byte }

func (e *end) Write(p []byte) (int, error) {
	const kept = 4 << 10
	e.buf = append(e.buf, p...)
	e.buf = append(e.buf[:0], e.buf[max(0, len(e.buf)-kept):]...)
	return len(p), nil
}

// ask asks codebolt-runtime on the host for something about the folder. What is asked
// is asked again when the connection broke: none of it does harm twice.
func (s *site) ask(ctx context.Context, r *outpost.Request) (*outpost.Answer, error) {
	s.mu.Lock()
	r.Folder = s.facts.Folder
	s.mu.Unlock()
	const tries = 3
	for try := 1; ; try++ {
		client, err := s.client(ctx)
		if err != nil {
			return nil, err
		}
		if answer, err := s.askAhead(ctx, client, r); answer != nil {
			return answer, err
		}
		answer, err := outpost.Ask(ctx, s.run, r)
		if err == nil {
			return answer, nil
		}
		if client.Err() == nil || try == tries || ctx.Err() != nil {
			return nil, located(err, client)
		}
	}
}

// askAhead asks the program where the record says that it is, as long as nobody has
// looked: that is one way there and back instead of three. Without an answer it is
// asked after a look. What another program is asked does nothing.
func (s *site) askAhead(ctx context.Context, client *sshconn.Client, r *outpost.Request) (*outpost.Answer, error) {
	s.mu.Lock()
	m, known := s.facts.Machine, s.machine != nil
	s.mu.Unlock()
	if known || m.Home == "" {
		return nil, nil
	}
	sum, err := s.sums.of(s.program, m.Arch)
	if err != nil {
		return nil, err
	}
	at, err := s.programAt(&m, sum)
	if err != nil {
		return nil, err
	}
	ahead := *r
	ahead.Want = sum
	answer, err := outpost.Ask(ctx, func(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (int, error) {
		return client.Run(ctx, sshconn.Command{Argv: append([]string{at}, args...), Stdin: stdin, Stdout: stdout, Stderr: stderr})
	}, &ahead)
	if answer == nil || answer.By != sum {
		return nil, err
	}
	s.mu.Lock()
	if s.machine == nil {
		s.machine, s.there = &m, at
	}
	s.mu.Unlock()
	if err != nil {
		err = located(err, client)
	}
	return answer, err
}

// located says of an error of the host which host it was.
func located(err error, client *sshconn.Client) error {
	if strings.HasPrefix(err.Error(), "ssh: ") || strings.HasPrefix(err.Error(), "remote server: ") {
		return err
	}
	return wire.Errorf(wire.CodeOf(err), "remote server: %s: %w", client.Describe(), err)
}
