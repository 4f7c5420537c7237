//go:build linux

package sshtest

import (
	"net"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

func TestThreadsThatEndTakeNoConnectionWithThem(t *testing.T) {
	s := Start(t, Options{})
	key, err := ssh.ParsePrivateKey(privatePEM(t, NewKey(t, "ed25519")))
	check(t, err)
	s.Authorize(t, key.PublicKey())
	for round := range 20 {
		client, err := ssh.Dial("tcp", s.Addr, &ssh.ClientConfig{
			User: s.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)},
			HostKeyCallback: func(string, net.Addr, ssh.PublicKey) error { return nil },
		})
		check(t, err)
		// As many threads as there may be idle, each busy until all are.
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() {
				runtime.LockOSThread() // and never unlocked, so that the thread ends
				_ = syscall.Nanosleep(&syscall.Timespec{Nsec: int64(5 * time.Millisecond)}, nil)
			})
		}
		all.Wait()
		if _, _, err := client.SendRequest("keepalive@openssh.com", true, nil); err != nil {
			t.Fatalf("round %d: after threads ended: %v", round, err)
		}
		_ = client.Close()
	}
}
