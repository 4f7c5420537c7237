package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// reading compares a file of a container's volume, which its runtime reads, and one
// of a worktree that is mounted, with a file of a worktree without a container.
func (d *dock) reading(ctx context.Context) (err error) {
	if !d.wants(rowRead, rowMemory) {
		return nil
	}
	project, err := d.project("docker-read", 50)
	if err != nil {
		return err
	}
	text := strings.Repeat("func main() { fmt.Println(\"hello, world\") } // line\n", 20)[:1024]
	if err := os.WriteFile(filepath.Join(project, "one.txt"), []byte(text), 0o600); err != nil {
		return err
	}
	if err := errors.Join(d.git(ctx, project, "add", "."), d.git(ctx, project, "commit", "-qm", "file")); err != nil {
		return err
	}
	local, err := d.open(ctx, project, "local", nil)
	if err != nil {
		return err
	}
	defer local.end()
	volume, _, err := d.environment(ctx, project, "volume", map[string]any{"content": "volume"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, away(volume)) }()
	if err := d.memory(ctx, volume); err != nil {
		return err
	}
	type reader struct {
		p    *peer
		took []float64
	}
	readers := []*reader{{p: local}, {p: volume}}
	if strings.HasPrefix(d.daemon.Host, "unix:") { // else there is nothing to mount
		mounted, _, err := d.environment(ctx, project, "mounted", map[string]any{"content": "worktree"})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, away(mounted)) }()
		readers = append(readers, &reader{p: mounted})
	}
	ask := []byte(`{"type":"providerReadFile","path":"one.txt","requestId":"0f4e63f2-1111-4222-8333-0123456789ab"}`)
	for i := range 3000/d.scale + 300 {
		for _, r := range readers {
			begun := time.Now()
			answer, err := roundTrip(r.p.conn, ask)
			if err != nil {
				return err
			}
			took := float64(time.Since(begun).Nanoseconds()) / 1000
			if len(answer) < len(text) {
				return fmt.Errorf("the file is not read: %.300s", answer)
			}
			if i >= 300 { // those before warm all
				r.took = append(r.took, took)
			}
		}
	}
	for i, where := range []string{"volume", "worktree mounted"}[:len(readers)-1] {
		d.atMost(rowRead+", "+where, "local read", "µs", readers[i+1].took, readers[0].took, 2)
	}
	return nil
}

// moving compares how files get into a volume and out of it with what docker cp
// does: one request for a tar.
func (d *dock) moving(ctx context.Context) error {
	files := d.megabytes()
	into, outOf := "Docker: "+d.amount()+rowInto, "Docker: "+d.amount()+rowOutOf
	if !d.wants(into, outOf) {
		return nil
	}
	disk := *d.bench
	disk.dir = d.dir
	project, err := disk.project("docker-move", 20)
	if err != nil {
		return err
	}
	// Git ignores them, so that a diff is little more than what fetches them.
	if err := os.WriteFile(filepath.Join(project, ".gitignore"), []byte("data/\nmore/\n"), 0o600); err != nil {
		return err
	}
	if err := errors.Join(d.git(ctx, project, "add", "."), d.git(ctx, project, "commit", "-qm", "ignore")); err != nil {
		return err
	}
	if err := randomFiles(filepath.Join(project, "data"), files); err != nil {
		return err
	}
	var filled, putIn, fetched, got []float64
	// As often as is tolerable: it takes a slow disk long.
	for i, from := 0, time.Now(); i == 0 || i < 3 && time.Since(from) < 40*time.Second; i++ {
		m, err := d.move(ctx, project, "move"+strconv.Itoa(i), files)
		if err != nil {
			return err
		}
		filled, putIn = append(filled, m.filled), append(putIn, m.putIn)
		fetched, got = append(fetched, m.fetched), append(got, m.got)
	}
	d.reported(into, "docker cp", "s", filled, putIn)
	d.reported(outOf, "docker cp", "s", fetched, got)
	return nil
}

// megabytes is how much is moved, in files of one each.
func (b *bench) megabytes() int {
	if b.scale > 1 {
		return 100
	}
	return 1000
}

func (b *bench) amount() string {
	if n := b.megabytes(); n < 1000 {
		return fmt.Sprintf("%d MB", n)
	}
	return "1 GB"
}

// moved is how long files took, in seconds.
type moved struct{ filled, putIn, fetched, got float64 }

// move opens an environment with its files in a volume, and lets as many more be
// made there.
func (d *dock) move(ctx context.Context, project, name string, files int) (m moved, err error) {
	p, b, err := d.environment(ctx, project, name, map[string]any{
		"content": "volume", "copyFiles": []string{"data/"}, "disposableIgnored": []string{"data/", "more/"},
	})
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, away(p)) }()
	m.filled = b.phases["files"] / 1000
	own, err := d.container(ctx)
	if err != nil {
		return m, err
	}
	like, err := d.like(ctx)
	if err != nil {
		return m, err
	}
	bare := "codebolt-bench-" + d.bare
	if err := d.createAndStart(ctx, bare, like); err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, d.discard(ctx, bare)) }()
	from := time.Now()
	if err := d.putArchive(ctx, bare, b.path, filepath.Join(b.path, "data")); err != nil {
		return m, err
	}
	m.putIn = time.Since(from).Seconds()

	diff := func() error {
		return ask(p, map[string]any{"type": "providerGetDiffFiles", "requestId": "d"}, "providerDiffFilesResponse")
	}
	if err := diff(); err != nil { // the first one sees that nothing changed
		return m, err
	}
	if err := d.execute(ctx, own, "cp", "-r", b.path+"/data", b.path+"/more"); err != nil {
		return m, err
	}
	from = time.Now()
	if err := diff(); err != nil {
		return m, err
	}
	m.fetched = time.Since(from).Seconds()
	if err := holds(filepath.Join(b.path, "more"), files); err != nil {
		return m, err
	}
	to := filepath.Join(d.dir, "got")
	from = time.Now()
	if err := d.getArchive(ctx, own, b.path+"/more", to); err != nil {
		return m, err
	}
	m.got = time.Since(from).Seconds()
	return m, errors.Join(holds(filepath.Join(to, "more"), files), os.RemoveAll(to))
}

// holds checks that so many files are in a folder.
func holds(dir string, files int) error {
	found, err := os.ReadDir(dir)
	if err == nil && len(found) != files {
		err = fmt.Errorf("%s has %d files, not %d", dir, len(found), files)
	}
	return err
}

// randomFiles fills a folder with files of a megabyte that no compression makes
// smaller.
func randomFiles(dir string, files int) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	source := rand.NewChaCha8([32]byte{1})
	block := make([]byte, 1e6)
	for i := range files {
		_, _ = source.Read(block) // never fails
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("file%04d", i)), block, 0o600); err != nil {
			return err
		}
	}
	return nil
}
