package mirror_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/codeboltai/codebolt-providers/shared/content"
	"github.com/codeboltai/codebolt-providers/shared/mirror"
	"github.com/codeboltai/codebolt-providers/shared/transfer"
	"github.com/codeboltai/codebolt-providers/shared/wire"
	"github.com/codeboltai/codebolt-providers/shared/workspace"
)

// inProcess does what codebolt-runtime does there, and notes what was asked.
func inProcess(asked *[]string) func(context.Context, string, []string, io.Reader, io.Writer) error {
	return func(ctx context.Context, _ string, args []string, stdin io.Reader, stdout io.Writer) error {
		*asked = append(*asked, args[0])
		root := args[2]
		switch args[0] {
		case "unpack":
			_, err := transfer.Unpack(ctx, root, stdin, transfer.UnpackOptions{Excludes: args[4:5]})
			return err
		case "receive":
			o := transfer.ReceiveOptions{Excludes: args[4:5]}
			if len(args) > 5 {
				store, err := content.Open(args[6], 1<<20)
				if err != nil {
					return err
				}
				defer func() { _ = store.Close(ctx) }()
				o.Store = store
			}
			result, err := transfer.Receive(ctx, root, stdin, stdout, o)
			text, _ := wire.Marshal(transfer.Report{Result: result, Problem: wire.ProblemOf(err)})
			_, _ = stdout.Write([]byte("\n" + string(text) + "\n"))
			return err
		case "pack":
			known, err := transfer.ReadIndex(stdin)
			if err == nil {
				_, err = transfer.Pack(ctx, root, stdout, transfer.PackOptions{Excludes: args[4:5], Known: known})
			}
			return err
		case "file":
			data, err := io.ReadAll(stdin)
			call := &wire.AppFS{}
			if err == nil {
				err = wire.Unmarshal(data, call)
			}
			if err != nil {
				return err
			}
			files, err := workspace.OpenLocal(root, workspace.LocalOptions{Protected: args[4:5]})
			if err != nil {
				return err
			}
			defer files.Close()
			answer, err := wire.Marshal(workspace.Serve(ctx, files, call))
			if err == nil {
				_, err = stdout.Write(answer)
			}
			return err
		}
		return errors.New("it does not know " + args[0])
	}
}

type silent struct{}

func (silent) Note(string, string) {}
func (silent) Warn(string)         {}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(data)
}

func TestWhatIsHereGoesThereAndComesBackWithoutWhereGitFindsTheRepository(t *testing.T) {
	t.Parallel()
	here, there := t.TempDir(), t.TempDir()
	var asked []string
	m := mirror.Mirror{Here: here, There: there, Run: inProcess(&asked)}
	write(t, filepath.Join(here, ".git"), "gitdir: here\n")
	write(t, filepath.Join(here, "src", "a.txt"), "a")
	write(t, filepath.Join(here, "gone.txt"), "gone")
	if err := m.Fill(t.Context(), silent{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(there, ".git")); err == nil || read(filepath.Join(there, "src", "a.txt")) != "a" {
		t.Errorf("there is: %v", err)
	}
	write(t, filepath.Join(there, ".git"), "gitdir: elsewhere\n")
	files := workspace.Remote(here, m.File)
	if err := files.WriteFile(t.Context(), "src/b.txt", []byte("b")); err != nil {
		t.Fatal(err)
	}
	if err := files.WriteFile(t.Context(), ".git", []byte("b")); err == nil {
		t.Error("where git finds the repository can be written")
	}
	if err := os.Remove(filepath.Join(there, "gone.txt")); err != nil {
		t.Fatal(err)
	}
	if err := m.ReadBack(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(here, "gone.txt")); err == nil || read(filepath.Join(here, "src", "b.txt")) != "b" || read(filepath.Join(here, ".git")) != "gitdir: here\n" {
		t.Errorf("here is %q, %q", read(filepath.Join(here, "src", "b.txt")), read(filepath.Join(here, ".git")))
	}
	if want := []string{"unpack", "file", "file", "pack"}; !slices.Equal(asked, want) {
		t.Errorf("asked for %q", asked)
	}
}

// notes remembers what was told.
type notes []string

func (n *notes) Note(_, text string) { *n = append(*n, text) }
func (n *notes) Warn(text string)    { *n = append(*n, "warning: "+text) }

func TestASupplySendsWhatIsNotThereAndTellsHowMuch(t *testing.T) {
	t.Parallel()
	here, store := t.TempDir(), t.TempDir()
	var asked []string
	write(t, filepath.Join(here, ".git"), "gitdir: here\n")
	write(t, filepath.Join(here, "src", "a.txt"), "aaaaa")
	write(t, filepath.Join(here, "b.txt"), "bbb")
	for _, want := range []int64{8, 0} {
		there := t.TempDir()
		m := mirror.Mirror{Here: here, There: there, Run: inProcess(&asked)}
		var told notes
		sent, err := m.Supply(t.Context(), &told, mirror.Has{Store: store, Limit: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		if sent.Moved != want || sent.Files != 2 || sent.Stream == 0 || read(filepath.Join(there, "src", "a.txt")) != "aaaaa" {
			t.Errorf("%+v", sent)
		}
		if _, err := os.Lstat(filepath.Join(there, ".git")); err == nil {
			t.Error("where git finds the repository is there")
		}
		if text := "2 files, 8 bytes; " + strconv.FormatInt(8-want, 10) + " bytes were there already"; len(told) != 1 || !strings.HasPrefix(told[0], text) {
			t.Errorf("told %q, want %q", told, text)
		}
	}
	m := mirror.Mirror{Here: here, There: filepath.Join(here, "none"), Run: inProcess(&asked)}
	if _, err := m.Supply(t.Context(), silent{}, mirror.Has{}); wire.CodeOf(err) != wire.NotFound {
		t.Errorf("without a directory: %v", err)
	}
}

func TestAFailureThereIsToldAndNothingIsTakenForDeleted(t *testing.T) {
	t.Parallel()
	here := t.TempDir()
	write(t, filepath.Join(here, "kept.txt"), "kept")
	broken := wire.Errorf(wire.Unavailable, "the machine is gone")
	m := mirror.Mirror{Here: here, There: "/nowhere", Run: func(context.Context, string, []string, io.Reader, io.Writer) error { return broken }}
	for what, do := range map[string]func(context.Context) error{
		"fill": func(ctx context.Context) error { return m.Fill(ctx, silent{}) }, "read back": m.ReadBack,
		"supply": func(ctx context.Context) error { _, err := m.Supply(ctx, silent{}, mirror.Has{}); return err },
	} {
		if err := do(t.Context()); !errors.Is(err, broken) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if read(filepath.Join(here, "kept.txt")) != "kept" {
		t.Error("what is here was deleted")
	}
}
