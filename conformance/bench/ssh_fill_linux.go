package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// What is sent to a host: so many files, of so many bytes each, which no compression
// makes less.
const (
	fillFiles = 2000
	fillBytes = 50_000
)

// filling compares the start of an environment with a project of 100 MB with what
// rsync takes to copy it, and the same again after one file has changed. It reports
// how much goes over the line.
func (f *far) filling(ctx context.Context) error {
	if !f.wants(rowFarFill) {
		return nil
	}
	project, err := f.large(ctx)
	if err != nil {
		return err
	}
	copied := filepath.Join(f.home, "rsync")
	var begun *begun
	ours := func(name string) func() error {
		return func() error {
			p, b, err := f.environment(ctx, project, name)
			if err != nil {
				return err
			}
			begun = b
			return away(p)
		}
	}
	rsync := func() error {
		out, err := f.openssh(ctx, "rsync", "-a", "--exclude", ".git", project+"/", "far:"+copied+"/").CombinedOutput()
		if err != nil {
			return fmt.Errorf("rsync: %w: %s", err, out)
		}
		return nil
	}
	for i, what := range []string{", filled first", ", filled after one file changed"} {
		if i > 0 {
			changed := filepath.Join(project, "dir000", "file00001.bin")
			if err := os.WriteFile(changed, noise(-1, fillBytes), 0o600); err != nil {
				return err
			}
			if err := f.git(ctx, project, "commit", "-qam", "changed"); err != nil {
				return err
			}
		}
		sent, _, err := f.sentBy(ours(fmt.Sprint("fill", i)))
		if err != nil {
			return err
		}
		bare, took, err := f.sentBy(rsync)
		if err != nil {
			return err
		}
		f.reported(rowFarFill+what, "rsync -a", "ms", []float64{begun.phases["files"]}, []float64{took})
		if i == 0 {
			f.reported(rowFarFill+what+", sent", "rsync -a", "MB", []float64{sent}, []float64{bare})
			continue
		}
		all := float64(fillFiles*fillBytes) / 1e6
		f.atMost(rowFarFill+what+", sent", "all", "MB", []float64{sent}, []float64{all}, 0.01)
		f.reported(rowFarFill+what+", sent", "rsync -a", "MB", []float64{sent}, []float64{bare})
	}
	return errors.Join(os.RemoveAll(copied), os.RemoveAll(project))
}

// sentBy is how many MB go over the line, both ways, while something is done, and how
// many milliseconds that takes.
func (f *far) sentBy(do func() error) (megabytes, took float64, err error) {
	before, from := f.line.Stats(), time.Now()
	err = do()
	took = millis(from)
	after := f.line.Stats()
	return float64(after.Up-before.Up+after.Down-before.Down) / 1e6, took, err
}

// large makes the project that is sent.
func (f *far) large(ctx context.Context) (string, error) {
	project, err := f.project("ssh-fill", 10)
	if err != nil {
		return "", err
	}
	for i := range fillFiles {
		dir := filepath.Join(project, fmt.Sprintf("dir%03d", i/100))
		if err := os.MkdirAll(dir, 0o750); err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file%05d.bin", i)), noise(i, fillBytes), 0o600); err != nil {
			return "", err
		}
	}
	return project, errors.Join(f.git(ctx, project, "add", "."), f.git(ctx, project, "commit", "-qm", "large"))
}

// noise is so many bytes that are the same each time, and like nothing else.
func noise(seed, size int) []byte {
	var out []byte
	for i := 0; len(out) < size; i++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "%d %d", seed, i))
		out = append(out, sum[:]...)
	}
	return out[:size]
}
