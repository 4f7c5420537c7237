// Package faultproxy is a TCP proxy that injects faults into connections, for
// tests of whatever must survive them. It stands on the loopback interface
// between whoever connects and a target:
//
//	proxy, err := faultproxy.Listen(faultproxy.To(address))
//	defer proxy.Close()
//	… connect to proxy.Addr() …
//	proxy.CutAfter(faultproxy.Down, 100, faultproxy.Reset) // in the middle of an answer
//
// It works on bytes and knows nothing of what they mean, so a fault hits wherever
// it hits. Faults are of two kinds: some are an act, as Cut; others last until
// they are taken back, as Hold and Shape, and Heal takes back all of those.
//
// The package is for tests, not for traffic: a connection may keep up to 2 MiB
// under way in either direction.
package faultproxy
