package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/codeboltai/codebolt-providers/shared/content"
	"github.com/codeboltai/codebolt-providers/shared/transfer"
	"github.com/codeboltai/codebolt-providers/shared/wire"
)

// tree is the directory that a subcommand is about.
type tree struct {
	root     string
	excludes []string
}

// treeFlags are the flags of every subcommand about a directory.
func treeFlags(name, usage string, stderr io.Writer) (*flag.FlagSet, *tree) {
	flags, t := newFlags(name, usage, stderr), &tree{}
	flags.StringVar(&t.root, "root", "", "the directory")
	flags.Func("exclude", "name directly in the directory that is left alone, whatever its case; may be repeated", func(name string) error {
		t.excludes = append(t.excludes, name)
		return nil
	})
	return flags, t
}

func newFlags(name, usage string, stderr io.Writer) *flag.FlagSet {
	flags := flag.NewFlagSet("codebolt-runtime "+name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintf(stderr, "codebolt-runtime %s\n\nflags:\n", usage)
		flags.PrintDefaults()
	}
	return flags
}

// parse reads the flags of a subcommand about a directory. When it returns
// false, the program ends with the status.
func (t *tree) parse(flags *flag.FlagSet, args []string) (status int, ok bool) {
	if status, ok := parsed(flags.Parse(args)); !ok {
		return status, false
	}
	if t.root == "" || flags.NArg() > 0 {
		fmt.Fprintf(flags.Output(), "%s: --root is needed, and nothing but flags\n", flags.Name())
		return 2, false
	}
	return 0, true
}

// plainSignals has signals end the process at once, as nothing needs cleaning up.
func plainSignals() { signal.Reset(os.Interrupt, syscall.SIGTERM) }

func pack(ctx context.Context, args []string, stdin io.Reader, stdout *os.File, stderr io.Writer) int {
	flags, t := treeFlags("pack", "pack --root DIR writes the directory's content to stdout, for unpack on the other side.\n"+
		"At the end a line of JSON on stderr says what was sent, or the error.", stderr)
	known := flags.Bool("known", false, "read from stdin what the other side has, as scan tells it, and send only what differs")
	if status, ok := t.parse(flags, args); !ok {
		return status
	}
	plainSignals()
	var o transfer.PackOptions
	o.Excludes = t.excludes
	if *known {
		index, err := transfer.ReadIndex(stdin)
		if err != nil {
			return report(stderr, transfer.Result{}, err)
		}
		o.Known = index
	}
	result, err := transfer.Pack(ctx, t.root, stdout, o)
	return report(stderr, result, err)
}

func unpack(ctx context.Context, args []string, stdin io.Reader, stdout *os.File, stderr io.Writer) int {
	flags, t := treeFlags("unpack", "unpack --root DIR brings the directory to what pack, on stdin, says.\n"+
		"A line of JSON on stdout says what was received, or the error.", stderr)
	var o transfer.UnpackOptions
	flags.BoolVar(&o.Delete, "delete", false, "remove what the other side does not have")
	flags.Func("owner", "UID:GID that everything will belong to", func(text string) (err error) {
		o.Owner, err = owner(text)
		return err
	})
	if status, ok := t.parse(flags, args); !ok {
		return status
	}
	o.Excludes = t.excludes
	in, stop := endable(ctx, stdin)
	defer stop()
	result, err := transfer.Unpack(ctx, t.root, in, o)
	if err != nil {
		fmt.Fprintf(stderr, "codebolt-runtime %v\n", err)
	}
	return report(stdout, result, err)
}

// endable is a stream that ends with ctx: what has no name yet is removed when a signal
// ends this, for which the reading must end.
func endable(ctx context.Context, stdin io.Reader) (in io.Reader, stop func()) {
	in, feed := io.Pipe()
	go func() {
		_, err := io.CopyBuffer(feed, stdin, make([]byte, 256<<10))
		feed.CloseWithError(err) // nil is the end of the stream
	}()
	undo := context.AfterFunc(ctx, func() { feed.CloseWithError(context.Cause(ctx)) })
	return in, func() { undo() }
}

func receive(ctx context.Context, args []string, stdin io.Reader, stdout *os.File, stderr io.Writer) int {
	flags, t := treeFlags("receive", "receive --root DIR brings what a provider, on stdin and stdout, has into the directory.\n"+
		"At the end a line of JSON on stdout says what was received, or the error.", stderr)
	var o transfer.ReceiveOptions
	keep := flags.String("store", "", "directory for the parts of files that arrive, and that need not come again")
	limit := flags.Int64("limit", 0, "bytes that the store may have; 0: there is none")
	flags.Func("seed", "directory in which files may be that need not come; may be repeated", func(name string) error {
		o.Seeds = append(o.Seeds, name)
		return nil
	})
	if status, ok := t.parse(flags, args); !ok {
		return status
	}
	o.Excludes = t.excludes
	var trouble []string
	if *keep != "" && *limit > 0 {
		store, err := content.Open(*keep, *limit)
		if err != nil { // it is of use, and not needed
			trouble = append(trouble, err.Error())
		}
		o.Store = store
	}
	in, stop := endable(ctx, stdin)
	defer stop()
	result, err := transfer.Receive(ctx, t.root, in, stdout, o)
	if o.Store != nil {
		if err := closeStore(ctx, o.Store); err != nil {
			trouble = append(trouble, err.Error())
		}
	}
	result.Troubles = append(trouble, result.Troubles...)
	if err != nil {
		fmt.Fprintf(stderr, "codebolt-runtime %v\n", err)
	}
	fmt.Fprintln(stdout) // the answers end here
	return report(stdout, result, err)
}

// closeStore does not wait long for others: one of them makes room.
func closeStore(ctx context.Context, store *content.Store) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err := store.Close(ctx)
	if wire.CodeOf(err) == wire.Conflict {
		return nil
	}
	return err
}

func scan(ctx context.Context, args []string, stdout *os.File, stderr io.Writer) int {
	flags, t := treeFlags("scan", "scan --root DIR writes to stdout what the directory has, for pack --known.\n"+
		"A line of JSON on stderr says the error, if any.", stderr)
	var o transfer.ScanOptions
	flags.BoolVar(&o.Sums, "sums", false, "read every file, so that pack need not send what only has another time")
	if status, ok := t.parse(flags, args); !ok {
		return status
	}
	plainSignals()
	o.Excludes = t.excludes
	index, err := transfer.Scan(ctx, t.root, o)
	if err == nil {
		out := bufio.NewWriter(stdout)
		if _, err = index.WriteTo(out); err == nil {
			err = out.Flush()
		}
	}
	if err != nil {
		return report(stderr, transfer.Result{}, err)
	}
	return 0
}

// report prints what a transfer did and returns the status to end with.
func report(w io.Writer, result transfer.Result, err error) int {
	line, failed := json.Marshal(transfer.Report{Result: result, Problem: wire.ProblemOf(err)})
	if failed == nil {
		_, failed = w.Write(append(line, '\n'))
	}
	if err != nil || failed != nil {
		return 1
	}
	return 0
}

func owner(text string) (*transfer.Owner, error) {
	left, right, ok := strings.Cut(text, ":")
	uid, err := strconv.ParseUint(left, 10, 31)
	if ok && err == nil {
		var gid uint64
		if gid, err = strconv.ParseUint(right, 10, 31); err == nil {
			return &transfer.Owner{UID: int(uid), GID: int(gid)}, nil
		}
	}
	return nil, wire.Errorf(wire.Invalid, "give two numbers, as in 1000:1000")
}
