package install

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/codeboltai/codebolt-providers/shared/wire"
)

const (
	// sumsFile lists the files of a folder with their SHA-256, as sha256sum does.
	sumsFile = "SHA256SUMS"
	// noteFile tells where an installed folder came from. It is not in the list.
	noteFile = "install.json"
)

// Problem is a way in which a folder differs from what was made.
type Problem struct {
	Path string `json:"path"` // slash-separated, in the folder
	What What   `json:"what"`
}

// What is a kind of problem.
type What string

// The kinds of problems.
const (
	Missing    What = "missing"    // it is on the list, and not there
	Changed    What = "changed"    // it is not what it was, or no plain file
	Unexpected What = "unexpected" // it is there, and not on the list
)

func (p Problem) String() string { return fmt.Sprintf("%s is %s", p.Path, p.What) }

// Check compares a folder with its own list of files and returns every difference,
// sorted by path. It fails with NotFound when there is no list, and with Invalid when
// what is there is none.
//
// The list comes with the folder: it tells of accidents, and not of somebody who
// changes the list as well.
func Check(ctx context.Context, folder fs.FS) ([]Problem, error) {
	text, err := fs.ReadFile(folder, sumsFile)
	if err != nil {
		return nil, wire.Errorf(wire.CodeOf(err), "there is no %s, so that nothing tells whether the files are what they should be: %w", sumsFile, err)
	}
	wanted := map[string]string{}
	var listed []string
	lines := bufio.NewScanner(bytes.NewReader(text))
	for number := 1; lines.Scan(); number++ {
		sum, name, ok := strings.Cut(lines.Text(), "  ")
		if !ok || len(sum) != 2*sha256.Size || !fs.ValidPath(name) {
			return nil, wire.Errorf(wire.Invalid, "%s:%d is no checksum and path", sumsFile, number)
		}
		if _, twice := wanted[name]; !twice {
			listed = append(listed, name)
		}
		wanted[name] = sum
	}
	if len(listed) == 0 {
		return nil, wire.Errorf(wire.Invalid, "%s lists nothing", sumsFile)
	}
	var found []Problem
	seen := map[string]bool{}
	err = walk(ctx, folder, func(name string, plain bool) error {
		seen[name] = true
		sum, ok := wanted[name]
		if !ok {
			found = append(found, Problem{name, Unexpected})
			return nil
		}
		is := ""
		if plain {
			var err error
			if is, err = sumOf(folder, name); err != nil {
				return err
			}
		}
		if is != sum {
			found = append(found, Problem{name, Changed})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, name := range listed {
		if !seen[name] {
			found = append(found, Problem{name, Missing})
		}
	}
	return found, nil
}

// writeSums writes the list of a folder.
func writeSums(ctx context.Context, into *os.Root) error {
	var list bytes.Buffer
	err := walk(ctx, into.FS(), func(name string, plain bool) error {
		if !plain {
			return wire.Errorf(wire.Invalid, "%s is neither a file nor a folder", name)
		}
		sum, err := sumOf(into.FS(), name)
		fmt.Fprintf(&list, "%s  %s\n", sum, name)
		return err
	})
	if err != nil {
		return err
	}
	return write(into, sumsFile, list.Bytes())
}

// walk calls f with every file of a folder but the list and the note, in the order of
// their paths. What is neither a file nor a folder is not plain.
func walk(ctx context.Context, folder fs.FS, f func(name string, plain bool) error) error {
	return fs.WalkDir(folder, ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		switch {
		case err != nil:
			return wire.Errorf(wire.CodeOf(err), "read the folder: %w", err)
		case entry.IsDir(), name == sumsFile, name == noteFile:
			return nil
		}
		return f(name, entry.Type().IsRegular())
	})
}

func sumOf(folder fs.FS, name string) (string, error) {
	f, err := folder.Open(name)
	if err != nil {
		return "", wire.Errorf(wire.CodeOf(err), "read %s: %w", filepath.FromSlash(name), err)
	}
	defer func() { _ = f.Close() }()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", wire.Errorf(wire.CodeOf(err), "read %s: %w", filepath.FromSlash(name), err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
