package procgroup

import (
	"errors"
	"io"
	"os"
	"time"
	"unicode/utf8"
)

const (
	// pieceSize is the most that one piece of output has, in bytes.
	pieceSize = 32 << 10
	// pipeSize is how much a pipe holds.
	pipeSize = 64 << 10
	// pipeRest is how long what a pipe holds may take to come out of it.
	pipeRest = 50 * time.Millisecond
)

// read gives what comes through a pipe, without tearing characters apart.
func read(from *os.File, give func([]byte)) {
	defer from.Close()
	buf := make([]byte, pieceSize)
	held := 0
	rest := -1 // bytes that are still taken once the pipe's time is over
	for {
		n, err := from.Read(buf[held:])
		switch {
		case rest < 0 && errors.Is(err, os.ErrDeadlineExceeded):
			rest = pipeSize
			err = from.SetReadDeadline(time.Now().Add(pipeRest))
		case rest >= 0 && err == nil:
			if rest -= n; rest <= 0 {
				err = io.EOF
			}
		case errors.Is(err, os.ErrDeadlineExceeded):
			err = io.EOF
		}
		n += held
		held = 0
		if err == nil {
			held = Torn(buf[:n])
		}
		if n > held {
			give(buf[:n-held])
		}
		copy(buf, buf[n-held:n])
		if err != nil {
			return
		}
	}
}

// Torn is how many bytes at the end of b begin a character of UTF-8 that is not
// complete.
func Torn(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if c := b[len(b)-n]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(b[len(b)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}
