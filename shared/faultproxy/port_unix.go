//go:build unix

package faultproxy

import (
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// shared lets the holder of a port and a listener have it both.
func shared(_, _ string, c syscall.RawConn) error {
	var failed error
	if err := c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	}); err != nil {
		return err
	}
	return failed
}

// holder keeps a port from being given to others while nobody listens on it. It
// does not listen: who connects is refused.
type holder struct{ fd int }

// hold holds the port of a listener that is shared. Without one, for an address
// it does not know, the port may be lost while the proxy is away.
func hold(ln net.Listener) (holder, error) {
	none := holder{fd: -1}
	tcp, ok := ln.Addr().(*net.TCPAddr)
	if !ok {
		return none, nil
	}
	address := tcp.AddrPort()
	family, sockaddr := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: tcp.Port, Addr: address.Addr().As16()})
	if ip := address.Addr().Unmap(); ip.Is4() {
		family, sockaddr = unix.AF_INET, inet4(ip, tcp.Port)
	}
	syscall.ForkLock.RLock() // no child gets it before it is marked
	fd, err := unix.Socket(family, unix.SOCK_STREAM, 0)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return none, err
	}
	// Without SO_REUSEADDR, with which others could have the port as well.
	if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err == nil {
		err = unix.Bind(fd, sockaddr)
	}
	if err != nil {
		_ = unix.Close(fd)
		return none, err
	}
	return holder{fd: fd}, nil
}

func inet4(ip netip.Addr, port int) unix.Sockaddr {
	return &unix.SockaddrInet4{Port: port, Addr: ip.As4()}
}

func (h *holder) close() {
	if h.fd >= 0 {
		_ = unix.Close(h.fd)
		h.fd = -1
	}
}
