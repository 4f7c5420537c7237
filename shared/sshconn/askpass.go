package sshconn

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// The variables by which a person says which program asks, as for the ssh program,
// and what the program is told by them.
const (
	// EnvAskpass names the program; without it that is ssh-askpass, where there is one.
	EnvAskpass = "SSH_ASKPASS"
	// EnvAskpassRequire is never, prefer or force; all but force want a screen, except
	// that never asks nobody.
	EnvAskpassRequire = "SSH_ASKPASS_REQUIRE"
	// EnvAskpassPrompt is confirm for the program where the question is about yes or no.
	EnvAskpassPrompt = "SSH_ASKPASS_PROMPT"
	// EnvAskpassEcho is 1 for the program where the answer may be visible while it is
	// typed. It is not of OpenSSH, which does not tell.
	EnvAskpassEcho = "CODEBOLT_ASKPASS_ECHO"
)

const (
	usualAskpass = "ssh-askpass"
	// maxAnswer bounds what an asking program may print, in bytes.
	maxAnswer = 4 << 10
	// askpassGrace is how long the pipes of an asking program that was ended may stay open.
	askpassGrace = time.Second
)

// Askpass returns an [Options] Ask that asks by the program of SSH_ASKPASS, as OpenSSH
// does for whoever has no terminal; nil when a person does not want that or there is no
// such program: SSH_ASKPASS_REQUIRE is never, or it is not force and neither DISPLAY nor
// WAYLAND_DISPLAY is set.
//
// The program gets the question as its only argument, and the first line that it prints
// is the answer. Another status than 0 refuses to answer, of kind Permission. About a
// host key it is asked with SSH_ASKPASS_PROMPT=confirm, and an empty answer is a yes
// then. It is ended when the context ends. No answer is logged or told in an error. The
// function is safe for concurrent use, and may then ask several questions at once.
func Askpass(getenv func(string) string) func(ctx context.Context, question Prompt) (string, error) {
	screen := getenv("DISPLAY") != "" || getenv("WAYLAND_DISPLAY") != ""
	switch strings.ToLower(getenv(EnvAskpassRequire)) {
	case "never":
		return nil
	case "force":
	default:
		if !screen {
			return nil
		}
	}
	program := getenv(EnvAskpass)
	if program == "" {
		found, err := exec.LookPath(usualAskpass)
		if err != nil {
			return nil
		}
		program = found
	}
	return func(ctx context.Context, question Prompt) (string, error) { return askBy(ctx, program, question) }
}

// askBy asks one question by a program.
func askBy(ctx context.Context, program string, question Prompt) (string, error) {
	text := question.Text
	if question.Kind == AskAnswer { // the host's own words do not say whose they are
		text = "(" + question.Host + ") " + text
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out, said := &bounded{over: cancel}, &bounded{over: func() {}}
	cmd := exec.CommandContext(ctx, program, text)
	cmd.Env = askpassEnviron(os.Environ(), question)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = out, said, askpassGrace
	alone(cmd)
	err := cmd.Run()
	if out.full {
		return "", wire.Errorf(wire.Permission, "%s of %s printed more than %d bytes, which is no answer", program, EnvAskpass, maxAnswer)
	}
	if cause := context.Cause(ctx); cause != nil {
		return "", wire.Errorf(wire.CodeOf(ctx.Err()), "the question was taken back: %w", cause)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		why := ""
		if said := clean(said.String()); said != "" {
			why = ": " + said
		}
		return "", wire.Errorf(wire.Permission, "%s of %s gave no answer (%s)%s", program, EnvAskpass, exit.ProcessState, why)
	}
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return "", wire.Errorf(wire.Permission, "%s of %s cannot be run; set it to a program that asks, or %s to never: %w", program, EnvAskpass, EnvAskpassRequire, err)
	}
	answer, _, _ := strings.Cut(out.String(), "\n")
	answer = strings.TrimSuffix(answer, "\r")
	if question.Kind == AskHostKey {
		answer = cmp.Or(answer, "yes")
	}
	return answer, nil
}

// askpassEnviron is the environment of a program that asks.
func askpassEnviron(environ []string, question Prompt) []string {
	environ = slices.DeleteFunc(slices.Clone(environ), func(pair string) bool {
		return strings.HasPrefix(pair, EnvAskpassPrompt+"=") || strings.HasPrefix(pair, EnvAskpassEcho+"=")
	})
	if question.Kind == AskHostKey {
		environ = append(environ, EnvAskpassPrompt+"=confirm")
	}
	if question.Echo {
		environ = append(environ, EnvAskpassEcho+"=1")
	}
	return environ
}

// bounded keeps the beginning of what is written, and tells when that is not all.
type bounded struct {
	buf  []byte
	full bool
	over func()
}

func (b *bounded) Write(p []byte) (int, error) {
	room := min(maxAnswer-len(b.buf), len(p))
	b.buf = append(b.buf, p[:room]...)
	if room < len(p) && !b.full {
		b.full = true
		b.over()
	}
	return len(p), nil
}

func (b *bounded) String() string { return string(b.buf) }
