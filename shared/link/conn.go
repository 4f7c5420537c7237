package link

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

const (
	// bufferSize is that of each connection's read and write buffers. Messages
	// larger than it travel in several frames.
	bufferSize = 32 << 10
	// compressAbove is the size from which a message is worth deflating, where
	// that was agreed on.
	compressAbove = 1 << 10
	// chunk is how much is written under one deadline.
	chunk = 256 << 10
	// atOnce is the largest message that Send writes itself.
	atOnce = 16 << 10
	// enough gathered bytes do not wait for more.
	enough = 16 << 10
	// headerRoom is the most that a session puts before a message.
	headerRoom = 48
)

// writeBuffers serve connections while they write; an idle one holds none.
var writeBuffers sync.Pool

// conn is one connection of a link.
type conn struct {
	ws      *websocket.Conn
	batch   *batchConn
	session bool // Subprotocol was agreed on
	opt     Options
	pong    chan string   // pings to be answered by the writer
	ack     chan struct{} // messages were received that nothing has acknowledged
	hasten  chan struct{} // so many that it should not wait
	spoke   bool          // a message came; of the reader alone until serve is done
	heard   time.Time     // when the peer last showed life, as far as noted; of the reader alone

	// turn is held by whoever writes messages: the writer, or a Send that finds
	// nobody writing.
	turn sync.Mutex
	open bool // messages may be written; guarded by turn
	// corked means that the reader has a message in hand and looks after what is
	// gathered before it reads on; only with Options.Gather.
	corked   atomic.Bool
	gathered int  // bytes in the batch after the last message; guarded by turn
	stalled  bool // the peer took only a part of it: the writer waits for the rest; guarded by turn

	// begin exchanges what comes before the first message; nil when there is
	// nothing to exchange.
	begin func() error
}

func newConn(ws *websocket.Conn, batch *batchConn, o Options) *conn {
	c := &conn{
		ws: ws, batch: batch, session: ws.Subprotocol() == Subprotocol, opt: o,
		pong: make(chan string, 1), ack: make(chan struct{}, 1), hasten: make(chan struct{}, 1),
	}
	// The sizes that count are those after inflating; read checks them.
	ws.SetReadLimit(-1)
	ws.SetPingHandler(func(text string) error {
		select {
		case c.pong <- text:
		default: // one answer for several pings is enough
		}
		return c.alive()
	})
	ws.SetPongHandler(func(string) error { return c.alive() })
	return c
}

// alive notes that the peer has shown life, as exactly as a limit on silence
// needs it.
func (c *conn) alive() error {
	now := time.Now()
	if now.Sub(c.heard) < c.opt.Silence/64 {
		return nil
	}
	c.heard = now
	return c.ws.SetReadDeadline(now.Add(c.opt.Silence))
}

// read reads one message.
func (c *conn) read() (Message, error) {
	if err := c.alive(); err != nil {
		return Message{}, err
	}
	kind, r, err := c.ws.NextReader()
	if err != nil {
		return Message{}, err
	}
	return c.readRest(kind, r, c.alive)
}

// readRest reads a message that has begun. alive is called while it comes.
func (c *conn) readRest(kind int, r io.Reader, alive func() error) (Message, error) {
	limit := c.opt.MaxMessage
	if c.session {
		limit += headerRoom
	}
	buf := make([]byte, 0, 2048)
	for first := true; ; first = false {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > limit {
			c.goodbye(websocket.CloseMessageTooBig, "message too large")
			return Message{}, wire.Errorf(wire.TooLarge, "the peer sent a message of more than %d bytes", c.opt.MaxMessage)
		}
		if errors.Is(err, io.EOF) {
			return Message{Data: buf, Binary: kind == websocket.BinaryMessage}, nil
		}
		if err != nil {
			return Message{}, err
		}
		if n > 0 && !first {
			// A large message may take long; what counts is that it goes on.
			if err := alive(); err != nil {
				return Message{}, err
			}
		}
		if len(buf) == cap(buf) {
			grown := make([]byte, len(buf), 4*cap(buf))
			copy(grown, buf)
			buf = grown
		}
	}
}

// write writes one message, with a header before it in a session. It may stay
// in the batch until flush.
func (c *conn) write(header []byte, m Message) error {
	kind := websocket.TextMessage
	if m.Binary {
		kind = websocket.BinaryMessage
	}
	c.ws.EnableWriteCompression(len(m.Data) >= compressAbove)
	if err := c.deadline(); err != nil {
		return err
	}
	w, err := c.ws.NextWriter(kind)
	if err != nil {
		return err
	}
	if len(header) > 0 {
		if _, err := w.Write(header); err != nil {
			return err
		}
	}
	for data := m.Data; len(data) > 0; {
		n := min(len(data), chunk)
		if err := c.deadline(); err != nil {
			return err
		}
		if _, err := w.Write(data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return w.Close()
}

// writeData writes message seq of the outbox.
func (c *conn) writeData(seq, ack uint64, m Message) error {
	var header [headerRoom]byte
	head := header[:0]
	if c.session {
		head = dataHeader(head, seq, ack)
	}
	if err := c.write(head, m); err != nil {
		return err
	}
	c.gathered = c.batch.endMessage()
	return nil
}

// acknowledge writes that everything up to seq has arrived.
func (c *conn) acknowledge(seq uint64) error {
	c.turn.Lock()
	defer c.turn.Unlock()
	var header [headerRoom]byte
	return c.write(ackHeader(header[:0], seq), Message{})
}

func (c *conn) deadline() error { return c.ws.SetWriteDeadline(time.Now().Add(c.opt.WriteTimeout)) }

func (c *conn) control(kind int, data []byte) error {
	return c.ws.WriteControl(kind, data, time.Now().Add(c.opt.WriteTimeout))
}

// goodbye says why the connection ends, as far as the peer still listens.
func (c *conn) goodbye(code int, why string) {
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, why), time.Now().Add(time.Second))
	_ = c.flush()
}

