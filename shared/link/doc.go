// Package link keeps one WebSocket conversation alive over any number of
// connections. It is used on both sides: [Dial] for the side that calls,
// [Acceptor] for the side that is called.
//
// A [Link] has one goroutine that reads and one that writes each connection; a
// small message that finds nobody writing is written by its sender, without
// waiting for the peer. It pings, notices silence, reconnects with growing, jittered pauses, and holds
// what is to be sent in a bounded outbox, from which a message is taken only
// after it was written. When the outbox is full, Send says so with
// [ErrOverflow]; nothing is dropped in silence. Data of which there may be any
// amount goes with [Link.SendBulk], has a small limit of its own there, and keeps
// nothing else waiting.
//
// When both sides announce the subprotocol [Subprotocol], messages carry
// sequence numbers and acknowledgements, and after a reconnect both go on where
// they were: nothing lost, nothing twice, in order. Towards peers that do not
// know it, a message is handed to the connection at most once, except that one
// whose write failed in the middle is written again. A receiver that passes
// messages on to something slow holds their acknowledgement ([Message.Hold]): the
// sender's outbox fills, while pings and everything else go on being read.
//
//	l := link.Dial(ctx, link.Dialer{URL: url}, link.Handler{Message: got}, link.Options{})
//	err := l.Send([]byte(`{"type":"hello"}`))
//	…
//	err = l.Close(ctx)
//
// The package knows nothing of what the messages say.
package link
