package sshconn_test

import (
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/codeboltai/codebolt-providers/shared/sshconn"
	"github.com/codeboltai/codebolt-providers/shared/sshconn/sshtest"
)

// asking is a server that asks for passwords, which sshd does only of users of
// the machine. It lets log in and does nothing else.
func asking(t *testing.T, config *ssh.ServerConfig) sshconn.Options {
	t.Helper()
	key := sshtest.NewKey(t, "ed25519")
	config.AddHostKey(key)
	var open sync.WaitGroup
	port := listen(t, func(conn net.Conn) {
		open.Go(func() {
			server, channels, requests, err := ssh.NewServerConn(conn, config)
			if err != nil {
				_ = conn.Close()
				return
			}
			open.Go(func() { ssh.DiscardRequests(requests) })
			for channel := range channels {
				_ = channel.Reject(ssh.Prohibited, "")
			}
			_ = server.Close()
		})
	})
	t.Cleanup(open.Wait)
	dir := t.TempDir()
	known := filepath.Join(dir, "known_hosts")
	write(t, known, knownhosts.Line([]string{fmt.Sprintf("127.0.0.1:%d", port)}, key.PublicKey()))
	write(t, filepath.Join(dir, "config"), fmt.Sprintf("Host asking\nHostName 127.0.0.1\nPort %d\nUser alice\nIdentityFile none\nIdentityAgent none\n", port))
	return sshconn.Options{ConfigFiles: []string{filepath.Join(dir, "config")}, KnownHosts: []string{known}}
}

var errWrong = errors.New("wrong")

// byPassword accepts one password of alice.
func byPassword(conn ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
	if conn.User() != "alice" || string(password) != "open sesame" {
		return nil, errWrong
	}
	return nil, nil
}

// byQuestions accepts alice when she answers two questions.
func byQuestions(conn ssh.ConnMetadata, challenge ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
	answers, err := challenge("", "Hello\x1b[2J.", []string{"Password: ", "Code: "}, []bool{false, true})
	if err != nil || conn.User() != "alice" || len(answers) != 2 || answers[0] != "open sesame" || answers[1] != "123456" {
		return nil, errWrong
	}
	return nil, nil
}
