package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// transfers measures file requests and memory against an echo of frames of the
// size of their answers.
func (b *bench) transfers(ctx context.Context) error {
	if !b.wants("read", "write", "memory") {
		return nil
	}
	project, err := b.project("small", 50)
	if err != nil {
		return err
	}
	text := strings.Repeat("func main() { fmt.Println(\"hello, world\") } // line\n", 1+(10<<20)/52)
	if err := os.WriteFile(filepath.Join(project, "one.txt"), []byte(text[:1024]), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(project, "ten.txt"), []byte(text[:10<<20]), 0o600); err != nil {
		return err
	}
	if err := b.git(ctx, project, "add", "."); err != nil {
		return err
	}
	if err := b.git(ctx, project, "commit", "-qm", "files"); err != nil {
		return err
	}
	ours, err := b.open(ctx, project, "transfers", nil)
	if err != nil {
		return err
	}
	defer ours.end()
	echo, err := b.listener.spawn(ctx, b.self(ctx, "-role", "echo"))
	if err != nil {
		return err
	}
	defer echo.end()

	idle, err := residentMiB(ours.cmd.Process.Pid)
	if err != nil {
		return err
	}
	read := func(name string) []byte {
		return []byte(`{"type":"providerReadFile","path":"` + name + `","requestId":"0f4e63f2-1111-4222-8333-0123456789ab"}`)
	}
	write := func(i int) []byte {
		quoted, _ := json.Marshal(text[:1024]) // a string always encodes
		return fmt.Appendf(nil, `{"type":"providerWriteFile","path":"w%d.txt","content":%s,"requestId":"0f4e63f2-1111-4222-8333-0123456789ab"}`, i%16, quoted)
	}
	answer1, err := roundTrip(ours.conn, read("one.txt"))
	if err != nil {
		return err
	}
	answer10, err := roundTrip(ours.conn, read("ten.txt"))
	if err != nil {
		return err
	}
	if len(answer10) < 10<<20 {
		return fmt.Errorf("reading 10 MiB gave %d bytes: %.200s", len(answer10), answer10)
	}
	frame1, frame10, w := bytes.Clone(answer1), bytes.Clone(answer10), write(0)

	n := 3000 / b.scale
	for range 300 { // warm both
		if err := both(func(p *peer, f []byte) error { _, err := roundTrip(p.conn, f); return err }, ours, read("one.txt"), echo, frame1); err != nil {
			return err
		}
	}
	var readOurs, readEcho, writeOurs, writeEcho []float64
	for i := range n { // alternating, so that noise hits both
		for _, m := range []struct {
			p     *peer
			frame []byte
			into  *[]float64
		}{{ours, read("one.txt"), &readOurs}, {echo, frame1, &readEcho}, {ours, write(i), &writeOurs}, {echo, w, &writeEcho}} {
			begun := time.Now()
			if _, err := roundTrip(m.p.conn, m.frame); err != nil {
				return err
			}
			*m.into = append(*m.into, float64(time.Since(begun).Nanoseconds())/1000)
		}
	}
	b.atMost("read 1 KiB, one at a time", "echo", "µs", readOurs, readEcho, 1.3)

	var rateOurs, rateEcho []float64
	for range max(15/b.scale, 3) {
		r1, err := rate(ours.conn, read("one.txt"), 20000/b.scale, 64)
		if err != nil {
			return err
		}
		r2, err := rate(echo.conn, frame1, 20000/b.scale, 64)
		if err != nil {
			return err
		}
		rateOurs, rateEcho = append(rateOurs, r1), append(rateEcho, r2)
	}
	b.echoRate = rateEcho
	b.atLeast("read 1 KiB, 64 outstanding", "/s", rateOurs, rateEcho, 0.7)

	var bigOurs, bigEcho []float64
	for range max(30/b.scale, 5) {
		for _, m := range []struct {
			p     *peer
			frame []byte
			into  *[]float64
		}{{ours, read("ten.txt"), &bigOurs}, {echo, frame10, &bigEcho}} {
			begun := time.Now()
			if _, err := roundTrip(m.p.conn, m.frame); err != nil {
				return err
			}
			*m.into = append(*m.into, 10/time.Since(begun).Seconds())
		}
	}
	b.atLeast("read 10 MiB of text", "MiB/s", bigOurs, bigEcho, 0.5)
	b.atLeast("write 1 KiB, one at a time", "/s", perSecond(writeOurs), perSecond(writeEcho), 0.5)

	time.Sleep(4 * time.Second) // memory "after load": what stays
	after, err := residentMiB(ours.cmd.Process.Pid)
	if err != nil {
		return err
	}
	b.bound("memory, idle", []float64{idle}, 15)
	b.bound("memory, after load", []float64{after}, 40)
	return nil
}

