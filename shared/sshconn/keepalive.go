package sshconn

import (
	"time"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// keepAlive asks a hop for a sign of life every interval, and ends the
// connection when for two intervals after a question nothing was heard: neither
// its answer nor anything else. With the standard interval of 20 seconds a stall
// of 39 is survived, and a peer that vanished is noticed after 60 at most.
func (c *Client) keepAlive(at int) {
	h := c.hops[at]
	interval := h.host.keepAlive
	timer := time.NewTimer(interval)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-c.done:
			return
		}
		asked := time.Now()
		answer := make(chan error, 1)
		c.work.Go(func() {
			_, _, err := h.client.SendRequest("keepalive@openssh.com", true, nil)
			answer <- err
		})
		for waiting := true; waiting; {
			since := asked
			if heard := h.conn.lastHeard(); heard.After(since) {
				since = heard
			}
			left := time.Until(since.Add(2 * interval))
			if left <= 0 {
				silent := wire.Errorf(wire.Timeout, "the host has not answered for %s", 2*interval)
				c.fail(located(silent, c.hosts, c.firstSilent(at)))
				return
			}
			timer.Reset(left)
			select {
			case err := <-answer:
				if err != nil {
					return // it has ended, and that is noticed elsewhere
				}
				waiting = false
			case <-timer.C:
			}
		}
		timer.Reset(interval)
	}
}

// firstSilent returns the hop to blame for the silence of one: what lies behind
// a silent hop is silent, too, and may be found so first. One that lives was
// heard an interval ago at most.
func (c *Client) firstSilent(at int) int {
	for i, h := range c.hops[:at] {
		if time.Since(h.conn.lastHeard()) > h.host.keepAlive*3/2 {
			return i
		}
	}
	return at
}
