package sshconn

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"
)

// errSlow is the cause with which a hop's context ends when its time is up.
var errSlow = errors.New("the time for the hop is up")

// hop is the connection to one host of the chain.
type hop struct {
	host     *host
	jump     bool // there is another one behind it
	ask      func(ctx context.Context, question Prompt) (string, error)
	log      *slog.Logger
	unlocked map[string]ssh.Signer // decrypted keys by file, of all hops

	known      *knownKeys
	patience   *patience
	afterwards []func() // to be done when the hop is made or has failed
	login      *login
	refused    error       // by verify
	asked      atomic.Bool // somebody was asked something

	conn   *watched
	key    ssh.PublicKey // the host's
	client *ssh.Client
}

// connect makes the hop, over the previous one unless it is the first. started
// gets the first hop's connection; sever must close that one, and with it
// everything that goes over it.
func (h *hop) connect(ctx context.Context, previous *hop, started func(net.Conn), sever func()) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	h.patience = newPatience(h.host.connectTimeout, func() { cancel(errSlow) })
	defer h.patience.end()
	defer func() {
		for _, do := range slices.Backward(h.afterwards) {
			do()
		}
	}()

	var err error
	if h.known, err = readKnownHosts(slices.Concat(h.host.userKnownHosts, h.host.globalKnownHosts), h.log); err != nil {
		return err
	}
	algorithms, err := h.known.algorithms(h.host.knownAs, h.host.hostKeyOrder)
	if err != nil {
		return err
	}
	if err := h.open(ctx, previous, started); err != nil {
		return err
	}
	severed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { defer close(severed); sever() })
	h.login = &login{hop: h, ctx: ctx, asked: map[string]int{}}
	conn, channels, requests, err := ssh.NewClientConn(h.conn, h.host.address(), &ssh.ClientConfig{
		User:              h.host.user,
		HostKeyAlgorithms: algorithms,
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			if h.key != nil { // new session keys, later
				if string(h.key.Marshal()) != string(key.Marshal()) {
					return errors.New("the host changed its key while connected")
				}
				return nil
			}
			if h.refused = h.verify(ctx, key); h.refused == nil {
				h.key = key
			}
			return h.refused
		},
		AuthCallback: h.login.step,
	})
	inTime := stop()
	if !inTime {
		<-severed
	}
	if err == nil && !inTime {
		err = context.Cause(ctx)
		_ = conn.Close()
	}
	if err != nil {
		return h.handshakeFailed(ctx, err)
	}
	h.client = ssh.NewClient(conn, channels, requests)
	return nil
}

// open opens the stream of bytes to the host.
func (h *hop) open(ctx context.Context, previous *hop, started func(net.Conn)) error {
	if previous != nil {
		conn, err := previous.client.DialContext(ctx, "tcp", h.host.address())
		if err != nil {
			return h.forwardFailed(ctx, previous, err)
		}
		h.conn = watch(conn)
		return nil
	}
	conn, err := (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext(ctx, h.host.network, h.host.address())
	if err != nil {
		return h.dialFailed(ctx, err)
	}
	started(conn)
	h.conn = watch(conn)
	return nil
}
