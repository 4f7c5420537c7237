//go:build unix

package faultproxy_test

import (
	"errors"
	"net"
	"syscall"
	"testing"
)

// Otherwise an outgoing connection of any process could get it meanwhile.
func TestThePortOfAProxyThatLeftIsGivenToNobody(t *testing.T) {
	w := open(t)
	w.Leave()
	if ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", w.Addr()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("listening on the port gave %v and %v", ln, err)
	}
	if err := w.Return(); err != nil {
		t.Errorf("return: %v", err)
	}
	at := w.Addr()
	if err := w.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", at)
	if err != nil {
		t.Fatalf("after the proxy's end its port is not free: %v", err)
	}
	_ = ln.Close()
}