func both(f func(*peer, []byte) error, a *peer, fa []byte, b *peer, fb []byte) error {
	if err := f(a, fa); err != nil {
		return err
	}
	return f(b, fb)
}

func perSecond(micros []float64) []float64 {
	out := make([]float64, len(micros))
	for i, m := range micros {
		out[i] = 1e6 / m
	}
	return out
}

// heartbeat frames come in between and are not what anybody asked for.
var beats = [][]byte{[]byte(`{"type":"providerHeartbeat"`), []byte(`{"type":"environmentHeartbeat"`), []byte(`{"type":"notification"`), []byte(`{"type":"setResourceId"`)}

func isBeat(frame []byte) bool {
	for _, b := range beats {
		if bytes.HasPrefix(frame, b) {
			return true
		}
	}
	return false
}

func readFrame(conn *websocket.Conn) ([]byte, error) {
	for {
		_, frame, err := conn.ReadMessage()
		if err != nil || !isBeat(frame) {
			return frame, err
		}
	}
}

func roundTrip(conn *websocket.Conn, request []byte) ([]byte, error) {
	if err := conn.WriteMessage(websocket.TextMessage, request); err != nil {
		return nil, err
	}
	return readFrame(conn)
}

// rate is how many round trips a second go through with that many outstanding.
func rate(conn *websocket.Conn, request []byte, count, outstanding int) (float64, error) {
	begun := time.Now()
	slots := make(chan struct{}, outstanding)
	failed := make(chan error, 1)
	go func() {
		for range count {
			slots <- struct{}{}
			if err := conn.WriteMessage(websocket.TextMessage, request); err != nil {
				failed <- err
				return
			}
		}
		failed <- nil
	}()
	for range count {
		if _, err := readFrame(conn); err != nil {
			return 0, err
		}
		<-slots
	}
	return float64(count) / time.Since(begun).Seconds(), <-failed
}

// forwarding measures messages from a runtime through the provider to the
// server.
func (b *bench) forwarding(ctx context.Context) error {
	if !b.wants("forward") {
		return nil
	}
	project, err := b.project("forward", 20)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	ours, err := b.open(ctx, project, "forward", map[string]any{
		"runtime": map[string]any{"command": []string{self, "-role", "runtime", "{port}"}},
	})
	if err != nil {
		return err
	}
	defer ours.end()
	echo, err := b.listener.spawn(ctx, b.self(ctx, "-role", "echo"))
	if err != nil {
		return err
	}
	defer echo.end()
	const size = 1024
	count := 30000 / b.scale
	var forward, bare []float64
	for range max(10/b.scale, 3) {
		begun := time.Now()
		ask := `{"type":"flood","count":` + strconv.Itoa(count) + `,"size":` + strconv.Itoa(size) + `}`
		if err := ours.conn.WriteMessage(websocket.TextMessage, []byte(ask)); err != nil {
			return err
		}
		for i := range count {
			frame, err := readFrame(ours.conn)
			if err != nil {
				return err
			}
			if want := `"n":` + strconv.Itoa(i) + `,`; !bytes.Contains(frame[:min(len(frame), 60)], []byte(want)) {
				return fmt.Errorf("message %d came as %.60s", i, frame)
			}
		}
		forward = append(forward, float64(count)/time.Since(begun).Seconds())
		r, err := rate(echo.conn, floodFrame(0, size), count, 64)
		if err != nil {
			return err
		}
		bare = append(bare, r)
	}
	b.atLeast("forward a 1 KiB message, runtime to server", "/s", forward, bare, 0.7)
	return nil
}