func (c *conn) flush() error {
	if err := c.batch.SetWriteDeadline(time.Now().Add(c.opt.WriteTimeout)); err != nil {
		return err
	}
	return c.batch.Flush()
}

// The first byte of each message in a session.
const (
	frameHello    = 'H' // hello, as JSON; the first message of either side
	frameGreeting = 'G' // the acceptor's greeting
	frameData     = 'D' // "D<sequence> <acknowledged>\n" and the message
	frameAck      = 'A' // "A<acknowledged>\n"
)

// hello opens a connection of a session.
type hello struct {
	Session  string `json:"session"`
	Received uint64 `json:"received"` // the last sequence number delivered
	Fresh    bool   `json:"fresh"`    // caller: this begins a session; called: there was none of that name
}

func (c *conn) sendHello(h hello) error {
	data, err := json.Marshal(h)
	if err == nil {
		err = c.write([]byte{frameHello}, Message{Data: data})
	}
	if err == nil {
		err = c.flush()
	}
	return err
}

// readFirst reads a message of the opening, within the handshake's time.
func (c *conn) readFirst(kind byte) (Message, error) {
	c.heard = time.Time{} // what limits the opening does not limit what follows
	if err := c.ws.SetReadDeadline(time.Now().Add(c.opt.Handshake)); err != nil {
		return Message{}, err
	}
	typ, r, err := c.ws.NextReader()
	if err != nil {
		return Message{}, err
	}
	m, err := c.readRest(typ, r, func() error { return nil })
	if err != nil {
		return Message{}, err
	}
	data := m.Data
	if kind != 0 {
		if len(data) == 0 || data[0] != kind {
			return Message{}, wire.Errorf(wire.Invalid, "the peer began the session with the wrong frame")
		}
		data = data[1:]
	}
	return Message{Data: data, Binary: m.Binary}, nil
}

func (c *conn) readHello() (h hello, err error) {
	m, err := c.readFirst(frameHello)
	if err == nil {
		err = json.Unmarshal(m.Data, &h)
	}
	if err == nil && (len(h.Session) < 16 || len(h.Session) > 64) {
		err = wire.Errorf(wire.Invalid, "the peer's session has no usable name")
	}
	return h, err
}

// dataHeader is what precedes message seq, after everything up to ack arrived.
func dataHeader(buf []byte, seq, ack uint64) []byte {
	buf = append(buf, frameData)
	buf = strconv.AppendUint(buf, seq, 10)
	buf = append(buf, ' ')
	buf = strconv.AppendUint(buf, ack, 10)
	return append(buf, '\n')
}

func ackHeader(buf []byte, ack uint64) []byte {
	buf = append(buf, frameAck)
	buf = strconv.AppendUint(buf, ack, 10)
	return append(buf, '\n')
}

// parseFrame splits a message of a session. seq is 0 when it only acknowledges.
func parseFrame(data []byte) (seq, ack uint64, body []byte, err error) {
	bad := wire.Errorf(wire.Invalid, "the peer sent a damaged session frame")
	if len(data) < 3 {
		return 0, 0, nil, bad
	}
	rest := data[1:]
	number := func(end byte) (n uint64, ok bool) {
		for i, ch := range rest {
			switch {
			case ch == end && i > 0:
				rest = rest[i+1:]
				return n, true
			case ch < '0' || ch > '9' || i > 18:
				return 0, false
			}
			n = n*10 + uint64(ch-'0')
		}
		return 0, false
	}
	var ok bool
	switch data[0] {
	case frameData:
		if seq, ok = number(' '); !ok || seq == 0 {
			return 0, 0, nil, bad
		}
	case frameAck:
	default:
		return 0, 0, nil, bad
	}
	if ack, ok = number('\n'); !ok {
		return 0, 0, nil, bad
	}
	return seq, ack, rest, nil
}

// describe makes a sentence of why a connection ended.
func describe(err error) error {
	var closed *websocket.CloseError
	if errors.As(err, &closed) {
		if closed.Code == websocket.CloseAbnormalClosure {
			return fmt.Errorf("link: the connection broke: %w", err)
		}
		return fmt.Errorf("link: the peer closed the connection (%d %s): %w", closed.Code, closed.Text, err)
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		return wire.Errorf(wire.Timeout, "link: the peer went silent: %w", err)
	}
	if err == nil || errors.Is(err, context.Canceled) {
		return ErrClosed
	}
	return fmt.Errorf("link: the connection broke: %w", err)
}
