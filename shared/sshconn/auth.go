package sshconn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// errNothingLeft ends an authentication for which there is nothing left to try.
var errNothingLeft = errors.New("there is nothing left to try")

// login chooses, step by step, how to prove to a hop who the user is. One key is
// offered at a time, so that it is known what was tried, and a key that fails
// does not keep the others from being tried.
type login struct {
	hop *hop
	ctx context.Context

	keys    *keyring // nil until a key is asked for
	next    int      // the first key that was not offered
	asked   map[string]int
	tried   []string // methods and keys, for people
	allowed []string // the methods the server spoke of last
	silent  bool     // the last keyboard-interactive try asked nothing
	refused error    // a question was not answered
}

// step is the [ssh.ClientAuthCallback].
func (l *login) step(c *ssh.ClientAuthContext) (ssh.AuthMethod, error) {
	l.allowed = c.AllowedMethods
	if err := l.hop.conn.end(); err != nil {
		return nil, err
	}
	if err := l.ctx.Err(); err != nil {
		return nil, err
	}
	for _, method := range l.hop.host.methods {
		if !slices.Contains(c.AllowedMethods, method) {
			continue
		}
		switch method {
		case "publickey":
			if l.keys == nil {
				l.keys = &keyring{hop: l.hop}
				l.keys.gather(l.ctx)
			}
			if l.next < len(l.keys.given) {
				key := l.keys.given[l.next]
				l.next++
				l.tried = append(l.tried, "the key "+key.label)
				return ssh.PublicKeys(key.signer), nil
			}
		case "keyboard-interactive":
			if l.again(method) && !l.silent {
				l.silent = true
				return ssh.KeyboardInteractive(l.challenge), nil
			}
		case "password":
			if l.again(method) {
				return ssh.PasswordCallback(l.password), nil
			}
		}
	}
	return nil, errNothingLeft
}

// again counts the tries of a method that asks; false when they are used up or
// nobody can be asked or wants to answer.
func (l *login) again(method string) bool {
	if l.hop.ask == nil || l.refused != nil || l.asked[method] >= l.hop.host.passwordTries {
		return false
	}
	if l.asked[method] == 0 {
		l.tried = append(l.tried, method)
	}
	l.asked[method]++
	return true
}

func (l *login) password() (string, error) {
	return l.question(Prompt{Kind: AskPassword, Text: "Password of " + l.hop.host.String() + ":", Again: l.asked["password"] > 1})
}

// question asks a person, and no more once there was no answer.
func (l *login) question(p Prompt) (string, error) {
	answer, err := l.hop.question(l.ctx, p)
	if err != nil {
		l.refused = err
	}
	return answer, err
}

// challenge answers what a server asks in keyboard-interactive authentication.
func (l *login) challenge(_, instruction string, questions []string, echos []bool) ([]string, error) {
	answers := make([]string, len(questions))
	for i, question := range questions {
		l.silent = false
		if i == 0 && strings.TrimSpace(instruction) != "" {
			question = instruction + " " + question
		}
		answer, err := l.question(Prompt{Kind: AskAnswer, Text: clean(question), Echo: echos[i], Again: l.asked["keyboard-interactive"] > 1})
		if err != nil {
			return nil, err
		}
		answers[i] = answer
	}
	return answers, nil
}

// story says what was tried and what could not be, without secrets.
func (l *login) story() string {
	text := "tried nothing"
	if len(l.tried) > 0 {
		text = "tried " + strings.Join(l.tried, ", ")
	}
	if l.keys != nil && len(l.keys.problems) > 0 {
		text += "; not usable: " + strings.Join(l.keys.problems, ", ")
	}
	if len(l.allowed) > 0 {
		text += "; the host takes " + clean(strings.Join(l.allowed, ", "))
	}
	if l.refused != nil {
		text += "; " + l.refused.Error()
	}
	if l.hop.ask == nil && (slices.Contains(l.allowed, "password") || slices.Contains(l.allowed, "keyboard-interactive")) {
		text += ", but nobody is there to be asked for a password"
	}
	return text
}

// question asks a person; the hop's time does not run meanwhile.
func (h *hop) question(ctx context.Context, p Prompt) (string, error) {
	if h.ask == nil {
		return "", errors.New("nobody is there to be asked")
	}
	if err := h.conn.end(); err != nil {
		return "", fmt.Errorf("the connection ended: %w", err)
	}
	h.asked.Store(true)
	h.patience.pause()
	defer h.patience.resume()
	p.Host, p.Jump = h.host.String(), h.jump
	answer, err := h.ask(ctx, p)
	if err != nil {
		return "", fmt.Errorf("the question for the %s was not answered: %w", strings.ReplaceAll(string(p.Kind), "-", " "), err)
	}
	return answer, nil
}
