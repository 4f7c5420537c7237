package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
)

// maxFileCall is the longest file call that is read, in bytes.
const maxFileCall = 256 << 20

// file answers one file call, for providers whose runtime does not run.
func file(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var o workspace.LocalOptions
	flags := flag.NewFlagSet("codebolt-runtime file", flag.ContinueOnError)
	flags.SetOutput(stderr)
	root := flags.String("root", "", "directory of the files")
	flags.Func("protect", "name at the root that calls never change; may be repeated", func(name string) error {
		o.Protected = append(o.Protected, name)
		return nil
	})
	flags.Usage = func() {
		fmt.Fprintln(stderr, "codebolt-runtime file --root DIR answers one file call: it is read from standard input, and its answer written to standard output.")
		flags.PrintDefaults()
	}
	if status, ok := parsed(flags.Parse(args)); !ok {
		return status
	}
	if *root == "" || flags.NArg() > 0 {
		fmt.Fprintln(stderr, "codebolt-runtime file: --root is needed; the call is read from standard input, and its answer written to standard output")
		return 2
	}
	err := func() error {
		data, err := io.ReadAll(io.LimitReader(stdin, maxFileCall))
		if err != nil {
			return err
		}
		call := &wire.AppFS{}
		if err := wire.Unmarshal(data, call); err != nil {
			return err
		}
		files, err := workspace.OpenLocal(*root, o)
		if err != nil {
			return err
		}
		answer, err := wire.Marshal(workspace.Serve(ctx, files, call))
		if err == nil {
			_, err = stdout.Write(answer)
		}
		return errors.Join(err, files.Close())
	}()
	if err != nil {
		fmt.Fprintln(stderr, "codebolt-runtime: file:", err)
		return 1
	}
	return 0
}
