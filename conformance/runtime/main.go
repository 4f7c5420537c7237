package runtime

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/faultproxy"
)

// readyLine is what an agent server prints when it listens.
const readyLine = "Server started successfully"

// fileSocket is where a runtime is steered, below its folder.
const fileSocket = "control"

// Main is the program: it runs until ctx ends, a signal asks for its end, or a
// [Control] does, and returns the exit status.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	flags := flag.NewFlagSet("agentserver", flag.ContinueOnError)
	flags.SetOutput(stderr)
	port := flags.Int("port", 0, "where to listen")
	dir := flags.String("dir", "", "the folder of journal and control socket")
	readyAfter := flags.Duration("ready-after", 0, "how long the start takes")
	greetAfter := flags.Duration("greet-after", 0, "how long \"registered\" takes; negative: it never comes")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	select {
	case <-time.After(*readyAfter):
	case <-ctx.Done():
		return 0
	}
	if err := run(ctx, *port, *dir, *greetAfter, stdout); err != nil {
		fmt.Fprintln(stderr, "agentserver:", err)
		return 1
	}
	return 0
}

func run(ctx context.Context, port int, dir string, greetAfter time.Duration, stdout io.Writer) error {
	journal, err := os.OpenFile(filepath.Join(dir, fileJournal), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer journal.Close()
	s := &server{journal: journal, greetAfter: greetAfter, change: make(chan struct{}), end: make(chan struct{})}
	inner, err := s.listen(ctx)
	if err != nil {
		return err
	}
	defer inner.Close()
	s.proxy, err = faultproxy.ListenOn(net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), faultproxy.To(inner.address))
	if err != nil {
		return err
	}
	defer func() { _ = s.proxy.Close() }() // it always returns nil
	control, err := s.steer(ctx, filepath.Join(dir, fileSocket))
	if err != nil {
		return err
	}
	defer control.Close()
	s.note(Entry{Event: Started})
	if _, err := fmt.Fprintln(stdout, readyLine); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-s.end:
	}
	s.note(Entry{Event: Ended})
	return nil
}
