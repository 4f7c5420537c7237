package runtime

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// small is a log of at most 4 KiB, of which 1 KiB stays.
func small(t *testing.T) *Log {
	t.Helper()
	file, err := openLog(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	l := BoundedLog(file)
	if l == nil {
		t.Fatal("it cannot be bounded")
	}
	l.limit, l.kept = 4<<10, 1<<10
	return l
}

func lines(t *testing.T, l *Log) []string {
	t.Helper()
	data, err := os.ReadFile(l.file.Name())
	if err != nil || !bytes.HasSuffix(data, []byte("\n")) {
		t.Fatalf("the log: %v, %q", err, data)
	}
	return strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
}

func cut(t *testing.T, l *Log) {
	t.Helper()
	if err := l.cut(); err != nil {
		t.Error(err)
	}
}

// whole checks that a log has the lines up to one, or up to any, and none is missing.
func whole(t *testing.T, l *Log, last int) {
	t.Helper()
	l.mu.Lock()
	got := lines(t, l)
	l.mu.Unlock()
	if strings.Contains(got[0], "earlier lines were dropped") {
		got = got[1:]
	}
	if last < 0 {
		_, _ = fmt.Sscanf(got[len(got)-1], "line %d", &last) // else it shows below
	}
	for i, line := range got {
		if want := fmt.Sprintf("line %06d ends", last-len(got)+1+i); line != want {
			t.Fatalf("line %d of %d is %q, not %q", i, len(got), line, want)
		}
	}
}

func TestALogThatIsWrittenToWhileItIsCutKeepsItsNewestLinesWhole(t *testing.T) {
	const all = 10000
	l := small(t)
	written := make(chan struct{})
	go func() {
		defer close(written)
		for i := range all {
			if _, err := fmt.Fprintf(l, "line %06d ends\n", i); err != nil {
				t.Error(err)
			}
			if i%100 == 0 {
				cut(t, l)
			}
		}
	}()
	defer func() { <-written }()
	for cutting := true; cutting; {
		select {
		case <-written:
			cutting = false
		default:
			cut(t, l)
			if info, err := l.file.Stat(); err == nil && info.Size() > 0 {
				whole(t, l, -1)
			}
		}
	}
	whole(t, l, all-1)
	if info, err := l.file.Stat(); err != nil || info.Size() > l.limit+100*17 || info.Size() < l.kept {
		t.Errorf("it has %d bytes, %v", info.Size(), err)
	}
	if first := lines(t, l)[0]; !strings.Contains(first, "earlier lines were dropped") {
		t.Errorf("it begins with %q", first)
	}
}

func TestALogThatAnotherWritesToMeanwhileIsCutAtWholeLines(t *testing.T) {
	l := small(t)
	other, err := os.OpenFile(l.file.Name(), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	n := 0
	write := func(count int) {
		for range count {
			if _, err := fmt.Fprintf(other, "line %06d ends\n", n); err != nil {
				t.Error(err)
			}
			n++
		}
	}
	var cutting sync.WaitGroup
	written := make(chan struct{})
	cutting.Go(func() {
		for {
			select {
			case <-written:
				return
			default:
				cut(t, l)
			}
		}
	})
	write(20000)
	close(written)
	cutting.Wait()
	write(300) // of these none is written while the log is cut
	cut(t, l)
	got := lines(t, l)
	if last := got[len(got)-1]; last != fmt.Sprintf("line %06d ends", n-1) {
		t.Errorf("it ends with %q", last)
	}
	if len(got) > 1<<10/17+2 || len(got) < 1<<10/17 {
		t.Errorf("it has %d lines", len(got))
	}
	for _, line := range got[1:] {
		if len(line) != 16 || !strings.HasPrefix(line, "line ") || !strings.HasSuffix(line, " ends") {
			t.Errorf("a line is torn: %q", line)
		}
	}
}

func TestALineInTheMakingIsWaitedForButNotForEver(t *testing.T) {
	l := small(t)
	part := strings.Repeat("x", int(l.limit)+100)
	for _, want := range []int64{int64(len(part)), 0} {
		if _, err := l.file.WriteString(part); err != nil {
			t.Fatal(err)
		}
		cut(t, l)
		info, err := l.file.Stat()
		if err != nil || want > 0 && info.Size() != want || want == 0 && info.Size() > l.kept {
			t.Errorf("it has %d bytes, %v", info.Size(), err)
		}
	}
}

func TestOnlyAFileThatIsReadAndAppendedToIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	for flags, bounded := range map[int]bool{
		os.O_RDWR | os.O_APPEND: true, os.O_RDWR: false, os.O_WRONLY | os.O_APPEND: false,
	} {
		file, err := os.OpenFile(path, flags|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if got := BoundedLog(file) != nil; got != bounded {
			t.Errorf("opened with %x: bounded is %v", flags, got)
		}
		_ = file.Close()
	}
}
