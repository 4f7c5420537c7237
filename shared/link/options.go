package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Subprotocol is the WebSocket subprotocol under which sessions are resumed.
const Subprotocol = "codebolt.resume.v1"

// Errors of Send, SendWait, Flush and Err.
var (
	// ErrOverflow means that the outbox is full: the peer is away or reads too
	// slowly. The message was not taken.
	ErrOverflow = errors.New("link: the outbox is full")
	// ErrClosed means that the link has ended, or that Close was called.
	ErrClosed = errors.New("link: closed")
)

// RefusedError is the peer's refusal of the WebSocket handshake.
type RefusedError struct {
	Status int    // of the HTTP answer
	Body   string // its beginning
}

func (e *RefusedError) Error() string {
	if e.Body == "" {
		return fmt.Sprintf("the peer refused the connection with status %d %s", e.Status, http.StatusText(e.Status))
	}
	return fmt.Sprintf("the peer refused the connection with status %d %s: %s", e.Status, http.StatusText(e.Status), e.Body)
}

// Message is one message of the peer. Data belongs to the receiver.
type Message struct {
	Data   []byte
	Binary bool
	from   *delivery // nil for one that was not received
	bulk   bool      // sent as such
	gone   func()    // called when it has left; nil calls nothing
}

// Up describes a connection that has been made.
type Up struct {
	// Generation counts the link's connections from 1.
	Generation int
	// Resumed tells that the session went on: nothing was lost in between.
	Resumed bool
}

// Loss tells what became uncertain when a session could not be resumed.
type Loss struct {
	// Unconfirmed counts the messages that were written and never acknowledged:
	// the peer may have seen any first part of them. They are not sent again.
	Unconfirmed int
	Cause       error
}

// Handler receives what happens on a link. Its functions are called one at a
// time and in order; while one runs, nothing more of the peer is read, its
// acknowledgements neither: one that waits for room in the outbox of its own
// link waits for ever. [Message.Release] lifts that for one message, and
// [Message.Hold] slows the peer down without it. Nil functions are left out. They
// must not call Close.
type Handler struct {
	Up      func(Up)
	Message func(Message)
	Down    func(error)
	Lost    func(Loss)
}

// Dialer says how the peer is reached.
type Dialer struct {
	// URL gives the address and headers for each attempt; ws or wss. An error of
	// it counts as a failed attempt.
	URL func(ctx context.Context) (string, http.Header, error)
	// NetDial opens the byte stream; nil dials TCP. The address is the URL's.
	NetDial func(ctx context.Context, network, address string) (net.Conn, error)
}

// Options are the limits and times of a link; the zero value is usable.
type Options struct {
	MaxMessage   int64         // bytes of one message, either way; default 100 MiB
	Ping         time.Duration // pause between pings; default 20 s
	Silence      time.Duration // a peer that sends nothing for so long is gone; default 60 s
	WriteTimeout time.Duration // a peer that takes nothing for so long is gone; default 75 s
	Handshake    time.Duration // one attempt to connect, with greeting; default 10 s

	// OutboxMessages and OutboxBytes are how much the outbox holds, in a session
	// with what the peer has not acknowledged. Bytes are those of memory. One
	// message always fits when there is no other.
	OutboxMessages int   // default 16384
	OutboxBytes    int64 // default 64 MiB
	// OutboxBulk is how many bytes, and OutboxMessages how many messages, the outbox
	// holds beside that of what was sent with SendBulk; default 2 MiB. A connection
	// then always has something to write, a peer that is away for a moment holds
	// nobody up, and another message waits behind little. In a session it is also
	// how much may be on its way, and should be more than a peer acknowledges at
	// once, which is 1 MiB.
	OutboxBulk int64

	RetryFirst time.Duration // longest pause before the first retry; default 1 s
	RetryMax   time.Duration // longest pause; default 30 s
	// Stable is how long a connection must have lasted to reset the pauses; default
	// 1 min. One on which the peer said something does so too when it lasted as long
	// as RetryFirst and the pause before it: a line that breaks every few seconds is
	// up for most of the time, and a peer that only accepts is not called for ever.
	Stable time.Duration
	GiveUp time.Duration // end the link after so long without a connection; 0 never

	// Again keeps messages of SendBulkThen and SendBulkNow outside of a session, too, until
	// the peer has had them, and writes those once more on the next connection that the
	// last one may have lost: each as Again gives it, since the peer may have had it. They
	// are in their order, and before all others. That the peer has had what came before a
	// ping, its answer tells.
	Again func(data []byte) []byte

	// Resume announces Subprotocol.
	Resume bool
	// SessionTTL is how long an Acceptor keeps a session without a connection;
	// default 10 min.
	SessionTTL time.Duration
	// Gather lets small messages that are sent while a message is handled wait
	// until all that the peer has sent so far is handled, or [Message.Flush] or
	// [Message.Release] is called: answers to many requests then leave together.
	// It is for handlers that do not wait for anything before they call either.
	Gather bool
	// Compress offers permessage-deflate when dialing. An Acceptor takes it
	// whenever the peer offers it.
	Compress bool
	// Greet checks the peer's greeting, the first message of each connection,
	// which then does not reach the Handler. With nil there is no greeting.
	Greet func(Message) error

	Logger *slog.Logger // nil logs nothing
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&o.Ping, 20*time.Second)
	def(&o.Silence, 60*time.Second)
	def(&o.WriteTimeout, 75*time.Second)
	def(&o.Handshake, 10*time.Second)
	def(&o.RetryFirst, time.Second)
	def(&o.RetryMax, 30*time.Second)
	def(&o.Stable, time.Minute)
	def(&o.SessionTTL, 10*time.Minute)
	if o.MaxMessage == 0 {
		o.MaxMessage = 100 << 20
	}
	if o.OutboxMessages == 0 {
		o.OutboxMessages = 16384
	}
	if o.OutboxBytes == 0 {
		o.OutboxBytes = 64 << 20
	}
	if o.OutboxBulk == 0 {
		o.OutboxBulk = 2 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}
